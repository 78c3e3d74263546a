//! A block as columns: one array per field, so that a loop in JavaScript needs no calls and no objects.
//!
//! All columns of a batch lie in one piece of memory, each at a multiple of the capacity, so that a
//! column's place is `start(column) * capacity` on both sides of the binding.

use super::block::{Block, Frame, Malformed, WalkOptions};
use super::layout::{packet, status};
use super::memory::Memory;
use super::view::VolatileArray;
use super::vlan;

/// The fields that have a column, in the order of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of api.d.ts, explained there")]
pub enum Column {
    Offset,
    CapturedLength,
    OriginalLength,
    Seconds,
    Nanoseconds,
    Rxhash,
    Status,
    VlanTci,
    VlanTpid,
    Protocol,
    Direction,
    AddressLength,
    SourceAddress,
}

impl Column {
    /// Every column, in the order of memory.
    pub const ALL: [Self; 13] = [
        Self::Offset,
        Self::CapturedLength,
        Self::OriginalLength,
        Self::Seconds,
        Self::Nanoseconds,
        Self::Rxhash,
        Self::Status,
        Self::VlanTci,
        Self::VlanTpid,
        Self::Protocol,
        Self::Direction,
        Self::AddressLength,
        Self::SourceAddress,
    ];

    /// Bytes per packet.
    pub const fn width(self) -> usize {
        match self {
            Self::Direction | Self::AddressLength => 1,
            Self::VlanTci | Self::VlanTpid | Self::Protocol => 2,
            Self::SourceAddress => 8,
            _ => 4,
        }
    }

    /// Bytes per packet of all columns before this one; times the capacity it is where this one starts.
    pub const fn start(self) -> usize {
        let mut bytes = 0;
        let mut index = 0;
        while index < self as usize {
            bytes += Self::ALL[index].width();
            index += 1;
        }
        bytes
    }
}

/// Bytes per packet of all columns together.
pub const BYTES_PER_PACKET: usize = Column::SourceAddress.start() + Column::SourceAddress.width();
/// Capacities are multiples of this, which keeps every column aligned to its width.
pub const CAPACITY_STEP: u32 = 8;

/// A set of columns, as bits `1 << column`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnSet(pub u32);

impl ColumnSet {
    /// The columns that every access to a packet's bytes needs.
    pub const PLACE: Self = Self(1 << Column::Offset as u32 | 1 << Column::CapturedLength as u32);
    /// All of them.
    pub const ALL: Self = Self((1 << Column::ALL.len()) - 1);

    /// When packets came.
    const TIME: Self = Self(1 << Column::Seconds as u32 | 1 << Column::Nanoseconds as u32);

    /// Whether any column of another set is in it.
    #[inline(always)]
    const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The columns that are in it and not in another set.
    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether a column is in the set.
    #[inline(always)]
    pub const fn has(self, column: Column) -> bool {
        self.0 & (1 << column as u32) != 0
    }
}

/// Memory for the columns of up to `capacity` packets.
#[derive(Clone, Debug)]
pub struct Columns {
    memory: Memory,
    capacity: u32,
}

/// One packet's columns, for sources that have no block to walk. What a source does not know
/// stays 0.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the names of api.d.ts, explained there")]
pub struct Row {
    pub offset: u32,
    pub captured: u32,
    pub original: u32,
    pub seconds: u32,
    pub nanoseconds: u32,
    pub protocol: u16,
    pub address_length: u8,
    pub source_address: [u8; 8],
}

/// Why a copy into foreign memory failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFailure {
    /// A header contradicts its block.
    Malformed(Malformed),
    /// The target ends before the packets do.
    TargetTooSmall,
}

impl Columns {
    /// Fresh, zeroed memory for at least `packets` packets.
    pub fn for_packets(packets: u32) -> Self {
        let capacity = packets.max(1).next_multiple_of(CAPACITY_STEP);
        Self { memory: Memory::zeroed(capacity as usize * BYTES_PER_PACKET), capacity }
    }

    /// Columns in memory of the caller; `None` where it is too small for `capacity` packets or does not
    /// start at a multiple of 4 bytes, as a part of a JavaScript buffer may.
    pub fn in_memory(memory: Memory, capacity: u32) -> Option<Self> {
        let fits = memory.len() >= capacity as usize * BYTES_PER_PACKET;
        let aligned = memory.as_ptr().addr().is_multiple_of(align_of::<u32>());
        (fits && aligned && capacity.is_multiple_of(CAPACITY_STEP)).then_some(Self { memory, capacity })
    }

    /// Packets it has room for.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Its bytes.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Fills the columns of `set` from one walk over the block. Offsets count from the start of
    /// [`Block::bytes`], which is what JavaScript sees.
    pub fn fill(&self, block: &Block<'_>, options: WalkOptions, set: ColumnSet) -> Result<(), Malformed> {
        let filler = self.filler(set);
        let start = block.bytes().start;
        block.walk(options, |row, frame| filler.fill(row, start, frame))
    }

    /// One packet's columns; zeros outside the capacity and in columns that were not filled.
    pub fn row(&self, index: u32) -> Row {
        let at = |column: Column| column.start() * self.capacity as usize + index as usize * column.width();
        let word = |column| if index < self.capacity { self.memory.u32(at(column)).unwrap_or(0) } else { 0 };
        let mut row = Row {
            offset: word(Column::Offset),
            captured: word(Column::CapturedLength),
            original: word(Column::OriginalLength),
            seconds: word(Column::Seconds),
            nanoseconds: word(Column::Nanoseconds),
            ..Row::default()
        };
        if index < self.capacity {
            row.protocol = self.memory.u16(at(Column::Protocol)).unwrap_or(0);
            row.address_length = self.memory.u8(at(Column::AddressLength)).unwrap_or(0);
            self.memory.read_into(at(Column::SourceAddress), &mut row.source_address);
        }
        row
    }

    /// For a walk that fills the columns of `set` on the way.
    pub(super) fn filler(&self, set: ColumnSet) -> Filler<'_> {
        Filler { writers: self.writers(), set }
    }

    /// Copies packets `first .. first + count` into `target`, end to end, and all of their columns
    /// into this memory from index 0, with offsets into `target`.
    pub fn copy(
        &self,
        block: &Block<'_>,
        options: WalkOptions,
        first: u32,
        count: u32,
        target: &Memory,
    ) -> Result<(), CopyFailure> {
        let writers = self.writers();
        let mut at = 0usize;
        let mut fits = true;
        block
            .walk(options, |index, frame| {
                let Some(row) = index.checked_sub(first).filter(|row| *row < count) else { return };
                let length = frame.captured as usize;
                fits = fits && row < self.capacity && block.memory().copy_to(frame.data as usize, length, target, at);
                if fits {
                    writers.set_place(row, at as u32, frame.captured);
                    writers.set_time(row, frame);
                    writers.set_fields(row, frame, ColumnSet::ALL);
                    at += length;
                }
            })
            .map_err(CopyFailure::Malformed)?;
        if fits { Ok(()) } else { Err(CopyFailure::TargetTooSmall) }
    }

    /// Writes one row after the other from row 0, the columns of `set` that a [`Row`] has and zeros
    /// in the others. Rows beyond the capacity go nowhere.
    pub fn fill_rows(&self, set: ColumnSet, rows: impl Iterator<Item = Row>) {
        let writers = self.writers();
        // One check per group, as in Filler.
        let (time, others) =
            (set.meets(ColumnSet::TIME), set.meets(ColumnSet::ALL.without(ColumnSet::PLACE).without(ColumnSet::TIME)));
        for (index, row) in rows.enumerate() {
            let index = index as u32;
            writers.set_place(index, row.offset, row.captured);
            if time {
                writers.seconds.set(index, row.seconds);
                writers.nanoseconds.set(index, row.nanoseconds);
            }
            if !others {
                continue;
            }
            writers.original.set(index, row.original);
            writers.rxhash.set(index, 0);
            writers.status.set(index, 0);
            writers.tci.set(index, 0);
            writers.tpid.set(index, 0);
            writers.protocol.set(index, row.protocol);
            writers.direction.set(index, 0);
            writers.address_length.set(index, row.address_length);
            writers.source_address.set(index, row.source_address);
        }
    }

    /// Marks the first packet: some were lost before it. In V3 the kernel marks blocks only
    /// (`tpacket_rcv` sets TP_STATUS_LOSING on packets up to V2).
    pub fn mark_losing(&self) {
        let at = self.capacity as usize * Column::Status.start();
        self.memory.set_u32(at, self.memory.u32(at).unwrap_or(0) | status::LOSING);
    }

    /// Where packets lie and how long they were: the columns `Offset`, `CapturedLength` and `OriginalLength`, in that
    /// order.
    pub fn places(&self) -> [VolatileArray<'_, u32>; 3] {
        [self.array(Column::Offset), self.array(Column::CapturedLength), self.array(Column::OriginalLength)]
    }

    fn writers(&self) -> ColumnWriters<'_> {
        ColumnWriters {
            offset: self.array(Column::Offset),
            captured: self.array(Column::CapturedLength),
            original: self.array(Column::OriginalLength),
            seconds: self.array(Column::Seconds),
            nanoseconds: self.array(Column::Nanoseconds),
            rxhash: self.array(Column::Rxhash),
            status: self.array(Column::Status),
            tci: self.array(Column::VlanTci),
            tpid: self.array(Column::VlanTpid),
            protocol: self.array(Column::Protocol),
            direction: self.array(Column::Direction),
            address_length: self.array(Column::AddressLength),
            source_address: self.array(Column::SourceAddress),
        }
    }

    fn array<T: Copy>(&self, column: Column) -> VolatileArray<'_, T> {
        assert_eq!(column.width(), size_of::<T>(), "an array has its column's width");
        self.memory
            .array(column.start() * self.capacity as usize, self.capacity as usize)
            .expect("every column lies inside the memory, aligned to its width")
    }
}

/// What a walk calls with each packet to fill columns.
pub(super) struct Filler<'a> {
    writers: ColumnWriters<'a>,
    set: ColumnSet,
}

impl Filler<'_> {
    /// Fills row `row`; `start` is where the bytes that JavaScript sees begin in the block.
    #[inline(always)]
    pub(super) fn fill(&self, row: u32, start: u32, frame: &Frame<'_>) {
        self.writers.set_place(row, frame.data - start, frame.captured);
        // One check per group, not per column: most loops want only timestamps.
        if self.set.meets(ColumnSet::TIME) {
            self.writers.set_time(row, frame);
        }
        if self.set.meets(ColumnSet::ALL.without(ColumnSet::PLACE).without(ColumnSet::TIME)) {
            self.writers.set_fields(row, frame, self.set);
        }
    }
}

/// The columns, ready to be written.
struct ColumnWriters<'a> {
    offset: VolatileArray<'a, u32>,
    captured: VolatileArray<'a, u32>,
    original: VolatileArray<'a, u32>,
    seconds: VolatileArray<'a, u32>,
    nanoseconds: VolatileArray<'a, u32>,
    rxhash: VolatileArray<'a, u32>,
    status: VolatileArray<'a, u32>,
    tci: VolatileArray<'a, u16>,
    tpid: VolatileArray<'a, u16>,
    protocol: VolatileArray<'a, u16>,
    direction: VolatileArray<'a, u8>,
    address_length: VolatileArray<'a, u8>,
    source_address: VolatileArray<'a, [u8; 8]>,
}

impl ColumnWriters<'_> {
    #[inline(always)]
    fn set_place(&self, row: u32, offset: u32, captured: u32) {
        self.offset.set(row, offset);
        self.captured.set(row, captured);
    }

    #[inline(always)]
    fn set_time(&self, row: u32, frame: &Frame<'_>) {
        self.seconds.set(row, frame.fields.u32::<{ packet::SECONDS }>());
        self.nanoseconds.set(row, frame.fields.u32::<{ packet::NANOSECONDS }>());
    }

    #[inline(always)]
    fn set_fields(&self, row: u32, frame: &Frame<'_>, set: ColumnSet) {
        let fields = frame.fields;
        if set.has(Column::OriginalLength) {
            self.original.set(row, frame.original);
        }
        if set.has(Column::Rxhash) {
            self.rxhash.set(row, fields.u32::<{ packet::RXHASH }>());
        }
        if set.has(Column::Status) {
            self.status.set(row, frame.status);
        }
        if set.has(Column::VlanTci) || set.has(Column::VlanTpid) {
            let (tci, tpid) =
                vlan::tag(frame.status, fields.u32::<{ packet::VLAN_TCI }>(), fields.u16::<{ packet::VLAN_TPID }>());
            self.tci.set(row, tci);
            self.tpid.set(row, tpid);
        }
        if set.has(Column::Protocol) {
            self.protocol.set(row, u16::from_be(fields.u16::<{ packet::PROTOCOL }>()));
        }
        if set.has(Column::Direction) {
            let kind = fields.u8::<{ packet::PACKET_TYPE }>();
            // PACKET_HOST … PACKET_OUTGOING are 0 … 4; what nlmon adds above is the host's own.
            self.direction.set(row, if kind <= libc::PACKET_OUTGOING { kind } else { 0 });
        }
        if set.has(Column::AddressLength) || set.has(Column::SourceAddress) {
            self.address_length.set(row, fields.u8::<{ packet::ADDRESS_LENGTH }>().min(8));
            self.source_address.set(row, fields.bytes8::<{ packet::ADDRESS_BYTES }>());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_do_not_overlap() {
        let mut end = 0;
        for column in Column::ALL {
            assert_eq!(column.start(), end, "{column:?}");
            assert_eq!(column.start() * CAPACITY_STEP as usize % column.width(), 0, "{column:?}");
            end += column.width();
        }
        assert_eq!(end, BYTES_PER_PACKET);
    }

    #[test]
    fn a_column_never_leaves_its_memory() {
        let columns = Columns::for_packets(8);
        columns.writers().status.set(8, 1);
        columns.writers().address_length.set(8, 1);
        let bytes = columns.memory().read(0, columns.memory().len()).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
        assert!(Columns::in_memory(Memory::zeroed(8 * BYTES_PER_PACKET - 1), 8).is_none());
        assert!(Columns::in_memory(Memory::zeroed(800), 4).is_none());
        for shift in 1..4 {
            let unaligned = Memory::zeroed(800).slice(shift, 700).unwrap();
            assert!(Columns::in_memory(unaligned, 8).is_none(), "{shift}");
        }
    }
}
