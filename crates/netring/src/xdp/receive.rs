//! The receiving half of one queue: descriptors in, batches out, frames back.

use super::frames::{Received, RxFrames};
use super::rings::RxRings;

/// A batch with at least this many packets ends where its frames stop being adjacent, so that its buffer spans only its
/// own frames. When batches are released out of order frames are, too; then batches of this size are worth more than a
/// tight span.
const CUT_AFTER: usize = 64;

/// One queue.
#[derive(Debug)]
pub struct RxQueue<R> {
    rings: R,
    frames: RxFrames,
    /// Packets taken out of the receive ring and not handed out yet.
    incoming: Vec<Received>,
    /// Packets per batch, at most.
    most: u32,
    /// Packets that one batch after the other may be made of without a pause.
    burst: u32,
    /// How many of a burst are still in the receive ring.
    rest: u32,
    /// Packets taken out of the receive ring.
    packets: u64,
    /// Invalid descriptors; their packets are lost.
    bad_descriptors: u64,
    /// The kernel may have found no frame or no room since the last check.
    ring_pressure: bool,
}

impl<R: RxRings> RxQueue<R> {
    /// A queue whose frames are all submitted to the kernel, as far as the fill ring has room.
    pub fn new(rings: R, frames: RxFrames, most: u32, burst: u32) -> Self {
        let (incoming, most) = (Vec::new(), most.max(1));
        let mut queue = Self {
            rings,
            frames,
            incoming,
            most,
            burst: burst.max(most),
            rest: 0,
            ring_pressure: false,
            packets: 0,
            bad_descriptors: 0,
        };
        queue.refill();
        queue.ring_pressure = false;
        queue
    }

    /// Its rings.
    pub fn rings(&self) -> &R {
        &self.rings
    }

    /// Its rings, for sending.
    pub fn rings_mut(&mut self) -> &mut R {
        &mut self.rings
    }

    /// Its frames.
    pub fn frames(&self) -> &RxFrames {
        &self.frames
    }

    /// Packets that wait to be taken.
    pub fn waiting(&mut self) -> u32 {
        self.incoming.len() as u32 + self.rings.waiting()
    }

    /// Packets that reached the receive ring, and invalid descriptors.
    pub fn counts(&mut self) -> (u64, u64) {
        (self.packets + u64::from(self.rings.waiting()), self.bad_descriptors)
    }

    /// Whether [`take`](Self::take) would give packets.
    pub fn ready(&mut self) -> bool {
        if !self.incoming.is_empty() {
            return true;
        }
        // Frames of invalid descriptors are free again.
        loop {
            let waiting = self.rings.waiting();
            if waiting == 0 {
                self.rest = 0;
                return false;
            }
            if self.rest == 0 {
                self.rest = waiting.min(self.burst);
            }
            let most = self.most.min(self.rest);
            self.rest -= most;
            self.ring_pressure |= waiting >= self.rings.receive_size() || self.has_no_frames();
            let Self { rings, frames, incoming, bad_descriptors, .. } = self;
            rings.receive(most, |descriptor| match frames.accept(descriptor) {
                Ok(packet) => incoming.push(packet),
                Err(_) => *bad_descriptors += 1,
            });
            self.refill();
            if !self.incoming.is_empty() {
                self.packets += self.incoming.len() as u64;
                return true;
            }
        }
    }

    /// Between two refills the fill ring only empties: if it is not empty now, it has not been.
    fn has_no_frames(&mut self) -> bool {
        self.rings.fill_room() >= self.rings.fill_size()
    }

    /// Whether packets may have found no frame or no room since the last call. False is certain; packets larger
    /// than a frame do not count.
    pub fn take_ring_pressure(&mut self) -> bool {
        std::mem::take(&mut self.ring_pressure)
    }

    /// The next packets, in order of arrival. `free_vec` is an empty vector to reuse.
    pub fn take(&mut self, free_vec: Vec<Received>) -> Option<Vec<Received>> {
        debug_assert!(free_vec.is_empty(), "free_vec is empty");
        if !self.ready() {
            return None;
        }
        match self.cut() {
            Some(end) => {
                let mut packets = free_vec;
                packets.extend(self.incoming.drain(..end));
                Some(packets)
            }
            None => Some(std::mem::replace(&mut self.incoming, free_vec)),
        }
    }

    /// Where a batch of all that is there ends before the end.
    fn cut(&self) -> Option<usize> {
        let neighbours = |at: usize| self.incoming[at].frame() == self.incoming[at - 1].frame() + 1;
        let (there, most) = (self.incoming.len(), self.most as usize);
        (CUT_AFTER..there.min(most)).find(|at| !neighbours(*at)).or((there > most).then_some(most))
    }

    /// Takes all packets out of the receive ring, and returns the frames of those that `keep` refuses to the kernel. Batches that
    /// were handed out stay.
    pub fn retain(&mut self, mut keep: impl FnMut(&Received) -> bool) {
        let waiting = self.rings.waiting();
        let Self { rings, frames, incoming, bad_descriptors, .. } = self;
        let before = incoming.len();
        rings.receive(waiting, |descriptor| match frames.accept(descriptor) {
            Ok(packet) => incoming.push(packet),
            Err(_) => *bad_descriptors += 1,
        });
        self.packets += (self.incoming.len() - before) as u64;
        self.rest = 0;
        for packet in std::mem::take(&mut self.incoming) {
            if keep(&packet) {
                self.incoming.push(packet);
            } else {
                self.frames.release(packet);
            }
        }
        self.refill();
    }

    /// Whether packets are left of the burst from which the last batch was taken.
    pub fn has_rest(&self) -> bool {
        !self.incoming.is_empty() || self.rest > 0
    }

    /// Gives the frames of packets back to the kernel; their vector is empty afterwards.
    pub fn release(&mut self, packets: &mut Vec<Received>) {
        if self.frames.free() == 0 && self.rings.fill_room() as usize >= packets.len() {
            self.ring_pressure |= self.has_no_frames();
            self.rings.fill(self.frames.submit_again(packets.drain(..)));
            return;
        }
        for packet in packets.drain(..) {
            self.frames.release(packet);
        }
        self.refill();
    }

    /// Submits every free frame that the fill ring has room for. By default the ring has room for all of
    /// them.
    pub fn refill(&mut self) {
        if self.frames.free() == 0 {
            return;
        }
        let free_places = self.rings.fill_room();
        self.ring_pressure |= free_places >= self.rings.fill_size();
        let room = free_places.min(self.frames.free());
        if room > 0 {
            self.rings.fill(self.frames.submit(room));
        }
    }
}
