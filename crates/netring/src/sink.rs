//! What every sink of frames does, whatever the kernel's side of it is.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::readiness::Readiness;
use crate::ring::{Memory, SlotToken, VolatileSlice};

/// Frames sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxStats {
    /// Taken by the kernel and no longer held by it: transmitted, or dropped below the socket (a
    /// carrier that is lost, a queueing discipline that drops silently). While some wait there, at
    /// least so many.
    pub sent: u64,
    /// Refused.
    pub rejected: u64,
    /// Queued here or waiting in the kernel.
    pub pending: u64,
    /// Bytes of the frames sent.
    pub bytes: u64,
}

/// Why a flush ended.
#[derive(Clone, Debug)]
pub enum Flushed {
    /// The queue is empty.
    Everything,
    /// The socket's send buffer is full; [`Sink::room`] says when it is not.
    BufferFull,
    /// A queue below is full; try again after a millisecond, nothing tells when it is not.
    QueueFull,
}

/// A sink of frames. A slot is a linear token: it is had from [`allocate`](Self::allocate), and queued or discarded once.
pub trait Sink {
    /// Slots that can be allocated now.
    fn available(&mut self) -> Result<u32>;
    /// A free slot, or `None`. Slots whose frames have left are free again.
    fn allocate(&mut self) -> Result<Option<SlotToken>>;
    /// All bytes of a slot that was allocated.
    fn slot_bytes(&self, slot: &SlotToken) -> Result<Memory>;
    /// Queues a slot's first `length` bytes. The slot is given back where that is no frame.
    fn queue(&mut self, slot: SlotToken, length: u32) -> Result<()>;
    /// Gives a slot back unsent.
    fn discard(&mut self, slot: SlotToken);
    /// Keeps a slot's memory out of use until [`reclaim`](Self::reclaim).
    fn quarantine(&mut self, slot: u32);
    /// See [`SlotRing::reclaim`](crate::ring::SlotRing::reclaim).
    fn reclaim(&mut self, slot: u32);

    /// Whether a frame of this length can be sent at all.
    fn check(&self, length: usize) -> Result<()>;
    /// Copies a frame into a slot and queues it; false when no slot is free.
    fn send(&mut self, frame: VolatileSlice<'_>) -> Result<bool>;
    /// Takes the last frames queued out of the queue again, unsent.
    fn cancel(&mut self, frames: usize);
    /// Hands what is queued to the kernel until it takes no more; never blocks. Returns how many
    /// frames it took and why it ended.
    fn flush(&mut self) -> Result<(u32, Flushed)>;
    /// Flushes until every frame has left or was refused, blocking this thread; false when
    /// `timeout` passed first.
    fn wait_drained(&mut self, timeout: Duration) -> Result<bool>;
    /// For waiting until the send buffer has room, after [`Flushed::BufferFull`].
    fn room(&self) -> &Arc<Readiness>;

    /// How many refusals [`take_rejections`](Self::take_rejections) has to tell.
    fn unreported_rejections(&self) -> usize;
    /// Frames refused since the last call of this, the newest 64.
    fn take_rejections(&mut self) -> Vec<Error>;
    /// The counters now.
    fn tx_stats(&mut self) -> Result<TxStats>;
}
