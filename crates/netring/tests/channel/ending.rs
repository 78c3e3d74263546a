//! How a channel ends: closed, stopped, its interface gone, its thread dead.

use netring::ErrorKind;
use netring::channel::WhenFull::{self, Block, DropOldest};
use netring::source::Counters;
use netring::{Error, Result};

use crate::support::{FakeSource, Reader, World, numbers};

const POLICIES: [WhenFull; 3] = [Block, WhenFull::DropNewest, DropOldest];

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}

#[test]
fn stopping_delivers_all_packets_of_queue_and_ring() {
    for policy in POLICIES {
        let (mut world, source) = World::new();
        let mut reader = Reader::new(source, 1000, 1 << 20, policy);
        world.deliver(&numbers(0..10));
        reader.until("drained", |channel| channel.queued() == 10);
        assert_eq!(reader.recv_numbers(2), [0, 1]);
        world.deliver_in_open_block(&numbers(10..13));
        reader.channel.stop();
        assert!(!reader.woken_again(), "the thread waits for the open block");
        assert!(!reader.channel.stopped());
        assert!(world.link.lock().unwrap().shut);
        world.hand_over();
        reader.woken();
        assert!(reader.channel.stopped());
        assert_eq!(reader.rest(), (2..13).collect::<Vec<_>>());
        reader.channel.close().unwrap();
    }
}

#[test]
fn stopping_a_blocked_thread_delivers_all_packets_beyond_the_capacity() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 5, 1 << 20, Block);
    world.deliver(&numbers(0..100));
    world.deliver(&numbers(100..200));
    reader.until("full", |channel| channel.queued() == 5);
    reader.channel.stop();
    reader.woken();
    assert_eq!(reader.rest(), (0..200).collect::<Vec<_>>());
    assert_eq!(reader.channel.overflowed(), 0);
}

#[test]
fn closing_ends_the_thread_whatever_it_does() {
    let (_world, source) = World::new();
    Reader::new(source, 5, 1 << 20, Block).channel.close().unwrap();

    let (mut world, source) = World::new();
    let reader = Reader::new(source, 5, 1 << 20, Block);
    world.deliver(&numbers(0..100));
    reader.until("full", |channel| channel.queued() == 5);
    reader.channel.close().unwrap();

    let (mut world, source) = World::new();
    let reader = Reader::new(source, 5, 1 << 20, Block);
    world.deliver_in_open_block(&numbers(0..1));
    reader.channel.stop();
    reader.channel.close().unwrap();

    let (world, source) = World::new();
    let reader = Reader::new(source, 5, 1 << 20, DropOldest);
    world.set(|link| link.removed = true);
    drop(reader);
}

#[test]
fn removal_is_reported_after_the_packets_and_every_time() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 100, 1 << 20, Block);
    world.deliver(&numbers(0..10));
    world.set(|link| link.removed = true);
    assert_eq!(reader.recv_numbers(10), (0..10).collect::<Vec<_>>());
    for _ in 0..3 {
        assert_eq!(kind(reader.recv()), ErrorKind::InterfaceRemoved);
        assert_eq!(kind(reader.channel.wait()), ErrorKind::InterfaceRemoved);
        assert_eq!(kind(reader.next()), ErrorKind::InterfaceRemoved);
    }
    assert_eq!(reader.channel.call(Counters::stats).unwrap().packets, 7, "the source still answers");
    reader.channel.stop();
    assert!(reader.channel.stopped());
    assert_eq!(reader.rest(), []);
}

#[test]
fn a_link_that_goes_down_is_reported_once_and_only_to_a_waiting_reader() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 100, 1 << 20, Block);
    world.set(|link| link.down = true);
    assert_eq!(reader.next().unwrap(), None);
    assert!(world.link.lock().unwrap().down, "the link event has not been reported");
    assert_eq!(kind(reader.recv()), ErrorKind::LinkDown);
    assert!(!reader.channel.wait().unwrap());
    world.deliver(&numbers(0..1));
    reader.woken();
    assert_eq!(reader.rest(), [0]);
    assert!(!reader.channel.wait().unwrap());
    world.set(|link| link.down = true);
    reader.woken();
    assert_eq!(kind(reader.channel.wait()), ErrorKind::LinkDown);
}

#[test]
fn an_error_is_reported_once_and_does_not_end_the_channel() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 100, 1 << 20, Block);
    world.set(|link| link.failures = 2);
    for _ in 0..2 {
        assert_eq!(kind(reader.recv()), ErrorKind::Io);
    }
    world.deliver(&numbers(0..3));
    assert_eq!(reader.recv_numbers(3), [0, 1, 2]);
}

#[test]
fn calls_are_answered_between_batches_and_while_the_thread_is_blocked() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 3, 1 << 20, Block);
    assert_eq!(reader.channel.call(Counters::stats).unwrap().packets, 7);
    world.deliver(&numbers(0..100));
    reader.until("full", |channel| channel.queued() == 3);
    assert_eq!(reader.channel.call(Counters::stats).unwrap().packets, 7);
    assert_eq!(kind(reader.channel.call(|_| Err::<(), _>(Error::new(ErrorKind::Filter, "no")))), ErrorKind::Filter);

    assert_eq!(reader.recv_numbers(1), [0]);
    assert_eq!(kind(reader.channel.call_and_clear(|_| Err(Error::new(ErrorKind::Filter, "no")))), ErrorKind::Filter);
    assert!(reader.channel.queued() > 0, "a failed call discards no packets");
    reader.channel.call_and_clear(|_| Ok(())).unwrap();
    assert_eq!((reader.channel.queued(), reader.channel.overflowed()), (0, 0));
    world.deliver(&numbers(100..102));
    assert_eq!(reader.recv_numbers(2), [100, 101]);
}

#[test]
fn a_panic_of_the_thread_is_reported_to_every_caller() {
    let (mut world, source) = World::new();
    let mut reader = Reader::new(source, 100, 1 << 20, Block);
    world.deliver(&numbers(0..2));
    reader.until("drained", |channel| channel.queued() == 2);
    let panicked = reader.channel.call(|_: &mut FakeSource| -> Result<()> { panic!("as the test wants") });
    assert_eq!(kind(panicked), ErrorKind::Io);
    assert_eq!(reader.recv_numbers(2), [0, 1]);
    assert_eq!(kind(reader.recv()), ErrorKind::Io);
    reader.until("gone", |channel| channel.call(Counters::stats).is_err());
    reader.channel.close().unwrap();
}
