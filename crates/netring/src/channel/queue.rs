//! The bounded queue: which packets it accepts, which it drops, and the counts. No thread and no lock.

use std::collections::VecDeque;
use std::ops::Range;

use super::chunk::Chunk;
use super::options::{ChannelOptions, WhenFull};
use crate::ring::Memory;

/// Packets between the thread that drains a ring and its reader.
///
/// The reader fetches many packets at once and consumes them one by one. Until then they belong to the queue: they
/// count, and the queue may drop the oldest. So both sides add to one counter, the *position*: the side whose addition
/// steps over a packet owns it, the reader to consume it or the queue to drop it.
#[derive(Debug)]
pub(super) struct Queue {
    options: ChannelOptions,
    chunks: VecDeque<Chunk>,
    queued: Size,
    prefetched: Prefetched,
    overflowed: u64,
    /// Counted once the packets that were admitted with them are queued.
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

/// Packets that the reader has fetched.
#[derive(Debug)]
struct Prefetched {
    /// The position counter, in memory that the reader also writes.
    position: Memory,
    /// For each packet, the bytes up to its end.
    ends: Vec<u32>,
}

impl Prefetched {
    /// Packets that were consumed or dropped.
    fn consumed(&self) -> usize {
        (self.position.load_acquire(0).unwrap_or(u32::MAX) as usize).min(self.ends.len())
    }

    fn rest(&self) -> Size {
        let consumed = self.consumed();
        let bytes = |packets: usize| packets.checked_sub(1).map_or(0, |last| self.ends[last]);
        Size {
            packets: (self.ends.len() - consumed) as u64,
            bytes: u64::from(bytes(self.ends.len())) - u64::from(bytes(consumed)),
        }
    }

    /// Takes the oldest packet away from the reader, if it has any.
    fn drop_first(&self) -> bool {
        // Checked first, so that the counter does not wrap.
        self.consumed() < self.ends.len()
            && self.position.fetch_add(0, 1).is_some_and(|position| (position as usize) < self.ends.len())
    }
}

/// The result of a fetch: chunks to copy, and their size.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) chunks: Vec<Chunk>,
    pub(super) packets: u32,
    pub(super) bytes: u32,
}

impl Queue {
    /// `position` is four bytes that the reader adds to.
    pub(super) fn new(options: ChannelOptions, position: Memory) -> Self {
        let prefetched = Prefetched { position, ends: Vec::new() };
        Self { options, chunks: VecDeque::new(), queued: Size::default(), prefetched, overflowed: 0, dropped: 0 }
    }

    /// Accepts or drops the next packets, which have these lengths: `kept` gets the accepted ones, to
    /// [`push`](Self::push); the queue reserves room for them. Returns how many were decided: with [`WhenFull::Block`]
    /// the rest has to wait.
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

    /// Keeps the longest tail of all packets that fits. The search starts at the end, so that no packet is copied only
    /// to be dropped at once.
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
        // If one of these was dropped, no older packet stays. The size is read each time: the reader consumes
        // meanwhile.
        while self.size().packets > 0 && (from > 0 || !self.size().plus(size).fits(&self.options)) {
            if self.prefetched.drop_first() || self.drop_queued() {
                self.dropped += 1;
            }
        }
        lengths.len()
    }

    fn drop_queued(&mut self) -> bool {
        let Some(chunk) = self.chunks.front_mut() else { return false };
        let dropped = chunk.drop_first();
        if let Some(bytes) = dropped {
            self.queued = self.queued.less(bytes);
        }
        if chunk.len() == 0 {
            self.chunks.pop_front();
        }
        dropped.is_some()
    }

    /// Adds packets that were admitted.
    pub(super) fn push(&mut self, chunk: Chunk) {
        let size = chunk.lengths().fold(Size::default(), Size::and);
        self.queued = self.queued.plus(size);
        self.chunks.push_back(chunk);
    }

    /// Counts the packets dropped for or instead of the admitted ones, once all of those have been pushed. So the
    /// counts never run ahead of the packets that can be fetched.
    pub(super) fn settle(&mut self) {
        self.overflowed += std::mem::take(&mut self.dropped);
    }

    /// Takes the oldest packets out for the reader: at most `most` packets and, except for the first one, `most_bytes`
    /// bytes. The first `consumed` of them count as consumed at once. This replaces the previous fetch.
    pub(super) fn fetch(&mut self, most: u32, most_bytes: u32, consumed: u32) -> Fetched {
        let mut fetched = Fetched::default();
        self.prefetched.ends.clear();
        while let Some(chunk) = self.chunks.front_mut() {
            let mut count = 0;
            for length in chunk.lengths() {
                let end = u64::from(fetched.bytes) + u64::from(length);
                let first = fetched.packets + count == 0;
                if fetched.packets + count == most || !first && end > u64::from(most_bytes) {
                    break;
                }
                self.queued = self.queued.less(length);
                fetched.bytes = end as u32;
                self.prefetched.ends.push(fetched.bytes);
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
        self.prefetched.position.store_release(0, consumed);
        fetched
    }

    fn size(&self) -> Size {
        self.queued.plus(self.prefetched.rest())
    }

    /// Whether [`fetch`](Self::fetch) would return no packets.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Packets that have not been consumed.
    pub(super) fn len(&self) -> u64 {
        self.size().packets
    }

    /// Dropped packets.
    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// Removes the limits.
    pub(super) fn lift(&mut self) {
        self.options = ChannelOptions { capacity: u32::MAX, capacity_bytes: u64::MAX, when_full: WhenFull::DropNewest };
    }

    /// Discards all packets that have not been consumed, without counting them.
    pub(super) fn clear(&mut self) {
        while self.prefetched.drop_first() {}
        self.chunks.clear();
        self.queued = Size::default();
    }
}

/// Appends a row to the kept ones.
fn keep(kept: &mut Vec<Range<u32>>, row: u32) {
    match kept.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => kept.push(row..row + 1),
    }
}
