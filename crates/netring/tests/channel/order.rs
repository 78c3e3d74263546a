//! Packets keep their order, and a waiting reader is woken.

use netring::channel::WhenFull;

use crate::support::{Reader, Seen, World, numbered, numbers};

#[test]
fn bytes_and_fields_are_those_of_the_packets_in_their_order() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 100_000, 1 << 30, WhenFull::Block);
    let lengths = [14, 1, 60, 1500, 9000, 61, 333];
    let packets: Vec<_> = (0..500).map(|number| numbered(number, lengths[number as usize % lengths.len()])).collect();
    for part in packets.chunks(37) {
        assert_eq!(world.deliver(part), part.len());
        for packet in part {
            assert_eq!(reader.recv().unwrap(), Seen::from(packet));
        }
    }
    assert_eq!((reader.next().unwrap(), reader.channel.queued(), reader.channel.overflowed()), (None, 0, 0));
}

#[test]
fn unread_packets_are_queued_and_their_blocks_return_to_the_kernel() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 1 << 20, 1 << 30, WhenFull::Block);
    // Ten times what the ring holds.
    for round in 0..320 {
        assert_eq!(world.deliver(&numbers(round * 300..(round + 1) * 300)), 300);
        reader.until("drained", |channel| channel.queued() == u64::from(round + 1) * 300);
    }
    assert_eq!(reader.recv_numbers(96_000), (0..96_000).collect::<Vec<_>>());
}

#[test]
fn one_wake_up_per_wait_for_any_number_of_packets() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 1000, 1 << 20, WhenFull::Block);
    assert!(!reader.channel.wait().unwrap());
    for round in 0..5 {
        world.deliver(&numbers(round * 10..round * 10 + 10));
        reader.until("drained", |channel| channel.queued() == u64::from(round + 1) * 10);
    }
    reader.woken();
    assert!(!reader.woken_again());
    assert!(reader.channel.wait().unwrap(), "there is something to fetch");
    assert_eq!(reader.rest(), (0..50).collect::<Vec<_>>());
    assert!(!reader.channel.wait().unwrap());
    reader.channel.stop_waiting();
    world.deliver(&numbers(0..1));
    assert!(!reader.woken_again(), "no reader waits any more");
}

#[test]
fn a_large_packet_is_a_chunk_of_its_own() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 1000, 1 << 30, WhenFull::DropOldest);
    let packets: Vec<_> = (0..40).map(|number| numbered(number, 50_000)).collect();
    // One fits into a block of this ring.
    for (round, part) in (1..).zip(packets.chunks(20)) {
        assert_eq!(world.deliver(part), 20);
        reader.until("drained", |channel| channel.queued() == round * 20);
    }
    for packet in &packets {
        assert_eq!(reader.recv().unwrap(), Seen::from(packet));
    }
}
