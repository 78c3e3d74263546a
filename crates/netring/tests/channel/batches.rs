//! Batches for Rust callers: their packets, and memory that is released on drop.

use netring::ring::fake::FakePacket;
use netring::{Source, SourceExt};

use crate::support::*;

#[test]
fn packets_arrive_unchanged_and_a_dropped_batch_returns_to_the_ring() {
    let (mut world, mut source) = World::new();
    // More blocks than the ring has: they fit only if each batch has been released.
    for round in 0..100 {
        let sent = numbers(round * 10..round * 10 + 10);
        assert_eq!(world.deliver(&sent), sent.len(), "round {round}");
        let batch = source.next_batch().unwrap().expect("a block was closed");
        assert_eq!(batch.header().length, 10);
        let seen: Vec<_> = batch.packets().map(|packet| (packet.bytes().to_vec(), packet.original_length())).collect();
        let expected: Vec<_> = sent.iter().map(|packet: &FakePacket| (packet.data.clone(), packet.original)).collect();
        assert_eq!(seen, expected);
    }
    assert!(source.next_batch().unwrap().is_none());
    source.close().unwrap();
}
