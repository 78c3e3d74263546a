//! A fake kernel for a queue: its side of the four rings, and invalid descriptors on request.

use std::collections::VecDeque;
use std::io;

use super::frames::Descriptor;
use super::rings::{Outgoing, RxRings, TxRings};

/// The rings of one queue and the kernel behind them.
#[derive(Debug)]
pub struct FakeQueue {
    frame_size: u32,
    ring_size: usize,
    fill: VecDeque<u32>,
    receive: VecDeque<Descriptor>,
    transmit: VecDeque<Outgoing>,
    completion: VecDeque<u64>,
    /// Frames that have been sent and whose completion is still to come.
    in_flight: Vec<Outgoing>,
    /// Packets that found no frame or no room.
    pub dropped: u64,
    /// Frames taken out of the transmit ring of which it has not said so.
    unpublished: usize,
    /// Says only when the transmit ring is empty that it took frames out, as kernels before 6.17 do.
    pub publishes_late: bool,
    /// Frames the kernel takes from the transmit ring in one call, 32 in copy mode.
    pub per_kick: usize,
    /// Errors that the next calls return instead of sending.
    pub refusals: VecDeque<i32>,
    /// Frames that left.
    pub sent: Vec<Outgoing>,
}

/// The headroom that the kernel leaves before a packet.
pub const HEADROOM: u32 = 256;

impl FakeQueue {
    /// Rings with `ring_size` places each.
    pub fn new(frame_size: u32, ring_size: usize) -> Self {
        Self {
            frame_size,
            ring_size,
            fill: VecDeque::new(),
            receive: VecDeque::new(),
            transmit: VecDeque::new(),
            completion: VecDeque::new(),
            in_flight: Vec::new(),
            dropped: 0,
            unpublished: 0,
            publishes_late: false,
            per_kick: 32,
            refusals: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    /// Receives one packet; returns its frame, if there was one and room for its descriptor.
    pub fn deliver(&mut self, length: u32) -> Option<u32> {
        if self.receive.len() == self.ring_size {
            self.dropped += 1;
            return None;
        }
        let Some(frame) = self.fill.pop_front() else {
            self.dropped += 1;
            return None;
        };
        let address = u64::from(frame) * u64::from(self.frame_size) + u64::from(HEADROOM);
        self.receive.push_back(Descriptor { address, length });
        Some(frame)
    }

    /// Puts any descriptor into the receive ring.
    pub fn claim(&mut self, address: u64, length: u32) {
        self.receive.push_back(Descriptor { address, length });
    }

    /// Frames in the fill ring.
    pub fn filled(&self) -> usize {
        self.fill.len()
    }

    /// The device is done with frame `index` of those in flight.
    pub fn complete(&mut self, index: usize) -> bool {
        if index >= self.in_flight.len() {
            return false;
        }
        let frame = self.in_flight.swap_remove(index);
        self.completion.push_back(self.address_of(frame));
        true
    }

    fn address_of(&self, frame: Outgoing) -> u64 {
        u64::from(frame.frame) * u64::from(self.frame_size) + u64::from(HEADROOM)
    }

    /// Reports a completion, whether the frame has left or not.
    pub fn claim_completion(&mut self, address: u64) {
        self.completion.push_back(address);
    }
}

impl RxRings for FakeQueue {
    fn receive(&mut self, most: u32, each: impl FnMut(Descriptor)) {
        let count = self.receive.len().min(most as usize);
        self.receive.drain(..count).for_each(each);
    }

    fn receive_size(&self) -> u32 {
        self.ring_size as u32
    }

    fn fill_size(&self) -> u32 {
        self.ring_size as u32
    }

    fn waiting(&mut self) -> u32 {
        self.receive.len() as u32
    }

    fn fill_room(&mut self) -> u32 {
        (self.ring_size - self.fill.len()) as u32
    }

    fn fill(&mut self, frames: impl Iterator<Item = u32>) {
        self.fill.extend(frames);
        assert!(self.fill.len() <= self.ring_size, "the fill ring had room");
    }
}

impl TxRings for FakeQueue {
    fn transmit_room(&mut self) -> u32 {
        (self.ring_size - self.transmit.len() - self.unpublished) as u32
    }

    fn unsent(&mut self) -> u32 {
        (self.transmit.len() + self.unpublished) as u32
    }

    fn transmit(&mut self, frames: impl Iterator<Item = Outgoing>) {
        self.transmit.extend(frames);
        assert!(self.transmit.len() + self.unpublished <= self.ring_size, "the transmit ring had room");
    }

    fn needs_kick(&self) -> bool {
        true
    }

    fn kick(&mut self) -> io::Result<()> {
        match self.refusals.pop_front() {
            // The driver gave up the first frame: it is completed, not sent.
            Some(libc::EBUSY) => {
                if let Some(frame) = self.transmit.pop_front() {
                    self.unpublished += usize::from(self.publishes_late);
                    self.completion.push_back(self.address_of(frame));
                }
                return Err(io::Error::from_raw_os_error(libc::EBUSY));
            }
            Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
            None => {}
        }
        let count = self.transmit.len().min(self.per_kick);
        let frames: Vec<_> = self.transmit.drain(..count).collect();
        self.sent.extend(&frames);
        self.in_flight.extend(frames);
        if self.transmit.is_empty() {
            self.unpublished = 0;
            return Ok(());
        }
        self.unpublished += if self.publishes_late { count } else { 0 };
        Err(io::Error::from_raw_os_error(libc::EAGAIN))
    }

    fn completed(&mut self, addresses: &mut Vec<u64>) {
        addresses.extend(self.completion.drain(..));
    }
}
