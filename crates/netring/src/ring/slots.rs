//! The send ring: equal slots of memory, and the queue of those that hold a frame to send.
//!
//! Slots are allocated and queued in any order; frames leave in the order in which they were queued.
//! A discarded slot leaves no hole, because queueing takes a place in the queue and allocating does
//! not.
//!
//! A kernel that copies frames during the call (sendmmsg) leaves them in the queue until
//! [`complete`](SlotRing::complete). A kernel that reads slots in place (AF_XDP) gets them with
//! [`submit`](SlotRing::submit) and returns each with [`complete_slot`](SlotRing::complete_slot).

use std::collections::VecDeque;

use super::memory::Memory;
use super::slice::VolatileSlice;

/// Proof that its holder may write a slot. It cannot be copied, and is queued or discarded exactly once.
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
    stride: u32,
    slot_size: u32,
    count: u32,
    free: Vec<u32>,
    queue: VecDeque<QueuedFrame>,
    /// Lengths of the frames that the kernel reads in place, by slot; 0 for a slot it does not read.
    submitted: Vec<u32>,
    submitted_count: u32,
    /// Slots whose memory code outside this crate can still write; they are not reused.
    quarantined: Vec<bool>,
}

impl SlotRing {
    /// `count` slots of `slot_size` bytes over `memory`.
    pub fn new(memory: Memory, slot_size: u32, count: u32) -> Self {
        Self::with_stride(memory, slot_size, slot_size, count)
    }

    /// The same with slots that start `stride` bytes apart.
    pub fn with_stride(memory: Memory, stride: u32, slot_size: u32, count: u32) -> Self {
        let end = count.checked_sub(1).map_or(0, |last| last as usize * stride as usize + slot_size as usize);
        assert!(stride >= slot_size && memory.len() >= end, "the memory holds the slots");
        Self {
            memory,
            stride,
            submitted: vec![0; count as usize],
            submitted_count: 0,
            slot_size,
            count,
            free: (0..count).rev().collect(),
            queue: VecDeque::with_capacity(count as usize),
            quarantined: vec![false; count as usize],
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
            .slice(slot as usize * self.stride as usize, self.slot_size as usize)
            .expect("a slot lies inside the memory")
    }

    /// Queues the first `length` bytes of a slot behind those already queued.
    pub fn queue(&mut self, token: SlotToken, length: u32) {
        assert!(length > 0 && length <= self.slot_size, "a frame fits its slot and is not empty");
        self.queue.push_back(QueuedFrame { slot: token.index, length });
    }

    /// Copies a frame into a free slot and queues it; false when there is none.
    #[inline]
    pub fn queue_copy(&mut self, frame: VolatileSlice<'_>) -> bool {
        assert!(frame.len() <= self.slot_size as usize, "a frame fits its slot");
        let Some(token) = self.allocate() else { return false };
        let written = self.memory.copy_from(token.index as usize * self.stride as usize, frame);
        debug_assert!(written, "a slot lies inside the memory");
        self.queue(token, frame.len() as u32);
        true
    }

    /// Takes the last `frames` frames out of the queue again, unsent.
    pub fn cancel(&mut self, frames: usize) {
        for _ in 0..frames {
            let frame = self.queue.pop_back().expect("no more is cancelled than was queued");
            self.recycle(frame.slot);
        }
    }

    /// Frees a slot unsent.
    pub fn discard(&mut self, token: SlotToken) {
        self.recycle(token.index);
    }

    /// The frames at the head of the queue, at most `max`.
    pub fn head(&self, max: usize) -> impl ExactSizeIterator<Item = QueuedFrame> + '_ {
        self.queue.iter().take(max).copied()
    }

    /// The bytes of the frames at the head of the queue, at most `max` frames.
    #[inline]
    pub fn head_bytes(&self, max: usize) -> impl Iterator<Item = VolatileSlice<'_>> + Clone {
        self.queue.iter().take(max).map(|frame| {
            let start = frame.slot as usize * self.stride as usize;
            self.memory.part(start, frame.length as usize).expect("a queued frame lies in its slot")
        })
    }

    /// The first `frames` frames of the queue have left or were refused: frees their slots.
    pub fn complete(&mut self, frames: usize) {
        for _ in 0..frames {
            let frame = self.queue.pop_front().expect("no more is completed than was queued");
            self.recycle(frame.slot);
        }
    }

    /// Takes the frame at the head out of the queue, for a kernel that reads the slot in place.
    /// [`complete_slot`](Self::complete_slot) frees the slot.
    pub fn submit(&mut self) -> Option<QueuedFrame> {
        let frame = self.queue.pop_front()?;
        self.submitted[frame.slot as usize] = frame.length;
        self.submitted_count += 1;
        Some(frame)
    }

    /// Whether the kernel reads this slot in place; false for a number that is no slot's.
    pub fn in_kernel(&self, slot: u32) -> bool {
        self.submitted.get(slot as usize).is_some_and(|length| *length > 0)
    }

    /// Slots that the kernel reads in place.
    pub fn submitted(&self) -> u32 {
        self.submitted_count
    }

    /// The kernel is done with a slot: frees it and returns the frame's length. `None`, and nothing
    /// freed, if the kernel was not reading that slot.
    pub fn complete_slot(&mut self, slot: u32) -> Option<u32> {
        let length = std::mem::take(self.submitted.get_mut(slot as usize)?);
        if length == 0 {
            return None;
        }
        self.submitted_count -= 1;
        self.recycle(slot);
        Some(length)
    }

    fn recycle(&mut self, slot: u32) {
        if !self.quarantined[slot as usize] {
            self.free.push(slot);
        }
    }

    /// Keeps a slot from being reused once its frame has left, until [`reclaim`](Self::reclaim).
    pub fn quarantine(&mut self, slot: u32) {
        self.quarantined[slot as usize] = true;
    }

    /// Ends a quarantine: no code outside can write the slot any more. The slot is free now, or once
    /// its frame has left.
    pub fn reclaim(&mut self, slot: u32) {
        if std::mem::replace(&mut self.quarantined[slot as usize], false)
            && self.submitted[slot as usize] == 0
            && !self.queue.iter().any(|frame| frame.slot == slot)
        {
            self.free.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(ring.queue_copy(frame.as_slice().into()));
        }
        ring.cancel(2);
        assert_eq!((ring.available(), ring.queued()), (2, 1));
        let first = ring.head(9).next().unwrap();
        assert_eq!(ring.bytes(first.slot).read(0, 1).unwrap(), b"1");
    }

    #[test]
    fn a_quarantined_slot_is_not_reused_until_reclaimed() {
        let mut ring = ring(1);
        let token = ring.allocate().unwrap();
        ring.quarantine(token.index());
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
        ring.quarantine(token.index());
        ring.queue(token, 8);
        ring.reclaim(0);
        assert_eq!(ring.available(), 0);
        ring.complete(1);
        assert_eq!(ring.available(), 1);
    }

    #[test]
    fn a_submitted_slot_comes_back_once_and_in_any_order() {
        let mut ring = ring(3);
        for frame in [b"1".as_slice(), b"22", b"333"] {
            assert!(ring.queue_copy(frame.into()));
        }
        let frames: Vec<_> = std::iter::from_fn(|| ring.submit()).collect();
        assert_eq!((ring.available(), ring.queued(), ring.submitted()), (0, 0, 3));
        assert_eq!(ring.complete_slot(frames[2].slot), Some(3));
        assert_eq!(ring.complete_slot(frames[2].slot), None, "twice");
        assert_eq!(ring.complete_slot(7), None, "no such slot");
        ring.quarantine(frames[0].slot);
        assert_eq!(ring.complete_slot(frames[0].slot), Some(1));
        assert_eq!((ring.available(), ring.submitted()), (1, 1));
        ring.reclaim(frames[0].slot);
        assert_eq!(ring.available(), 2);
        ring.quarantine(frames[1].slot);
        ring.reclaim(frames[1].slot);
        assert_eq!(ring.available(), 2, "the kernel still reads it");
        assert_eq!(ring.complete_slot(frames[1].slot), Some(2));
        assert_eq!(ring.available(), 3);
    }

    #[test]
    fn slots_may_lie_apart() {
        let memory = Memory::zeroed(2 * 64 - 16);
        let mut ring = SlotRing::with_stride(memory.clone(), 64, 48, 2);
        assert!(ring.queue_copy(b"one".as_slice().into()));
        assert!(ring.queue_copy(b"two".as_slice().into()));
        assert_eq!(memory.read(64, 3).unwrap(), b"two");
        assert_eq!(ring.bytes(1).len(), 48);
    }

    #[test]
    fn copies_go_to_their_slot() {
        let mut ring = ring(2);
        assert!(ring.queue_copy(b"one".as_slice().into()));
        assert!(ring.queue_copy(b"three".as_slice().into()));
        assert!(!ring.queue_copy(b"full".as_slice().into()));
        let frames: Vec<_> = ring.head(9).collect();
        let bytes: Vec<_> =
            frames.iter().map(|frame| ring.bytes(frame.slot).read(0, frame.length as usize).unwrap()).collect();
        assert_eq!(bytes, [b"one".to_vec(), b"three".to_vec()]);
    }
}
