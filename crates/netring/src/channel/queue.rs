//! The bounded queue itself: who gets in, who makes room, and the counts. No thread and no lock.

use std::collections::VecDeque;
use std::ops::Range;

use super::chunk::Chunk;
use super::options::{ChannelOptions, WhenFull};
use crate::ring::Memory;

/// Packets between the thread that drains a ring and its reader.
///
/// The reader fetches many packets at once and passes them on one by one. Until then they are in the queue: they
/// count, and the oldest of them can be dropped. So both sides add to one counter, the *position*: the packet that an
/// addition steps over is the adder's, the reader's to pass on or the queue's to drop, and nobody else's.
#[derive(Debug)]
pub(super) struct Queue {
    options: ChannelOptions,
    chunks: VecDeque<Chunk>,
    held: Size,
    lent: Prefetched,
    overflowed: u64,
    /// To be counted once those that were admitted with them are here.
    dropped: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    packets: u64,
    bytes: u64,
}

impl Size {
    fn and(self, bytes: u32) -> Self {
        Self { packets: self.packets + 1, bytes: self.bytes + u64::from(bytes) }
    }

    fn less(self, bytes: u32) -> Self {
        self.minus(Self { packets: 1, bytes: u64::from(bytes) })
    }

    fn minus(self, other: Self) -> Self {
        Self { packets: self.packets - other.packets, bytes: self.bytes - other.bytes }
    }

    fn plus(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }

    fn fits(self, options: &ChannelOptions) -> bool {
        self.packets <= u64::from(options.capacity) && self.bytes <= options.capacity_bytes
    }
}

/// What the reader has fetched.
#[derive(Debug)]
struct Prefetched {
    /// The counter, in memory that the reader writes.
    position: Memory,
    /// Of each packet, the bytes up to its end.
    ends: Vec<u32>,
}

impl Prefetched {
    /// Packets that were passed on or dropped.
    fn over(&self) -> usize {
        (self.position.load_acquire(0).unwrap_or(u32::MAX) as usize).min(self.ends.len())
    }

    fn rest(&self) -> Size {
        let over = self.over();
        let bytes = |packets: usize| packets.checked_sub(1).map_or(0, |last| self.ends[last]);
        Size {
            packets: (self.ends.len() - over) as u64,
            bytes: u64::from(bytes(self.ends.len())) - u64::from(bytes(over)),
        }
    }

    /// Takes the oldest packet away from the reader, if it has any.
    fn drop_first(&self) -> bool {
        // Looked at first, so that the counter does not go round.
        self.over() < self.ends.len()
            && self.position.fetch_add(0, 1).is_some_and(|position| (position as usize) < self.ends.len())
    }
}

/// What the reader gets: chunks to copy, and their size.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) chunks: Vec<Chunk>,
    pub(super) packets: u32,
    pub(super) bytes: u32,
}

impl Queue {
    /// `position` is four bytes that the reader adds to.
    pub(super) fn new(options: ChannelOptions, position: Memory) -> Self {
        let lent = Prefetched { position, ends: Vec::new() };
        Self { options, chunks: VecDeque::new(), held: Size::default(), lent, overflowed: 0, dropped: 0 }
    }

    /// Decides about packets of these lengths, the next to come: `kept` gets those to [`push`](Self::push), for which
    /// there is room from now on. Returns how many were decided about: with [`WhenFull::Block`] those that have to
    /// wait were not.
    pub(super) fn admit(&mut self, lengths: &[u32], kept: &mut Vec<Range<u32>>) -> usize {
        kept.clear();
        match self.options.when_full {
            WhenFull::DropOldest => self.admit_newest(lengths, kept),
            policy => self.admit_oldest(lengths, kept, policy),
        }
    }

    fn admit_oldest(&mut self, lengths: &[u32], kept: &mut Vec<Range<u32>>, policy: WhenFull) -> usize {
        let mut size = self.size();
        for (row, length) in (0..).zip(lengths) {
            let with = size.and(*length);
            if with.fits(&self.options) {
                size = with;
                keep(kept, row);
            } else if policy == WhenFull::Block && u64::from(*length) <= self.options.capacity_bytes {
                return row as usize;
            } else {
                self.dropped += 1;
            }
        }
        lengths.len()
    }

    /// Whatever is dropped one by one, what stays is the longest end of all packets that fits. So it is found from
    /// the end, and nothing is copied that would be dropped at once.
    fn admit_newest(&mut self, lengths: &[u32], kept: &mut Vec<Range<u32>>) -> usize {
        let possible = |length: u32| u64::from(length) <= self.options.capacity_bytes;
        let mut size = Size::default();
        let mut from = lengths.len();
        while let Some(length) = from.checked_sub(1).map(|row| lengths[row]) {
            if possible(length) {
                let with = size.and(length);
                if !with.fits(&self.options) {
                    break;
                }
                size = with;
            }
            from -= 1;
        }
        for (row, length) in (0..).zip(lengths).skip(from) {
            if possible(*length) {
                keep(kept, row);
            }
        }
        self.dropped += lengths.len() as u64 - size.packets;
        // Where one of these had to go, nothing older stays. Asked anew each time: the reader goes on meanwhile.
        while self.size().packets > 0 && (from > 0 || !self.size().plus(size).fits(&self.options)) {
            if self.lent.drop_first() || self.drop_queued() {
                self.dropped += 1;
            }
        }
        lengths.len()
    }

    fn drop_queued(&mut self) -> bool {
        let Some(chunk) = self.chunks.front_mut() else { return false };
        let dropped = chunk.drop_first();
        if let Some(bytes) = dropped {
            self.held = self.held.less(bytes);
        }
        if chunk.len() == 0 {
            self.chunks.pop_front();
        }
        dropped.is_some()
    }

    /// Adds packets that were admitted.
    pub(super) fn push(&mut self, chunk: Chunk) {
        let size = chunk.lengths().fold(Size::default(), Size::and);
        self.held = self.held.plus(size);
        self.chunks.push_back(chunk);
    }

    /// All packets that were admitted have been pushed: now those count that had to go for them or instead of them. So
    /// the counts never run ahead of what can be fetched.
    pub(super) fn settle(&mut self) {
        self.overflowed += std::mem::take(&mut self.dropped);
    }

    /// Takes the oldest packets out for the reader: at most so many and, but for the first one, so many bytes. The first
    /// `passed_on` of them are the reader's at once. What it had before is over.
    pub(super) fn fetch(&mut self, most: u32, most_bytes: u32, passed_on: u32) -> Fetched {
        let mut fetched = Fetched::default();
        self.lent.ends.clear();
        while let Some(chunk) = self.chunks.front_mut() {
            let mut count = 0;
            for length in chunk.lengths() {
                let end = u64::from(fetched.bytes) + u64::from(length);
                let first = fetched.packets + count == 0;
                if fetched.packets + count == most || !first && end > u64::from(most_bytes) {
                    break;
                }
                self.held = self.held.less(length);
                fetched.bytes = end as u32;
                self.lent.ends.push(fetched.bytes);
                count += 1;
            }
            if count == 0 {
                break;
            }
            fetched.packets += count;
            if count < chunk.len() {
                fetched.chunks.push(chunk.split_to(count));
                break;
            }
            fetched.chunks.extend(self.chunks.pop_front());
        }
        self.lent.position.store_release(0, passed_on);
        fetched
    }

    fn size(&self) -> Size {
        self.held.plus(self.lent.rest())
    }

    /// Whether [`fetch`](Self::fetch) would give nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Packets that have not been passed on.
    pub(super) fn len(&self) -> u64 {
        self.size().packets
    }

    /// Packets that were dropped.
    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// From now on there is room for everything.
    pub(super) fn lift(&mut self) {
        self.options = ChannelOptions { capacity: u32::MAX, capacity_bytes: u64::MAX, when_full: WhenFull::DropNewest };
    }

    /// Forgets everything that has not been passed on, without counting it.
    pub(super) fn clear(&mut self) {
        while self.lent.drop_first() {}
        self.chunks.clear();
        self.held = Size::default();
    }
}

/// Adds a row behind those that are kept.
fn keep(kept: &mut Vec<Range<u32>>, row: u32) {
    match kept.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => kept.push(row..row + 1),
    }
}
