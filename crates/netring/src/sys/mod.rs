//! The only callers of the operating system. Each module wraps one facility and turns -1 into
//! `io::Error`; which error that means to a user is decided by the callers.
#![cfg_attr(not(feature = "xdp"), allow(dead_code, reason = "some calls are AF_XDP's only"))]
#![allow(unreachable_pub, reason = "the module is private; tests are given parts of it by `test_support`")]

pub mod affinity;
#[cfg(feature = "xdp")]
pub mod bpf;
pub mod epoll;
pub mod ethtool;
pub(crate) mod file;
pub mod map;
pub mod membarrier;
pub(crate) mod memory;
pub mod netlink;
pub mod netns;
pub mod packet;
pub mod poll;
pub mod send;
pub(crate) mod timer;
#[cfg(feature = "xdp")]
pub mod xdp;

use std::io;
use std::time::{Duration, Instant};

/// Turns the C convention into a result.
pub(crate) fn check(value: libc::c_int) -> io::Result<libc::c_int> {
    if value < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// So long from now; a century from now where that is beyond what a clock can say.
pub fn deadline_after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(u64::from(u32::MAX)))
}

/// The page size of the running kernel: 4, 16 or 64 KiB.
#[expect(unsafe_code, reason = "sysconf")]
pub fn page_size() -> u32 {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u32::try_from(size).unwrap_or(4096)
}
