//! Batches: a block is handed out in pieces that fit a processor's cache.
//!
//! A full block of small packets is several MiB, more than the cache next to a processor. Walked as a
//! whole and then read as a whole, every packet would come from memory twice. So a block is walked a
//! batch at a time, and the reader finds the batch in the cache. `docs/performance.md` has the figures.
//!
//! The walk that finds the end of a batch happens when the batch is handed out, before JavaScript can see it or
//! the rest of the block. JavaScript that writes into the headers of one batch therefore spoils only that batch.

use super::block::{Block, Malformed, Span, WalkOptions};
use super::columns::{ColumnSet, Columns};
use super::layout::status;
use super::memory::Memory;
use super::rx::{Lease, RxRing};

/// Packets per batch, at most. At 64 bytes these are 300 KiB of the block and 100 KiB of columns; fewer would
/// cost more in JavaScript, which creates some objects per batch.
pub const MAX_BATCH: u32 = 2048;

/// Permission to read a batch of packets. Only [`BatchReader::next`] makes one and only [`BatchReader::release`]
/// takes it; it cannot be copied.
///
/// A batch cannot be read after its release:
///
/// ```compile_fail
/// # fn f(batches: &mut netring::ring::BatchReader, batch: netring::ring::Batch) {
/// let block = batches.block(&batch);
/// batches.release(batch); // error: `batch` is borrowed by `block`
/// block.packet_count();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a batch that is dropped keeps its block from the kernel for ever"]
pub struct Batch {
    ring: u64,
    block: u32,
    span: Span,
    sequence: u64,
    timed_out: bool,
    losing: bool,
}

impl Batch {
    /// Packets in it, at least one.
    pub fn length(&self) -> u32 {
        self.span.count
    }

    /// Its number; the reader counts batches from 1.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The block timer closed its block before it was full.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// Packets were lost before it.
    pub fn losing(&self) -> bool {
        self.losing
    }

    /// It is the last one of its block.
    pub fn ends_block(&self) -> bool {
        self.span.last
    }
}

/// A ring, read in batches.
#[derive(Debug)]
pub struct BatchReader {
    ring: RxRing,
    /// For each block that user space owns: its lease and its unreleased batches.
    shares: Vec<Option<Share>>,
    open: Option<Open>,
    /// Packets per batch, at most.
    most: u32,
    sequence: u64,
}

#[derive(Debug)]
struct Share {
    lease: Lease,
    /// Batches that have not been released.
    out: u32,
}

/// A block that is not handed out completely.
#[derive(Clone, Copy, Debug)]
struct Open {
    block: u32,
    /// The rest of it.
    rest: Span,
    timed_out: bool,
    losing: bool,
}

impl BatchReader {
    /// Over a ring of which nothing has been acquired, in batches of at most `most` packets ([`MAX_BATCH`]).
    pub fn new(ring: RxRing, most: u32) -> Self {
        assert!(most > 0, "a batch has packets");
        let shares = (0..ring.geometry().block_count()).map(|_| None).collect();
        Self { ring, shares, open: None, most, sequence: 0 }
    }

    /// The ring.
    pub fn ring(&self) -> &RxRing {
        &self.ring
    }

    /// The ring, to mark what is in it as stale.
    pub fn ring_mut(&mut self) -> &mut RxRing {
        &mut self.ring
    }

    /// Whether a batch is available; see [`RxRing::ready`].
    pub fn ready(&mut self) -> bool {
        self.open.is_some() || self.ring.ready()
    }

    /// Whether [`next`](Self::next) goes on with a block that was opened before.
    pub fn has_open_block(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the next block, to be opened; see [`RxRing::acquire`]. Only without an open block.
    pub fn acquire(&mut self) -> Option<Lease> {
        assert!(self.open.is_none(), "what is left of the open block comes first");
        self.ring.acquire()
    }

    /// Gives back a block that was acquired and not opened.
    pub fn give_back(&mut self, lease: Lease) {
        self.ring.release(lease);
    }

    /// Opens a block that was acquired. A block whose header contradicts it goes straight back.
    pub fn open(&mut self, lease: Lease) -> Result<(), Malformed> {
        let block = self.ring.block(&lease);
        let timed_out = block.status() & status::BLOCK_TIMEOUT != 0;
        let rest = block.all().and_then(|all| {
            let skip = lease.skip().min(all.count);
            let past = Span { count: skip, last: skip == all.count, ..all };
            let first = block.advance(past, 0, PLACES, |_, _| ())?;
            Ok(Span { first, index: skip, count: all.count - skip, ..all })
        });
        drop(block);
        match rest {
            Ok(rest) if rest.count > 0 => {
                let (block, losing) = (lease.index(), lease.losing());
                self.shares[block as usize] = Some(Share { lease, out: 0 });
                self.open = Some(Open { block, rest, timed_out, losing });
                Ok(())
            }
            nothing => {
                self.ring.release(lease);
                nothing.map(|_| ())
            }
        }
    }

    /// The next batch of the open block, walked once: VLAN tags are put back as `options` say, and the
    /// columns that `target` gives for its number of packets are filled. `None` without an open block. A
    /// packet that contradicts its block ends the block, and what is left of it is lost.
    pub fn next(
        &mut self,
        options: WalkOptions,
        target: impl FnOnce(u32) -> Option<(Columns, ColumnSet)>,
    ) -> Result<Option<(Batch, Option<Columns>)>, Malformed> {
        let Some(open) = self.open.take() else { return Ok(None) };
        let rest = open.rest;
        let batches = rest.count.div_ceil(self.most);
        let count = rest.count.div_ceil(batches);
        let span = Span { count, last: count == rest.count, ..rest };
        let Some(share) = &mut self.shares[open.block as usize] else { return Ok(None) };
        let block = self.ring.block(&share.lease);
        let target = target(count);
        let walked = match &target {
            Some((columns, set)) => {
                let filler = columns.filler(*set);
                block.advance(span, 0, options, |row, frame| filler.fill(row, span.first, frame))
            }
            None => block.advance(span, 0, options, |_, _| ()),
        };
        drop(block);
        let end = match walked {
            Ok(end) => end,
            Err(malformed) => {
                self.settle(open.block);
                return Err(malformed);
            }
        };
        share.out += 1;
        if !span.last {
            let rest = Span { first: end, index: rest.index + count, count: rest.count - count, ..rest };
            self.open = Some(Open { rest, losing: false, ..open });
        }
        self.sequence += 1;
        let batch = Batch {
            ring: self.ring.id(),
            block: open.block,
            span: Span { end, ..span },
            sequence: self.sequence,
            timed_out: open.timed_out,
            losing: open.losing,
        };
        let columns = target.map(|(columns, _)| columns);
        if let Some(columns) = columns.as_ref().filter(|_| batch.losing) {
            columns.mark_losing();
        }
        Ok(Some((batch, columns)))
    }

    /// The packets of a batch.
    pub fn block<'a>(&'a self, batch: &'a Batch) -> Block<'a> {
        assert_eq!(batch.ring, self.ring.id(), "a batch belongs to the ring that gave it");
        let share = self.shares[batch.block as usize].as_ref().expect("a block with a batch out is shared");
        self.ring.block(&share.lease).part(batch.span)
    }

    /// The bytes from a batch's first packet to its last.
    pub fn bytes(&self, batch: &Batch) -> Option<Memory> {
        let block = self.block(batch);
        let range = block.bytes();
        block.memory().slice(range.start as usize, range.len())
    }

    /// Releases a batch; the last one of a block returns the block to the kernel.
    pub fn release(&mut self, batch: Batch) {
        assert_eq!(batch.ring, self.ring.id(), "a batch belongs to the ring that gave it");
        let share = self.shares[batch.block as usize].as_mut().expect("a block with a batch out is shared");
        share.out -= 1;
        self.settle(batch.block);
    }

    /// Discards the rest of the open block.
    pub fn discard_rest(&mut self) {
        if let Some(open) = self.open.take() {
            self.settle(open.block);
        }
    }

    /// Returns the block to the kernel if it has no unreleased batches and no rest.
    fn settle(&mut self, block: u32) {
        let place = &mut self.shares[block as usize];
        let more = self.open.is_some_and(|open| open.block == block);
        if !more && place.as_ref().is_some_and(|share| share.out == 0) {
            let share = place.take().expect("just looked at");
            self.ring.release(share.lease);
        }
    }
}

/// A walk that only finds offsets.
const PLACES: WalkOptions = WalkOptions { snaplen: u32::MAX, reinsert_vlan: false, vnet_header: false };
