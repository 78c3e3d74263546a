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
pub(super) struct RejectionLog {
    kept: Vec<Error>,
    /// Somebody has been told that there are some.
    told: bool,
}

impl RejectionLog {
    /// Keeps a reason, where there is room for one.
    pub(super) fn add(&mut self, reason: impl FnOnce() -> Error) {
        if self.kept.len() < MOST_KEPT {
            self.kept.push(reason());
        }
    }

    /// Whether somebody has to be told: once until they are taken.
    pub(super) fn take_unreported(&mut self) -> bool {
        !self.kept.is_empty() && !std::mem::replace(&mut self.told, true)
    }

    pub(super) fn take(&mut self) -> Vec<Error> {
        self.told = false;
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn reports_are_told_once_until_taken_and_again_with_the_next() {
        let mut reports = RejectionLog::default();
        assert!(!reports.take_unreported());
        for _ in 0..2 {
            for number in 0..100 {
                reports.add(|| Error::new(ErrorKind::Frame, number.to_string()));
                assert_eq!(reports.take_unreported(), number == 0);
            }
            let taken = reports.take();
            assert_eq!((taken.len(), taken[0].message.as_str()), (MOST_KEPT, "0"));
            assert!(!reports.take_unreported());
        }
    }
}
