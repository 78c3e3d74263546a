//! How long a frame is offered again for which there is never room.

use std::time::{Duration, Instant};

/// At first. Long enough for a queue that is full of somebody else's frames.
const MOST: Duration = Duration::from_millis(10);
/// Less is nothing: frames are offered again after a millisecond.
const LEAST: Duration = Duration::from_millis(1);
/// RetryBudget comes back once it has not been tried in vain for so long.
const FORGIVEN_AFTER: Duration = Duration::from_secs(1);

/// The kernel says the same (ENOBUFS, for NET_XMIT_DROP) of a frame that a full queue drops and of one that a filter
/// or a shaper drops each time. While frames of ours wait below, it is the queue. Otherwise nobody knows, so the frame
/// is offered again for a while, and each time that this was in vain for half as long: a filter that drops many must
/// not hold up all the others.
#[derive(Debug)]
pub(super) struct RetryBudget {
    limit: Duration,
    /// Since when the frame that is next has been refused with nothing of ours below.
    since: Option<Instant>,
    /// When it was in vain the last time.
    expired_at: Option<Instant>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { limit: MOST, since: None, expired_at: None }
    }
}

impl RetryBudget {
    /// The next frame found no room; whether to give it up.
    pub(super) fn expired(&mut self, ours_wait: bool, now: Instant) -> bool {
        if ours_wait {
            self.since = None;
            return false;
        }
        if self.expired_at.is_some_and(|then| now.duration_since(then) >= FORGIVEN_AFTER) {
            (self.limit, self.expired_at) = (MOST, None);
        }
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) < self.limit {
            return false;
        }
        let half = self.limit / 2;
        self.limit = if half < LEAST { Duration::ZERO } else { half };
        (self.since, self.expired_at) = (None, Some(now));
        true
    }

    /// Frames were taken.
    pub(super) fn reset(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_ours_is_waited_for_without_end() {
        let mut retry = RetryBudget::default();
        let start = Instant::now();
        for second in 0..100 {
            assert!(!retry.expired(true, start + Duration::from_secs(second)));
        }
    }

    #[test]
    fn vain_patience_halves_and_comes_back() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut retry = RetryBudget::default();
        assert!(!retry.expired(false, after(0)));
        assert!(!retry.expired(false, after(9)));
        assert!(retry.expired(false, after(10)));
        assert!(!retry.expired(false, after(11)), "the next frame");
        assert!(retry.expired(false, after(16)), "half as long");
        for _ in 0..3 {
            retry.expired(false, after(20));
            retry.expired(false, after(30));
        }
        assert!(retry.expired(false, after(31)), "no retry is left");
        assert!(!retry.expired(false, after(1031)), "a second later it is");
        retry.reset();
        assert!(!retry.expired(false, after(1050)), "another frame");
    }
}
