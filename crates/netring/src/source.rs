//! What a source of packets can do, in parts. A source has the parts that it has: a capture file has no link and no
//! epoll, an AF_PACKET socket has both.
//!
//! | part | what it adds |
//! |---|---|
//! | [`Source`] | batches: take one, look at it, give it back |
//! | [`Pollable`] | waiting for a batch, with and without blocking |
//! | [`LinkEvents`] | events of the interface's link |
//! | [`Counters`] | packets and drops |

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::link::LinkEvent;
use crate::link_type::LinkType;
use crate::readiness::{EpollEvents, Readiness, TaskGuard};
use crate::ring::columns::CopyFailure;
use crate::ring::{Batch, ColumnSet, Columns, Malformed, Memory};
use crate::stats::CaptureStats;
use crate::sys::deadline_after;

/// Called with a number of packets; gives the columns to fill with them, if any.
pub type Target<'a> = &'a mut dyn FnMut(u32) -> Option<(Columns, ColumnSet)>;

/// A callback that other threads may call with a change of the link, or with the error that ended the watch.
pub type LinkCallback = Box<dyn Fn(io::Result<LinkEvent>) + Send + Sync>;

/// What is known of a batch without looking at its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Packets, at least one.
    pub length: u32,
    /// Its number: batches are counted from 1 in the order in which they are handed out.
    pub sequence: u64,
    /// A timer handed it over; it was not full.
    pub timed_out: bool,
    /// Packets were lost before it.
    pub losing: bool,
    /// The next batch is there already, in the same block of the ring.
    pub more: bool,
}

impl From<&Batch> for BatchHeader {
    fn from(batch: &Batch) -> Self {
        Self {
            length: batch.length(),
            sequence: batch.sequence(),
            timed_out: batch.timed_out(),
            losing: batch.losing(),
            more: !batch.ends_block(),
        }
    }
}

/// Batches. A batch is a linear token: [`next`](Self::next) gives it, and it is given back once.
pub trait Source: Sized {
    /// Proof that its holder may look at some packets.
    type Batch;

    /// What every packet begins with. Of a source whose packets differ in it, what those of the last batch begin with.
    fn link_type(&self) -> LinkType;
    /// What the packets of a batch begin with.
    fn batch_link_type(&self, _batch: &Self::Batch) -> LinkType {
        self.link_type()
    }
    /// Whether VLAN tags are not in the packets' bytes but beside them, where the status has TP_STATUS_VLAN_VALID.
    fn strips_vlan(&self) -> bool {
        false
    }
    /// The next batch, with the columns that `target` gives for that many packets filled; `None` when
    /// there is none. Never blocks. Fails once the interface is gone and the ring is empty.
    fn next(&mut self, target: Target<'_>) -> Result<Option<(Self::Batch, Option<Columns>)>>;
    /// Gives a batch back, which frees its memory for new packets.
    fn release(&mut self, batch: Self::Batch);
    /// Frees everything at once.
    fn close(self) -> Result<()>;

    /// What is known of a batch.
    fn header(batch: &Self::Batch) -> BatchHeader;
    /// The bytes that JavaScript may see; offsets of columns count from their start.
    fn bytes(&self, batch: &Self::Batch) -> Option<Memory>;
    /// Fills columns of a batch.
    fn fill(&self, batch: &Self::Batch, columns: &Columns, set: ColumnSet) -> std::result::Result<(), Malformed>;
    /// Copies all packets end to end into `target` and their columns into `columns`, with offsets into `target`.
    fn copy(&self, batch: &Self::Batch, columns: &Columns, target: &Memory) -> std::result::Result<(), CopyFailure>;
}

/// What a waiting reader learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollState {
    /// There is a batch.
    Ready,
    /// There is none: an edge will come before there is one.
    Empty,
    /// Look again then; no edge may come before.
    Later(Instant),
}

/// Waiting for a batch.
pub trait Pollable {
    /// Whether [`Source::next`] would give a batch. Clears the edges first, so that a wait that was armed
    /// before misses nothing. Fails when the link went down since the last time.
    fn poll(&mut self) -> Result<bool>;
    /// As [`poll`](Self::poll), for a reader that prefers few wake-ups: a source whose packets come in small
    /// portions may answer [`PollState::Later`].
    fn poll_coalesced(&mut self) -> Result<PollState> {
        Ok(if self.poll()? { PollState::Ready } else { PollState::Empty })
    }
    /// The source's edges.
    fn readiness(&self) -> &Arc<Readiness>;
    /// How often a blocking wait has to look, because something may become of the interface without an edge. `None` where
    /// every change is an edge.
    fn look_every(&self) -> Option<Duration>;
    /// Blocks this thread until an edge comes or `deadline` passes, and reads the socket's error if there is one.
    fn wait_for_edge(&mut self, deadline: Instant) -> Result<EpollEvents>;

    /// Blocks this thread, up to `timeout`, until [`Source::next`] would give a batch or fail; false when it
    /// would do neither. Fails when the link goes down meanwhile.
    fn wait_within(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = deadline_after(timeout);
        loop {
            match self.poll_coalesced()? {
                PollState::Ready => return Ok(true),
                PollState::Later(at) if at < deadline => {
                    std::thread::sleep(at.saturating_duration_since(Instant::now()));
                    continue;
                }
                // The caller has no more time: a plain poll() sees what coalescing would hold back.
                PollState::Later(_) => {
                    std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
                    return self.poll();
                }
                PollState::Empty => {}
            }
            let until = self.look_every().map_or(deadline, |every| deadline.min(Instant::now() + every));
            let events = self.wait_for_edge(until)?;
            if !events.any && until == deadline {
                // One last look: the deadline may have come before the edge did.
                return self.poll();
            }
        }
    }
}

/// Events of the interface's link.
pub trait LinkEvents {
    /// Calls `changed` with every change of the interface's link, until the watch is dropped.
    fn watch_link(&self, changed: LinkCallback) -> Result<TaskGuard>;
    /// Calls `removed` once the interface is gone, where [`Pollable::readiness`] will not tell. `None` where it will.
    fn watch_removal(&self, removed: Box<dyn Fn() + Send + Sync>) -> Result<Option<TaskGuard>>;
}

/// Packets and drops.
pub trait Counters {
    /// Since the last call of this.
    fn stats(&mut self) -> Result<CaptureStats>;
    /// Since open.
    fn cumulative_stats(&mut self) -> Result<CaptureStats>;
}

/// A source that receives from an interface: it has every part.
pub trait LiveSource: Source + Pollable + LinkEvents + Counters {}
impl<S: Source + Pollable + LinkEvents + Counters> LiveSource for S {}
