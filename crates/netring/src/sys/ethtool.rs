//! Speed, driver and queues as ethtool(8) reads them, through SIOCETHTOOL on any socket of the namespace.
#![expect(unsafe_code, reason = "ioctl")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;
use super::packet::interface_request;

/// include/uapi/linux/sockios.h
const SIOCETHTOOL: libc::c_ulong = 0x8946;
/// include/uapi/linux/ethtool.h
const ETHTOOL_GDRVINFO: u32 = 0x0000_0003;
const ETHTOOL_GSET: u32 = 0x0000_0001;
const ETHTOOL_GCHANNELS: u32 = 0x0000_003c;
const SPEED_UNKNOWN: u32 = u32::MAX;

/// `struct ethtool_drvinfo`; the driver's name is at 4, 32 bytes with a NUL.
const DRIVER_INFO_BYTES: usize = 196;
/// `struct ethtool_cmd`; `speed` is at 12 and `speed_hi` at 28, 16 bits each.
const SETTINGS_BYTES: usize = 44;

/// The driver's name, or `None` where the interface reports none.
pub fn driver(socket: BorrowedFd<'_>, interface: &str) -> io::Result<Option<String>> {
    let Some(bytes) = query::<DRIVER_INFO_BYTES>(socket, interface, ETHTOOL_GDRVINFO)? else { return Ok(None) };
    let name = &bytes[4..36];
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let name = String::from_utf8_lossy(&name[..end]).into_owned();
    Ok((!name.is_empty()).then_some(name))
}

/// The link's speed in Mbit/s, or `None` where it has none or does not know it.
pub fn speed(socket: BorrowedFd<'_>, interface: &str) -> io::Result<Option<u32>> {
    let Some(bytes) = query::<SETTINGS_BYTES>(socket, interface, ETHTOOL_GSET)? else { return Ok(None) };
    let half = |at: usize| u32::from(u16::from_ne_bytes([bytes[at], bytes[at + 1]]));
    let speed = half(28) << 16 | half(12);
    let unknown = speed == SPEED_UNKNOWN || speed == 0 || speed == 0xffff;
    Ok((!unknown).then_some(speed))
}

/// `struct ethtool_channels`: the maxima, then how many are used, for receiving at 20, for sending at 24, for both at
/// 32.
const CHANNELS_BYTES: usize = 36;

/// Receive queues in use, or `None` where the driver does not report them.
pub fn receive_queues(socket: BorrowedFd<'_>, interface: &str) -> io::Result<Option<u32>> {
    channels(socket, interface, 20)
}

/// Transmit queues in use, or `None` where the driver does not report them.
pub fn transmit_queues(socket: BorrowedFd<'_>, interface: &str) -> io::Result<Option<u32>> {
    channels(socket, interface, 24)
}

fn channels(socket: BorrowedFd<'_>, interface: &str, direction: usize) -> io::Result<Option<u32>> {
    let Some(bytes) = query::<CHANNELS_BYTES>(socket, interface, ETHTOOL_GCHANNELS)? else { return Ok(None) };
    let count = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    Ok(Some(count(direction) + count(32)).filter(|count| *count > 0))
}

/// `None` where the driver does not support the command.
fn query<const N: usize>(socket: BorrowedFd<'_>, interface: &str, command: u32) -> io::Result<Option<[u8; N]>> {
    // Aligned as the kernel's structs are.
    #[repr(C, align(8))]
    struct Answer<const N: usize>([u8; N]);
    let mut answer = Answer([0; N]);
    answer.0[..4].copy_from_slice(&command.to_ne_bytes());
    let mut request = interface_request(interface)?;
    request.ifr_ifru.ifru_data = (&raw mut answer).cast();
    // SAFETY: the kernel reads the command and writes a struct of N bytes, which N was taken from.
    match check(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) }) {
        Ok(_) => Ok(Some(answer.0)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => Ok(None),
        Err(error) => Err(error),
    }
}
