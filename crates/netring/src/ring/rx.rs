//! The receive ring and the ownership of its blocks.
//!
//! The kernel fills blocks in order and passes each by storing `TP_STATUS_USER` in its status word
//! (`prb_close_block`, net/packet/af_packet.c); user space passes it back by storing
//! `TP_STATUS_KERNEL`. The kernel never overwrites a block that user space owns: it freezes and
//! drops. So blocks may be held for as long as wanted and given back in any order.

use std::sync::atomic::{AtomicU64, Ordering};

use super::block::Block;
use super::geometry::Geometry;
use super::layout::{block, status};
use super::memory::Memory;

/// Proof that user space owns one block. Only [`RxRing::acquire`] makes one and only
/// [`RxRing::release`] takes it; it cannot be copied.
///
/// A block cannot be read after its lease was given back:
///
/// ```compile_fail
/// # fn f(ring: &mut netring::ring::RxRing) {
/// let lease = ring.acquire().unwrap();
/// let block = ring.block(&lease);
/// ring.release(lease); // error: `lease` is borrowed by `block`
/// block.sequence();
/// # }
/// ```
///
/// nor can a packet outlive its block:
///
/// ```compile_fail
/// # use netring::ring::block::WalkOptions;
/// # fn f(ring: &mut netring::ring::RxRing, options: WalkOptions) {
/// let lease = ring.acquire().unwrap();
/// let mut kept = None;
/// {
///     let block = ring.block(&lease);
///     block.walk(options, |_, frame| kept = Some(*frame)).unwrap(); // error: escapes
/// }
/// drop(kept);
/// # }
/// ```
///
/// nor a block its ring:
///
/// ```compile_fail
/// # fn f(mut ring: netring::ring::RxRing) {
/// let lease = ring.acquire().unwrap();
/// let block = ring.block(&lease);
/// drop(ring); // error: `ring` is borrowed by `block`
/// block.sequence();
/// # }
/// ```
///
/// and a lease is given back once:
///
/// ```compile_fail
/// # fn f(ring: &mut netring::ring::RxRing) {
/// let lease = ring.acquire().unwrap();
/// ring.release(lease);
/// ring.release(lease); // error: use of moved value
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a lease that is dropped keeps its block from the kernel for ever"]
pub struct Lease {
    ring: u64,
    index: u32,
    skip: u32,
    losing: bool,
}

impl Lease {
    /// Whether packets were lost since the block before.
    pub fn losing(&self) -> bool {
        self.losing
    }

    pub(super) fn skip(&self) -> u32 {
        self.skip
    }

    pub(crate) fn set_losing(&mut self, losing: bool) {
        self.losing = losing;
    }

    /// Which block of the ring.
    pub fn index(&self) -> u32 {
        self.index
    }
}

/// Packets up to here passed a filter that has been replaced.
#[derive(Clone, Copy, Debug)]
pub struct Fence {
    position: u64,
    skip: u32,
}

/// The blocks of a V3 ring and the position of the next one to read.
#[derive(Debug)]
pub struct RxRing {
    id: u64,
    memory: Memory,
    geometry: Geometry,
    /// Blocks read so far; modulo the block count, the next to read.
    position: u64,
    held: Vec<bool>,
    fence: Option<Fence>,
}

impl RxRing {
    /// A ring over `memory`, which the kernel (or its fake) fills from block 0.
    pub fn new(memory: Memory, geometry: Geometry) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        assert!(memory.len() >= geometry.ring_bytes(), "the mapping holds the ring");
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            memory,
            geometry,
            position: 0,
            held: vec![false; geometry.block_count() as usize],
            fence: None,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Its geometry.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Its bytes.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    fn index_at(&self, position: u64) -> u32 {
        (position % u64::from(self.geometry.block_count())) as u32
    }

    fn place(&self, index: u32) -> usize {
        index as usize * self.geometry.block_size() as usize
    }

    /// Acquire pairs with the kernel's `smp_wmb()` before it stores the status
    /// (`prb_flush_block`, `__packet_set_status`): after it shows USER, the block's header and
    /// packets are visible.
    fn owned_by_user(&self, index: u32) -> bool {
        let word = self.memory.load_acquire(self.place(index) + block::STATUS);
        word.is_some_and(|word| word & status::USER != 0)
    }

    /// Whether [`acquire`](Self::acquire) would give a block. Gives back the blocks on the way
    /// that have nothing to show: empty ones (the kernel hands one over after it clamped a frame
    /// too large for a block) and those whose packets a replaced filter let in.
    pub fn ready(&mut self) -> bool {
        loop {
            let index = self.index_at(self.position);
            // Held: the ring is full of blocks of ours, and the kernel waits for this one.
            if self.held[index as usize] || !self.owned_by_user(index) {
                return false;
            }
            let packets = self.memory.u32(self.place(index) + block::PACKETS).unwrap_or(0);
            if packets > self.skip_at(self.position) {
                return true;
            }
            self.position += 1;
            self.give_back(index);
        }
    }

    /// Whether the block that the kernel is filling has packets to show: it will be handed over
    /// when its timer fires, even if nothing more arrives.
    pub fn packets_coming(&self) -> bool {
        let index = self.index_at(self.position);
        if self.held[index as usize] {
            return false;
        }
        let packets = self.memory.u32(self.place(index) + block::PACKETS).unwrap_or(0);
        match self.fence {
            Some(fence) if self.position < fence.position => false,
            Some(fence) if self.position == fence.position => packets > fence.skip,
            _ => packets > 0,
        }
    }

    fn skip_at(&mut self, position: u64) -> u32 {
        match self.fence {
            Some(fence) if position < fence.position => u32::MAX,
            Some(fence) if position == fence.position => fence.skip,
            Some(_) => {
                self.fence = None;
                0
            }
            None => 0,
        }
    }

    /// The next block, or `None` when the kernel has not filled one. Never blocks.
    pub fn acquire(&mut self) -> Option<Lease> {
        if !self.ready() {
            return None;
        }
        let index = self.index_at(self.position);
        let skip = self.skip_at(self.position);
        self.position += 1;
        self.held[index as usize] = true;
        Some(Lease { ring: self.id, index, skip, losing: false })
    }

    /// The block that a lease stands for.
    pub fn block<'a>(&'a self, lease: &'a Lease) -> Block<'a> {
        assert_eq!(lease.ring, self.id, "a lease belongs to the ring that gave it");
        let memory = self
            .memory
            .slice(self.place(lease.index), self.geometry.block_size() as usize)
            .expect("a leased block lies inside the ring");
        Block::new(memory, lease.skip)
    }

    /// Gives a block back to the kernel.
    pub fn release(&mut self, lease: Lease) {
        assert_eq!(lease.ring, self.id, "a lease belongs to the ring that gave it");
        self.held[lease.index as usize] = false;
        self.give_back(lease.index);
    }

    fn give_back(&self, index: u32) {
        let place = self.place(index);
        // While frozen the kernel does not open a block at once, and mark_stale() must not take
        // the packets of the round before for those of the next.
        self.memory.set_u32(place + block::PACKETS, 0);
        // Release pairs with the kernel's acquire of the status in prb_curr_blk_in_use(): our
        // reads of the block are over before the kernel writes it again.
        self.memory.store_release(place + block::STATUS, status::KERNEL);
    }

    /// Marks all packets in the ring as stale: they will not be shown. Exact if nothing is being written:
    /// the caller lets no packet pass meanwhile (see `Capture::set_filter`). Blocks that are
    /// held stay as they are.
    ///
    /// The kernel counts the packets of the block it is filling in that block's header as it goes
    /// (`prb_fill_curr_block`), so the open block needs no wait for its timer.
    ///
    /// Returns what [`restore_fence`](Self::restore_fence) needs to undo it.
    pub fn mark_stale(&mut self) -> Option<Fence> {
        let count = u64::from(self.geometry.block_count());
        let mut fence = Fence { position: self.position + count, skip: 0 };
        for position in self.position..self.position + count {
            let index = self.index_at(position);
            if self.held[index as usize] {
                fence = Fence { position, skip: 0 };
                break;
            }
            if !self.owned_by_user(index) {
                let skip = self.memory.u32(self.place(index) + block::PACKETS).unwrap_or(0);
                fence = Fence { position, skip };
                break;
            }
        }
        self.fence.replace(fence)
    }

    /// Undoes [`mark_stale`](Self::mark_stale), if nothing was acquired in between.
    pub fn restore_fence(&mut self, fence: Option<Fence>) {
        self.fence = fence;
    }
}
