//! A block as columns: one array a field, so that a loop in JavaScript costs no call and no object.
//!
//! All columns of a batch lie in one piece of memory, each at a multiple of the capacity, so that a
//! column's place is `start(column) * capacity` on both sides of the binding.

use super::block::{Block, Malformed, WalkOptions};
use super::layout::{block, packet};
use super::memory::Memory;
use super::vlan;

/// The fields that can be had as a column. The order is that of the memory.
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

    /// Bytes a packet.
    pub const fn width(self) -> usize {
        match self {
            Self::Direction | Self::AddressLength => 1,
            Self::VlanTci | Self::VlanTpid | Self::Protocol => 2,
            Self::SourceAddress => 8,
            _ => 4,
        }
    }

    /// Bytes a packet of all columns before this one: times the capacity, where it starts.
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

/// Bytes a packet of all columns together.
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

/// What a copy into foreign memory ran into.
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

    /// Memory of somebody else; `None` where it is too small for `capacity` packets.
    pub fn in_memory(memory: Memory, capacity: u32) -> Option<Self> {
        let fits = memory.len() >= capacity as usize * BYTES_PER_PACKET;
        (fits && capacity.is_multiple_of(CAPACITY_STEP)).then_some(Self { memory, capacity })
    }

    /// Packets it has room for.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Its bytes.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Fills the columns of `set` from one walk over the block. Offsets count from the end of the
    /// block's head, where the bytes that JavaScript sees begin.
    pub fn fill(&self, block: &Block<'_>, options: WalkOptions, set: ColumnSet) -> Result<(), Malformed> {
        if set == ColumnSet::PLACE {
            return block.walk(options, |index, frame| {
                self.set_place(index, frame.data - block::SIZE as u32, frame.captured);
            });
        }
        block.walk(options, |index, frame| {
            self.set_place(index, frame.data - block::SIZE as u32, frame.captured);
            self.set_fields(index, block, frame, set);
        })
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
        let mut at = 0usize;
        let mut fits = true;
        block
            .walk(options, |index, frame| {
                let Some(row) = index.checked_sub(first).filter(|row| *row < count) else { return };
                let length = frame.captured as usize;
                fits = fits && row < self.capacity && block.memory().copy_to(frame.data as usize, length, target, at);
                if fits {
                    self.set_place(row, at as u32, frame.captured);
                    self.set_fields(row, block, frame, ColumnSet::ALL);
                    at += length;
                }
            })
            .map_err(CopyFailure::Malformed)?;
        if fits { Ok(()) } else { Err(CopyFailure::TargetTooSmall) }
    }

    #[inline(always)]
    fn place(&self, column: Column, index: u32) -> usize {
        column.start() * self.capacity as usize + column.width() * index as usize
    }

    #[inline(always)]
    fn set32(&self, column: Column, index: u32, value: u32) {
        if index < self.capacity {
            self.memory.set_u32(self.place(column, index), value);
        }
    }

    #[inline(always)]
    fn set16(&self, column: Column, index: u32, value: u16) {
        if index < self.capacity {
            self.memory.set_u16(self.place(column, index), value);
        }
    }

    #[inline(always)]
    fn set8(&self, column: Column, index: u32, value: u8) {
        if index < self.capacity {
            self.memory.set_u8(self.place(column, index), value);
        }
    }

    #[inline(always)]
    fn set_place(&self, index: u32, offset: u32, captured: u32) {
        self.set32(Column::Offset, index, offset);
        self.set32(Column::CapturedLength, index, captured);
    }

    #[inline(always)]
    fn set_fields(&self, index: u32, block: &Block<'_>, frame: &super::Frame<'_>, set: ColumnSet) {
        let field = |offset| frame.field(block, offset);
        if set.has(Column::OriginalLength) {
            self.set32(Column::OriginalLength, index, frame.original);
        }
        if set.has(Column::Seconds) {
            self.set32(Column::Seconds, index, field(packet::SECONDS));
        }
        if set.has(Column::Nanoseconds) {
            self.set32(Column::Nanoseconds, index, field(packet::NANOSECONDS));
        }
        if set.has(Column::Rxhash) {
            self.set32(Column::Rxhash, index, field(packet::RXHASH));
        }
        if set.has(Column::Status) {
            self.set32(Column::Status, index, frame.status);
        }
        if set.has(Column::VlanTci) || set.has(Column::VlanTpid) {
            let tpid = frame.field16(block, packet::VLAN_TPID);
            let (tci, tpid) = vlan::tag(frame.status, field(packet::VLAN_TCI), tpid);
            self.set16(Column::VlanTci, index, tci);
            self.set16(Column::VlanTpid, index, tpid);
        }
        if set.has(Column::Protocol) {
            let protocol = frame.field16(block, packet::PROTOCOL);
            self.set16(Column::Protocol, index, u16::from_be(protocol));
        }
        if set.has(Column::Direction) {
            let kind = frame.field8(block, packet::PACKET_TYPE);
            // PACKET_HOST … PACKET_OUTGOING are 0 … 4; what nlmon adds above is the host's own.
            self.set8(Column::Direction, index, if kind <= libc::PACKET_OUTGOING { kind } else { 0 });
        }
        if set.has(Column::AddressLength) || set.has(Column::SourceAddress) {
            let length = frame.field8(block, packet::ADDRESS_LENGTH).min(8);
            self.set8(Column::AddressLength, index, length);
            if index < self.capacity {
                let from = frame.header as usize + packet::ADDRESS_BYTES;
                let to = self.place(Column::SourceAddress, index);
                block.memory().copy_to(from, 8, &self.memory, to);
            }
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
        columns.set32(Column::Status, 8, 1);
        columns.set8(Column::AddressLength, 8, 1);
        let bytes = columns.memory().read(0, columns.memory().len()).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
        assert!(Columns::in_memory(Memory::zeroed(8 * BYTES_PER_PACKET - 1), 8).is_none());
        assert!(Columns::in_memory(Memory::zeroed(800), 4).is_none());
    }
}
