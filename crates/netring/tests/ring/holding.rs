//! Blocks may be held for as long as wanted and given back in any order.

use netring::ring::RxRing;
use netring::ring::fake::FakeKernel;
use netring::ring::layout::status;

use crate::support::{bytes, deliver, next, numbered, payload};

/// One packet per block, numbered from `first`; true for each that found room.
fn one_a_block(kernel: &mut FakeKernel, numbers: std::ops::Range<u32>) -> Vec<bool> {
    numbers.map(|number| kernel.receive(&numbered(number, 64)) && kernel.retire(status::BLOCK_TIMEOUT)).collect()
}

#[test]
fn blocks_are_held_together_and_released_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
        assert_eq!(one_a_block(&mut kernel, 0..3), [true; 3]);
        let mut leases: Vec<_> = (0..3).map(|_| ring.acquire()).collect();
        assert!(ring.acquire().is_none(), "all blocks are held");
        for (position, index) in order.into_iter().enumerate() {
            let lease = leases[index].take().unwrap();
            assert_eq!(bytes(&ring, &lease), [payload(index as u32, 64)]);
            ring.release(lease);
            if position < 2 {
                assert!(!ring.ready(), "what is left is not shown twice");
            }
        }
        assert_eq!(one_a_block(&mut kernel, 3..6), [true; 3], "all of them are the kernel's again");
        let seen: Vec<_> = std::iter::from_fn(|| next(&mut ring)).flatten().collect();
        assert_eq!(seen, [payload(3, 64), payload(4, 64), payload(5, 64)], "in order after {order:?}");
    }
}

#[test]
fn a_full_ring_drops_and_overwrites_nothing_that_is_held() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    assert_eq!(one_a_block(&mut kernel, 0..3), [true; 3]);
    let held: Vec<_> = std::iter::from_fn(|| ring.acquire()).collect();
    let before = ring.memory().read(0, ring.memory().len()).unwrap();
    assert_eq!(one_a_block(&mut kernel, 3..50), [false; 47]);
    assert_eq!(kernel.dropped, 47);
    assert_eq!(ring.memory().read(0, ring.memory().len()).unwrap(), before);
    for (index, lease) in held.into_iter().enumerate() {
        assert_eq!(bytes(&ring, &lease), [payload(index as u32, 64)]);
        ring.release(lease);
    }
}

#[test]
fn drops_leave_no_gap_in_the_sequence() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    let mut sequences = Vec::new();
    for round in 0..3 {
        assert_eq!(one_a_block(&mut kernel, round * 5..round * 5 + 5), [true, true, false, false, false]);
        while let Some(lease) = ring.acquire() {
            sequences.push(ring.block(&lease).sequence());
            ring.release(lease);
        }
    }
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    assert_eq!(kernel.dropped, 9);
}

#[test]
fn the_kernel_waits_for_the_block_whose_turn_it_is() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 3);
    assert_eq!(one_a_block(&mut kernel, 0..3), [true; 3]);
    let first = ring.acquire().unwrap();
    assert_eq!(next(&mut ring), Some(vec![payload(1, 64)]));
    assert_eq!(next(&mut ring), Some(vec![payload(2, 64)]));
    assert_eq!(one_a_block(&mut kernel, 3..5), [false; 2], "two blocks are free, but it is the first one's turn");
    assert!(!ring.ready());
    ring.release(first);
    assert_eq!(one_a_block(&mut kernel, 5..8), [true; 3]);
    assert_eq!(next(&mut ring), Some(vec![payload(5, 64)]));
}

#[test]
fn a_ring_of_one_block_goes_on() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
    for number in 0..5 {
        assert_eq!(one_a_block(&mut kernel, number..number + 1), [true]);
        assert_eq!(next(&mut ring), Some(vec![payload(number, 64)]));
    }
}

#[test]
fn packets_coming_reports_an_open_block_with_packets() {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    assert!(!ring.packets_coming(), "nothing has arrived");
    assert!(kernel.receive(&numbered(0, 64)));
    assert!(ring.packets_coming());
    assert!(!ring.ready(), "they come with the timer");
    assert!(kernel.retire(status::BLOCK_TIMEOUT));
    let first = ring.acquire().unwrap();
    assert!(!ring.packets_coming(), "they have come");
    deliver(&mut kernel, &[numbered(1, 64)]);
    let second = ring.acquire().unwrap();
    assert!(!ring.packets_coming(), "all blocks are held");
    ring.release(first);
    assert!(!ring.packets_coming(), "a block given back counts nothing of the round before");
    assert!(kernel.receive(&numbered(2, 64)));
    assert!(ring.packets_coming());
    ring.release(second);
}

fn with_lease() -> (RxRing, netring::ring::Lease) {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 2);
    deliver(&mut kernel, &[numbered(0, 64)]);
    let lease = ring.acquire().unwrap();
    (ring, lease)
}

#[test]
#[should_panic(expected = "a lease belongs to the ring that gave it")]
fn a_lease_does_not_read_another_ring() {
    let (_ring, lease) = with_lease();
    let (other, _lease) = with_lease();
    other.block(&lease).sequence();
}

#[test]
#[should_panic(expected = "a lease belongs to the ring that gave it")]
fn a_lease_does_not_release_a_block_of_another_ring() {
    let (_ring, lease) = with_lease();
    let (mut other, _lease) = with_lease();
    other.release(lease);
}
