//! Sending frames from any memory: the layer under the injector, AF_XDP and the bridge.
//!
//! A [`FrameTx`] takes frames where they lie. A packet socket ([`SendSocket`]) lets the kernel read
//! them there; AF_XDP copies each one into its UMEM, because the kernel reads from nowhere else.

pub mod socket;

mod refusal;
mod rejections;
mod retry;

use std::sync::Arc;

#[cfg(feature = "xdp")]
pub(crate) use self::refusal::describe_driver_drop;
pub use self::refusal::{Refusal, Refused};
pub(crate) use self::refusal::{
    describe_cut, describe_no_room_beyond, describe_refusal, describe_short, describe_waiting,
};
pub use self::rejections::RejectionLog;
pub use self::retry::RetryBudget;
pub use self::socket::SendSocket;
use crate::error::{Error, Result};
use crate::readiness::Readiness;
use crate::ring::VolatileSlice;

/// Frames for one call of [`FrameTx::try_send`]. The kernel's own batches are no larger.
pub const BATCH: usize = crate::sys::send::BATCH;

/// What a call of [`FrameTx::try_send`] did.
#[derive(Debug)]
pub enum TrySend {
    /// This many of the first frames were taken, at least one.
    Taken(usize),
    /// No frame was taken; the first one may be taken later.
    WouldBlock(WouldBlock),
    /// The first frame was refused, and will be refused again.
    Refused(Refused),
}

/// Why no frame is taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WouldBlock {
    /// The socket's send buffer is full. [`FrameTx::room`] becomes ready when it has room.
    Buffer,
    /// A queue below the socket is full. No event says when it has room.
    Queue {
        /// The queue holds frames of this socket, so it will have room again.
        ours_wait: bool,
        /// The errno that the kernel gave.
        errno: i32,
    },
}

/// Sends frames through one interface.
pub trait FrameTx {
    /// Bytes before each frame that are sent with it (a virtio-net header), or 0.
    const HEADER: u32;

    /// Sends frames in order, as many as are taken now; never blocks. Fails when the interface is
    /// gone.
    ///
    /// # Errors
    ///
    /// [`InterfaceRemoved`](crate::ErrorKind::InterfaceRemoved), [`Io`](crate::ErrorKind::Io). Frames that were taken are reported first.
    fn try_send<'a>(&mut self, frames: impl Iterator<Item = VolatileSlice<'a>> + Clone) -> Result<TrySend>;
    /// To wait on after [`WouldBlock::Buffer`].
    fn room(&self) -> &Arc<Readiness>;
    /// Makes the kernel go on with frames that were taken and have not left. True: call it again in
    /// a millisecond.
    fn kick(&mut self) -> Result<bool> {
        Ok(false)
    }
    /// How many frames were refused after they had been taken, since the last call, and why.
    fn late_refusals(&mut self) -> Result<(u64, Vec<Error>)> {
        Ok((0, Vec::new()))
    }
    /// The error for a refused frame of this length.
    fn explain(&self, refused: &Refused, length: u32) -> Error;
}
