//! `mark_stale`: what passed a filter that has been replaced is not shown, and nothing else is lost.

use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::{packet, status};
use netring::ring::{ColumnSet, Columns, Memory};

use crate::support::{Row, WHOLE, bytes, deliver, next, numbered, payload};

/// A packet that passed the old filter.
fn old() -> FakePacket {
    FakePacket::new(&payload(u32::MAX, 99))
}

/// This packet of the new filter's.
fn new(number: u32) -> FakePacket {
    numbered(number, 64)
}

fn seen(number: u32) -> Vec<u8> {
    payload(number, 64)
}

#[test]
fn retired_blocks_are_not_shown() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 4);
    deliver(&mut kernel, &[old(), old()]);
    deliver(&mut kernel, &[old()]);
    ring.mark_stale();
    assert!(!ring.ready());
    assert!(ring.acquire().is_none());
    deliver(&mut kernel, &[new(1)]);
    deliver(&mut kernel, &[new(2)]);
    deliver(&mut kernel, &[new(3)]);
    deliver(&mut kernel, &[new(4)]);
    for number in 1..5 {
        assert_eq!(next(&mut ring), Some(vec![seen(number)]));
    }
    assert!(ring.acquire().is_none());
}

#[test]
fn of_the_open_block_only_the_new_packets_are_shown() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    deliver(&mut kernel, &[old()]);
    assert!(kernel.receive(&old()));
    assert!(kernel.receive(&old()));
    ring.mark_stale();
    deliver(&mut kernel, &[new(1), new(2), new(3)]);
    let lease = ring.acquire().unwrap();
    assert_eq!(lease.index(), 1);
    assert_eq!(ring.block(&lease).packet_count(), 3);
    assert_eq!(bytes(&ring, &lease), [seen(1), seen(2), seen(3)]);

    let columns = Columns::for_packets(3);
    columns.fill(&ring.block(&lease), WHOLE, ColumnSet::ALL).unwrap();
    assert_eq!([0, 1, 2].map(|row| Row::read(&columns, row).rxhash), [0xdead_0001, 0xdead_0002, 0xdead_0003]);
    let target = Memory::zeroed(64);
    columns.copy(&ring.block(&lease), WHOLE, 1, 1, &target).unwrap();
    assert_eq!(target.read(0, 64).unwrap(), seen(2), "copies count without the stale ones too");

    ring.release(lease);
    deliver(&mut kernel, &[new(4)]);
    assert_eq!(next(&mut ring), Some(vec![seen(4)]), "later blocks are shown whole");
}

#[test]
fn an_open_block_that_gets_no_new_packets_is_not_shown() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    assert!(kernel.receive(&old()));
    ring.mark_stale();
    assert!(kernel.retire(status::BLOCK_TIMEOUT));
    assert!(ring.acquire().is_none());
    deliver(&mut kernel, &[new(1)]);
    deliver(&mut kernel, &[new(2)]);
    assert_eq!(next(&mut ring), Some(vec![seen(1)]));
    assert_eq!(next(&mut ring), Some(vec![seen(2)]));
}

#[test]
fn held_blocks_stay_as_they_are() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    deliver(&mut kernel, &[old()]);
    deliver(&mut kernel, &[old(), old()]);
    let (first, second) = (ring.acquire().unwrap(), ring.acquire().unwrap());
    assert!(kernel.receive(&old()));
    ring.mark_stale();
    assert_eq!(bytes(&ring, &first), [old().data]);
    assert_eq!(bytes(&ring, &second), [old().data, old().data]);
    ring.release(second);
    deliver(&mut kernel, &[new(1)]);
    ring.release(first);
    deliver(&mut kernel, &[new(2)]);
    assert_eq!(next(&mut ring), Some(vec![seen(1)]));
    assert_eq!(next(&mut ring), Some(vec![seen(2)]));
}

#[test]
fn all_blocks_held_hide_nothing_of_the_next_round() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    deliver(&mut kernel, &[old()]);
    deliver(&mut kernel, &[old()]);
    let (first, second) = (ring.acquire().unwrap(), ring.acquire().unwrap());
    ring.mark_stale();
    ring.release(first);
    deliver(&mut kernel, &[new(1)]);
    assert_eq!(next(&mut ring), Some(vec![seen(1)]));
    ring.release(second);
    deliver(&mut kernel, &[new(2)]);
    assert_eq!(next(&mut ring), Some(vec![seen(2)]));
}

#[test]
fn a_frozen_ring_shows_all_of_what_refills_it() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    for _ in 0..3 {
        deliver(&mut kernel, &[old()]);
    }
    assert!(!kernel.receive(&old()), "frozen");
    ring.mark_stale();
    assert!(ring.acquire().is_none());
    for number in 1..4 {
        deliver(&mut kernel, &[new(number), new(10 + number)]);
    }
    for number in 1..4 {
        assert_eq!(next(&mut ring), Some(vec![seen(number), seen(10 + number)]));
    }
}

#[test]
fn a_frozen_ring_with_a_held_block_shows_all_of_what_refills_it() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    for _ in 0..3 {
        deliver(&mut kernel, &[old()]);
    }
    let held = ring.acquire().unwrap();
    ring.mark_stale();
    assert!(ring.acquire().is_none());
    assert!(!kernel.receive(&new(0)), "the held block's turn");
    assert_eq!(bytes(&ring, &held), [old().data]);
    ring.release(held);
    for number in 1..4 {
        deliver(&mut kernel, &[new(number)]);
    }
    for number in 1..4 {
        assert_eq!(next(&mut ring), Some(vec![seen(number)]));
    }
}

#[test]
fn a_block_given_back_and_not_yet_reopened_counts_no_stale_packets() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    deliver(&mut kernel, &[old(), old(), old()]);
    deliver(&mut kernel, &[old()]);
    assert!(next(&mut ring).is_some());
    assert!(next(&mut ring).is_some());
    // The kernel opens block 0 only when the next packet comes.
    ring.mark_stale();
    deliver(&mut kernel, &[new(1)]);
    assert_eq!(next(&mut ring), Some(vec![seen(1)]));
}

#[test]
fn marking_again_covers_what_came_in_between() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    assert!(kernel.receive(&old()));
    ring.mark_stale();
    assert!(kernel.receive(&old()));
    ring.mark_stale();
    deliver(&mut kernel, &[new(1)]);
    deliver(&mut kernel, &[new(2)]);
    assert_eq!(next(&mut ring), Some(vec![seen(1)]));
    ring.mark_stale();
    deliver(&mut kernel, &[new(3)]);
    assert_eq!(next(&mut ring), Some(vec![seen(3)]));
}

#[test]
fn a_restored_fence_shows_everything_again() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    deliver(&mut kernel, &[new(1)]);
    assert!(kernel.receive(&new(2)));
    let before = ring.mark_stale();
    ring.restore_fence(before);
    assert_eq!(next(&mut ring), Some(vec![seen(1)]));
    assert!(kernel.retire(status::BLOCK_TIMEOUT));
    assert_eq!(next(&mut ring), Some(vec![seen(2)]));
}

#[test]
fn a_restored_fence_is_the_one_before() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    deliver(&mut kernel, &[old()]);
    assert!(kernel.receive(&old()));
    ring.mark_stale();
    assert!(kernel.receive(&new(1)));
    let before = ring.mark_stale();
    ring.restore_fence(before);
    assert!(kernel.retire(status::BLOCK_TIMEOUT));
    assert_eq!(next(&mut ring), Some(vec![seen(1)]), "the first marking holds, the second does not");
    assert!(ring.acquire().is_none());
}

#[test]
fn stale_packets_are_not_coming() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    deliver(&mut kernel, &[old()]);
    assert!(kernel.receive(&old()));
    ring.mark_stale();
    assert!(!ring.packets_coming(), "neither those of the retired block");
    assert!(ring.acquire().is_none());
    assert!(!ring.packets_coming(), "nor those of the open one");
    assert!(kernel.receive(&new(1)));
    assert!(ring.packets_coming());
    assert!(kernel.retire(status::BLOCK_TIMEOUT));
    assert_eq!(next(&mut ring), Some(vec![seen(1)]));
    assert!(!ring.packets_coming());
    assert!(kernel.receive(&new(2)));
    assert!(ring.packets_coming());
}

#[test]
fn a_bad_header_among_the_stale_packets_is_found() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
    assert!(kernel.receive(&old()));
    ring.mark_stale();
    assert!(kernel.receive(&new(1)));
    let first = kernel.header(0, 0);
    kernel.retire(0);
    kernel.memory().set_u16(first + packet::MAC, 0);
    let lease = ring.acquire().unwrap();
    let (seen, result) = crate::support::walk(&ring.block(&lease), WHOLE);
    assert!(seen.is_empty());
    assert_eq!(result.unwrap_err().index, 0, "counted with the stale ones");
    ring.release(lease);
}
