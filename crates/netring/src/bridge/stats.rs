//! Counters of one direction.

/// Frames of one direction. Each received frame is in exactly one of the fields after it, the last
/// two aside: `received = forwarded + dropped + too_large + ring_full + rejected + pending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionStats {
    /// Taken out of the ring.
    pub received: u64,
    /// Taken by the kernel on the other side.
    pub forwarded: u64,
    /// Dropped by the filter or the hook.
    pub dropped: u64,
    /// Longer than the other side's MTU without asking for segmentation, or cut by the ring.
    pub too_large: u64,
    /// Given up when the retry budget expired: no room, although no frame of ours waited there.
    pub ring_full: u64,
    /// Refused: the other side was down, or the frame was malformed.
    pub rejected: u64,
    /// Taken out of the ring and not decided or not taken yet.
    pub pending: u64,
    /// Times that forwarding stopped because the other side had no room.
    pub pushed_back: u64,
    /// Dropped by the kernel because the ring was full.
    pub kernel_drops: u64,
}
