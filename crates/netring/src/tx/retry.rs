//! How long to retry a frame that the kernel keeps refusing with ENOBUFS.

use std::time::{Duration, Instant};

/// A shorter limit is none: senders retry after a millisecond.
const LEAST: Duration = Duration::from_millis(1);
/// The full limit holds again when none has expired for this long.
const RECOVERY: Duration = Duration::from_secs(1);

/// The time for which a frame is retried before it is given up.
///
/// The kernel returns ENOBUFS (NET_XMIT_DROP) both for a frame that a full queue drops and for one
/// that a filter or a shaper drops each time. While frames of ours wait below, the cause is a full
/// queue, and the frame is retried without limit. Otherwise the cause is unknown: the queue may be
/// full of other senders' frames. The frame is then retried for a limited time. Each time the limit
/// expires it is halved for the frames that follow, down to a floor, because a filter that drops many
/// frames must not hold up all others; below a millisecond it is zero. A second after the last expiry
/// the full limit holds again.
///
/// Limit and floor depend on the frames that wait meanwhile. An injector retries every frame for
/// 100 ms: its caller asked for this very frame to be sent, and only the caller's own frames are behind
/// it. A bridge retries for 10 ms and less: the traffic of two networks is behind the frame, its ring
/// fills meanwhile, and hosts send again what a network drops.
#[derive(Debug)]
pub struct RetryBudget {
    full: Duration,
    floor: Duration,
    limit: Duration,
    /// Since when the next frame has been refused while nothing of ours waited below.
    since: Option<Instant>,
    expired_at: Option<Instant>,
}

impl RetryBudget {
    /// For an injector: 100 ms for each frame.
    pub fn injector() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_millis(100))
    }

    /// For a bridge: 10 ms, and down to none.
    pub fn bridge() -> Self {
        Self::new(Duration::from_millis(10), Duration::ZERO)
    }

    fn new(full: Duration, floor: Duration) -> Self {
        Self { full, floor, limit: full, since: None, expired_at: None }
    }

    /// The next frame was refused with ENOBUFS. Returns whether to give it up; the frame after it
    /// then starts anew.
    pub fn expired(&mut self, ours_wait: bool, now: Instant) -> bool {
        if ours_wait {
            self.since = None;
            return false;
        }
        if self.expired_at.is_some_and(|then| now.duration_since(then) >= RECOVERY) {
            (self.limit, self.expired_at) = (self.full, None);
        }
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) < self.limit {
            return false;
        }
        let half = self.limit / 2;
        self.limit = self.floor.max(if half < LEAST { Duration::ZERO } else { half });
        (self.since, self.expired_at) = (None, Some(now));
        true
    }

    /// Another frame is next: one was taken or refused.
    pub fn reset(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_frames_of_ours_wait_there_is_no_limit() {
        let mut retry = RetryBudget::bridge();
        let start = Instant::now();
        for second in 0..100 {
            assert!(!retry.expired(true, start + Duration::from_secs(second)));
        }
    }

    #[test]
    fn each_expiry_halves_the_limit_until_it_recovers() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut retry = RetryBudget::bridge();
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

    #[test]
    fn a_frame_is_given_up_only_when_nothing_else_has_waited_for_long() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut retry = RetryBudget::injector();
        assert!(!retry.expired(false, start));
        assert!(!retry.expired(false, after(99)));
        assert!(!retry.expired(true, after(150)), "a full queue");
        assert!(!retry.expired(false, after(160)), "from now on");
        assert!(retry.expired(false, after(261)));
        retry.reset();
        assert!(!retry.expired(false, after(300)), "another frame");
    }

    #[test]
    fn an_injector_gives_every_frame_the_same_time() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut retry = RetryBudget::injector();
        for frame in 0..10 {
            assert!(!retry.expired(false, after(frame * 110)), "{frame}");
            assert!(!retry.expired(false, after(frame * 110 + 99)), "{frame}");
            assert!(retry.expired(false, after(frame * 110 + 100)), "{frame}");
        }
    }
}
