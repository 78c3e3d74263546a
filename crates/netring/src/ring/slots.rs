//! The send ring: equal slots of memory, and the queue of those that hold a frame to send.
//!
//! Slots are taken and queued in any order; frames leave in the order in which they were queued. A
//! slot that is given up leaves no hole, because a place in the queue is taken on sending and not
//! on allocating.

use std::collections::VecDeque;

use super::memory::{Lent, Memory};

/// Proof that a slot is being written. Cannot be copied; queued or discarded exactly once.
#[derive(Debug)]
#[must_use = "a slot that is neither queued nor discarded is lost to the ring"]
pub struct SlotToken {
    index: u32,
}

impl SlotToken {
    /// Which slot.
    pub fn index(&self) -> u32 {
        self.index
    }
}

/// A frame waiting to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedFrame {
    /// The slot that holds it.
    pub slot: u32,
    /// Its length in bytes.
    pub length: u32,
}

/// Slots, those that are free, and the queue.
#[derive(Debug)]
pub struct SlotRing {
    memory: Memory,
    slot_size: u32,
    count: u32,
    free: Vec<u32>,
    queue: VecDeque<QueuedFrame>,
    /// Slots whose memory somebody outside can still write; not to be reused.
    withheld: Vec<bool>,
}

impl SlotRing {
    /// `count` slots of `slot_size` bytes over `memory`.
    pub fn new(memory: Memory, slot_size: u32, count: u32) -> Self {
        assert!(memory.len() >= slot_size as usize * count as usize, "the memory holds the slots");
        Self {
            memory,
            slot_size,
            count,
            free: (0..count).rev().collect(),
            queue: VecDeque::with_capacity(count as usize),
            withheld: vec![false; count as usize],
        }
    }

    /// The bytes of all slots.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Bytes a slot.
    pub fn slot_size(&self) -> u32 {
        self.slot_size
    }

    /// Slots.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Slots that can be allocated now.
    pub fn available(&self) -> u32 {
        self.free.len() as u32
    }

    /// Frames queued and not yet taken by the kernel.
    pub fn queued(&self) -> u32 {
        self.queue.len() as u32
    }

    /// A free slot, or `None` when there is none.
    pub fn allocate(&mut self) -> Option<SlotToken> {
        self.free.pop().map(|index| SlotToken { index })
    }

    /// A slot's bytes.
    pub fn bytes(&self, slot: u32) -> Memory {
        self.memory
            .slice(slot as usize * self.slot_size as usize, self.slot_size as usize)
            .expect("a slot lies inside the memory")
    }

    /// Queues the first `length` bytes of a slot behind those already queued.
    pub fn queue(&mut self, token: SlotToken, length: u32) {
        assert!(length <= self.slot_size, "a frame fits its slot");
        self.queue.push_back(QueuedFrame { slot: token.index, length });
    }

    /// Copies a frame into a free slot and queues it; false when there is none.
    pub fn queue_copy(&mut self, frame: Lent<'_>) -> bool {
        assert!(frame.len() <= self.slot_size as usize, "a frame fits its slot");
        let Some(token) = self.allocate() else { return false };
        let written = self.memory.copy_from(token.index as usize * self.slot_size as usize, frame);
        debug_assert!(written, "a slot lies inside the memory");
        self.queue(token, frame.len() as u32);
        true
    }

    /// Takes the last `frames` out of the queue again, unsent.
    pub fn cancel(&mut self, frames: usize) {
        for _ in 0..frames {
            let frame = self.queue.pop_back().expect("no more is cancelled than was queued");
            self.recycle(frame.slot);
        }
    }

    /// Gives a slot back unsent.
    pub fn discard(&mut self, token: SlotToken) {
        self.recycle(token.index);
    }

    /// The frames at the head of the queue, at most `max`.
    pub fn head(&self, max: usize) -> impl ExactSizeIterator<Item = QueuedFrame> + '_ {
        self.queue.iter().take(max).copied()
    }

    /// The first `frames` of the queue have left (or will never): their slots are free.
    pub fn complete(&mut self, frames: usize) {
        for _ in 0..frames {
            let frame = self.queue.pop_front().expect("no more is completed than was queued");
            self.recycle(frame.slot);
        }
    }

    fn recycle(&mut self, slot: u32) {
        if !self.withheld[slot as usize] {
            self.free.push(slot);
        }
    }

    /// Keeps a slot out of use when it comes back, until [`reclaim`](Self::reclaim).
    pub fn withhold(&mut self, slot: u32) {
        self.withheld[slot as usize] = true;
    }

    /// Nobody outside can write the slot any more. `waiting` says whether it has come back
    /// meanwhile.
    pub fn reclaim(&mut self, slot: u32) {
        if std::mem::replace(&mut self.withheld[slot as usize], false)
            && !self.queue.iter().any(|frame| frame.slot == slot)
        {
            self.free.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lent(bytes: &[u8]) -> Lent<'_> {
        bytes.into()
    }

    fn ring(count: u32) -> SlotRing {
        SlotRing::new(Memory::zeroed(64 * count as usize), 64, count)
    }

    #[test]
    fn frames_leave_in_the_order_of_sending() {
        let mut ring = ring(3);
        let first = ring.allocate().unwrap();
        let second = ring.allocate().unwrap();
        let third = ring.allocate().unwrap();
        assert!(ring.allocate().is_none());
        let order = [third.index(), first.index()];
        ring.queue(third, 3);
        ring.discard(second);
        ring.queue(first, 1);
        let head: Vec<_> = ring.head(9).map(|frame| frame.slot).collect();
        assert_eq!(head, order);
        assert_eq!((ring.available(), ring.queued()), (1, 2));
        ring.complete(2);
        assert_eq!((ring.available(), ring.queued()), (3, 0));
    }

    #[test]
    fn cancelled_frames_are_the_last_ones() {
        let mut ring = ring(3);
        for frame in [b"1", b"2", b"3"] {
            assert!(ring.queue_copy(lent(frame)));
        }
        ring.cancel(2);
        assert_eq!((ring.available(), ring.queued()), (2, 1));
        let first = ring.head(9).next().unwrap();
        assert_eq!(ring.bytes(first.slot).read(0, 1).unwrap(), b"1");
    }

    #[test]
    fn a_withheld_slot_is_not_reused_until_reclaimed() {
        let mut ring = ring(1);
        let token = ring.allocate().unwrap();
        ring.withhold(token.index());
        ring.queue(token, 8);
        ring.complete(1);
        assert!(ring.allocate().is_none());
        ring.reclaim(0);
        assert_eq!(ring.available(), 1);
        ring.reclaim(0);
        assert_eq!(ring.available(), 1, "reclaimed once");
    }

    #[test]
    fn a_slot_reclaimed_while_queued_comes_back_once() {
        let mut ring = ring(1);
        let token = ring.allocate().unwrap();
        ring.withhold(token.index());
        ring.queue(token, 8);
        ring.reclaim(0);
        assert_eq!(ring.available(), 0);
        ring.complete(1);
        assert_eq!(ring.available(), 1);
    }

    #[test]
    fn copies_go_to_their_slot() {
        let mut ring = ring(2);
        assert!(ring.queue_copy(lent(b"one")));
        assert!(ring.queue_copy(lent(b"three")));
        assert!(!ring.queue_copy(lent(b"full")));
        let frames: Vec<_> = ring.head(9).collect();
        let bytes: Vec<_> =
            frames.iter().map(|frame| ring.bytes(frame.slot).read(0, frame.length as usize).unwrap()).collect();
        assert_eq!(bytes, [b"one".to_vec(), b"three".to_vec()]);
    }
}
