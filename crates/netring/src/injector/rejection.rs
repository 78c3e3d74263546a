//! Frames that the kernel refuses: which, why, and how many.

use std::io;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// Kept for somebody to ask for.
const MOST_KEPT: usize = 64;
/// How long a frame may be refused with nothing else in the kernel before it is given up.
const HOPELESS_AFTER: Duration = Duration::from_millis(100);

/// What was refused.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    total: u64,
    kept: Vec<Error>,
    /// Since when the frame at the head has been refused with nothing else in the kernel.
    refused_since: Option<Instant>,
}

impl Rejections {
    /// Whether the frame at the head, for which the kernel has no room again, would be refused for
    /// ever. Where nothing of ours waits in the kernel no queue is full of our frames: a queueing
    /// discipline or a filter drops this one (NET_XMIT_DROP is ENOBUFS as well). Not at once,
    /// because the queue may be full of somebody else's.
    pub(super) fn is_hopeless(&mut self, others_wait: bool, now: Instant) -> bool {
        if others_wait {
            self.refused_since = None;
            return false;
        }
        now.duration_since(*self.refused_since.get_or_insert(now)) > HOPELESS_AFTER
    }

    /// Another frame is at the head now.
    pub(super) fn head_moved(&mut self) {
        self.refused_since = None;
    }

    /// The frame at the head was refused.
    pub(super) fn count(&mut self) {
        self.total += 1;
        self.head_moved();
    }

    /// Keeps a reason. Nobody may ever ask for it; the newest say enough.
    pub(super) fn keep(&mut self, reason: Error) {
        if self.kept.len() == MOST_KEPT {
            self.kept.remove(0);
        }
        self.kept.push(reason);
    }

    /// How many were refused.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Reasons that [`take`](Self::take) has to tell.
    pub(super) fn unreported(&self) -> usize {
        self.kept.len()
    }

    /// The reasons kept since the last call.
    pub(super) fn take(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.kept)
    }
}

/// Why the kernel refused a frame, by the errno that it gave for it.
pub(crate) fn describe(error: &io::Error, length: u32, interface: &str, mtu: Option<i32>) -> Error {
    let reason = match error.raw_os_error() {
        Some(libc::EMSGSIZE) => {
            let mtu = mtu.map_or_else(|| "?".to_owned(), |mtu| mtu.to_string());
            format!(
                "a frame of {length} bytes is too long for interface {interface:?}, whose MTU is {mtu} bytes plus link-layer header"
            )
        }
        Some(libc::ENOBUFS | libc::ENOMEM) => format!(
            "a frame of {length} bytes is dropped by interface {interface:?} again and again although no other waits: look at `tc qdisc` (a shaper's burst may be shorter than the frame) and `tc filter`"
        ),
        _ => format!("a frame of {length} bytes has no valid link-layer header for interface {interface:?}"),
    };
    Error::os(ErrorKind::Frame, "sendmmsg", error, reason).on_interface(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_given_up_only_when_nothing_else_has_waited_for_long() {
        let mut rejections = Rejections::default();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert!(!rejections.is_hopeless(false, start));
        assert!(!rejections.is_hopeless(false, after(99)));
        assert!(!rejections.is_hopeless(true, after(150)), "a full queue");
        assert!(!rejections.is_hopeless(false, after(160)), "from now on");
        assert!(rejections.is_hopeless(false, after(261)));
        rejections.head_moved();
        assert!(!rejections.is_hopeless(false, after(300)), "another frame");
    }

    #[test]
    fn the_newest_reasons_are_kept_and_all_are_counted() {
        let mut rejections = Rejections::default();
        for number in 0..100 {
            rejections.count();
            rejections.keep(Error::new(ErrorKind::Frame, number.to_string()));
        }
        assert_eq!(rejections.total(), 100);
        let told = rejections.take();
        assert_eq!(told.len(), MOST_KEPT);
        assert_eq!(told.last().map(|error| error.message.as_str()), Some("99"));
        assert_eq!((rejections.unreported(), rejections.total()), (0, 100));
    }
}
