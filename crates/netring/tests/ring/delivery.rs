//! Packets of a correct kernel arrive.

use netring::ring::block::WalkOptions;
use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::{block, packet, status};

use crate::support::{WHOLE, bytes, deliver, frames, next, numbered, payload};

#[test]
fn packets_arrive_byte_for_byte_and_in_order() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 4);
    let packets: Vec<_> = (0..40).map(|number| numbered(number, (number as usize * 37) % 600)).collect();
    deliver(&mut kernel, &packets);
    let mut seen = Vec::new();
    while let Some(lease) = ring.acquire() {
        seen.extend(bytes(&ring, &lease));
        ring.release(lease);
    }
    assert_eq!(seen, packets.iter().map(|packet| packet.data.clone()).collect::<Vec<_>>());
}

#[test]
fn an_empty_packet_is_a_packet() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    deliver(&mut kernel, &[FakePacket::new(&[]), FakePacket::new(b"x")]);
    assert_eq!(next(&mut ring), Some(vec![vec![], b"x".to_vec()]));
}

#[test]
fn a_new_ring_has_nothing_to_show() {
    let (_kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    assert!(!ring.ready());
    assert!(ring.acquire().is_none());
}

#[test]
fn a_block_is_shown_once_it_is_closed_and_not_before() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    assert!(kernel.receive(&numbered(1, 60)));
    assert!(!ring.ready());
    assert!(ring.acquire().is_none());
    assert!(kernel.retire(status::BLOCK_TIMEOUT));
    assert!(ring.ready() && ring.ready(), "looking takes nothing");
    assert_eq!(next(&mut ring), Some(vec![payload(1, 60)]));
    assert!(ring.acquire().is_none(), "and it is shown once");
}

#[test]
fn the_header_is_read_as_the_kernel_wrote_it() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    for (sequence, bits) in [(1, status::BLOCK_TIMEOUT), (2, status::LOSING), (3, 0), (4, status::BLOCK_TIMEOUT)] {
        assert!(kernel.receive(&numbered(7, 100)));
        assert!(kernel.retire(bits));
        let lease = ring.acquire().unwrap();
        assert_eq!(u64::from(lease.index()), (sequence - 1) % 2);
        let block = ring.block(&lease);
        assert_eq!((block.sequence(), block.packet_count()), (sequence, 1));
        assert_eq!(block.status(), status::USER | bits);
        assert_eq!(block.end() as usize, block::SIZE + (packet::SIZE + kernel.gap + 100).next_multiple_of(8));
        ring.release(lease);
    }
}

#[test]
fn an_empty_block_is_given_back_unseen() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    assert!(kernel.retire(0));
    assert!(!ring.ready(), "there is nothing in it");
    assert!(kernel.retire(0));
    assert!(kernel.retire(0));
    assert!(kernel.receive(&numbered(3, 60)), "the first one is free again");
    assert!(kernel.retire(0));
    assert_eq!(next(&mut ring), Some(vec![payload(3, 60)]));
    assert!(ring.acquire().is_none());
}

#[test]
fn a_packet_too_large_for_a_block_arrives_clamped_behind_an_empty_block() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    deliver(&mut kernel, &[numbered(5, 5000)]);
    let lease = ring.acquire().unwrap();
    assert_eq!(lease.index(), 1, "block 0 was empty");
    let seen = frames(&ring, &lease, WHOLE);
    assert_eq!(seen[0].bytes, payload(5, 5000)[..4096 - block::SIZE - packet::SIZE - kernel.gap]);
    assert_eq!((seen[0].original, seen[0].truncated()), (5002, true));
    ring.release(lease);
}

#[test]
fn truncated_means_fewer_bytes_than_were_on_the_wire_whatever_the_kernel_says() {
    for (captured, original, snaplen, shown) in [
        (100, 100, u32::MAX, 100),
        (100, 101, u32::MAX, 100),
        (100, 100, 100, 100),
        (100, 100, 99, 99),
        (100, 9000, 64, 64),
        (100, 100, 0, 0),
        // Segments that the card put together can count more bytes than the wire had.
        (100, 90, u32::MAX, 100),
        (100, 90, 90, 90),
        (100, 90, 89, 89),
        (0, 0, 0, 0),
    ] {
        for lie in [0, status::TRUNCATED] {
            let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
            let mut packet = FakePacket::new(&payload(1, captured));
            packet.original = original;
            packet.status |= lie;
            deliver(&mut kernel, &[packet]);
            let lease = ring.acquire().unwrap();
            let seen = &frames(&ring, &lease, WalkOptions { snaplen, ..WHOLE })[0];
            assert_eq!(seen.bytes, payload(1, captured)[..shown]);
            assert_eq!((seen.original, seen.truncated()), (original, (shown as u32) < original));
            ring.release(lease);
        }
    }
}

#[test]
fn the_snaplen_of_one_walk_does_not_cut_the_next() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
    deliver(&mut kernel, &[FakePacket::new(&payload(1, 100))]);
    let lease = ring.acquire().unwrap();
    assert_eq!(frames(&ring, &lease, WalkOptions { snaplen: 10, ..WHOLE })[0].bytes.len(), 10);
    let seen = &frames(&ring, &lease, WHOLE)[0];
    assert_eq!((seen.bytes.len(), seen.truncated()), (100, false));
    ring.release(lease);
}

#[test]
fn data_may_start_right_behind_the_header_or_far_from_it() {
    for gap in [0, 2, 4, 18, 1000] {
        let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
        kernel.gap = gap;
        deliver(&mut kernel, &[numbered(9, 64), numbered(10, 65)]);
        assert_eq!(next(&mut ring), Some(vec![payload(9, 64), payload(10, 65)]), "gap {gap}");
    }
}
