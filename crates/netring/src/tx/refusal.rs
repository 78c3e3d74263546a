//! Why a frame was refused, and the texts that say so. Every text about a refused frame stands here.

use std::io;

use crate::error::{Error, ErrorKind};

/// Kinds of refusals, as far as senders treat them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The frame is longer than the interface's MTU and asks for no segmentation.
    TooLarge,
    /// The frame has no valid link-layer header, or its virtio-net header does not match it.
    Malformed,
    /// The interface is down. The frame itself may be good.
    LinkDown,
    /// Something below dropped the frame each time until the [`RetryBudget`](super::RetryBudget) expired.
    NoRoom,
}

/// A refusal and the error that the kernel gave.
#[derive(Debug)]
pub struct Refused {
    /// Its kind.
    pub kind: Refusal,
    /// The kernel's error.
    pub error: io::Error,
}

impl Refused {
    pub(crate) fn new(kind: Refusal, errno: i32) -> Self {
        Self { kind, error: io::Error::from_raw_os_error(errno) }
    }
}

/// The error for a frame that the kernel refused.
pub(crate) fn describe_refusal(refused: &Refused, length: u32, interface: &str, mtu: Option<u32>) -> Error {
    let (kind, text) = match refused.kind {
        Refusal::TooLarge => {
            let mtu = mtu.map_or_else(|| "?".to_owned(), |mtu| mtu.to_string());
            let text = format!(
                "a frame of {length} bytes is too long for interface {interface:?}, whose MTU is {mtu} bytes plus link-layer header"
            );
            (ErrorKind::Frame, text)
        }
        Refusal::NoRoom => {
            let text = format!(
                "a frame of {length} bytes is dropped by interface {interface:?} again and again although no other waits: look at `tc qdisc` (a shaper's burst may be shorter than the frame) and `tc filter`"
            );
            (ErrorKind::Frame, text)
        }
        Refusal::LinkDown => {
            let text =
                format!("interface {interface:?} is down: frames for it are dropped, this one of {length} bytes first");
            (ErrorKind::LinkDown, text)
        }
        Refusal::Malformed => {
            let text = format!("a frame of {length} bytes has no valid link-layer header for interface {interface:?}");
            (ErrorKind::Frame, text)
        }
    };
    Error::os(kind, "sendmmsg", &refused.error, text).on_interface(interface)
}

/// The interface is down, and the sender keeps this many frames until it is up.
pub(crate) fn describe_waiting(frames: u64, interface: &str, syscall: &'static str, error: &io::Error) -> Error {
    let text = format!("interface {interface:?} is down; {frames} frames stay queued, flush again when it is up");
    Error::os(ErrorKind::LinkDown, syscall, error, text).on_interface(interface)
}

/// The frame is shorter than the link-layer header.
pub(crate) fn describe_short(length: usize, least: u32, interface: &str) -> Error {
    let text = format!("a frame of {length} bytes is shorter than its link-layer header, {least} bytes");
    Error::new(ErrorKind::Frame, text).on_interface(interface)
}

/// [`Refusal::NoRoom`] of a forwarded frame, in the terms of a bridge.
pub(crate) fn describe_no_room_beyond(length: u32) -> Error {
    let text = format!(
        "a frame of {length} bytes is dropped on the other side again and again although no other waits there: look at `tc qdisc` (a shaper's burst may be shorter than the frame) and `tc filter`"
    );
    Error::new(ErrorKind::Frame, text)
}

/// A forwarded frame of which the receive ring holds only a part.
pub(crate) fn describe_cut(length: u32, original: u32) -> Error {
    let text = format!(
        "a frame of {original} bytes was cut to {length} by the ring and cannot be sent on: its block holds no more (`block_size`), or the filter returns less"
    );
    Error::new(ErrorKind::Frame, text)
}

/// A frame that AF_XDP had taken and the driver dropped (NET_XMIT_DROP, `xsk_generic_xmit`, net/xdp/xsk.c).
#[cfg(feature = "xdp")]
pub(crate) fn describe_driver_drop(length: u32, interface: &str) -> Error {
    let text = format!("the driver of interface {interface:?} dropped a frame of {length} bytes");
    Error { syscall: Some("sendto"), errno: Some(libc::EBUSY), ..Error::new(ErrorKind::Frame, text) }
        .on_interface(interface)
}
