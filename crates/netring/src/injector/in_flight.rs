//! How many frames have left, computed from what the kernel still charges the socket.

use std::collections::VecDeque;

/// What the kernel charges a frame beyond its bytes, at least: struct sk_buff and struct
/// skb_shared_info (`SKB_TRUESIZE`, include/linux/skbuff.h).
pub(super) const SMALLEST_OVERHEAD: u64 = 512;

/// Frames that the kernel took, and how many of them have certainly left it.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Lengths of the frames that the kernel may still hold, oldest first.
    lengths: VecDeque<u32>,
    left: u64,
    left_bytes: u64,
}

impl InFlight {
    /// The kernel took frames of these lengths.
    pub(super) fn taken(&mut self, lengths: impl Iterator<Item = u32>) {
        self.lengths.extend(lengths);
    }

    /// Frames that the kernel may still hold.
    pub(super) fn count(&self) -> u64 {
        self.lengths.len() as u64
    }

    /// Frames that have left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Their bytes.
    pub(super) fn left_bytes(&self) -> u64 {
        self.left_bytes
    }

    /// The kernel charges the socket this many bytes now. Until its buffer is freed, each frame is
    /// charged with its bytes and an overhead, so the charge divided by that of the shortest frame is
    /// the most that may wait. Frames leave queues in order, so those are the newest.
    pub(super) fn settle(&mut self, charge: u32) {
        let Some(shortest) = self.lengths.iter().min() else { return };
        let may_wait = u64::from(charge).div_ceil(u64::from(*shortest) + SMALLEST_OVERHEAD);
        let gone = self.lengths.len().saturating_sub(may_wait as usize);
        self.left += gone as u64;
        self.left_bytes += self.lengths.drain(..gone).map(u64::from).sum::<u64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(frames: u32, length: u32) -> u32 {
        frames * (length + SMALLEST_OVERHEAD as u32)
    }

    #[test]
    fn without_a_charge_everything_has_left() {
        let mut frames = InFlight::default();
        frames.settle(0);
        frames.taken([60, 1500].into_iter());
        assert_eq!((frames.count(), frames.left()), (2, 0));
        frames.settle(0);
        assert_eq!((frames.count(), frames.left(), frames.left_bytes()), (0, 2, 1560));
    }

    #[test]
    fn no_frame_counts_as_left_while_the_charge_may_be_its_own() {
        let mut frames = InFlight::default();
        frames.taken(std::iter::repeat_n(1000, 10));
        frames.settle(charge(10, 1000));
        assert_eq!(frames.left(), 0);
        frames.settle(charge(3, 1000));
        assert_eq!((frames.left(), frames.count()), (7, 3));
        frames.settle(1);
        assert_eq!((frames.left(), frames.count()), (9, 1), "whatever is charged is at least one frame");
        frames.settle(u32::MAX);
        assert_eq!((frames.left(), frames.count()), (9, 1), "a frame that left does not come back");
    }

    #[test]
    fn the_charge_is_divided_by_that_of_the_shortest() {
        let mut frames = InFlight::default();
        frames.taken([60, 9000, 9000, 9000].into_iter());
        // One long frame in fact, but the charge could also be that of all four.
        frames.settle(charge(1, 9000));
        assert_eq!(frames.left(), 0);
        frames.settle(charge(1, 60));
        assert_eq!((frames.left(), frames.left_bytes()), (3, 60 + 18_000));
    }
}
