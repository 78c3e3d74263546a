//! Ownership of the frames in the receive area.
//!
//! All of this is in private memory: nothing that JavaScript or the kernel writes into the UMEM
//! changes who owns a frame. A frame is the kernel's from the moment it is in the fill ring until a
//! descriptor of it comes out of the receive ring, and the user's from then until it is released.

use std::collections::VecDeque;

/// A packet descriptor: `struct xdp_desc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Where its first byte is, from the start of the UMEM.
    pub address: u64,
    /// Its length.
    pub length: u32,
}

/// Proof that user space owns one frame. Cannot be copied; [`RxFrames::release`] takes it back.
///
/// ```compile_fail
/// # use netring::xdp::frames::{Received, RxFrames};
/// # fn f(frames: &mut RxFrames, packet: Received) {
/// frames.release(packet);
/// frames.release(packet); // error: use of moved value
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a frame that is dropped is lost to the UMEM"]
pub struct FrameId(u32);

/// A packet in a frame.
#[derive(Debug)]
pub struct Received {
    frame: FrameId,
    offset: u32,
    length: u32,
}

impl Received {
    /// Number of its frame in the UMEM.
    pub fn frame(&self) -> u32 {
        self.frame.0
    }

    /// Where its first byte is, from the start of the UMEM.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Its length; it is inside its frame.
    pub fn length(&self) -> u32 {
        self.length
    }
}

/// Why a descriptor is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadDescriptor {
    /// It names no frame of this queue.
    Outside,
    /// It names a frame that the kernel does not have: a duplicate.
    NotLent,
    /// It leaves its frame, which is free again.
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Free,
    Kernel,
    User,
}

/// The frames of one queue, consecutive in the UMEM.
#[derive(Debug)]
pub struct RxFrames {
    first: u32,
    frame_size: u32,
    owners: Vec<Owner>,
    /// Oldest first, so that frames released in order are submitted in order: batches then
    /// consist of adjacent frames.
    free: VecDeque<FrameId>,
}

impl RxFrames {
    /// `count` frames from number `first` on, all free.
    pub fn new(first: u32, count: u32, frame_size: u32) -> Self {
        assert!(frame_size.is_power_of_two(), "frames are found by masking");
        Self {
            first,
            frame_size,
            owners: vec![Owner::Free; count as usize],
            free: (first..first + count).map(FrameId).collect(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.owners.len() as u32
    }

    /// How many are neither the kernel's nor the user's.
    pub fn free(&self) -> u32 {
        self.free.len() as u32
    }

    /// Bytes a frame.
    pub fn frame_size(&self) -> u32 {
        self.frame_size
    }

    /// Frames for the fill ring, at most `room`; the kernel's from now on.
    pub fn submit(&mut self, room: u32) -> impl Iterator<Item = u32> {
        let count = self.free.len().min(room as usize);
        let (first, owners) = (self.first, &mut self.owners);
        self.free.drain(..count).map(move |frame| {
            owners[(frame.0 - first) as usize] = Owner::Kernel;
            frame.0
        })
    }

    /// Frames of packets that go straight back to the fill ring, which has room for all of them.
    pub fn submit_again(&mut self, packets: impl Iterator<Item = Received>) -> impl Iterator<Item = u32> {
        packets.map(|packet| {
            *self.owner_of(&packet) = Owner::Kernel;
            packet.frame.0
        })
    }

    /// The entry of a frame that is the user's.
    #[inline]
    fn owner_of(&mut self, packet: &Received) -> &mut Owner {
        let index = packet.frame.0.wrapping_sub(self.first) as usize;
        match self.owners.get_mut(index) {
            Some(owner) if *owner == Owner::User => owner,
            _ => panic!("a frame belongs to the queue that gave it"),
        }
    }

    /// Takes a packet from the kernel, if its descriptor is valid.
    #[inline]
    pub fn accept(&mut self, descriptor: Descriptor) -> Result<Received, BadDescriptor> {
        let number = descriptor.address >> self.frame_size.trailing_zeros();
        let index = number.wrapping_sub(u64::from(self.first));
        let Some(owner) = usize::try_from(index).ok().and_then(|index| self.owners.get_mut(index)) else {
            return Err(BadDescriptor::Outside);
        };
        if *owner != Owner::Kernel {
            return Err(BadDescriptor::NotLent);
        }
        let frame = FrameId(number as u32);
        let inside = descriptor.address as u32 & (self.frame_size - 1);
        if descriptor.length > self.frame_size - inside {
            *owner = Owner::Free;
            self.free.push_back(frame);
            return Err(BadDescriptor::TooLong);
        }
        *owner = Owner::User;
        Ok(Received { frame, offset: descriptor.address as u32, length: descriptor.length })
    }

    /// Marks a frame as free.
    #[inline]
    pub fn release(&mut self, packet: Received) {
        *self.owner_of(&packet) = Owner::Free;
        self.free.push_back(packet.frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(address: u64, length: u32) -> Descriptor {
        Descriptor { address, length }
    }

    #[test]
    fn bad_descriptors_are_detected_and_lose_no_known_frame() {
        let mut frames = RxFrames::new(4, 4, 2048);
        assert_eq!(frames.submit(3).collect::<Vec<_>>(), [4, 5, 6]);
        for address in [0, 4 * 2048 - 1, 8 * 2048, u64::MAX, 1 << 40] {
            assert_eq!(frames.accept(descriptor(address, 60)).unwrap_err(), BadDescriptor::Outside, "{address}");
        }
        assert_eq!(frames.accept(descriptor(7 * 2048, 60)).unwrap_err(), BadDescriptor::NotLent);
        assert_eq!(frames.accept(descriptor(4 * 2048 + 256, 2048 - 255)).unwrap_err(), BadDescriptor::TooLong);
        assert_eq!(frames.accept(descriptor(5 * 2048, u32::MAX)).unwrap_err(), BadDescriptor::TooLong);
        assert_eq!(frames.free(), 3);
        let packet = frames.accept(descriptor(6 * 2048 + 256, 2048 - 256)).unwrap();
        assert_eq!((packet.frame(), packet.offset(), packet.length()), (6, 6 * 2048 + 256, 1792));
        assert_eq!(frames.accept(descriptor(6 * 2048 + 256, 60)).unwrap_err(), BadDescriptor::NotLent, "twice");
        frames.release(packet);
        assert_eq!(frames.free(), 4);
        assert_eq!(frames.submit(9).collect::<Vec<_>>(), [7, 4, 5, 6]);
    }

    #[test]
    #[should_panic(expected = "belongs to the queue")]
    fn a_frame_cannot_go_back_to_another_queue() {
        let (mut one, mut other) = (RxFrames::new(0, 2, 2048), RxFrames::new(2, 2, 2048));
        assert_eq!(one.submit(2).count() + other.submit(2).count(), 4);
        let packet = one.accept(descriptor(0, 1)).unwrap();
        other.release(packet);
    }
}
