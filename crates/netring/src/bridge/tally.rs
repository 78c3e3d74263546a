//! What has become of the frames of one direction, and why some were refused.

use crate::error::Error;

/// Errors kept for somebody to ask for: the first since the last time. Making a text for each frame that is refused
/// would cost more than refusing it.
const MOST_KEPT: usize = 64;

/// Frames of one direction. What was received is all of the other fields together but the last two:
/// `received = forwarded + dropped + too_large + ring_full + rejected + pending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionStats {
    /// Taken out of the ring.
    pub received: u64,
    /// Taken by the kernel on the other side.
    pub forwarded: u64,
    /// By the hook.
    pub dropped: u64,
    /// Longer than the other side's MTU and not to be cut into segments, or cut by the ring already.
    pub too_large: u64,
    /// Given up: there never was room, although nothing of ours waited on the other side.
    pub ring_full: u64,
    /// The other side was down, or could make nothing of it.
    pub rejected: u64,
    /// Taken out of the ring and not decided or not taken yet.
    pub pending: u64,
    /// Times that forwarding stopped because the other side had no room.
    pub pushed_back: u64,
    /// Dropped by the kernel because the ring was full.
    pub kernel_drops: u64,
}

/// Reasons of refused frames.
#[derive(Debug, Default)]
pub(super) struct Reports(Vec<Error>);

impl Reports {
    /// Keeps a reason, where there is room for one.
    pub(super) fn add(&mut self, reason: impl FnOnce() -> Error) {
        if self.0.len() < MOST_KEPT {
            self.0.push(reason());
        }
    }

    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.0)
    }
}
