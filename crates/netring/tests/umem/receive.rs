//! Frames that receive.

use std::collections::HashSet;

use netring::xdp::fake::{FakeQueue, HEADROOM};
use netring::xdp::frames::{Received, RxFrames};
use netring::xdp::receive::RxQueue;
use proptest::collection::vec;
use proptest::prelude::*;

const FRAME: u32 = 2048;

fn queue(frames: u32, ring: usize, most: u32) -> RxQueue<FakeQueue> {
    RxQueue::new(FakeQueue::new(FRAME, ring), RxFrames::new(0, frames, FRAME), most, most)
}

fn lengths(packets: &[Received]) -> Vec<u32> {
    packets.iter().map(Received::length).collect()
}

#[test]
fn every_frame_can_be_filled_before_anybody_looks() {
    let mut queue = queue(8, 8, 8);
    for length in 1..=9 {
        queue.rings_mut().deliver(length);
    }
    assert_eq!((queue.rings().dropped, queue.counts()), (1, (8, 0)));
    let mut batch = queue.take(Vec::new()).unwrap();
    assert_eq!(lengths(&batch), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(queue.rings().filled(), 0);
    queue.release(&mut batch);
    assert_eq!(queue.rings().filled(), 8, "the frames are the kernel's again at once");
}

#[test]
fn a_portion_comes_in_batches_and_has_an_end() {
    let mut queue = RxQueue::new(FakeQueue::new(FRAME, 64), RxFrames::new(0, 64, FRAME), 8, 20);
    let deliver = |queue: &mut RxQueue<FakeQueue>, count| {
        (0..count).for_each(|_| assert!(queue.rings_mut().deliver(60).is_some()));
    };
    deliver(&mut queue, 30);
    let mut batches = Vec::new();
    while let Some(mut batch) = queue.take(Vec::new()) {
        batches.push((batch.len(), queue.has_rest()));
        queue.release(&mut batch);
        if batches.len() == 1 {
            // Packets that come meanwhile are not part of the burst: it ends, however fast they come.
            deliver(&mut queue, 10);
        }
    }
    assert_eq!(batches, [(8, true), (8, true), (4, false), (8, true), (8, true), (4, false)]);
    assert_eq!((queue.rings().filled(), queue.waiting(), queue.counts()), (64, 0, (40, 0)));
}

#[test]
fn packets_that_wait_are_judged_again() {
    let mut queue = queue(64, 64, 16);
    let deliver = |queue: &mut RxQueue<FakeQueue>, lengths: std::ops::Range<u32>| {
        lengths.for_each(|length| assert!(queue.rings_mut().deliver(length).is_some()));
    };
    deliver(&mut queue, 1..41);
    let mut first = queue.take(Vec::new()).unwrap();
    assert_eq!(first.len(), 16);
    queue.retain(|packet| packet.length() != 20);
    let mut rest = Vec::new();
    while let Some(mut batch) = queue.take(Vec::new()) {
        assert!(batch.len() <= 16, "a batch is no larger for that");
        rest.extend(lengths(&batch));
        queue.release(&mut batch);
    }
    assert_eq!(rest, (17..41).filter(|length| *length != 20).collect::<Vec<_>>());
    queue.release(&mut first);
    assert_eq!((queue.rings().filled(), queue.frames().free(), queue.counts()), (64, 0, (40, 0)), "no frame is lost");
    deliver(&mut queue, 1..3);
    queue.retain(|_| false);
    assert!(queue.take(Vec::new()).is_none());
    assert_eq!(queue.rings().filled(), 64);
}

#[test]
fn a_loss_is_suspected_only_where_there_can_be_one() {
    let mut queue = queue(8, 8, 8);
    (0..7).for_each(|_| assert!(queue.rings_mut().deliver(60).is_some()));
    let mut batch = queue.take(Vec::new()).unwrap();
    queue.release(&mut batch);
    assert!(!queue.take_ring_pressure(), "there was a frame left at every moment");
    (0..9).for_each(|n| assert_eq!(queue.rings_mut().deliver(60).is_some(), n < 8));
    let mut batch = queue.take(Vec::new()).unwrap();
    assert!(queue.take_ring_pressure() && !queue.take_ring_pressure());
    // All frames are held: whatever comes now is lost, and known to be when they come back.
    queue.rings_mut().deliver(60);
    queue.release(&mut batch);
    assert!(queue.take_ring_pressure());
}

#[test]
fn a_fill_ring_that_is_too_small_is_filled_as_it_empties() {
    let mut queue = queue(8, 4, 8);
    assert_eq!((queue.rings().filled(), queue.frames().free()), (4, 4));
    for length in 1..=4 {
        queue.rings_mut().deliver(length);
    }
    let batch = queue.take(Vec::new()).unwrap();
    assert_eq!((queue.rings().filled(), queue.frames().free()), (4, 0), "without waiting for the batch");
    assert_eq!(batch.len(), 4);
}

#[test]
fn a_batch_of_neighbours_ends_where_they_end() {
    let mut queue = queue(256, 256, 256);
    for _ in 0..100 {
        queue.rings_mut().deliver(60);
    }
    let mut first = queue.take(Vec::new()).unwrap();
    for _ in 0..156 {
        queue.rings_mut().deliver(60);
    }
    let mut second = queue.take(Vec::new()).unwrap();
    queue.release(&mut second);
    queue.release(&mut first);
    for _ in 0..256 {
        queue.rings_mut().deliver(60);
    }
    let spans: Vec<_> = std::iter::from_fn(|| queue.take(Vec::new()))
        .map(|batch| (batch[0].frame(), batch.len(), batch[batch.len() - 1].frame()))
        .collect();
    assert_eq!(spans, [(100, 156, 255), (0, 100, 99)]);
}

#[test]
fn short_runs_still_make_a_batch() {
    let mut queue = queue(128, 128, 128);
    let mut singles = Vec::new();
    for _ in 0..128 {
        queue.rings_mut().deliver(60);
        singles.push(queue.take(Vec::new()).unwrap());
    }
    for batch in singles.iter_mut().rev() {
        queue.release(batch);
    }
    for _ in 0..128 {
        queue.rings_mut().deliver(60);
    }
    let sizes: Vec<_> = std::iter::from_fn(|| queue.take(Vec::new())).map(|batch| batch.len()).collect();
    assert_eq!(sizes[0], 64, "{sizes:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Deliver(u32),
    Take,
    /// One of the batches held, as a share of 256.
    Release(u8),
    /// An address anywhere, and a length.
    BadDescriptor(u64, u32),
    /// A descriptor of a frame that a batch holds.
    Again(u8),
    /// A packet that leaves the frame it is in.
    TooLong(u32),
    Ready,
}

fn step() -> impl Strategy<Value = Step> {
    let address = prop_oneof![0..64 * u64::from(FRAME), any::<u64>()];
    prop_oneof![
        12 => (1u32..1500).prop_map(Step::Deliver),
        5 => Just(Step::Take),
        5 => any::<u8>().prop_map(Step::Release),
        1 => (address, any::<u32>()).prop_map(|(address, length)| Step::BadDescriptor(address, length)),
        1 => any::<u8>().prop_map(Step::Again),
        1 => (1800u32..5000).prop_map(Step::TooLong),
        1 => Just(Step::Ready),
    ]
}

proptest! {
    /// Whatever bad descriptors the kernel writes, no frame has two owners, no packet leaves its frame,
    /// and no frame is lost that the kernel described well.
    #[test]
    fn a_frame_is_one_owners(frames in 1u32..40, ring in 1usize..40, most in 1u32..20, steps in vec(step(), 1..300)) {
        let mut queue = queue(frames, ring, most);
        let mut held: Vec<Vec<Received>> = Vec::new();
        let mut owned: HashSet<u32> = HashSet::new();
        let mut delivered = 0u64;
        let mut seen = 0u64;
        let mut lies = 0u64;
        for step in steps {
            match step {
                Step::Deliver(length) => delivered += u64::from(queue.rings_mut().deliver(length).is_some()),
                Step::Take => {
                    let Some(batch) = queue.take(Vec::new()) else { continue };
                    prop_assert!(!batch.is_empty() && batch.len() <= most as usize);
                    for packet in &batch {
                        prop_assert!(packet.frame() < frames);
                        prop_assert!(owned.insert(packet.frame()), "frame {} has an owner", packet.frame());
                        prop_assert!(packet.offset() >= packet.frame() * FRAME);
                        prop_assert!(packet.offset() + packet.length() <= (packet.frame() + 1) * FRAME);
                    }
                    seen += batch.len() as u64;
                    held.push(batch);
                }
                Step::Release(share) => {
                    if held.is_empty() { continue }
                    let mut batch = held.swap_remove(usize::from(share) * held.len() / 256);
                    for packet in &batch {
                        owned.remove(&packet.frame());
                    }
                    queue.release(&mut batch);
                }
                Step::BadDescriptor(address, length) => {
                    // Of a frame that the kernel has this would be no lie, and it would then have it twice.
                    if address / u64::from(FRAME) < u64::from(frames) { continue }
                    lies += 1;
                    queue.rings_mut().claim(address, length);
                }
                Step::Again(share) => {
                    let Some(batch) = held.get(usize::from(share) % held.len().max(1)) else { continue };
                    lies += 1;
                    let address = u64::from(batch[0].offset());
                    // Taken at once: released, its frame would be the kernel's again.
                    while queue.take(Vec::new()).map(|batch| {
                        seen += batch.len() as u64;
                        owned.extend(batch.iter().map(Received::frame));
                        held.push(batch);
                    }).is_some() {}
                    queue.rings_mut().claim(address, 60);
                    prop_assert!(!queue.ready());
                }
                Step::TooLong(length) => {
                    if queue.rings_mut().deliver(length).is_some() { lies += 1 }
                }
                Step::Ready => { queue.ready(); }
            }
        }
        while let Some(batch) = queue.take(Vec::new()) {
            seen += batch.len() as u64;
            held.push(batch);
        }
        prop_assert_eq!(seen, delivered, "every packet is seen once");
        prop_assert_eq!(queue.counts(), (delivered, lies));
        for mut batch in held {
            queue.release(&mut batch);
        }
        let with_kernel = queue.rings().filled() as u32;
        prop_assert_eq!(with_kernel + queue.frames().free(), frames, "no frame is lost");
        prop_assert_eq!(with_kernel, frames.min(ring as u32), "the fill ring is full");
    }
}

#[test]
fn the_first_packet_starts_behind_the_headroom() {
    let mut queue = queue(4, 4, 4);
    queue.rings_mut().deliver(60);
    assert_eq!(queue.take(Vec::new()).unwrap()[0].offset(), HEADROOM);
}
