//! Random sequences of everything the two sides can do, against a model of them: what the model says
//! must be seen is seen, in order, once, and stays as it was while it is held.

use netring::ring::fake::FakeKernel;
use netring::ring::layout::{block, packet, status};
use netring::ring::{Lease, RxRing};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{WHOLE, numbered, payload, walk};

const BLOCK: usize = 1024;

/// A packet: its number and its length.
type Packet = (u32, usize);

#[derive(Clone, Debug)]
enum Step {
    Receive(usize),
    Retire,
    Acquire,
    /// One of the blocks held, as a share of 256.
    Release(u8),
    Ready,
    MarkStale,
    /// Marks and restores, as when a new filter is refused.
    MarkInVain,
}

fn step() -> impl Strategy<Value = Step> {
    // Lengths around those that fill a block exactly, and past it.
    let length = prop_oneof![6 => 4usize..300, 2 => 870usize..900, 1 => 900usize..1500];
    prop_oneof![
        12 => length.prop_map(Step::Receive),
        3 => Just(Step::Retire),
        6 => Just(Step::Acquire),
        5 => any::<u8>().prop_map(Step::Release),
        1 => Just(Step::Ready),
        1 => Just(Step::MarkStale),
        1 => Just(Step::MarkInVain),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Open,
    Retired,
    Held,
}

/// One block: whose it is, the packets in it that are to be shown, and the bytes used.
#[derive(Clone, Debug)]
struct Slot {
    state: State,
    packets: Vec<Packet>,
    used: usize,
}

#[derive(Debug)]
struct Model {
    slots: Vec<Slot>,
    writing: usize,
    reading: usize,
}

impl Model {
    fn new(blocks: usize) -> Self {
        Self { slots: vec![Slot { state: State::Free, packets: vec![], used: 0 }; blocks], writing: 0, reading: 0 }
    }

    fn open(&mut self) -> bool {
        let slot = &mut self.slots[self.writing];
        match slot.state {
            State::Open => true,
            State::Free => {
                *slot = Slot { state: State::Open, packets: vec![], used: block::SIZE };
                true
            }
            State::Retired | State::Held => false,
        }
    }

    fn retire(&mut self) -> bool {
        if !self.open() {
            return false;
        }
        self.slots[self.writing].state = State::Retired;
        self.writing = (self.writing + 1) % self.slots.len();
        true
    }

    fn receive(&mut self, number: u32, length: usize) -> bool {
        let before = packet::SIZE + 18;
        let captured = length.min(BLOCK - block::SIZE - before);
        let size = (before + captured).next_multiple_of(8);
        if !self.open() {
            return false;
        }
        if self.slots[self.writing].used + size >= BLOCK && !(self.retire() && self.open()) {
            return false;
        }
        let slot = &mut self.slots[self.writing];
        slot.packets.push((number, captured));
        slot.used += size;
        true
    }

    /// The next block with something to show; those without are free again.
    fn ready(&mut self) -> bool {
        while self.slots[self.reading].state == State::Retired {
            let slot = &mut self.slots[self.reading];
            if !slot.packets.is_empty() {
                return true;
            }
            slot.state = State::Free;
            self.reading = (self.reading + 1) % self.slots.len();
        }
        false
    }

    fn acquire(&mut self) -> Option<usize> {
        self.ready().then(|| {
            let index = self.reading;
            self.slots[index].state = State::Held;
            self.reading = (index + 1) % self.slots.len();
            index
        })
    }

    fn mark_stale(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.state != State::Held) {
            slot.packets.clear();
        }
    }

    fn packets_coming(&self) -> bool {
        let slot = &self.slots[self.reading];
        slot.state == State::Open && !slot.packets.is_empty()
    }
}

fn shows(ring: &RxRing, lease: &Lease, packets: &[Packet]) {
    let (seen, result) = walk(&ring.block(lease), WHOLE);
    assert_eq!(result, Ok(()));
    assert_eq!(ring.block(lease).packet_count() as usize, packets.len());
    let bytes: Vec<_> = seen.into_iter().map(|seen| seen.bytes).collect();
    let expected: Vec<_> = packets.iter().map(|(number, length)| payload(*number, *length)).collect();
    assert_eq!(bytes, expected);
}

/// Runs the steps on both, then reads all packets.
fn follow(blocks: usize, steps: &[Step]) {
    let (mut kernel, mut ring) = FakeKernel::with_ring(BLOCK as u32, blocks as u32);
    let mut model = Model::new(blocks);
    let mut held: Vec<Lease> = Vec::new();
    let mut number = 0;
    let mut dropped = 0;
    let mut last_sequence = 0;
    let drain = [Step::Acquire, Step::Release(0), Step::Retire];
    let drain = drain.iter().cycle().take(3 * drain.len() * blocks);
    for step in steps.iter().chain(drain) {
        match *step {
            Step::Receive(length) => {
                number += 1;
                let arrived = kernel.receive(&numbered(number, length));
                assert_eq!(arrived, model.receive(number, length));
                dropped += u64::from(!arrived);
            }
            Step::Retire => assert_eq!(kernel.retire(status::BLOCK_TIMEOUT), model.retire()),
            Step::Acquire => {
                let lease = ring.acquire();
                assert_eq!(lease.as_ref().map(|lease| lease.index() as usize), model.acquire());
                if let Some(lease) = lease {
                    shows(&ring, &lease, &model.slots[lease.index() as usize].packets);
                    let sequence = ring.block(&lease).sequence();
                    assert!(sequence > last_sequence);
                    last_sequence = sequence;
                    held.push(lease);
                } else {
                    assert_eq!(ring.packets_coming(), model.packets_coming());
                }
            }
            Step::Release(which) => {
                if !held.is_empty() {
                    let lease = held.swap_remove(usize::from(which) * held.len() / 256);
                    let slot = &mut model.slots[lease.index() as usize];
                    shows(&ring, &lease, &slot.packets);
                    slot.state = State::Free;
                    ring.release(lease);
                }
            }
            Step::Ready => assert_eq!(ring.ready(), model.ready()),
            Step::MarkStale => {
                ring.mark_stale();
                model.mark_stale();
            }
            Step::MarkInVain => {
                let fence = ring.mark_stale();
                ring.restore_fence(fence);
            }
        }
        for lease in &held {
            shows(&ring, lease, &model.slots[lease.index() as usize].packets);
        }
        assert_eq!(kernel.dropped, dropped);
    }
    assert!(held.is_empty(), "everything held was given back");
    let hidden = |slot: &Slot| slot.state != State::Free && !slot.packets.is_empty();
    assert!(!model.slots.iter().any(hidden), "and everything was shown");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_the_model_shows_is_seen_in_order_and_once(blocks in 1usize..6, steps in vec(step(), 0..200)) {
        follow(blocks, &steps);
    }
}
