//! Corrupt headers, by a bug of the kernel or by JavaScript: the walk stops at the corrupt header, reports where and
//! why, and has shown the packets before it.

use netring::ring::columns::CopyFailure;
use netring::ring::fake::FakeKernel;
use netring::ring::layout::{block, packet};
use netring::ring::{ColumnSet, Columns, Malformed, Memory};

use crate::support::{REINSERT, Row, Seen, WHOLE, deliver, numbered, payload, walk};

const TOO_MANY: &str = "the block's head counts more packets than fit";
const IN_HEAD: &str = "the first packet starts inside the block's head";
const NEXT_OUT: &str = "tp_next_offset leads out of the block";
const UNALIGNED: &str = "a packet's header is not aligned";
const HEADER_OUT: &str = "a packet's header leaves the block";
const MAC_IN_HEADER: &str = "tp_mac points into the packet's header";
const SNAPLEN_OUT: &str = "tp_snaplen leaves the block";
const INTO_NEXT: &str = "a packet runs into the next one";

const BLOCK: usize = 4096;
const PACKETS: u32 = 4;
/// Bytes from one packet to the next.
const DISTANCE: u32 = 152;

/// Walks the second of three blocks of four packets, after `corrupt` has written to it. It gets the
/// block's bytes and finds packet headers with [`header`].
fn walk_corrupted(corrupt: impl FnOnce(&Memory)) -> (Vec<Seen>, Result<(), Malformed>) {
    let (mut kernel, mut ring) = FakeKernel::with_ring(BLOCK as u32, 3);
    for round in 0..3 {
        let packets: Vec<_> = (0..PACKETS).map(|number| numbered(10 * round + number, 64)).collect();
        deliver(&mut kernel, &packets);
    }
    let first = ring.acquire().unwrap();
    let lease = ring.acquire().unwrap();
    let memory = kernel.memory().slice(BLOCK, BLOCK).unwrap();
    corrupt(&memory);
    let around = |from| kernel.memory().read(from, BLOCK).unwrap();
    let before = (around(0), around(2 * BLOCK));

    let block = ring.block(&lease);
    let (seen, result) = walk(&block, WHOLE);
    let columns = Columns::for_packets(PACKETS);
    assert_eq!(columns.fill(&block, WHOLE, ColumnSet::ALL), result, "columns stop at the same packet");
    for (row, seen) in seen.iter().enumerate().take(columns.capacity() as usize) {
        assert_eq!(Row::read(&columns, row as u32).offset, seen.data - block::SIZE as u32);
    }
    let target = Memory::zeroed(3 * BLOCK);
    let copied = Columns::for_packets(64).copy(&block, WHOLE, 0, u32::MAX, &target);
    assert_eq!(copied, result.map_err(CopyFailure::Malformed), "and so does a copy");
    assert_eq!(walk(&block, REINSERT), (seen.clone(), result), "and a walk that puts tags back");
    assert_eq!((around(0), around(2 * BLOCK)), before, "the blocks around it are untouched");
    ring.release(lease);
    ring.release(first);
    (seen, result)
}

/// Offset of a packet's header in its block.
fn header(index: u32) -> usize {
    block::SIZE + (index * DISTANCE) as usize
}

/// The walk showed the first `visited` packets as they came and stopped at `index`.
#[track_caller]
fn stops(visited: u32, index: u32, reason: &'static str, corrupt: impl FnOnce(&Memory)) {
    let (seen, result) = walk_corrupted(corrupt);
    assert_eq!(result, Err(Malformed { index, reason }));
    let bytes: Vec<_> = seen.into_iter().map(|seen| seen.bytes).collect();
    let expected: Vec<_> = (0..visited).map(|number| payload(10 + number, 64)).collect();
    assert_eq!(bytes, expected);
}

/// The walk showed the first `visited` packets as they came and found nothing wrong.
#[track_caller]
fn passes(visited: u32, corrupt: impl FnOnce(&Memory)) {
    let (seen, result) = walk_corrupted(corrupt);
    assert_eq!(result, Ok(()));
    let bytes: Vec<_> = seen.into_iter().map(|seen| seen.bytes).collect();
    let expected: Vec<_> = (0..visited).map(|number| payload(10 + number, 64)).collect();
    assert_eq!(bytes, expected);
}

#[test]
fn the_truth_is_believed() {
    passes(PACKETS, |memory| assert_eq!(memory.u32(header(2) + packet::NEXT), Some(DISTANCE)));
}

#[test]
fn a_next_offset_out_of_the_block_stops_the_walk_behind_its_packet() {
    let left = block::SIZE as u32 + PACKETS * DISTANCE;
    for at in 0..PACKETS - 1 {
        let to_end = left - header(at) as u32;
        for next in [0, 8, 64, 71, to_end + 1, to_end + 8, BLOCK as u32, 1 << 31, u32::MAX - 7, u32::MAX] {
            stops(at + 1, at, NEXT_OUT, |memory| assert!(memory.set_u32(header(at) + packet::NEXT, next)));
        }
        let backwards = DISTANCE.wrapping_neg();
        stops(at + 1, at, NEXT_OUT, |memory| assert!(memory.set_u32(header(at) + packet::NEXT, backwards)));
    }
}

#[test]
fn an_unaligned_next_offset_is_the_next_packets_fault() {
    stops(1, 1, INTO_NEXT, |memory| assert!(memory.set_u32(header(1) + packet::NEXT, 73)));
    for next in [DISTANCE + 1, DISTANCE + 4, DISTANCE - 1] {
        stops(2, 2, UNALIGNED, |memory| assert!(memory.set_u32(header(1) + packet::NEXT, next)));
    }
}

#[test]
fn a_next_offset_to_the_end_leaves_no_room_for_a_header() {
    let end = block::SIZE as u32 + PACKETS * DISTANCE;
    for left in [0, 8, 64] {
        let next = end - header(1) as u32 - left;
        stops(2, 2, HEADER_OUT, |memory| assert!(memory.set_u32(header(1) + packet::NEXT, next)));
    }
}

#[test]
fn the_last_next_offset_is_not_used() {
    for next in [1, 8, 1 << 30, u32::MAX] {
        passes(PACKETS, |memory| assert!(memory.set_u32(header(PACKETS - 1) + packet::NEXT, next)));
    }
}

#[test]
fn an_oversize_snaplen_stops_the_walk_at_its_packet() {
    for at in 0..PACKETS {
        let room = (header(at + 1) - header(at)) as u32 - 86;
        let reason = if at + 1 == PACKETS { SNAPLEN_OUT } else { INTO_NEXT };
        stops(at, at, reason, |memory| assert!(memory.set_u32(header(at) + packet::SNAPLEN, room + 1)));
        for snaplen in [BLOCK as u32, 1 << 31, u32::MAX - 86, u32::MAX] {
            stops(at, at, SNAPLEN_OUT, |memory| assert!(memory.set_u32(header(at) + packet::SNAPLEN, snaplen)));
        }
    }
}

#[test]
fn a_snaplen_may_reach_the_next_packet_and_no_further() {
    for at in 0..PACKETS - 1 {
        let room = (header(at + 1) - header(at)) as u32 - 86;
        let (seen, result) = walk_corrupted(|memory| assert!(memory.set_u32(header(at) + packet::SNAPLEN, room)));
        assert_eq!(result, Ok(()));
        let seen = &seen[at as usize];
        assert_eq!(seen.data as usize + seen.bytes.len(), header(at + 1));
    }
}

#[test]
fn the_last_snaplen_may_reach_the_end_of_the_block_and_no_further() {
    let last = header(PACKETS - 1);
    let (seen, result) = walk_corrupted(|memory| {
        memory.set_u32(block::LENGTH, u32::MAX);
        memory.set_u32(last + packet::SNAPLEN, (BLOCK - last - 86) as u32);
    });
    assert_eq!(result, Ok(()));
    assert_eq!(seen[PACKETS as usize - 1].data as usize + seen[PACKETS as usize - 1].bytes.len(), BLOCK);
    stops(PACKETS - 1, PACKETS - 1, SNAPLEN_OUT, |memory| {
        memory.set_u32(block::LENGTH, u32::MAX);
        memory.set_u32(last + packet::SNAPLEN, (BLOCK - last - 86) as u32 + 1);
    });
}

#[test]
fn a_packet_count_that_cannot_be_stops_the_walk_at_once() {
    let most = (block::SIZE as u32 + PACKETS * DISTANCE) / 72;
    for count in [most + 1, 1000, 1 << 31, u32::MAX] {
        stops(0, 0, TOO_MANY, |memory| assert!(memory.set_u32(block::PACKETS, count)));
    }
}

#[test]
fn a_packet_count_that_could_be_stops_the_walk_behind_the_last_packet() {
    for count in [PACKETS + 1, 9] {
        stops(PACKETS, PACKETS - 1, NEXT_OUT, |memory| assert!(memory.set_u32(block::PACKETS, count)));
    }
}

#[test]
fn a_packet_count_too_small_hides_the_rest() {
    passes(2, |memory| assert!(memory.set_u32(block::PACKETS, 2)));
    passes(0, |memory| assert!(memory.set_u32(block::PACKETS, 0)));
}

#[test]
fn a_first_packet_inside_the_header_stops_the_walk() {
    for first in [0, 8, 40, 47] {
        stops(0, 0, IN_HEAD, |memory| assert!(memory.set_u32(block::FIRST, first)));
    }
}

#[test]
fn a_first_packet_outside_the_block_stops_the_walk() {
    let end = header(PACKETS) as u32;
    for first in [end - 64, end, BLOCK as u32, BLOCK as u32 + block::SIZE as u32, 1 << 31, u32::MAX - 7] {
        stops(0, 0, HEADER_OUT, |memory| assert!(memory.set_u32(block::FIRST, first)));
    }
    for first in [49, 52, end + 1, u32::MAX] {
        stops(0, 0, UNALIGNED, |memory| assert!(memory.set_u32(block::FIRST, first)));
    }
}

#[test]
fn a_link_layer_header_inside_the_packets_own_stops_the_walk() {
    for at in 0..PACKETS {
        for mac in [0, 1, 48, 67] {
            stops(at, at, MAC_IN_HEADER, |memory| assert!(memory.set_u16(header(at) + packet::MAC, mac)));
        }
    }
}

#[test]
fn a_link_layer_header_outside_the_block_stops_the_walk() {
    for at in 0..PACKETS {
        let end = (header(PACKETS) - header(at)) as u16;
        for mac in [end - 63, end, end + 1, BLOCK as u16, u16::MAX] {
            stops(at, at, SNAPLEN_OUT, |memory| assert!(memory.set_u16(header(at) + packet::MAC, mac)));
        }
        let own_end = (header(at + 1) - header(at)) as u16;
        let (seen, result) = walk_corrupted(|memory| {
            memory.set_u16(header(at) + packet::MAC, own_end);
            memory.set_u32(header(at) + packet::SNAPLEN, 0);
        });
        assert_eq!((seen.len() as u32, result), (PACKETS, Ok(())), "no bytes may lie at a packet's end");
    }
}

#[test]
fn a_block_length_past_the_block_is_the_block() {
    for length in [BLOCK as u32, BLOCK as u32 + 1, 3 * BLOCK as u32, 1 << 31, u32::MAX] {
        passes(PACKETS, |memory| assert!(memory.set_u32(block::LENGTH, length)));
        // The walk still detects a corrupt packet header.
        stops(1, 1, SNAPLEN_OUT, |memory| {
            memory.set_u32(block::LENGTH, length);
            memory.set_u32(header(1) + packet::SNAPLEN, BLOCK as u32);
        });
        stops(2, 1, NEXT_OUT, |memory| {
            memory.set_u32(block::LENGTH, length);
            memory.set_u32(header(1) + packet::NEXT, BLOCK as u32);
        });
    }
}

#[test]
fn a_block_length_too_small_stops_the_walk_where_it_ends() {
    for length in [0, 1, 47, 48, 71, 72, 4 * 72 - 1] {
        stops(0, 0, TOO_MANY, |memory| assert!(memory.set_u32(block::LENGTH, length)));
    }
    // All four are claimed, and the space of four smallest ones is enough for two.
    stops(1, 1, SNAPLEN_OUT, |memory| assert!(memory.set_u32(block::LENGTH, 4 * 72)));
    stops(2, 1, NEXT_OUT, |memory| assert!(memory.set_u32(block::LENGTH, header(2) as u32 - 1)));
    stops(2, 2, HEADER_OUT, |memory| assert!(memory.set_u32(block::LENGTH, header(2) as u32 + 67)));
    stops(3, 3, SNAPLEN_OUT, |memory| assert!(memory.set_u32(block::LENGTH, header(3) as u32 + 86 + 63)));
    passes(4, |memory| assert!(memory.set_u32(block::LENGTH, header(3) as u32 + 86 + 64)));
    for length in [0, 48, 71, 72, 115] {
        let (seen, result) = walk_corrupted(|memory| {
            memory.set_u32(block::PACKETS, 1);
            memory.set_u32(block::LENGTH, length);
        });
        let reason = if length < 72 { TOO_MANY } else { HEADER_OUT };
        assert_eq!((seen, result), (vec![], Err(Malformed { index: 0, reason })));
    }
}
