//! An edge-triggered epoll for one socket or a few.
//!
//! poll(2) on a V3 ring looks only at the block before the current one, so it reports readiness
//! while user space holds that block: holding the newest one made 80 000 instant wake-ups
//! in 50 ms. Edge-triggered epoll reports an event once. tokio can wait on the epoll's own
//! descriptor, and closing the socket removes it from the set, so no wait keeps a socket alive.
#![expect(unsafe_code, reason = "epoll_create1, epoll_ctl, epoll_wait")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use tokio::io::Interest as TokioInterest;
use tokio::io::unix::AsyncFd;

use super::check;

/// Events since the last read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpollEvents {
    /// Any event.
    pub any: bool,
    /// The socket has a pending error (SO_ERROR).
    pub error: bool,
}

/// The events to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Readable, or an error.
    Read,
    /// Writable, or an error.
    Write,
}

/// Registers a readable descriptor with the tokio runtime that is entered.
pub(crate) fn register<T: SteadyFd>(target: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: R6. A SteadyFd gives the same open descriptor for as long as it lives.
    unsafe { AsyncFd::register_with_interest(target, TokioInterest::READABLE) }.map_err(Into::into)
}

/// Types that own one descriptor for their whole life: `as_raw_fd` always returns that one.
pub(crate) trait SteadyFd: AsFd + AsRawFd {}
impl SteadyFd for std::sync::Arc<EpollSet> {}
impl SteadyFd for super::netlink::LinkSocket {}

/// Events taken at a time; of each descriptor there is one at most.
const EVENTS: usize = 32;

/// The epoll.
#[derive(Debug)]
pub struct EpollSet {
    fd: OwnedFd,
}

impl AsRawFd for EpollSet {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsFd for EpollSet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl EpollSet {
    /// Watches a descriptor as long as it is open.
    pub fn of(target: BorrowedFd<'_>, interest: Interest) -> io::Result<Self> {
        let epoll = Self::none()?;
        epoll.add(target, interest)?;
        Ok(epoll)
    }

    /// An epoll without descriptors.
    pub fn none() -> io::Result<Self> {
        // SAFETY: no preconditions; on success the descriptor is new and ours.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: as above.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Watches one more descriptor.
    pub fn add(&self, target: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
        let wanted = match interest {
            Interest::Read => libc::EPOLLIN,
            Interest::Write => libc::EPOLLOUT,
        };
        self.control(libc::EPOLL_CTL_ADD, target, wanted)
    }

    /// Masks the events of a descriptor that was added for reading, except errors, or unmasks them. Unmasking reports
    /// an event if there is data by then (`ep_modify`, fs/eventpoll.c).
    ///
    /// An event wakes the thread that waits for this epoll even if no reader wants it: ten thousand events a second
    /// would keep that thread busy for nothing.
    pub fn set_masked(&self, target: BorrowedFd<'_>, masked: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, target, if masked { 0 } else { libc::EPOLLIN })
    }

    fn control(&self, operation: libc::c_int, target: BorrowedFd<'_>, wanted: libc::c_int) -> io::Result<()> {
        let mut event = libc::epoll_event { events: (wanted | libc::EPOLLERR | libc::EPOLLET) as u32, u64: 0 };
        // SAFETY: the event is live for the call, and copied by the kernel.
        check(unsafe { libc::epoll_ctl(self.as_raw_fd(), operation, target.as_raw_fd(), &raw mut event) })?;
        Ok(())
    }

    /// Stops watching a descriptor.
    pub fn remove(&self, target: BorrowedFd<'_>) -> io::Result<()> {
        let none = std::ptr::null_mut();
        // SAFETY: removing takes no event (epoll_ctl(2)).
        check(unsafe { libc::epoll_ctl(self.as_raw_fd(), libc::EPOLL_CTL_DEL, target.as_raw_fd(), none) })?;
        Ok(())
    }

    /// Takes the events since the last call. Check the ring *after* this call and wait only if it is empty: an event
    /// in between is not lost.
    pub fn clear(&self) -> io::Result<EpollEvents> {
        self.wait_ms(0)
    }

    /// Waits for an event until a deadline. Signals do not end the wait.
    pub fn wait_until(&self, deadline: Instant) -> io::Result<EpollEvents> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up, else the last fraction of a millisecond would be a spin.
            let ms = left
                .checked_add(Duration::from_micros(999))
                .map_or(i32::MAX, |left| i32::try_from(left.as_millis()).unwrap_or(i32::MAX));
            match self.wait_ms(ms) {
                Ok(events) if !events.any && Instant::now() < deadline => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn wait_ms(&self, ms: i32) -> io::Result<EpollEvents> {
        let mut taken = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let mut events = EpollEvents::default();
        let mut wait = ms;
        loop {
            // SAFETY: room for EVENTS events is given.
            let count = check(unsafe { libc::epoll_wait(self.as_raw_fd(), taken.as_mut_ptr(), EVENTS as i32, wait) })?;
            let came = &taken[..count as usize];
            events.any |= !came.is_empty();
            events.error |= came.iter().any(|event| event.events & libc::EPOLLERR as u32 != 0);
            // Take all events: a remaining one would cause a second wake-up for the same packets.
            if came.len() < EVENTS {
                return Ok(events);
            }
            wait = 0;
        }
    }
}
