//! What every source of packets does, whatever the kernel's side of it is.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::link::LinkEvent;
use crate::readiness::{Readiness, Wait};
use crate::ring::columns::CopyFailure;
use crate::ring::{Batch, ColumnSet, Columns, Malformed, Memory};
use crate::stats::CaptureStats;

/// Asked with a number of packets, gives the columns to fill with them, if any.
pub type Target<'a> = &'a mut dyn FnMut(u32) -> Option<(Columns, ColumnSet)>;

/// What is known of a batch without looking at its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Packets, at least one.
    pub length: u32,
    /// Its number: batches are counted from 1 in the order in which they are handed out.
    pub sequence: u64,
    /// It was handed over by a timer, not because it was full.
    pub timed_out: bool,
    /// Packets were lost before it.
    pub losing: bool,
    /// The next batch is there already, of the same piece of the ring.
    pub more: bool,
}

impl From<&Batch> for BatchHeader {
    fn from(run: &Batch) -> Self {
        Self {
            length: run.length(),
            sequence: run.sequence(),
            timed_out: run.timed_out(),
            losing: run.losing(),
            more: !run.ends_block(),
        }
    }
}

/// What somebody who waits is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollState {
    /// There is a batch.
    Ready,
    /// There is none: an edge will come before there is one.
    Empty,
    /// To look again then; no edge may come before.
    Later(Instant),
}

/// A source of batches. A batch is a linear token: it is had from [`next`](Self::next), and given back once.
pub trait Source: Sized {
    /// Proof that somebody may look at some packets.
    type Batch;

    /// The next batch, with the columns that `target` gives for that many packets filled; `None` when
    /// there is none. Never blocks. Fails once the interface is gone and the ring is empty.
    fn next(&mut self, target: Target<'_>) -> Result<Option<(Self::Batch, Option<Columns>)>>;
    /// Waits on this thread, up to `timeout`, until [`next`](Self::next) would give a batch or fail; false when it
    /// would do neither. Fails when the link goes down meanwhile.
    fn wait_within(&mut self, timeout: Duration) -> Result<bool>;
    /// Whether [`next`](Self::next) would give a batch. Clears the edges first, so that a wait that was armed
    /// before misses nothing. Fails when the link went down since the last time.
    fn poll(&mut self) -> Result<bool>;
    /// As [`poll`](Self::poll), for who would rather be woken less often: a source whose packets come in small
    /// portions may tell him to wait for more.
    fn poll_coalesced(&mut self) -> Result<PollState> {
        Ok(if self.poll()? { PollState::Ready } else { PollState::Empty })
    }
    /// Gives a batch back to the kernel.
    fn release(&mut self, batch: Self::Batch);
    /// Frees everything at once.
    fn close(self) -> Result<()>;

    /// What is known of a batch.
    fn head(batch: &Self::Batch) -> BatchHeader;
    /// The bytes that JavaScript may see; offsets of columns count from their start.
    fn bytes(&self, batch: &Self::Batch) -> Option<Memory>;
    /// Fills columns of a batch.
    fn fill(&self, batch: &Self::Batch, columns: &Columns, set: ColumnSet) -> std::result::Result<(), Malformed>;
    /// Copies all packets end to end into `target` and their columns into `columns`, with offsets into `target`.
    fn copy(&self, batch: &Self::Batch, columns: &Columns, target: &Memory) -> std::result::Result<(), CopyFailure>;

    /// For waiting without blocking.
    fn readiness(&self) -> &Arc<Readiness>;
    /// Whether everything that becomes of the interface is an edge: otherwise a blocking wait has to look now and then.
    fn tells_everything(&self) -> bool;
    /// Calls `changed` with every change of the interface's link, until the watch is dropped.
    fn watch_link(&self, changed: impl Fn(io::Result<LinkEvent>) + Send + Sync + 'static) -> Result<Wait>;
    /// Calls `removed` once the interface is gone, where [`readiness`](Self::readiness) will not tell. `None` where it will.
    fn watch_removal(&self, removed: impl Fn() + Send + Sync + 'static) -> Result<Option<Wait>>;

    /// Packets and drops since the last call of this.
    fn stats(&mut self) -> Result<CaptureStats>;
    /// Packets and drops since open.
    fn cumulative_stats(&mut self) -> Result<CaptureStats>;
}
