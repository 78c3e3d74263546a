//! What several of the tests need: packets that differ in everything, and walks that keep what they saw.

use netring::ring::block::WalkOptions;
use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::status;
use netring::ring::{Block, Column, Columns, Lease, Malformed, Memory, RxRing};

/// Everything of a packet, and nothing put back.
pub(crate) const WHOLE: WalkOptions = WalkOptions { snaplen: u32::MAX, reinsert_vlan: false, vnet_header: false };
/// The same with VLAN tags put back.
pub(crate) const REINSERT: WalkOptions = WalkOptions { reinsert_vlan: true, ..WHOLE };

/// A frame of a walk, with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) header: u32,
    pub(crate) data: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) original: u32,
    pub(crate) status: u32,
}

impl Seen {
    pub(crate) fn truncated(&self) -> bool {
        self.status & status::TRUNCATED != 0
    }
}

/// All frames that a walk visits, and how it ended.
pub(crate) fn walk(block: &Block<'_>, options: WalkOptions) -> (Vec<Seen>, Result<(), Malformed>) {
    let mut seen = Vec::new();
    let result = block.walk(options, |index, frame| {
        assert_eq!(index as usize, seen.len());
        let bytes = block.memory().read(frame.data as usize, frame.captured as usize).expect("inside the block");
        let &netring::ring::Frame { header, data, original, status, .. } = frame;
        seen.push(Seen { header, data, bytes, original, status });
    });
    (seen, result)
}

/// All frames of a valid block.
pub(crate) fn frames(ring: &RxRing, lease: &Lease, options: WalkOptions) -> Vec<Seen> {
    let block = ring.block(lease);
    let (seen, result) = walk(&block, options);
    assert_eq!(result, Ok(()));
    assert_eq!(seen.len() as u32, block.packet_count());
    seen
}

/// The packets' bytes of a valid block.
pub(crate) fn bytes(ring: &RxRing, lease: &Lease) -> Vec<Vec<u8>> {
    frames(ring, lease, WHOLE).into_iter().map(|seen| seen.bytes).collect()
}

/// The packets' bytes of the next block, given back at once; `None` without one.
pub(crate) fn next(ring: &mut RxRing) -> Option<Vec<Vec<u8>>> {
    let lease = ring.acquire()?;
    let bytes = bytes(ring, &lease);
    ring.release(lease);
    Some(bytes)
}

/// A packet whose bytes depend on its number in every place.
pub(crate) fn payload(number: u32, length: usize) -> Vec<u8> {
    let seed = number.wrapping_mul(0x9e37_79b1);
    (0..length as u32).map(|at| (seed.wrapping_add(at.wrapping_mul(0x0101_6b35)) >> 11) as u8).collect()
}

/// A packet with these bytes in which every field depends on its number.
pub(crate) fn numbered(number: u32, length: usize) -> FakePacket {
    FakePacket { seconds: 1_700_000_000 + number, ..FakePacket::numbered(number, &payload(number, length)) }
}

/// A row of all columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) offset: u32,
    pub(crate) captured_length: u32,
    pub(crate) original_length: u32,
    pub(crate) seconds: u32,
    pub(crate) nanoseconds: u32,
    pub(crate) rxhash: u32,
    pub(crate) status: u32,
    pub(crate) vlan_tci: u16,
    pub(crate) vlan_tpid: u16,
    pub(crate) protocol: u16,
    pub(crate) direction: u8,
    pub(crate) address_length: u8,
    pub(crate) source_address: Vec<u8>,
}

impl Row {
    /// What a row must hold of a packet that arrived whole at `offset`.
    pub(crate) fn of(packet: &FakePacket, offset: u32) -> Self {
        let captured = packet.data.len() as u32;
        let tagged = packet.status & status::VLAN_VALID != 0;
        Self {
            offset,
            captured_length: captured,
            original_length: packet.original,
            seconds: packet.seconds,
            nanoseconds: packet.nanoseconds,
            rxhash: packet.rxhash,
            status: packet.status | if captured < packet.original { status::TRUNCATED } else { 0 },
            vlan_tci: if tagged { packet.tci } else { 0 },
            vlan_tpid: if tagged { packet.tpid } else { 0 },
            protocol: packet.protocol,
            direction: packet.packet_type,
            address_length: 6,
            source_address: [&packet.source[..], &[0, 0]].concat(),
        }
    }

    /// Reads a row back, as JavaScript does.
    pub(crate) fn read(columns: &Columns, row: u32) -> Self {
        let at = |column: Column| column.start() * columns.capacity() as usize + column.width() * row as usize;
        let memory: &Memory = columns.memory();
        let value = |column| memory.u32(at(column)).expect("inside");
        let value16 = |column| memory.u16(at(column)).expect("inside");
        let value8 = |column| memory.u8(at(column)).expect("inside");
        Self {
            offset: value(Column::Offset),
            captured_length: value(Column::CapturedLength),
            original_length: value(Column::OriginalLength),
            seconds: value(Column::Seconds),
            nanoseconds: value(Column::Nanoseconds),
            rxhash: value(Column::Rxhash),
            status: value(Column::Status),
            vlan_tci: value16(Column::VlanTci),
            vlan_tpid: value16(Column::VlanTpid),
            protocol: value16(Column::Protocol),
            direction: value8(Column::Direction),
            address_length: value8(Column::AddressLength),
            source_address: memory.read(at(Column::SourceAddress), 8).expect("inside"),
        }
    }
}

/// Delivers packets, each of which must find room, and closes the last block.
pub(crate) fn deliver(kernel: &mut FakeKernel, packets: &[FakePacket]) {
    for packet in packets {
        assert!(kernel.receive(packet), "the ring has room");
    }
    assert!(kernel.retire(status::BLOCK_TIMEOUT));
}
