//! Waiting for any of some descriptors on this thread, and ending such a wait from another one.
#![expect(unsafe_code, reason = "poll, eventfd, read, write")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Instant;

use super::check;

/// Waits until one of the descriptors is readable, or until a deadline. Signals end the wait early.
pub fn readable(descriptors: &[BorrowedFd<'_>], deadline: Option<Instant>) -> io::Result<()> {
    let mut set: Vec<libc::pollfd> = descriptors
        .iter()
        .map(|descriptor| libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let timeout = left.map(|left| libc::timespec {
        tv_sec: left.as_secs().min(u64::from(u32::MAX)) as libc::time_t,
        tv_nsec: left.subsec_nanos() as libc::c_long,
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `set` has as many entries as are said, the timeout is live or null, no signal mask is given.
    let ready = check(unsafe { libc::ppoll(set.as_mut_ptr(), set.len() as libc::nfds_t, timeout, std::ptr::null()) });
    match ready {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// A descriptor that is readable from [`notify`](Self::notify) until [`clear`](Self::clear).
#[derive(Debug)]
pub struct Notifier(OwnedFd);

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Notifier {
    /// A notifier that is not readable.
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd has no preconditions; on success the descriptor is new and ours.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: as above.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Wakes the current or the next wait. A failed write does no harm: a full counter is readable, too.
    pub fn notify(&self) {
        let one = 1u64;
        // SAFETY: eight live bytes are given.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Makes it unreadable again.
    pub fn clear(&self) {
        let mut count = 0u64;
        // SAFETY: room for eight bytes is given.
        let _ = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::deadline_after;

    #[test]
    fn a_notifier_ends_a_wait_until_it_is_cleared() {
        let notifier = Notifier::new().unwrap();
        notifier.notify();
        notifier.notify();
        readable(&[notifier.as_fd()], None).unwrap();
        notifier.clear();
        let start = Instant::now();
        readable(&[notifier.as_fd()], Some(deadline_after(Duration::from_millis(5)))).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(5), "it has not been notified again");
    }
}
