//! What must hold for a block whose bytes are anything at all. Shared by the fuzz target and by
//! `tests/ring`, which runs it on corrupted blocks and on the seeds.

use netring::ring::block::WalkOptions;
use netring::ring::columns::{BYTES_PER_PACKET, CopyFailure};
use netring::ring::layout::{block, packet, status};
use netring::ring::{BatchReader, Block, Column, ColumnSet, Columns, Geometry, Lease, Malformed, Memory, RxRing};

/// Small, so that few bytes of input reach every packet; the ring has one block, so that both its
/// ends are ends of an allocation, where AddressSanitizer stands guard.
pub const BLOCK_SIZE: u32 = 1024;

/// How the block is walked and copied: the first bytes of an input.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Put VLAN tags back on the first walk.
    pub reinsert_vlan: bool,
    /// As in [`WalkOptions`]; the largest value of 16 bits stands for no limit.
    pub snaplen: u16,
    /// Packets that a replaced filter let in, at the block's start.
    pub skip: u8,
    /// Packets to copy: from here
    pub first: u8,
    /// this many
    pub count: u8,
    /// into columns with room for so many
    pub capacity: u8,
    /// and 16 times as many bytes.
    pub target: u8,
}

impl Plan {
    /// Bytes of an input before those of the block.
    pub const BYTES: usize = 8;

    /// Takes a plan off the start of an input; `None` where it is too short.
    pub fn split(input: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = input.split_first_chunk::<{ Self::BYTES }>()?;
        let [flags, low, high, skip, first, count, capacity, target] = *head;
        let snaplen = u16::from_le_bytes([low, high]);
        Some((Self { reinsert_vlan: flags & 1 != 0, snaplen, skip, first, count, capacity, target }, rest))
    }

    /// The input of this plan and these bytes of a block.
    pub fn input(self, block: &[u8]) -> Vec<u8> {
        let [low, high] = self.snaplen.to_le_bytes();
        let head =
            [self.reinsert_vlan.into(), low, high, self.skip, self.first, self.count, self.capacity, self.target];
        [&head, block].concat()
    }

    fn walk_options(self, reinsert_vlan: bool) -> WalkOptions {
        let snaplen = if self.snaplen == u16::MAX { u32::MAX } else { self.snaplen.into() };
        WalkOptions { snaplen, reinsert_vlan, vnet_header: false }
    }
}

/// One fuzz input: a plan, and a block's bytes, closed as the kernel does. Read as a whole, and then, from a
/// fresh copy, in batches.
pub fn run(input: &[u8]) {
    let Some((plan, bytes)) = Plan::split(input) else { return };
    let (memory, mut ring) = handed_over(plan, bytes);
    let Some(lease) = ring.acquire() else {
        assert_eq!(memory.u32(block::PACKETS), Some(0), "only a block with nothing to show is not shown");
        return;
    };
    let whole = check(&ring, &lease, plan);
    ring.release(lease);
    assert_given_back(&memory, &ring);

    let (memory, ring) = handed_over(plan, bytes);
    let most = u32::from(plan.count % 4) + 1;
    let mut batches = BatchReader::new(ring, most);
    let lease = batches.acquire().expect("it was shown before");
    check_batches(&mut batches, lease, plan, most, &whole);
    assert_given_back(&memory, batches.ring());
}

fn handed_over(plan: Plan, bytes: &[u8]) -> (Memory, RxRing) {
    let geometry = Geometry::new(BLOCK_SIZE, 1, 128, 128).expect("a valid geometry");
    let memory = Memory::zeroed(geometry.ring_bytes());
    let mut ring = RxRing::new(memory.clone(), geometry);
    memory.set_u32(block::PACKETS, plan.skip.into());
    ring.mark_stale();
    memory.write(0, &bytes[..bytes.len().min(BLOCK_SIZE as usize)]);
    let word = memory.u32(block::STATUS).expect("inside");
    memory.store_release(block::STATUS, word | status::USER);
    (memory, ring)
}

fn assert_given_back(memory: &Memory, ring: &RxRing) {
    assert_eq!(memory.load_acquire(block::STATUS), Some(status::KERNEL));
    assert!(!ring.packets_coming(), "a block given back counts no packets");
}

/// The batches of a block show the same packets as the whole block, up to the batch with a header that contradicts it.
fn check_batches(
    batches: &mut BatchReader,
    lease: Lease,
    plan: Plan,
    most: u32,
    whole: &(Vec<Place>, Result<(), Malformed>),
) {
    let options = plan.walk_options(plan.reinsert_vlan);
    let mut held = Vec::new();
    let mut shown = 0;
    let mut outcome = batches.open(lease);
    while outcome.is_ok() {
        match batches.next(options, |packets| Some((Columns::for_packets(packets), ColumnSet::ALL))) {
            Ok(Some((batch, columns))) => {
                assert!((1..=most).contains(&batch.length()), "a batch has packets, and not too many");
                let (block, columns) = (batches.block(&batch), columns.expect("asked for"));
                let range = block.bytes();
                assert!(
                    range.start as usize >= block::SIZE && range.end <= block.end(),
                    "the block's header is in no view"
                );
                for (row, place) in whole.0[shown..shown + batch.length() as usize].iter().enumerate() {
                    assert_eq!(column(&columns, Column::Offset, row), place.data - range.start);
                    assert_eq!(column(&columns, Column::CapturedLength, row), place.captured);
                    assert!(place.header >= range.start && place.data + place.captured <= range.end, "in its own view");
                }
                shown += batch.length() as usize;
                drop(block);
                held.push(batch);
            }
            Ok(None) => break,
            Err(malformed) => outcome = Err(malformed),
        }
    }
    match outcome {
        Ok(()) => assert_eq!((shown, whole.1), (whole.0.len(), Ok(()))),
        Err(malformed) => assert_eq!(Err(malformed), whole.1, "the same header is found"),
    }
    for batch in held {
        batches.release(batch);
    }
}

/// Walks, fills and copies a block, and panics where a promise is broken.
pub fn check(ring: &RxRing, lease: &Lease, plan: Plan) -> (Vec<Place>, Result<(), Malformed>) {
    let block = ring.block(lease);
    let (frames, result) = walk(&block, plan.walk_options(plan.reinsert_vlan), plan.skip.into());
    let again = walk(&block, plan.walk_options(false), plan.skip.into());
    assert_eq!((&frames, &result), (&again.0, &again.1), "a later walk sees what the first one saw");
    check_fill(&block, plan, &frames, result);
    check_copy(&block, plan, &frames, result);
    // A second walk puts tags in again; even so no packet leaves the block.
    _ = walk(&block, plan.walk_options(true), plan.skip.into());
    (frames, result)
}

/// A frame's place, copied out of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    header: u32,
    data: u32,
    captured: u32,
    original: u32,
    status: u32,
}

fn walk(block: &Block<'_>, options: WalkOptions, skip: u32) -> (Vec<Place>, Result<(), Malformed>) {
    let (count, end) = (block.packet_count(), block.end());
    assert!(end as usize <= block.memory().len(), "a block ends inside its memory");
    let mut frames: Vec<Place> = Vec::new();
    let result = block.walk(options, |index, frame| {
        assert_eq!(index as usize, frames.len(), "packets are counted from 0 without a gap");
        assert!(index < count, "no more packets than the header says");
        assert_eq!(frame.header as usize % packet::ALIGNMENT, 0, "headers are aligned");
        let after = frames.last().map_or(block::SIZE as u32, |last| last.header + packet::SIZE as u32);
        assert!(frame.header >= after, "headers come behind the block's head, in order, and do not overlap");
        assert!(frame.data >= frame.header + packet::SIZE as u32, "data lies behind its header");
        assert!(u64::from(frame.data) + u64::from(frame.captured) <= u64::from(end), "data ends inside the block");
        assert!(frame.captured <= options.snaplen, "the snaplen cuts");
        let truncated = frame.status & status::TRUNCATED != 0;
        assert_eq!(truncated, frame.captured < frame.original, "truncated means cut");
        let &netring::ring::Frame { header, data, captured, original, status, .. } = frame;
        frames.push(Place { header, data, captured, original, status });
    });
    match result {
        Ok(()) => assert_eq!(frames.len() as u32, count, "all packets were seen"),
        // The header of packet `index` may be bad, or only its offset to the next one.
        Err(Malformed { index, .. }) => {
            let before = index.saturating_sub(skip);
            let with_it = (index + 1).saturating_sub(skip);
            assert!((before..=with_it).contains(&(frames.len() as u32)), "packets before the bad one were seen");
        }
    }
    (frames, result)
}

fn check_fill(block: &Block<'_>, plan: Plan, frames: &[Place], result: Result<(), Malformed>) {
    for packets in [block.packet_count().min(64), 1] {
        let columns = Columns::for_packets(packets);
        assert_eq!(columns.fill(block, plan.walk_options(false), ColumnSet::ALL), result);
        for (row, frame) in frames.iter().take(columns.capacity() as usize).enumerate() {
            assert_eq!(column(&columns, Column::Offset, row), frame.data - block::SIZE as u32);
            assert_eq!(column(&columns, Column::CapturedLength, row), frame.captured);
            assert_eq!(column(&columns, Column::OriginalLength, row), frame.original);
            assert_eq!(column(&columns, Column::Status, row), frame.status);
        }
    }
}

fn check_copy(block: &Block<'_>, plan: Plan, frames: &[Place], result: Result<(), Malformed>) {
    let capacity = u32::from(plan.capacity).next_multiple_of(8);
    let memory = Memory::zeroed(capacity as usize * BYTES_PER_PACKET);
    let columns = Columns::in_memory(memory, capacity).expect("exactly large enough");
    let target = Memory::zeroed(usize::from(plan.target) * 16);
    let copied = columns.copy(block, plan.walk_options(false), plan.first.into(), plan.count.into(), &target);

    let wanted: Vec<_> = frames.iter().skip(plan.first.into()).take(plan.count.into()).collect();
    let length: usize = wanted.iter().map(|frame| frame.captured as usize).sum();
    let fits = wanted.len() <= capacity as usize && length <= target.len();
    match copied {
        Ok(()) => assert!(fits && result.is_ok()),
        Err(CopyFailure::TargetTooSmall) => assert!(!fits && result.is_ok()),
        Err(CopyFailure::Malformed(malformed)) => assert_eq!(Err(malformed), result),
    }
    let mut at = 0;
    for (row, frame) in wanted.iter().enumerate().take(if fits { wanted.len() } else { 0 }) {
        assert_eq!(column(&columns, Column::Offset, row), at);
        assert_eq!(column(&columns, Column::CapturedLength, row), frame.captured);
        assert_eq!(
            target.read(at as usize, frame.captured as usize),
            block.memory().read(frame.data as usize, frame.captured as usize),
            "the copy is the packet"
        );
        at += frame.captured;
    }
}

/// A value of a column of 32 bits.
fn column(columns: &Columns, column: Column, row: usize) -> u32 {
    columns.memory().u32(column.start() * columns.capacity() as usize + 4 * row).expect("a row of the columns")
}
