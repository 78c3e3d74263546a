//! How long a frame is offered again for which there is never room.

use std::time::{Duration, Instant};

/// At first. Long enough for a queue that is full of somebody else's frames.
const MOST: Duration = Duration::from_millis(10);
/// Less is nothing: frames are offered again after a millisecond.
const LEAST: Duration = Duration::from_millis(1);
/// Patience comes back once it has not been tried in vain for so long.
const FORGIVEN_AFTER: Duration = Duration::from_secs(1);

/// The kernel says the same (ENOBUFS, for NET_XMIT_DROP) of a frame that a full queue drops and of one that a filter
/// or a shaper drops each time. While frames of ours wait below, it is the queue. Otherwise nobody knows, so the frame
/// is offered again for a while, and each time that this was in vain for half as long: a filter that drops many must
/// not hold up all the others.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    /// Since when the frame that is next has been refused with nothing of ours below.
    since: Option<Instant>,
    /// When it was in vain the last time.
    in_vain: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { limit: MOST, since: None, in_vain: None }
    }
}

impl Patience {
    /// The next frame found no room; whether to give it up.
    pub(super) fn is_over(&mut self, ours_wait: bool, now: Instant) -> bool {
        if ours_wait {
            self.since = None;
            return false;
        }
        if self.in_vain.is_some_and(|then| now.duration_since(then) >= FORGIVEN_AFTER) {
            (self.limit, self.in_vain) = (MOST, None);
        }
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) < self.limit {
            return false;
        }
        let half = self.limit / 2;
        self.limit = if half < LEAST { Duration::ZERO } else { half };
        (self.since, self.in_vain) = (None, Some(now));
        true
    }

    /// Frames were taken.
    pub(super) fn rewarded(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_ours_is_waited_for_without_end() {
        let mut patience = Patience::default();
        let start = Instant::now();
        for second in 0..100 {
            assert!(!patience.is_over(true, start + Duration::from_secs(second)));
        }
    }

    #[test]
    fn vain_patience_halves_and_comes_back() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut patience = Patience::default();
        assert!(!patience.is_over(false, after(0)));
        assert!(!patience.is_over(false, after(9)));
        assert!(patience.is_over(false, after(10)));
        assert!(!patience.is_over(false, after(11)), "the next frame");
        assert!(patience.is_over(false, after(16)), "half as long");
        for _ in 0..3 {
            patience.is_over(false, after(20));
            patience.is_over(false, after(30));
        }
        assert!(patience.is_over(false, after(31)), "no patience is left");
        assert!(!patience.is_over(false, after(1031)), "a second later it is");
        patience.rewarded();
        assert!(!patience.is_over(false, after(1050)), "another frame");
    }
}
