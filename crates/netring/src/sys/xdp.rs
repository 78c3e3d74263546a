//! Socket options and system calls of AF_XDP that libxdp does not wrap.
#![expect(unsafe_code, reason = "getsockopt, setsockopt, sendto, recvfrom, fcntl")]

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

const SO_PREFER_BUSY_POLL: libc::c_int = 69;
const SO_BUSY_POLL_BUDGET: libc::c_int = 70;

/// `struct xdp_statistics`: since the socket was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct XdpStats {
    /// Packets that found no frame in the fill ring, or were longer than a frame.
    pub rx_dropped: u64,
    /// Descriptors of the fill ring that the kernel refused.
    pub rx_invalid_descriptors: u64,
    /// Descriptors of the transmit ring that the kernel refused.
    pub tx_invalid_descriptors: u64,
    /// Packets that found no room in the receive ring.
    pub rx_ring_full: u64,
    /// Times the kernel found the fill ring empty.
    pub rx_fill_ring_empty: u64,
    /// Times the kernel found the transmit ring empty.
    pub tx_ring_empty: u64,
}

fn get<T: Copy>(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int) -> io::Result<T> {
    // SAFETY: every T used here consists of integers, for which zeros are valid.
    let mut value: T = unsafe { zeroed() };
    let mut len = size_of::<T>() as libc::socklen_t;
    let pointer = std::ptr::from_mut(&mut value).cast();
    // SAFETY: the kernel writes at most `len` bytes to `value`.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, pointer, &raw mut len) })?;
    Ok(value)
}

fn set(socket: BorrowedFd<'_>, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel reads one int.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const value).cast(), len) })?;
    Ok(())
}

/// The counters; reading does not reset them.
pub fn statistics(socket: BorrowedFd<'_>) -> io::Result<XdpStats> {
    get(socket, libc::SOL_XDP, libc::XDP_STATISTICS)
}

/// Whether the driver uses the UMEM itself, without a copy.
pub fn is_zero_copy(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let flags: u32 = get(socket, libc::SOL_XDP, libc::XDP_OPTIONS)?;
    Ok(flags & libc::XDP_OPTIONS_ZEROCOPY != 0)
}

/// Reads and clears the pending error. ENETDOWN: the interface is gone (`xsk_notifier`, net/xdp/xsk.c); the socket does
/// not report an interface that is merely down.
pub fn take_error(socket: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    let errno: libc::c_int = get(socket, libc::SOL_SOCKET, libc::SO_ERROR)?;
    Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
}

/// Polls the device for up to `us` microseconds when there is nothing to read. Bound sockets only.
pub fn set_busy_poll(socket: BorrowedFd<'_>, us: i32) -> io::Result<()> {
    set(socket, libc::SO_BUSY_POLL, us)
}

/// Leaves the device's interrupts off while the socket is polled often enough (5.11).
pub fn prefer_busy_poll(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, SO_PREFER_BUSY_POLL, 1)
}

/// Packets that one poll takes at most (5.11).
pub fn set_busy_poll_budget(socket: BorrowedFd<'_>, packets: i32) -> io::Result<()> {
    set(socket, SO_BUSY_POLL_BUDGET, packets)
}

/// Buffer space for sending in copy mode, past the system's limit where that is allowed.
pub fn set_send_buffer(socket: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    set(socket, libc::SO_SNDBUFFORCE, bytes).or_else(|_| set(socket, libc::SO_SNDBUF, bytes))
}

/// Sets close-on-exec: a child process would inherit libxdp's sockets and keep them open.
pub fn close_on_exec(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: fcntl takes integers only.
    check(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(())
}

/// Asks the kernel to send frames of the transmit ring, as many as it will in one call. Never waits; EAGAIN: more
/// frames remain.
pub fn kick_transmit(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no bytes and no address are given.
    let sent =
        unsafe { libc::sendto(socket.as_raw_fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Wakes a driver that waits for frames in the fill ring. Never waits.
pub fn kick_receive(socket: BorrowedFd<'_>) -> io::Result<()> {
    let null = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: no room for bytes and none for an address is given.
    let received = unsafe { libc::recvfrom(socket.as_raw_fd(), null, 0, libc::MSG_DONTWAIT, null.cast(), null.cast()) };
    if received < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
