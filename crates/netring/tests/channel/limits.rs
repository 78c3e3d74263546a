//! Packets that find no room, and their counts.

use netring::channel::WhenFull::{Block, DropNewest, DropOldest};

use crate::support::{Reader, World, numbered, numbers};

#[test]
fn the_newest_are_dropped() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 10, 1 << 20, DropNewest);
    world.deliver(&numbers(0..7));
    world.deliver(&numbers(7..30));
    reader.until("drained", |channel| channel.overflowed() == 20);
    assert_eq!(reader.channel.queued(), 10);
    assert_eq!(reader.rest(), (0..10).collect::<Vec<_>>());
    world.deliver(&numbers(30..33));
    assert_eq!(reader.recv_numbers(3), [30, 31, 32]);
    assert_eq!(reader.channel.overflowed(), 20);
}

#[test]
fn the_oldest_are_dropped() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 10, 1 << 20, DropOldest);
    world.deliver(&numbers(0..7));
    world.deliver(&numbers(7..30));
    reader.until("drained", |channel| channel.overflowed() == 20);
    assert_eq!(reader.channel.queued(), 10);
    assert_eq!(reader.rest(), (20..30).collect::<Vec<_>>());
}

#[test]
fn the_oldest_are_dropped_even_when_the_reader_has_fetched_them() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 10, 1 << 20, DropOldest);
    world.deliver(&numbers(0..10));
    assert_eq!(reader.recv_numbers(3), [0, 1, 2], "and seven more are fetched");
    assert_eq!(reader.channel.queued(), 7);
    world.deliver(&numbers(10..15));
    reader.until("drained", |channel| channel.overflowed() == 2);
    assert_eq!(reader.channel.queued(), 10);
    assert_eq!(reader.recv_numbers(2), [5, 6]);
    world.deliver(&numbers(15..45));
    reader.until("drained", |channel| channel.overflowed() == 30);
    assert_eq!(reader.rest(), (35..45).collect::<Vec<_>>());
}

#[test]
fn fetched_packets_count_until_they_are_consumed() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 10, 1 << 20, DropNewest);
    world.deliver(&numbers(0..10));
    assert_eq!(reader.recv_numbers(4), [0, 1, 2, 3]);
    world.deliver(&numbers(10..20));
    reader.until("drained", |channel| channel.overflowed() == 6);
    assert_eq!(reader.rest(), (4..14).collect::<Vec<_>>());
}

#[test]
fn the_ring_holds_what_the_queue_cannot_and_then_drops() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 10, 1 << 20, Block);
    // 32 blocks of 64 KiB hold 40 frames of 1500 bytes each.
    let mut sent = 0;
    while world.deliver(&[numbered(sent, 1500)]) == 1 {
        sent += 1;
    }
    assert!((32..=64).contains(&sent), "{sent}");
    reader.until("full", |channel| channel.queued() == 10);
    assert_eq!(reader.recv_numbers(sent as usize), (0..sent).collect::<Vec<_>>());
    assert_eq!(reader.channel.overflowed(), 0);
    world.deliver(&[numbered(99, 1500)]);
    assert_eq!(reader.recv_numbers(1), [99]);
}

#[test]
fn a_queue_of_one_delivers_every_packet() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 1, 60, Block);
    world.deliver(&numbers(0..300));
    for number in 0..300 {
        assert_eq!(reader.recv_numbers(1), [number]);
        assert!(reader.channel.queued() <= 1);
    }
}

#[test]
fn bytes_are_a_limit_of_their_own() {
    for (policy, kept) in [(DropNewest, [0, 1, 2, 5]), (DropOldest, [3, 4, 5, 6])] {
        let (mut world, source) = World::new();
        let mut reader = Reader::new(source, 100, 1000, policy);
        // With the fourth they are 1001 bytes; the sixth fits again.
        let lengths = [300, 300, 300, 101, 400, 100, 300];
        let packets: Vec<_> = (0..).zip(lengths).map(|(number, length)| numbered(number, length)).collect();
        world.deliver(&packets);
        reader.until("drained", |channel| channel.overflowed() == 3);
        assert_eq!(reader.rest(), kept);
    }
}

#[test]
fn a_packet_larger_than_the_queue_is_dropped_alone() {
    for policy in [Block, DropNewest, DropOldest] {
        let (mut world, source) = World::new();
        let mut reader = Reader::new(source, 100, 1000, policy);
        let lengths = [100, 1001, 200, 5000, 700];
        let packets: Vec<_> = (0..).zip(lengths).map(|(number, length)| numbered(number, length)).collect();
        world.deliver(&packets);
        reader.until("drained", |channel| channel.overflowed() == 2);
        assert_eq!(reader.rest(), [0, 2, 4], "{policy:?}");
    }
}
