//! Slots that send.

use netring::ring::{Memory, SlotRing};
use netring::sink::Flushed;
use netring::xdp::fake::{FakeQueue, HEADROOM};
use netring::xdp::transmit::Transmitter;
use proptest::collection::vec;
use proptest::prelude::*;

const FRAME: u32 = 2048;
const FIRST: u32 = 10;

fn transmitter(slots: u32) -> Transmitter {
    let memory = Memory::zeroed((slots * FRAME - HEADROOM) as usize);
    Transmitter::new(SlotRing::with_stride(memory, FRAME, FRAME - HEADROOM, slots), FIRST, FRAME)
}

fn send(transmitter: &mut Transmitter, count: usize) {
    for length in 0..count {
        assert!(transmitter.slots_mut().queue_copy(vec![1; 60 + length % 100].as_slice().into()));
    }
}

fn address(slot: u32) -> u64 {
    u64::from(FIRST + slot) * u64::from(FRAME) + u64::from(HEADROOM)
}

#[test]
fn a_flush_kicks_until_the_ring_is_empty() {
    let (mut transmitter, mut kernel) = (transmitter(256), FakeQueue::new(FRAME, 256));
    send(&mut transmitter, 100);
    let (handed_over, end) = transmitter.flush(&mut kernel).unwrap();
    assert!(handed_over == 100 && matches!(end, Flushed::Everything), "{handed_over} {end:?}");
    assert_eq!(kernel.sent.len(), 100);
    assert!(kernel.sent.iter().zip(0..).all(|(frame, n)| frame.frame >= FIRST && frame.length == 60 + n % 100));
    assert_eq!((transmitter.pending(), transmitter.stats().sent), (100, 0), "sent, but not known to have left");
    while kernel.complete(0) {}
    transmitter.collect(&mut kernel);
    let stats = transmitter.stats();
    assert_eq!((stats.sent, stats.pending, stats.bytes), (100, 0, (60..160).sum()));
    assert_eq!(transmitter.slots().available(), 256);
}

#[test]
fn a_small_ring_is_used_again_and_again() {
    let (mut transmitter, mut kernel) = (transmitter(256), FakeQueue::new(FRAME, 8));
    send(&mut transmitter, 256);
    let (handed_over, end) = transmitter.flush(&mut kernel).unwrap();
    assert!(handed_over == 256 && matches!(end, Flushed::Everything));
}

#[test]
fn a_kernel_that_takes_nothing_ends_the_flush() {
    let (mut transmitter, mut kernel) = (transmitter(64), FakeQueue::new(FRAME, 64));
    send(&mut transmitter, 40);
    for errno in [libc::EAGAIN, libc::ENOBUFS] {
        kernel.refusals.push_back(errno);
        let (_, end) = transmitter.flush(&mut kernel).unwrap();
        assert!(matches!(end, Flushed::QueueFull));
    }
    kernel.refusals.push_back(libc::ENETDOWN);
    let error = transmitter.flush(&mut kernel).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENETDOWN));
    assert_eq!((transmitter.pending(), transmitter.has_failed()), (40, true), "nothing is lost");
    assert!(matches!(transmitter.flush(&mut kernel).unwrap(), (0, Flushed::Everything)));
    assert!(!transmitter.has_failed());
    assert_eq!(kernel.sent.len(), 40);
}

#[test]
fn a_frame_that_the_driver_drops_is_rejected_not_sent() {
    let (mut transmitter, mut kernel) = (transmitter(8), FakeQueue::new(FRAME, 8));
    send(&mut transmitter, 3);
    kernel.refusals.push_back(libc::EBUSY);
    transmitter.flush(&mut kernel).unwrap();
    assert_eq!(kernel.sent.len(), 2);
    while kernel.complete(0) {}
    transmitter.collect(&mut kernel);
    let stats = transmitter.stats();
    assert_eq!((stats.sent, stats.rejected, stats.pending, stats.bytes), (2, 1, 0, 61 + 62));
    assert_eq!(transmitter.take_rejections(), [60]);
    assert_eq!(transmitter.slots().available(), 8);
}

#[test]
fn completions_of_what_was_not_sent_change_nothing() {
    let (mut transmitter, mut kernel) = (transmitter(4), FakeQueue::new(FRAME, 4));
    for lie in [0, address(0), address(4), u64::MAX] {
        kernel.claim_completion(lie);
    }
    transmitter.collect(&mut kernel);
    assert_eq!((transmitter.slots().available(), transmitter.stats().sent), (4, 0));
    // Queued, but not in the transmit ring.
    send(&mut transmitter, 1);
    (0..4).for_each(|slot| kernel.claim_completion(address(slot)));
    transmitter.collect(&mut kernel);
    assert_eq!((transmitter.pending(), transmitter.slots().available()), (1, 3));
    // Twice.
    transmitter.flush(&mut kernel).unwrap();
    let frame = kernel.sent[0].frame - FIRST;
    (0..2).for_each(|_| kernel.claim_completion(address(frame)));
    transmitter.collect(&mut kernel);
    assert_eq!((transmitter.pending(), transmitter.stats().sent, transmitter.slots().available()), (0, 1, 4));
}

/// A kernel that says late what it took out of the transmit ring, with `slots` frames in it.
fn late(slots: u32) -> (Transmitter, FakeQueue) {
    let (mut transmitter, mut kernel) = (transmitter(slots), FakeQueue::new(FRAME, slots as usize));
    kernel.publishes_late = true;
    send(&mut transmitter, slots as usize);
    (transmitter, kernel)
}

#[test]
fn a_completion_that_comes_before_its_consumer_is_published_frees_its_slot() {
    let (mut transmitter, mut kernel) = late(64);
    // 32 were taken, the ring still shows 64, and so the flush gives up.
    assert!(matches!(transmitter.flush(&mut kernel).unwrap(), (64, Flushed::QueueFull)));
    assert_eq!((kernel.sent.len(), transmitter.has_unsent()), (32, true));
    while kernel.complete(0) {}
    transmitter.collect(&mut kernel);
    assert_eq!((transmitter.stats().sent, transmitter.pending(), transmitter.slots().available()), (32, 32, 32));
    assert!(matches!(transmitter.flush(&mut kernel).unwrap(), (0, Flushed::Everything)));
    while kernel.complete(0) {}
    transmitter.collect(&mut kernel);
    let stats = transmitter.stats();
    assert_eq!((stats.sent, stats.pending, transmitter.has_unsent()), (64, 0, false));
    assert_eq!(transmitter.slots().available(), 64);
}

#[test]
fn a_kernel_known_to_publish_late_is_kicked_until_it_must_have_taken_everything() {
    let (mut transmitter, mut kernel) = late(256);
    transmitter.flush(&mut kernel).unwrap();
    assert!(kernel.complete(31));
    // Nothing more is completed: the kicks show nothing until the ring is empty.
    assert!(matches!(transmitter.flush(&mut kernel).unwrap(), (0, Flushed::Everything)));
    assert_eq!((kernel.sent.len(), transmitter.has_unsent()), (256, false));
}

#[test]
fn a_late_kernel_whose_buffer_is_full_ends_the_flush() {
    let (mut transmitter, mut kernel) = late(64);
    transmitter.flush(&mut kernel).unwrap();
    assert!(kernel.complete(0));
    kernel.refusals.extend([libc::EAGAIN; 99]);
    assert!(matches!(transmitter.flush(&mut kernel).unwrap(), (0, Flushed::QueueFull)));
    assert!(kernel.refusals.len() > 90, "{} of 99 refusals are left", kernel.refusals.len());
}

#[test]
fn the_frame_that_a_late_kernel_gave_up_is_the_one_it_took_last() {
    let (mut transmitter, mut kernel) = late(64);
    kernel.refusals.push_back(libc::EBUSY);
    kernel.per_kick = 64;
    transmitter.flush(&mut kernel).unwrap();
    while kernel.complete(0) {}
    transmitter.collect(&mut kernel);
    let stats = transmitter.stats();
    assert_eq!((stats.sent, stats.rejected, stats.pending), (63, 1, 0));
    assert_eq!(transmitter.take_rejections(), [60], "the first");
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Flush,
    Refuse(i32),
    Complete(u8),
    BadDescriptor(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let errno = prop_oneof![Just(libc::EAGAIN), Just(libc::EBUSY), Just(libc::ENOBUFS), Just(libc::ENETDOWN)];
    prop_oneof![
        6 => (1usize..20).prop_map(Step::Send),
        4 => Just(Step::Flush),
        2 => errno.prop_map(Step::Refuse),
        8 => any::<u8>().prop_map(Step::Complete),
        1 => any::<u64>().prop_map(Step::BadDescriptor),
    ]
}

proptest! {
    /// Every frame is counted once, as pending, sent or rejected, and no slot is lost.
    #[test]
    fn frames_and_slots_are_conserved(
        slots in 1u32..40, ring in 1usize..40, late: bool, per_kick in 1usize..40, steps in vec(step(), 1..200)
    ) {
        let (mut transmitter, mut kernel) = (transmitter(slots), FakeQueue::new(FRAME, ring));
        kernel.publishes_late = late;
        kernel.per_kick = per_kick;
        let mut queued = 0u64;
        for step in steps {
            match step {
                Step::Send(count) => {
                    for _ in 0..count {
                        queued += u64::from(transmitter.slots_mut().queue_copy([1; 60].as_slice().into()));
                    }
                }
                Step::Flush => drop(transmitter.flush(&mut kernel)),
                Step::Refuse(errno) => kernel.refusals.push_back(errno),
                Step::Complete(index) => drop(kernel.complete(usize::from(index))),
                // Outside our frames: a false completion inside them cannot be detected.
                Step::BadDescriptor(address) => kernel.claim_completion(address | 1 << 40),
            }
            transmitter.collect(&mut kernel);
            let stats = transmitter.stats();
            prop_assert_eq!(stats.sent + stats.rejected + stats.pending, queued);
            prop_assert_eq!(u64::from(transmitter.slots().available()) + stats.pending, u64::from(slots));
        }
        kernel.refusals.clear();
        // One is not enough for a kernel that publishes late, where no completion has shown it.
        for _ in 0..=slots {
            transmitter.flush(&mut kernel).unwrap();
            while kernel.complete(0) {}
            transmitter.collect(&mut kernel);
        }
        prop_assert!(!transmitter.has_unsent());
        prop_assert_eq!(kernel.sent.len() as u64, transmitter.stats().sent);
        let stats = transmitter.stats();
        prop_assert_eq!(stats.pending, 0);
        prop_assert_eq!(stats.bytes, stats.sent * 60);
        prop_assert_eq!(transmitter.slots().available(), slots);
    }
}
