//! Where frames leave: what a bridge asks of the far side, whatever it is.

use std::io;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::readiness::Readiness;
use crate::ring::VolatileSlice;

/// Frames offered at a time. More than the kernel's own batches makes no difference.
pub const BATCH: usize = crate::sys::send::BATCH;

/// What became of an offer.
#[derive(Debug)]
pub enum TrySend {
    /// So many of the first were taken, at least one.
    Taken(usize),
    /// None for now.
    WouldBlock(WouldBlock),
    /// The first one never will be.
    Refused(Refused),
}

/// Why nothing is taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WouldBlock {
    /// The socket's send buffer is full; [`FrameTx::room`] tells when it is not.
    Buffer,
    /// A queue below is full; nothing tells when it is not.
    Queue {
        /// Frames of ours are in it, so that there will be room again.
        ours_wait: bool,
    },
}

/// Why a frame never will be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is longer than the far side's MTU and not to be cut into segments.
    TooLarge,
    /// The far side is down, or can make nothing of it.
    Rejected,
}

/// A refusal, and the kernel's word for it.
#[derive(Debug)]
pub struct Refused {
    /// How it is counted.
    pub kind: Refusal,
    /// What the kernel said.
    pub error: io::Error,
}

/// The sending half of one side of a bridge.
pub trait FrameTx {
    /// Bytes before each frame that belong to it and are handed over with it.
    const HEADER: u32;

    /// Hands frames over in order, as many as are taken now; never blocks. Fails when the interface is gone.
    fn try_send<'a>(&mut self, frames: impl Iterator<Item = VolatileSlice<'a>> + Clone) -> Result<TrySend>;
    /// For waiting after [`WouldBlock::Buffer`].
    fn room(&self) -> &Arc<Readiness>;
    /// Sees to frames that were taken and have not left; whether it has to be called again in a millisecond.
    fn kick(&mut self) -> Result<bool> {
        Ok(false)
    }
    /// How many frames were refused after they had been taken, since the last call of this, and why.
    fn late_refusals(&mut self) -> Result<(u64, Vec<Error>)> {
        Ok((0, Vec::new()))
    }
    /// Why a frame of this length was refused, for people.
    fn explain(&self, refused: &Refused, length: u32) -> Error;
}
