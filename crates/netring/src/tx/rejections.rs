//! Which frames were refused: all are counted, the first 64 reasons are kept.

use crate::error::Error;

/// Reasons kept between two calls of [`RejectionLog::take`].
const MOST_KEPT: usize = 64;

/// Counts refused frames and keeps the first 64 reasons since they were last taken.
///
/// The first, not the newest: they show what began, and a flood of refused frames then costs a
/// counter each. Making a text for each of them would cost more than refusing it.
#[derive(Debug)]
pub struct RejectionLog<T = Error> {
    total: u64,
    unreported: usize,
    kept: Vec<T>,
    /// [`take_unreported`](Self::take_unreported) has returned true since the last `take`.
    reported: bool,
}

impl<T> Default for RejectionLog<T> {
    fn default() -> Self {
        Self { total: 0, unreported: 0, kept: Vec::new(), reported: false }
    }
}

impl<T> RejectionLog<T> {
    /// Counts a refused frame. `reason` is called only if there is room to keep it.
    pub fn add(&mut self, reason: impl FnOnce() -> T) {
        self.total += 1;
        self.unreported += 1;
        if self.kept.len() < MOST_KEPT {
            self.kept.push(reason());
        }
    }

    /// Counts a refused frame whose reason the caller reports itself.
    pub fn count(&mut self) {
        self.total += 1;
    }

    /// Frames refused so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Frames refused since the last [`take`](Self::take), including those whose reason was not kept.
    pub fn unreported(&self) -> usize {
        self.unreported
    }

    /// Whether there are reasons to take: true once, then false until they were taken.
    pub fn take_unreported(&mut self) -> bool {
        !self.kept.is_empty() && !std::mem::replace(&mut self.reported, true)
    }

    /// The reasons kept since the last call.
    pub fn take(&mut self) -> Vec<T> {
        (self.reported, self.unreported) = (false, 0);
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_announced_once_until_taken_and_again_with_the_next() {
        let mut log = RejectionLog::default();
        assert!(!log.take_unreported());
        for round in 1..=2 {
            for number in 0..100 {
                log.add(|| number);
                assert_eq!(log.take_unreported(), number == 0);
            }
            assert_eq!((log.unreported(), log.total()), (100, round * 100));
            let taken = log.take();
            assert_eq!((taken.len(), taken[0], taken[63]), (MOST_KEPT, 0, 63));
            assert!(!log.take_unreported());
            assert_eq!((log.unreported(), log.total()), (0, round * 100));
        }
    }

    #[test]
    fn a_reason_that_is_not_kept_is_not_made() {
        let mut log = RejectionLog::default();
        let mut made = 0;
        for _ in 0..100 {
            log.add(|| made += 1);
        }
        assert_eq!(made, MOST_KEPT);
    }

    #[test]
    fn a_frame_reported_otherwise_is_only_counted() {
        let mut log = RejectionLog::<()>::default();
        log.count();
        assert_eq!((log.total(), log.unreported(), log.take_unreported()), (1, 0, false));
        assert!(log.take().is_empty());
    }
}
