//! The sending half of an AF_XDP socket: slots of the UMEM that the kernel reads in place.

use std::io;

use super::rings::{Outgoing, TxRings};
use crate::ring::SlotRing;
use crate::sink::{Flushed, TxStats};
use crate::tx::RejectionLog;

/// Frames that the kernel takes in one call in copy mode (`TX_BATCH_SIZE`, net/xdp/xsk.c).
const FRAMES_A_KICK: u32 = 32;

/// Slots, and what has become of the frames in them.
#[derive(Debug)]
pub struct Transmitter {
    slots: SlotRing,
    /// Number in the UMEM of the frame that is slot 0.
    first: u32,
    frame_size: u32,
    /// By slot: the number of the frame that it holds or held last, counting all frames put into the
    /// transmit ring.
    positions: Vec<u64>,
    /// Frames put into the transmit ring so far.
    produced: u64,
    /// How many of them the kernel is known to have taken out.
    taken: u64,
    /// Frames that went into the transmit ring in a flush that failed; the next flush reports them.
    unreported_frames: u32,
    /// The last flush failed.
    failed: bool,
    /// Slots whose frame the driver dropped: their completion does not mean that it was sent.
    given_up: Vec<u32>,
    /// This kernel completes frames before it publishes that it took them out of the ring.
    publishes_late: bool,
    /// Frames sent, and their bytes.
    sent: u64,
    sent_bytes: u64,
    /// Lengths of rejected frames.
    rejections: RejectionLog<u32>,
    addresses: Vec<u64>,
}

impl Transmitter {
    /// Slots in the frames from number `first` on, each with `slots`' stride.
    pub fn new(slots: SlotRing, first: u32, frame_size: u32) -> Self {
        assert!(frame_size.is_power_of_two(), "frames are found by shifting");
        Self {
            positions: vec![0; slots.count() as usize],
            slots,
            first,
            frame_size,
            produced: 0,
            taken: 0,
            unreported_frames: 0,
            failed: false,
            given_up: Vec::new(),
            publishes_late: false,
            sent: 0,
            sent_bytes: 0,
            rejections: RejectionLog::default(),
            addresses: Vec::new(),
        }
    }

    /// The slots.
    pub fn slots(&self) -> &SlotRing {
        &self.slots
    }

    /// The slots, to write and queue.
    pub fn slots_mut(&mut self) -> &mut SlotRing {
        &mut self.slots
    }

    /// Puts what is queued into the transmit ring and kicks the kernel until it has taken all of it
    /// or takes no more: in copy mode it sends 32 frames a call.
    /// Never blocks. Returns how many frames went into the ring since the last report, and why it ended.
    pub fn flush(&mut self, rings: &mut impl TxRings) -> io::Result<(u32, Flushed)> {
        let (mut handed_over, mut stalled) = (std::mem::take(&mut self.unreported_frames), 0);
        self.failed = false;
        self.collect(rings);
        loop {
            handed_over += self.produce(rings);
            let all_in = if self.slots.queued() == 0 { Flushed::Everything } else { Flushed::QueueFull };
            let unsent = rings.unsent();
            if unsent == 0 || !rings.needs_kick() {
                return Ok((handed_over, all_in));
            }
            let kicked = rings.kick();
            let errno = kicked.as_ref().err().map(|error| error.raw_os_error().unwrap_or(0));
            // NET_XMIT_DROP: the frame taken last is completed, but has not been sent.
            let progress = self.take_in(rings, errno == Some(libc::EBUSY));
            stalled = if progress { 0 } else { stalled + 1 };
            match errno {
                // In copy mode the ring is empty now; otherwise the driver goes on by itself.
                None if rings.unsent() > 0 => return Ok((handed_over, all_in)),
                None => {}
                Some(libc::EAGAIN | libc::EBUSY | libc::ENOBUFS | libc::ENOMEM | libc::EINTR) => {
                    let blind = if self.publishes_late { unsent.div_ceil(FRAMES_A_KICK) } else { 0 };
                    if stalled > blind {
                        return Ok((handed_over, Flushed::QueueFull));
                    }
                }
                Some(_) => {
                    // They are in the ring, and an error cannot carry their number.
                    (self.unreported_frames, self.failed) = (handed_over, true);
                    return kicked.map(|()| (handed_over, all_in));
                }
            }
        }
    }

    fn produce(&mut self, rings: &mut impl TxRings) -> u32 {
        if self.slots.queued() == 0 {
            return 0;
        }
        let count = rings.transmit_room().min(self.slots.queued());
        if count == 0 {
            return 0;
        }
        let Self { slots, positions, produced, first, .. } = self;
        rings.transmit((0..count).map(|_| {
            let frame = slots.submit().expect("as many are queued");
            positions[frame.slot as usize] = *produced;
            *produced += 1;
            Outgoing { frame: *first + frame.slot, length: frame.length }
        }));
        count
    }

    /// Takes completions in: their slots are free again.
    pub fn collect(&mut self, rings: &mut impl TxRings) {
        self.take_in(rings, false);
    }

    /// Takes completions in; returns whether the kernel is now known to have taken more frames out of
    /// the transmit ring. `gave_up`: the driver dropped the last of those.
    ///
    /// Frames are taken out in order, so one number says which. Kernels before 6.17 publish it only when they find the ring
    /// empty, and not at the end of each call, so the completion of a frame may come first: it proves that this frame and
    /// all before it were taken.
    fn take_in(&mut self, rings: &mut impl TxRings, gave_up: bool) -> bool {
        let before = self.taken;
        let mut addresses = std::mem::take(&mut self.addresses);
        rings.completed(&mut addresses);
        // Read after the completions: where the kernel publishes first, no completion is ahead of it.
        self.taken = before.max(self.produced.saturating_sub(rings.unsent().into()));
        if gave_up {
            for address in &addresses {
                self.note_taken(*address);
            }
            if self.taken > before {
                self.given_up.extend(self.slot_at(self.taken - 1));
            }
        }
        for address in addresses.drain(..) {
            if let Some(slot) = self.note_taken(address) {
                self.complete(slot);
            }
        }
        self.addresses = addresses;
        self.taken > before
    }

    /// The slot that a completion names. Its frame and all before it were taken out of the transmit
    /// ring. `None`, and nothing noted, for an address that names no slot the kernel has.
    fn note_taken(&mut self, address: u64) -> Option<u32> {
        let index = (address >> self.frame_size.trailing_zeros()).wrapping_sub(u64::from(self.first));
        let slot = u32::try_from(index).ok().filter(|slot| self.slots.in_kernel(*slot))?;
        let after = self.positions[slot as usize] + 1;
        if after > self.taken {
            self.taken = after;
            self.publishes_late = true;
        }
        Some(slot)
    }

    /// The slot with the frame that was put into the transmit ring as number `position`.
    fn slot_at(&self, position: u64) -> Option<u32> {
        (0..self.slots.count()).find(|slot| self.slots.in_kernel(*slot) && self.positions[*slot as usize] == position)
    }

    #[inline]
    fn complete(&mut self, slot: u32) {
        let length = self.slots.complete_slot(slot).expect("the kernel has this slot");
        // Almost always empty.
        let given_up = self.given_up.iter().position(|given_up| *given_up == slot);
        if let Some(place) = given_up {
            self.given_up.swap_remove(place);
            self.rejections.add(|| length);
        } else {
            self.sent += 1;
            self.sent_bytes += u64::from(length);
        }
    }

    /// Frames queued or with the kernel.
    pub fn pending(&self) -> u64 {
        u64::from(self.slots.queued()) + u64::from(self.slots.submitted())
    }

    /// Whether frames are queued or in the transmit ring, for another flush.
    pub fn has_unsent(&self) -> bool {
        self.slots.queued() > 0 || self.produced > self.taken
    }

    /// Whether the last flush failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// The counters, as of the last completion taken in.
    pub fn stats(&self) -> TxStats {
        TxStats { sent: self.sent, rejected: self.rejections.total(), pending: self.pending(), bytes: self.sent_bytes }
    }

    /// Frames rejected since the last [`take_rejections`](Self::take_rejections).
    pub fn unreported_rejections(&self) -> usize {
        self.rejections.unreported()
    }

    /// Lengths of the frames rejected since the last call, the first 64.
    pub fn take_rejections(&mut self) -> Vec<u32> {
        self.rejections.take()
    }
}
