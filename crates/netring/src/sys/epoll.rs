//! An edge-triggered epoll of one's own, for one socket or a few.
//!
//! poll(2) on a V3 ring looks only at the block before the current one, so it reports readiness
//! for as long as somebody holds that block: holding the newest one made 80 000 instant wake-ups
//! in 50 ms. An edge is reported once. The epoll's descriptor can itself be waited on (by tokio),
//! and closing the socket takes it out of the set, so no wait ever keeps a socket alive.
#![expect(unsafe_code, reason = "epoll_create1, epoll_ctl, epoll_wait")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use tokio::io::Interest as TokioInterest;
use tokio::io::unix::AsyncFd;

use super::check;

/// What came since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpollEvents {
    /// Anything at all.
    pub any: bool,
    /// The socket has a pending error (SO_ERROR).
    pub error: bool,
}

/// What to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or an error.
    Read,
    /// Room to write, or an error.
    Write,
}

/// Registers a readable descriptor with the tokio runtime that is entered.
pub(crate) fn register<T: SteadyFd>(target: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: R6. A SteadyFd gives the same open descriptor for as long as it lives.
    unsafe { AsyncFd::register_with_interest(target, TokioInterest::READABLE) }.map_err(Into::into)
}

/// Types that own one descriptor from their making to their end: `as_raw_fd` always gives that one.
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
    /// Watches a descriptor for as long as that is open.
    pub fn of(target: BorrowedFd<'_>, interest: Interest) -> io::Result<Self> {
        let edges = Self::none()?;
        edges.add(target, interest)?;
        Ok(edges)
    }

    /// Watches nothing.
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

    /// Tells of nothing but errors of a descriptor that was added for reading; or of data, too, again. If there is
    /// data by then, that is an edge (`ep_modify`, fs/eventpoll.c).
    ///
    /// An edge wakes whoever waits for this epoll, also where nobody is interested any more: a socket whose edges come
    /// by the ten thousand a second keeps a thread busy with nothing.
    pub fn mute(&self, target: BorrowedFd<'_>, muted: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, target, if muted { 0 } else { libc::EPOLLIN })
    }

    fn control(&self, operation: libc::c_int, target: BorrowedFd<'_>, wanted: libc::c_int) -> io::Result<()> {
        let mut event = libc::epoll_event { events: (wanted | libc::EPOLLERR | libc::EPOLLET) as u32, u64: 0 };
        // SAFETY: the event is live for the call, and copied by the kernel.
        check(unsafe { libc::epoll_ctl(self.as_raw_fd(), operation, target.as_raw_fd(), &raw mut event) })?;
        Ok(())
    }

    /// Watches a descriptor no more.
    pub fn remove(&self, target: BorrowedFd<'_>) -> io::Result<()> {
        let none = std::ptr::null_mut();
        // SAFETY: removing takes no event (epoll_ctl(2)).
        check(unsafe { libc::epoll_ctl(self.as_raw_fd(), libc::EPOLL_CTL_DEL, target.as_raw_fd(), none) })?;
        Ok(())
    }

    /// Takes the edges that came since the last call. PollState at the ring *after* this and wait only
    /// if it has nothing: an edge that comes in between is not lost.
    pub fn clear(&self) -> io::Result<EpollEvents> {
        self.wait_ms(0)
    }

    /// Waits for an edge until a deadline; none came when it passed. Signals do not end the wait.
    pub fn wait_until(&self, deadline: Instant) -> io::Result<EpollEvents> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up, else the last fraction of a millisecond would be a spin.
            let ms = left
                .checked_add(Duration::from_micros(999))
                .map_or(i32::MAX, |left| i32::try_from(left.as_millis()).unwrap_or(i32::MAX));
            match self.wait_ms(ms) {
                Ok(edge) if !edge.any && Instant::now() < deadline => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn wait_ms(&self, ms: i32) -> io::Result<EpollEvents> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let mut edge = EpollEvents::default();
        let mut wait = ms;
        loop {
            // SAFETY: room for EVENTS events is given.
            let count = check(unsafe { libc::epoll_wait(self.as_raw_fd(), events.as_mut_ptr(), EVENTS as i32, wait) })?;
            let came = &events[..count as usize];
            edge.any |= !came.is_empty();
            edge.error |= came.iter().any(|event| event.events & libc::EPOLLERR as u32 != 0);
            // All of them are taken: one that stayed would be a second wake-up for the same news.
            if came.len() < EVENTS {
                return Ok(edge);
            }
            wait = 0;
        }
    }
}
