//! The parts of a packet source. A source implements the parts that apply: a capture file has no link and no epoll, an
//! AF_PACKET socket has both.
//!
//! | part | what it adds |
//! |---|---|
//! | [`Source`] | batches: take, read and release them |
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

/// Called with a number of packets; returns the columns to fill, if any.
pub type Target<'a> = &'a mut dyn FnMut(u32) -> Option<(Columns, ColumnSet)>;

/// A callback that other threads call with a link event, or with the error that ended the watch.
pub type LinkCallback = Box<dyn Fn(io::Result<LinkEvent>) + Send + Sync>;

/// Metadata of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Packets, at least one.
    pub length: u32,
    /// Its number; the source counts batches from 1.
    pub sequence: u64,
    /// The block timer closed the block before it was full.
    pub timed_out: bool,
    /// Packets were lost before it.
    pub losing: bool,
    /// The next batch is available, in the same block of the ring.
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

/// Batches. A batch is a linear token: [`next`](Self::next) returns it, and [`release`](Self::release) consumes it.
pub trait Source: Sized {
    /// Permission to read the packets of one batch.
    type Batch;

    /// The link-layer type of every packet.
    fn link_type(&self) -> LinkType;
    /// The next batch, and the columns that `target` returned for it, filled; `None` when there is no batch. Never
    /// blocks. Fails once the interface is gone and the ring is empty.
    ///
    /// # Errors
    ///
    /// [`InterfaceRemoved`](crate::ErrorKind::InterfaceRemoved) once the ring is empty, `XdpProgram` where an AF_XDP socket's program was
    /// detached, [`Io`](crate::ErrorKind::Io).
    fn next(&mut self, target: Target<'_>) -> Result<Option<(Self::Batch, Option<Columns>)>>;
    /// Releases a batch, which frees its memory for new packets.
    fn release(&mut self, batch: Self::Batch);
    /// Frees everything at once.
    ///
    /// # Errors
    ///
    /// [`Mmap`](crate::ErrorKind::Mmap) where the ring's mapping cannot be replaced.
    fn close(self) -> Result<()>;

    /// The metadata of a batch.
    fn header(batch: &Self::Batch) -> BatchHeader;
    /// The bytes that JavaScript may see; column offsets count from their start.
    fn bytes(&self, batch: &Self::Batch) -> Option<Memory>;
    /// Fills columns of a batch.
    fn fill(&self, batch: &Self::Batch, columns: &Columns, set: ColumnSet) -> std::result::Result<(), Malformed>;
    /// Copies all packets end to end into `target` and their columns into `columns`, with offsets into `target`.
    fn copy(&self, batch: &Self::Batch, columns: &Columns, target: &Memory) -> std::result::Result<(), CopyFailure>;
}

/// The result of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollState {
    /// A batch is available.
    Ready,
    /// No batch is available; an epoll event will precede the next one.
    Empty,
    /// Poll again at this time; no epoll event may come earlier.
    Later(Instant),
}

/// Waiting for a batch.
pub trait Pollable {
    /// Whether [`Source::next`] would return a batch. Clears the epoll events first, so that a wait that was armed
    /// before misses none. Fails when the link went down since the last call.
    ///
    /// # Errors
    ///
    /// As [`Source::next`], and [`LinkDown`](crate::ErrorKind::LinkDown) once each time the link goes down.
    fn poll(&mut self) -> Result<bool>;
    /// As [`poll`](Self::poll), for a reader that prefers few wake-ups: a source whose packets arrive in small
    /// groups may return [`PollState::Later`].
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll).
    fn poll_coalesced(&mut self) -> Result<PollState> {
        Ok(if self.poll()? { PollState::Ready } else { PollState::Empty })
    }
    /// The source's epoll events.
    fn readiness(&self) -> &Arc<Readiness>;
    /// How often a blocking wait has to check the interface, because some changes cause no epoll event. `None` where
    /// every change causes one.
    fn look_every(&self) -> Option<Duration>;
    /// Blocks this thread until an epoll event comes or `deadline` passes, and reads the socket's pending error, if
    /// any.
    fn wait_for_event(&mut self, deadline: Instant) -> Result<EpollEvents>;

    /// Blocks this thread, up to `timeout`, until [`Source::next`] would return a batch or fail; false on timeout.
    /// Fails when the link goes down meanwhile.
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll).
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
            let events = self.wait_for_event(until)?;
            if !events.any && until == deadline {
                // Poll once more: a packet may have come just before the deadline.
                return self.poll();
            }
        }
    }
}

/// Events of the interface's link.
pub trait LinkEvents {
    /// Calls `changed` with every change of the interface's link, until the watch is dropped.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io), and as [`interface::list`](crate::interface::list) about the namespace.
    fn watch_link(&self, changed: LinkCallback) -> Result<TaskGuard>;
    /// Calls `removed` once the interface is gone. `None` where [`Pollable::readiness`] reports the removal.
    fn watch_removal(&self, removed: Box<dyn Fn() + Send + Sync>) -> Result<Option<TaskGuard>>;
}

/// Packets and drops.
pub trait Counters {
    /// Since the last call.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) where the kernel's counters cannot be read.
    fn stats(&mut self) -> Result<CaptureStats>;
    /// Since open.
    ///
    /// # Errors
    ///
    /// As [`stats`](Self::stats).
    fn cumulative_stats(&mut self) -> Result<CaptureStats>;
}

/// A source that receives from an interface: it has every part.
pub trait LiveSource: Source + Pollable + LinkEvents + Counters {}
impl<S: Source + Pollable + LinkEvents + Counters> LiveSource for S {}
