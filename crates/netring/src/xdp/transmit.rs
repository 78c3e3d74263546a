//! The sending half: slots of the UMEM that the kernel reads in place.

use std::collections::VecDeque;
use std::io;

use super::rings::{Outgoing, TxRings};
use crate::ring::SlotRing;
use crate::sink::{Flushed, TxStats};

/// Where a slot that was lent to the kernel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not lent.
    Here,
    /// In the transmit ring.
    Ring,
    /// With the driver.
    Driver,
    /// Given up by the driver; its completion will say that it has "left".
    GivenUp,
}

/// Lengths of rejected frames that are kept for somebody to ask for.
const MOST_REJECTIONS: usize = 64;

/// Slots, and what has become of the frames in them.
#[derive(Debug)]
pub struct Transmitter {
    slots: SlotRing,
    /// Number in the UMEM of the frame that is slot 0.
    first: u32,
    frame_size: u32,
    /// Slots in the transmit ring, in its order.
    in_ring: VecDeque<u32>,
    places: Vec<Place>,
    left: TxStats,
    rejections: Vec<u32>,
    /// Frames rejected since they were last told of, those included whose length has been forgotten.
    untold: usize,
    addresses: Vec<u64>,
}

impl Transmitter {
    /// Slots in the frames from number `first` on, each with `slots`' stride.
    pub fn new(slots: SlotRing, first: u32, frame_size: u32) -> Self {
        assert!(frame_size.is_power_of_two(), "frames are found by shifting");
        Self {
            places: vec![Place::Here; slots.count() as usize],
            slots,
            first,
            frame_size,
            in_ring: VecDeque::new(),
            left: TxStats::default(),
            rejections: Vec::new(),
            untold: 0,
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
    /// or takes no more: in copy mode it sends 32 frames a call (`TX_BATCH_SIZE`, net/xdp/xsk.c).
    /// Never blocks. Returns how many frames went into the ring and why it ended.
    pub fn flush(&mut self, rings: &mut impl TxRings) -> io::Result<(u32, Flushed)> {
        let mut handed_over = 0;
        loop {
            self.collect(rings);
            handed_over += self.produce(rings);
            let all_in = if self.slots.queued() == 0 { Flushed::Everything } else { Flushed::QueueFull };
            if rings.unsent() == 0 || !rings.needs_kick() {
                return Ok((handed_over, all_in));
            }
            let kicked = rings.kick();
            let taken = self.note_taken(rings);
            match kicked.as_ref().map_err(io::Error::raw_os_error) {
                // In copy mode the ring is empty now; otherwise the driver goes on by itself.
                Ok(()) if rings.unsent() > 0 => return Ok((handed_over, all_in)),
                Ok(()) => {}
                // NET_XMIT_DROP: the frame taken last is completed, but has not been sent.
                Err(Some(libc::EBUSY)) if taken.is_some() => {
                    self.places[taken.expect("checked above") as usize] = Place::GivenUp;
                }
                Err(Some(libc::EAGAIN | libc::EBUSY | libc::ENOBUFS | libc::ENOMEM | libc::EINTR)) => {
                    if taken.is_none() {
                        return Ok((handed_over, Flushed::QueueFull));
                    }
                }
                Err(_) => return kicked.map(|()| (handed_over, all_in)),
            }
        }
    }

    fn produce(&mut self, rings: &mut impl TxRings) -> u32 {
        let count = rings.transmit_room().min(self.slots.queued());
        if count == 0 {
            return 0;
        }
        let Self { slots, in_ring, places, first, .. } = self;
        rings.transmit((0..count).map(|_| {
            let frame = slots.lend().expect("as many are queued");
            in_ring.push_back(frame.slot);
            places[frame.slot as usize] = Place::Ring;
            Outgoing { frame: *first + frame.slot, length: frame.length }
        }));
        count
    }

    /// Finds out which frames the kernel has taken out of the transmit ring since the last time;
    /// the last of them, if there are any.
    fn note_taken(&mut self, rings: &mut impl TxRings) -> Option<u32> {
        let unsent = rings.unsent() as usize;
        let taken = self.in_ring.len().saturating_sub(unsent);
        let mut last = None;
        for slot in self.in_ring.drain(..taken) {
            self.places[slot as usize] = Place::Driver;
            last = Some(slot);
        }
        last
    }

    /// Takes completions in: their slots are free again.
    pub fn collect(&mut self, rings: &mut impl TxRings) {
        self.note_taken(rings);
        let mut addresses = std::mem::take(&mut self.addresses);
        rings.completed(&mut addresses);
        for address in addresses.drain(..) {
            self.complete(address);
        }
        self.addresses = addresses;
    }

    /// A completion that names no frame of ours with the driver changes nothing.
    fn complete(&mut self, address: u64) {
        let index = (address >> self.frame_size.trailing_zeros()).wrapping_sub(u64::from(self.first));
        let Some(place) = usize::try_from(index).ok().and_then(|index| self.places.get_mut(index)) else { return };
        let given_up = match place {
            Place::Driver => false,
            Place::GivenUp => true,
            Place::Here | Place::Ring => return,
        };
        *place = Place::Here;
        let length = self.slots.take_back(index as u32).expect("what the driver has was lent");
        if given_up {
            self.left.rejected += 1;
            self.untold += 1;
            // Nobody may ever ask for them; the newest say enough.
            if self.rejections.len() == MOST_REJECTIONS {
                self.rejections.remove(0);
            }
            self.rejections.push(length);
        } else {
            self.left.sent += 1;
            self.left.bytes += u64::from(length);
        }
    }

    /// Frames queued or with the kernel.
    pub fn pending(&self) -> u64 {
        u64::from(self.slots.queued()) + u64::from(self.slots.lent())
    }

    /// Whether frames are queued or in the transmit ring, for another flush.
    pub fn has_unsent(&self) -> bool {
        self.slots.queued() > 0 || !self.in_ring.is_empty()
    }

    /// The counters, as of the last completion taken in.
    pub fn stats(&self) -> TxStats {
        TxStats { pending: self.pending(), ..self.left }
    }

    /// How many frames have been rejected since the last call of [`take_rejections`](Self::take_rejections).
    pub fn untold_rejections(&self) -> usize {
        self.untold
    }

    /// The same, which forgets them.
    pub fn take_rejections(&mut self) -> Vec<u32> {
        self.untold = 0;
        std::mem::take(&mut self.rejections)
    }
}
