//! The four rings of a queue, as the roles see them: the kernel's (`xsk.rs`) or a fake's.

use std::io;

use super::frames::Descriptor;

/// Fill and receive ring.
pub trait RxRings {
    /// Moves at most `most` descriptors out of the receive ring.
    fn receive(&mut self, most: u32, each: impl FnMut(Descriptor));
    /// Places in the receive ring.
    fn receive_size(&self) -> u32;
    /// Descriptors that wait in the receive ring.
    fn waiting(&mut self) -> u32;
    /// Places in the fill ring.
    fn fill_size(&self) -> u32;
    /// Free places in the fill ring.
    fn fill_room(&mut self) -> u32;
    /// Puts frames, by number, into the fill ring, which has room for them.
    fn fill(&mut self, frames: impl Iterator<Item = u32>);
}

/// A frame to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number in the UMEM.
    pub frame: u32,
    /// Its length.
    pub length: u32,
}

/// Transmit and completion ring.
pub trait TxRings {
    /// Free places in the transmit ring.
    fn transmit_room(&mut self) -> u32;
    /// Frames in the transmit ring that the kernel has not taken out.
    fn unsent(&mut self) -> u32;
    /// Puts frames into the transmit ring, which has room for them.
    fn transmit(&mut self, frames: impl Iterator<Item = Outgoing>);
    /// Whether the kernel needs a wakeup to send them.
    fn needs_kick(&self) -> bool;
    /// Wakes the kernel, which sends some or all of them during the call; never waits.
    fn kick(&mut self) -> io::Result<()>;
    /// Moves every completion out of its ring: addresses of frames that have left.
    fn completed(&mut self, addresses: &mut Vec<u64>);
}
