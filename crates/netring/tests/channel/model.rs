//! Random packets, limits and readers, against a queue that does everything one packet at a time.

use std::collections::VecDeque;

use netring::channel::WhenFull;
use proptest::prelude::*;

use crate::support::{Reader, World, numbered};

#[derive(Clone, Debug)]
enum Step {
    /// Packets of these lengths arrive.
    Deliver(Vec<usize>),
    /// The reader reads this many, if available.
    Read(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let deliver = prop::collection::vec(1usize..120, 1..40).prop_map(Step::Deliver);
    prop::collection::vec(prop_oneof![deliver, (1usize..30).prop_map(Step::Read)], 1..20)
}

/// The simple model.
struct Model {
    packets: usize,
    bytes: usize,
    policy: WhenFull,
    queue: VecDeque<(u32, usize)>,
    overflowed: u64,
}

impl Model {
    fn fits(&self, more: usize) -> bool {
        let bytes: usize = self.queue.iter().map(|(_, length)| length).sum();
        self.queue.len() < self.packets && bytes + more <= self.bytes
    }

    fn arrive(&mut self, number: u32, length: usize) {
        if self.policy == WhenFull::DropOldest && length <= self.bytes {
            while !self.fits(length) {
                self.queue.pop_front();
                self.overflowed += 1;
            }
        }
        if self.fits(length) {
            self.queue.push_back((number, length));
        } else {
            self.overflowed += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_drops_and_counts_as_the_model_does(
        steps in steps(), packets in 1u32..40, bytes in 60u64..2000, oldest in any::<bool>(),
    ) {
        let policy = if oldest { WhenFull::DropOldest } else { WhenFull::DropNewest };
        let (mut world, source) = World::new();
        let mut reader = Reader::new(source, packets, bytes, policy);
        let mut model =
            Model { packets: packets as usize, bytes: bytes as usize, policy, queue: VecDeque::new(), overflowed: 0 };
        let mut sent = 0;
        let mut read = 0;
        for step in steps {
            match step {
                Step::Deliver(lengths) => {
                    let packets: Vec<_> = (sent..).zip(&lengths).map(|(number, length)| numbered(number, *length)).collect();
                    prop_assert_eq!(world.deliver(&packets), packets.len());
                    for (number, length) in (sent..).zip(lengths) {
                        model.arrive(number, length);
                    }
                    sent += packets.len() as u32;
                    reader.until("drained", |channel| channel.queued() + channel.overflowed() + read == u64::from(sent));
                }
                Step::Read(count) => {
                    for _ in 0..count {
                        let expected = model.queue.pop_front();
                        let seen = reader.next().unwrap();
                        prop_assert_eq!(seen.as_ref().map(|seen| (seen.seconds, seen.bytes.len())), expected);
                        read += u64::from(expected.is_some());
                    }
                }
            }
            prop_assert_eq!(reader.channel.queued(), model.queue.len() as u64);
            prop_assert_eq!(reader.channel.overflowed(), model.overflowed);
        }
        let rest: Vec<u32> = model.queue.iter().map(|(number, _)| *number).collect();
        prop_assert_eq!(reader.rest(), rest);
    }

    #[test]
    fn blocking_loses_nothing_and_keeps_the_order(steps in steps(), packets in 1u32..40, bytes in 120u64..2000) {
        let (mut world, source) = World::new();
        let mut reader = Reader::new(source, packets, bytes, WhenFull::Block);
        let mut expected = VecDeque::new();
        let mut sent = 0;
        for step in steps {
            match step {
                Step::Deliver(lengths) => {
                    for length in lengths {
                        // One that finds no room in the ring is the kernel's to count.
                        if world.deliver(&[numbered(sent, length)]) == 1 {
                            expected.push_back(sent);
                        }
                        sent += 1;
                    }
                }
                Step::Read(count) => {
                    for _ in 0..count.min(expected.len()) {
                        prop_assert_eq!(reader.recv().unwrap().seconds, expected.pop_front().unwrap());
                    }
                }
            }
            prop_assert!(reader.channel.queued() <= u64::from(packets));
        }
        reader.channel.stop();
        reader.woken();
        prop_assert_eq!(reader.rest(), Vec::from(expected));
        prop_assert_eq!(reader.channel.overflowed(), 0);
    }
}
