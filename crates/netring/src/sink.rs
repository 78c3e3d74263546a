//! What every sink of frames does: slots to write frames into, a queue of them, and a flush.
//!
//! A sink supplies its slots and its way to the kernel. Checking, queueing, cancelling and waiting
//! are the same for all and stand here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::readiness::Readiness;
use crate::ring::{Memory, SlotRing, SlotToken, VolatileSlice};
use crate::sys::deadline_after;
use crate::tx::describe_short;

/// Bytes of an Ethernet header. No shorter frame can be sent on such an interface. With
/// CAP_SYS_RAWIO the kernel would pad one silently (`dev_validate_header`, include/linux/netdevice.h).
pub(crate) const ETHERNET_HEADER: u32 = 14;

/// How long to wait where no event says when a queue has room or a frame has left.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// Frames sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxStats {
    /// Taken by the kernel and no longer held by it: transmitted, or dropped below the socket (a
    /// lost carrier, a queueing discipline that drops silently). A lower bound while frames wait there.
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
    /// The socket's send buffer is full. [`Sink::room`] becomes ready when it has room.
    BufferFull,
    /// A queue below is full. No event says when it has room; try again after a millisecond.
    QueueFull,
}

/// A sink of frames. A slot is a linear token: [`allocate`](Self::allocate) makes it, and it is
/// queued or discarded once.
pub trait Sink {
    /// The interface's name.
    fn interface(&self) -> &str;
    /// The slots. Fails where the sink was not opened to send.
    fn slots(&self) -> Result<&SlotRing>;
    /// The slots, to write and queue.
    fn slots_mut(&mut self) -> Result<&mut SlotRing>;
    /// Frees the slots of frames that have left.
    fn collect(&mut self) {}
    /// Bytes of the shortest frame.
    fn shortest(&self) -> u32;
    /// The error for a frame that fits no slot.
    fn too_long(&self, length: usize) -> Error;
    /// Hands queued frames to the kernel until it takes no more; never blocks. Returns how many
    /// frames it took and why it ended.
    ///
    /// # Errors
    ///
    /// [`LinkDown`](crate::ErrorKind::LinkDown) (frames stay queued), [`InterfaceRemoved`](crate::ErrorKind::InterfaceRemoved),
    /// [`Frame`](crate::ErrorKind::Frame) where a refused frame is to stop the flush, [`Io`](crate::ErrorKind::Io).
    fn flush(&mut self) -> Result<(u32, Flushed)>;
    /// To wait on after [`Flushed::BufferFull`].
    fn room(&self) -> &Arc<Readiness>;
    /// Frames refused since the last [`take_rejections`](Self::take_rejections).
    fn unreported_rejections(&self) -> usize;
    /// Why frames were refused since the last call: the first 64 reasons.
    fn take_rejections(&mut self) -> Vec<Error>;
    /// The counters now.
    fn tx_stats(&mut self) -> Result<TxStats>;

    /// Slots that can be allocated now.
    fn available(&mut self) -> Result<u32> {
        self.collect();
        Ok(self.slots()?.available())
    }

    /// A free slot, or `None`.
    fn allocate(&mut self) -> Result<Option<SlotToken>> {
        if self.slots()?.available() == 0 {
            self.collect();
        }
        Ok(self.slots_mut()?.allocate())
    }

    /// All bytes of an allocated slot.
    fn slot_bytes(&self, slot: &SlotToken) -> Result<Memory> {
        Ok(self.slots()?.bytes(slot.index()))
    }

    /// Queues a slot's first `length` bytes. If they are no frame the slot is discarded.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); the slot is free again.
    fn queue(&mut self, slot: SlotToken, length: u32) -> Result<()> {
        if let Err(error) = self.check(length as usize) {
            self.discard(slot);
            return Err(error);
        }
        self.slots_mut()?.queue(slot, length);
        Ok(())
    }

    /// Frees a slot unsent.
    fn discard(&mut self, slot: SlotToken) {
        if let Ok(slots) = self.slots_mut() {
            slots.discard(slot);
        }
    }

    /// Keeps a slot's memory out of use until [`reclaim`](Self::reclaim).
    fn quarantine(&mut self, slot: u32) {
        if let Ok(slots) = self.slots_mut() {
            slots.quarantine(slot);
        }
    }

    /// See [`SlotRing::reclaim`].
    fn reclaim(&mut self, slot: u32) {
        if let Ok(slots) = self.slots_mut() {
            slots.reclaim(slot);
        }
    }

    /// Whether a frame of this length can be sent at all.
    ///
    /// # Errors
    ///
    /// [`Frame`](crate::ErrorKind::Frame), naming both lengths.
    #[inline]
    fn check(&self, length: usize) -> Result<()> {
        if length > self.slots()?.slot_size() as usize {
            return Err(self.too_long(length));
        }
        if length < self.shortest() as usize {
            return Err(describe_short(length, self.shortest(), self.interface()));
        }
        Ok(())
    }

    /// Copies a frame into a slot and queues it; false when no slot is free.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); nothing is queued then.
    #[inline]
    fn send(&mut self, frame: VolatileSlice<'_>) -> Result<bool> {
        self.check(frame.len())?;
        if self.slots()?.available() == 0 {
            self.collect();
        }
        Ok(self.slots_mut()?.queue_copy(frame))
    }

    /// Takes the last queued frames out of the queue again, unsent.
    fn cancel(&mut self, frames: usize) {
        if let Ok(slots) = self.slots_mut() {
            slots.cancel(frames);
        }
    }

    /// Flushes until every frame has left or was refused, blocking this thread; false when
    /// `timeout` passed first.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    fn wait_drained(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = deadline_after(timeout);
        loop {
            let (_, end) = self.flush()?;
            if self.tx_stats()?.pending == 0 {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            match end {
                Flushed::BufferFull => {
                    self.room().wait_until(deadline).map_err(|error| {
                        Error::os(ErrorKind::Io, "epoll_wait", &error, "the packet socket failed")
                            .on_interface(self.interface())
                    })?;
                }
                Flushed::Everything | Flushed::QueueFull => {
                    std::thread::sleep(deadline.min(now + RETRY_AFTER) - now);
                }
            }
        }
    }
}
