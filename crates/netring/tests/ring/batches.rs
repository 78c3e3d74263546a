//! Blocks handed out in batches: every packet once and in order, and a block goes back with its last batch.

use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::{block, packet, status};
use netring::ring::{Batch, BatchReader, ColumnSet, Columns};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{REINSERT, Row, WHOLE, deliver, numbered, payload, walk};

const BLOCK: u32 = 4096;

fn reader_of(blocks: u32, most: u32) -> (FakeKernel, BatchReader) {
    let (kernel, ring) = FakeKernel::with_ring(BLOCK, blocks);
    (kernel, BatchReader::new(ring, most))
}

/// The next batch, opening the next block where that is needed.
fn next(batches: &mut BatchReader) -> Option<Batch> {
    if !batches.has_open_block() {
        let lease = batches.acquire()?;
        batches.open(lease).expect("a valid block");
    }
    Some(batches.next(WHOLE, |_| None).expect("a valid block")?.0)
}

fn bytes(batches: &BatchReader, batch: &Batch) -> Vec<Vec<u8>> {
    let (seen, result) = walk(&batches.block(batch), WHOLE);
    assert_eq!(result, Ok(()));
    assert_eq!((seen.len() as u32, batches.block(batch).packet_count()), (batch.length(), batch.length()));
    seen.into_iter().map(|seen| seen.bytes).collect()
}

fn payloads(numbers: impl IntoIterator<Item = u32>) -> Vec<Vec<u8>> {
    numbers.into_iter().map(|number| payload(number, 64)).collect()
}

fn packets(numbers: std::ops::Range<u32>) -> Vec<FakePacket> {
    numbers.map(|number| numbered(number, 64)).collect()
}

#[test]
fn a_block_comes_in_batches_of_about_the_same_length() {
    for (count, most, lengths) in
        [(7, 3, vec![3, 2, 2]), (6, 3, vec![3, 3]), (3, 3, vec![3]), (4, 3, vec![2, 2]), (5, 1, vec![1; 5])]
    {
        let (mut kernel, mut batches) = reader_of(2, most);
        deliver(&mut kernel, &packets(0..count));
        let mut first = 0;
        for (index, length) in lengths.iter().enumerate() {
            let batch = next(&mut batches).unwrap();
            assert_eq!(batch.length(), *length);
            assert_eq!(batch.sequence(), index as u64 + 1);
            assert_eq!(batch.ends_block(), index + 1 == lengths.len());
            assert!(batch.timed_out());
            assert_eq!(bytes(&batches, &batch), payloads(first..first + length));
            first += length;
            batches.release(batch);
        }
        assert!(next(&mut batches).is_none());
    }
}

#[test]
fn what_a_batch_shows_is_its_own_and_no_others() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    deliver(&mut kernel, &packets(0..5));
    let held: Vec<_> = std::iter::from_fn(|| next(&mut batches)).collect();
    let ranges: Vec<_> = held.iter().map(|batch| batches.block(batch).bytes()).collect();
    assert_eq!(ranges[0].start as usize, block::SIZE, "the block's head is in no view");
    assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "{ranges:?}");
    assert_eq!(ranges[2].end, batches.block(&held[2]).end());
    for batch in held {
        batches.release(batch);
    }
}

#[test]
fn a_block_goes_back_with_the_last_of_its_batches_in_any_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let (mut kernel, mut batches) = reader_of(1, 2);
        deliver(&mut kernel, &packets(0..6));
        let mut held: Vec<_> = std::iter::from_fn(|| next(&mut batches)).map(Some).collect();
        for (turn, index) in order.into_iter().enumerate() {
            assert!(!kernel.receive(&numbered(9, 64)), "{order:?}: nothing is free before release {turn}");
            batches.release(held[index].take().unwrap());
        }
        assert!(kernel.receive(&numbered(9, 64)), "{order:?}");
    }
}

#[test]
fn a_block_of_which_there_is_more_is_not_free() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    deliver(&mut kernel, &packets(0..4));
    let first = next(&mut batches).unwrap();
    batches.release(first);
    assert!(batches.ready());
    assert!(!kernel.receive(&numbered(9, 64)), "the second batch has not been handed out");
    let second = next(&mut batches).unwrap();
    assert_eq!(bytes(&batches, &second), payloads(2..4));
    batches.release(second);
    assert!(kernel.receive(&numbered(9, 64)));
}

#[test]
fn what_is_left_can_be_given_up() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    deliver(&mut kernel, &packets(0..6));
    let first = next(&mut batches).unwrap();
    batches.discard_rest();
    assert!(!batches.ready());
    assert_eq!(bytes(&batches, &first), payloads(0..2), "what is held stays");
    assert!(!kernel.receive(&numbered(9, 64)));
    batches.release(first);
    deliver(&mut kernel, &packets(7..8));
    let batch = next(&mut batches).unwrap();
    assert_eq!(bytes(&batches, &batch), payloads(7..8));
    batches.release(batch);
}

#[test]
fn stale_packets_are_in_no_batch_and_in_no_view() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    for number in 0..3 {
        assert!(kernel.receive(&numbered(number, 64)));
    }
    batches.ring_mut().mark_stale();
    deliver(&mut kernel, &packets(3..6));
    let (first, second) = (next(&mut batches).unwrap(), next(&mut batches).unwrap());
    assert_eq!([bytes(&batches, &first), bytes(&batches, &second)].concat(), payloads(3..6));
    assert_eq!(batches.block(&first).bytes().start as usize, kernel.header(0, 3), "the stale ones are in no view");
    batches.release(first);
    batches.release(second);
    assert!(next(&mut batches).is_none());
}

#[test]
fn columns_are_filled_on_the_way_with_offsets_into_the_batchs_bytes() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    deliver(&mut kernel, &packets(0..4));
    let lease = batches.acquire().unwrap();
    batches.open(lease).unwrap();
    let mut number = 0;
    while let Some((batch, columns)) =
        batches.next(WHOLE, |packets| Some((Columns::for_packets(packets), ColumnSet::ALL))).unwrap()
    {
        let columns = columns.unwrap();
        let again = Columns::for_packets(batch.length());
        again.fill(&batches.block(&batch), WHOLE, ColumnSet::ALL).unwrap();
        let range = batches.block(&batch).bytes();
        let view = batches.block(&batch).memory().slice(range.start as usize, range.len()).unwrap();
        for row in 0..batch.length() {
            let seen = Row::read(&columns, row);
            assert_eq!(seen, Row::of(&numbered(number, 64), seen.offset));
            assert_eq!(seen, Row::read(&again, row), "a later walk fills the same");
            assert_eq!(view.read(seen.offset as usize, 64).unwrap(), payload(number, 64));
            number += 1;
        }
        batches.release(batch);
    }
    assert_eq!(number, 4);
}

#[test]
fn tags_are_put_back_once_whatever_is_walked_afterwards() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    let tagged: Vec<_> = (0..3).map(|number| numbered(number, 64).tagged(0x8100, number as u16)).collect();
    deliver(&mut kernel, &tagged);
    let lease = batches.acquire().unwrap();
    batches.open(lease).unwrap();
    while let Some((batch, _)) = batches.next(REINSERT, |_| None).unwrap() {
        for _ in 0..2 {
            let seen = walk(&batches.block(&batch), WHOLE).0;
            assert!(seen.iter().all(|seen| seen.bytes.len() == 68 && seen.bytes[12..14] == [0x81, 0]));
        }
        batches.release(batch);
    }
}

#[test]
fn overwritten_headers_spoil_their_batch_and_no_other() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    deliver(&mut kernel, &packets(0..6));
    let first = next(&mut batches).unwrap();
    let range = batches.block(&first).bytes();
    batches.block(&first).memory().write(range.start as usize, &vec![0xff; range.len()]);
    assert!(walk(&batches.block(&first), WHOLE).1.is_err());
    let second = next(&mut batches).unwrap();
    assert_eq!(bytes(&batches, &second), payloads(2..4));
    let third = next(&mut batches).unwrap();
    assert_eq!(bytes(&batches, &third), payloads(4..6));
    for batch in [first, second, third] {
        batches.release(batch);
    }
    assert!(kernel.receive(&numbered(9, 64)));
}

#[test]
fn a_header_that_leaps_out_of_its_batch_reaches_no_packet() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    deliver(&mut kernel, &packets(0..6));
    let first = next(&mut batches).unwrap();
    let range = batches.block(&first).bytes();
    batches.block(&first).memory().set_u32(range.start as usize + packet::NEXT, range.len() as u32);
    let (seen, result) = walk(&batches.block(&first), WHOLE);
    assert!(result.is_err() && seen.len() == 1, "the neighbour's packet is not shown: {seen:?}");
    let columns = Columns::for_packets(2);
    assert!(columns.fill(&batches.block(&first), WHOLE, ColumnSet::ALL).is_err());
    batches.release(first);
}

#[test]
fn a_corrupt_header_ends_the_block_and_the_next_one_is_shown() {
    for (at, shown) in [(0, 0), (1, 0), (2, 2), (3, 2), (5, 4)] {
        let (mut kernel, mut batches) = reader_of(2, 2);
        for number in 0..6 {
            assert!(kernel.receive(&numbered(number, 64)));
        }
        let lie = kernel.header(0, at);
        assert!(kernel.retire(0));
        kernel.memory().set_u16(lie + packet::MAC, 0);
        deliver(&mut kernel, &packets(6..8));
        let lease = batches.acquire().unwrap();
        batches.open(lease).unwrap();
        let mut seen = 0;
        let error = loop {
            match batches.next(WHOLE, |_| None) {
                Ok(Some((batch, _))) => {
                    seen += batch.length();
                    batches.release(batch);
                }
                Ok(None) => panic!("the lie at {at} was not found"),
                Err(error) => break error,
            }
        };
        assert_eq!((seen, error.index), (shown, at));
        let batch = next(&mut batches).unwrap();
        assert_eq!(bytes(&batches, &batch), payloads(6..8));
        batches.release(batch);
        assert!(kernel.receive(&numbered(9, 64)), "the corrupt block is free again");
    }
}

#[test]
fn a_block_with_a_corrupt_header_goes_straight_back() {
    let (mut kernel, mut batches) = reader_of(1, 2);
    deliver(&mut kernel, &packets(0..2));
    kernel.memory().set_u32(block::PACKETS, u32::MAX);
    let lease = batches.acquire().unwrap();
    assert!(batches.open(lease).is_err());
    assert!(next(&mut batches).is_none());
    assert!(kernel.receive(&numbered(9, 64)));
}

proptest! {
    #[test]
    fn every_packet_is_in_one_batch_and_in_order(
        blocks in 1u32..5,
        most in 1u32..9,
        bursts in vec((0u32..30, any::<u8>()), 1..40),
    ) {
        let (mut kernel, mut batches) = reader_of(blocks, most);
        let (mut sent, mut expected) = (0, std::collections::VecDeque::new());
        let mut held: Vec<(Batch, Vec<Vec<u8>>)> = Vec::new();
        for (count, choice) in bursts {
            for _ in 0..count {
                if kernel.receive(&numbered(sent, 64)) {
                    expected.push_back(sent);
                }
                sent += 1;
            }
            kernel.retire(status::BLOCK_TIMEOUT);
            for _ in 0..choice % 5 {
                let Some(batch) = next(&mut batches) else { break };
                let shown: Vec<_> = expected.drain(..batch.length() as usize).collect();
                prop_assert!(batch.length() <= most);
                held.push((batch, payloads(shown)));
            }
            for (batch, shown) in &held {
                prop_assert_eq!(&bytes(&batches, batch), shown);
            }
            for _ in 0..choice / 32 {
                if held.is_empty() { break }
                let (batch, _) = held.swap_remove(usize::from(choice) % held.len());
                batches.release(batch);
            }
        }
        for (batch, _) in held {
            batches.release(batch);
        }
        kernel.retire(0);
        while let Some(batch) = next(&mut batches) {
            let shown: Vec<_> = expected.drain(..batch.length() as usize).collect();
            prop_assert_eq!(bytes(&batches, &batch), payloads(shown));
            batches.release(batch);
        }
        prop_assert!(expected.is_empty(), "every packet that found room was shown");
        prop_assert!(!batches.ready());
    }
}
