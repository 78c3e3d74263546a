//! Blocks as columns, in place and copied.

use netring::ring::block::WalkOptions;
use netring::ring::columns::CopyFailure;
use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::{block, packet, status};
use netring::ring::{Column, ColumnSet, Columns, Lease, Memory, RxRing};

use crate::support::{Row, WHOLE, deliver, frames, numbered};

/// Packets that differ in every field, every other one tagged.
fn packets() -> Vec<FakePacket> {
    (0..11)
        .map(|number| {
            let packet = numbered(number, 60 + 5 * number as usize);
            if number % 2 == 1 { packet.tagged(0x8100 + number as u16, 0xe000 | number as u16) } else { packet }
        })
        .collect()
}

fn held(packets: &[FakePacket]) -> (RxRing, Lease) {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
    deliver(&mut kernel, packets);
    let lease = ring.acquire().unwrap();
    (ring, lease)
}

#[test]
fn every_column_holds_what_was_sent() {
    let packets = packets();
    let (ring, lease) = held(&packets);
    let columns = Columns::for_packets(packets.len() as u32);
    columns.fill(&ring.block(&lease), WHOLE, ColumnSet::ALL).unwrap();
    let seen = frames(&ring, &lease, WHOLE);
    for (index, packet) in packets.iter().enumerate() {
        let offset = seen[index].data - block::SIZE as u32;
        assert_eq!(Row::read(&columns, index as u32), Row::of(packet, offset));
        let behind_head = ring.block(&lease).memory().slice(block::SIZE, 4096 - block::SIZE).unwrap();
        assert_eq!(behind_head.read(offset as usize, packet.data.len()).unwrap(), packet.data);
    }
}

#[test]
fn a_column_can_be_filled_alone_and_touches_no_other() {
    let packets = packets();
    let (ring, lease) = held(&packets);
    let whole = Columns::for_packets(11);
    whole.fill(&ring.block(&lease), WHOLE, ColumnSet::ALL).unwrap();
    let range = |column: Column| (column.start() * 16, column.width() * 16);
    for column in Column::ALL {
        let columns = Columns::for_packets(11);
        assert_eq!(columns.capacity(), 16);
        columns.memory().write(0, &vec![0xa5; columns.memory().len()]);
        columns.fill(&ring.block(&lease), WHOLE, ColumnSet(1 << column as u32)).unwrap();
        // The place comes with every fill, and these go by pairs.
        let also = match column {
            Column::VlanTci | Column::VlanTpid => [Column::VlanTci, Column::VlanTpid],
            Column::Seconds | Column::Nanoseconds => [Column::Seconds, Column::Nanoseconds],
            Column::AddressLength | Column::SourceAddress => [Column::AddressLength, Column::SourceAddress],
            _ => [column, column],
        };
        for other in Column::ALL {
            let (at, length) = range(other);
            let bytes = columns.memory().read(at, length).unwrap();
            let filled = other.width() * 11;
            if also.contains(&other) || ColumnSet::PLACE.has(other) {
                assert_eq!(bytes[..filled], whole.memory().read(at, filled).unwrap(), "{other:?}");
                assert!(bytes[filled..].iter().all(|byte| *byte == 0xa5), "{other:?} past its packets");
            } else {
                assert!(bytes.iter().all(|byte| *byte == 0xa5), "{other:?} when asked for {column:?}");
            }
        }
    }
}

#[test]
fn more_packets_than_capacity_fill_the_capacity_only() {
    let packets = packets();
    let (ring, lease) = held(&packets);
    let memory = Memory::zeroed(4096);
    memory.write(0, &[0xa5; 4096]);
    let bytes = 8 * netring::ring::columns::BYTES_PER_PACKET;
    let columns = Columns::in_memory(memory.slice(0, bytes).unwrap(), 8).unwrap();
    columns.fill(&ring.block(&lease), WHOLE, ColumnSet::ALL).unwrap();
    let seen = frames(&ring, &lease, WHOLE);
    for index in 0..8 {
        let offset = seen[index].data - block::SIZE as u32;
        assert_eq!(Row::read(&columns, index as u32), Row::of(&packets[index], offset));
    }
    assert!(memory.read(bytes, 4096 - bytes).unwrap().iter().all(|byte| *byte == 0xa5));
}

#[test]
fn directions_and_address_lengths_that_the_kernel_does_not_define_are_tamed() {
    for (kind, direction) in [(0, 0), (4, 4), (5, 0), (7, 0), (255, 0)] {
        for (length, shown) in [(0, 0), (6, 6), (8, 8), (20, 8), (255, 8)] {
            let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
            let mut one = numbered(1, 60);
            one.packet_type = kind;
            assert!(kernel.receive(&one));
            kernel.memory().set_u8(kernel.header(0, 0) + packet::ADDRESS_LENGTH, length);
            kernel.memory().write(kernel.header(0, 0) + packet::ADDRESS_BYTES, b"infiniba");
            kernel.retire(0);
            let lease = ring.acquire().unwrap();
            let columns = Columns::for_packets(1);
            columns.fill(&ring.block(&lease), WHOLE, ColumnSet::ALL).unwrap();
            let row = Row::read(&columns, 0);
            assert_eq!((row.direction, row.address_length), (direction, shown));
            assert_eq!(row.source_address, b"infiniba");
            ring.release(lease);
        }
    }
}

#[test]
fn the_snaplen_shows_in_the_columns() {
    let (ring, lease) = held(&[FakePacket::new(&[7; 100])]);
    let columns = Columns::for_packets(1);
    columns.fill(&ring.block(&lease), WalkOptions { snaplen: 60, ..WHOLE }, ColumnSet::ALL).unwrap();
    let row = Row::read(&columns, 0);
    assert_eq!((row.captured_length, row.original_length), (60, 100));
    assert_ne!(row.status & status::TRUNCATED, 0);
}

#[test]
fn a_copy_takes_the_packets_asked_for_end_to_end() {
    let packets = packets();
    let (ring, lease) = held(&packets);
    for (first, count) in [(0, 11), (0, 1), (3, 4), (10, 1), (10, 5), (0, u32::MAX), (4, u32::MAX), (11, 1), (5, 0)] {
        let wanted: Vec<_> = packets.iter().skip(first as usize).take(count as usize).collect();
        let length: usize = wanted.iter().map(|packet| packet.data.len()).sum();
        let target = Memory::zeroed(length);
        let columns = Columns::for_packets(wanted.len() as u32);
        columns.copy(&ring.block(&lease), WHOLE, first, count, &target).unwrap();
        let mut at = 0;
        for (row, packet) in wanted.into_iter().enumerate() {
            assert_eq!(Row::read(&columns, row as u32), Row::of(packet, at as u32), "{first} + {count}");
            assert_eq!(target.read(at, packet.data.len()).unwrap(), packet.data);
            at += packet.data.len();
        }
    }
    let target = Memory::zeroed(64);
    let columns = Columns::for_packets(1);
    columns.copy(&ring.block(&lease), WHOLE, u32::MAX, u32::MAX, &target).unwrap();
    assert_eq!(target.read(0, 64).unwrap(), [0; 64], "there are no such packets");
}

#[test]
fn a_copy_survives_its_block() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
    let packets = packets();
    deliver(&mut kernel, &packets);
    let lease = ring.acquire().unwrap();
    let (target, columns) = (Memory::zeroed(4096), Columns::for_packets(11));
    columns.copy(&ring.block(&lease), WHOLE, 0, 11, &target).unwrap();
    ring.release(lease);
    kernel.memory().write(0, &[0xff; 4096]);
    let mut at = 0;
    for (row, packet) in packets.iter().enumerate() {
        assert_eq!(Row::read(&columns, row as u32), Row::of(packet, at as u32));
        assert_eq!(target.read(at, packet.data.len()).unwrap(), packet.data);
        at += packet.data.len();
    }
}

#[test]
fn a_target_too_small_is_refused_and_nothing_lands_past_it() {
    let packets = packets();
    let (ring, lease) = held(&packets);
    let length: usize = packets.iter().map(|packet| packet.data.len()).sum();
    for short in [length - 1, length / 2, 1, 0] {
        let memory = Memory::zeroed(length + 64);
        let target = memory.slice(0, short).unwrap();
        let columns = Columns::for_packets(11);
        let result = columns.copy(&ring.block(&lease), WHOLE, 0, 11, &target);
        assert_eq!(result, Err(CopyFailure::TargetTooSmall), "{short} of {length} bytes");
        assert!(memory.read(short, length + 64 - short).unwrap().iter().all(|byte| *byte == 0));
    }
    let target = Memory::zeroed(length);
    let few = Columns::for_packets(8);
    let result = few.copy(&ring.block(&lease), WHOLE, 0, 11, &target);
    assert_eq!(result, Err(CopyFailure::TargetTooSmall), "columns for 8 of 11 packets");
    assert_eq!(few.copy(&ring.block(&lease), WHOLE, 0, 8, &target), Ok(()));
}
