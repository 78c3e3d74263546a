//! A timer as a descriptor, in microseconds. The timers of tokio, of libuv and of epoll_wait(2) know milliseconds.
#![expect(unsafe_code, reason = "timerfd_create, timerfd_settime")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use super::check;
use super::epoll::SteadyFd;

/// A timer that goes off once each time it is set. It is readable from then until it is set again.
#[derive(Debug)]
pub(crate) struct Timer {
    fd: OwnedFd,
}

impl SteadyFd for std::sync::Arc<Timer> {}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Timer {
    /// A timer that is not set.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no preconditions; on success the descriptor is new and ours.
        let fd = check(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) })?;
        // SAFETY: as above.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Sets it to go off after `delay`, at once if that is zero. This replaces the previous time.
    pub(crate) fn set(&self, delay: Duration) -> io::Result<()> {
        // Zero would disarm the timer.
        let delay = delay.max(Duration::from_nanos(1));
        let value = libc::timespec {
            tv_sec: libc::time_t::try_from(delay.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: delay.subsec_nanos().into(),
        };
        let once = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // SAFETY: the kernel reads `once`, which is live for the call, and writes nothing.
        check(unsafe { libc::timerfd_settime(self.as_raw_fd(), 0, &raw const once, ptr::null_mut()) })?;
        Ok(())
    }
}
