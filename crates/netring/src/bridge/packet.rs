//! One side of a bridge over AF_PACKET: a capture, and a socket that sends.
//!
//! Both speak `PACKET_VNET_HDR`: what the sender of a frame left to its hardware (a checksum, cutting into segments)
//! is left to the hardware of the other side, or done by the kernel before it. A frame is read by the kernel where it
//! lies in the ring, header and all: nothing is copied here.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::Port;
use super::tx::{FrameTx, Refusal, Refused, TrySend, WouldBlock};
use crate::capture::{Capture, CaptureOptions, Setup};
use crate::error::{Error, ErrorKind, Result};
use crate::injector::{InjectorOptions, SendSocket, describe_refusal};
use crate::readiness::Readiness;
use crate::ring::{VolatileSlice, vnet};
use crate::source::Source;
use crate::sys::send::Sender;

/// What one side is asked to be.
#[derive(Clone, Debug)]
pub struct SideOptions {
    /// Its ring.
    pub capture: CaptureOptions,
    /// How it sends: `frame_size` and `frame_count` say how much may wait in the kernel.
    pub injector: InjectorOptions,
}

/// One side.
#[derive(Debug)]
pub struct PacketPort {
    /// Receives.
    pub capture: Capture,
    /// Sends.
    pub tx: PacketTx,
}

impl PacketPort {
    /// Opens an interface. What must be so for frames to pass whole is so, whatever the options say.
    pub fn open(interface: &str, options: SideOptions) -> Result<Self> {
        let tx = PacketTx::open(interface, &options.injector).map_err(|error| error.on_interface(interface))?;
        Ok(Self { capture: open_capture(interface, options.capture)?, tx })
    }
}

/// A capture whose frames can be sent on as they are.
pub fn open_capture(interface: &str, options: CaptureOptions) -> Result<Capture> {
    // What is sent to a side would otherwise come back from it, for ever.
    let options = CaptureOptions { ignore_outgoing: true, reinsert_vlan: true, ..options };
    Capture::open_with(interface, options, Setup { vnet_header: true, ..Setup::default() })
}

impl Port for PacketPort {
    type In = Capture;
    type Out = PacketTx;

    fn input(&mut self) -> &mut Capture {
        &mut self.capture
    }

    fn output(&mut self) -> &mut PacketTx {
        &mut self.tx
    }

    fn close(self) -> Result<()> {
        drop(self.tx);
        self.capture.close()
    }
}

/// The sending half.
#[derive(Debug)]
pub struct PacketTx {
    socket: SendSocket,
    sender: Sender,
}

impl PacketTx {
    /// Opens an interface for sending.
    pub fn open(interface: &str, options: &InjectorOptions) -> Result<Self> {
        Ok(Self { socket: SendSocket::open(interface, options, true)?, sender: Sender::default() })
    }

    /// Watches the buffer and asks the kernel once more: edges from before it said no are no news.
    fn buffer_full<'a>(&mut self, frames: impl Iterator<Item = VolatileSlice<'a>>) -> Result<io::Result<usize>> {
        self.socket.watch()?;
        self.socket.clear_edges()?;
        Ok(self.sender.send_parts(self.socket.as_fd(), frames))
    }
}

impl FrameTx for PacketTx {
    const HEADER: u32 = vnet::BYTES;

    fn try_send<'a>(&mut self, frames: impl Iterator<Item = VolatileSlice<'a>> + Clone) -> Result<TrySend> {
        let refused = |kind, error| Ok(TrySend::Refused(Refused { kind, error }));
        let mut sent = self.sender.send_parts(self.socket.as_fd(), frames.clone());
        loop {
            let error = match sent {
                Ok(count) => {
                    self.socket.stop_watching()?;
                    return Ok(TrySend::Taken(count));
                }
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => sent = self.sender.send_parts(self.socket.as_fd(), frames.clone()),
                Some(libc::EAGAIN) => match self.buffer_full(frames.clone())? {
                    Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                        return Ok(TrySend::WouldBlock(WouldBlock::Buffer));
                    }
                    again => sent = again,
                },
                Some(libc::ENOBUFS | libc::ENOMEM) => {
                    return Ok(TrySend::WouldBlock(WouldBlock::Queue {
                        ours_wait: self.socket.outstanding_bytes()? > 0,
                    }));
                }
                Some(libc::EMSGSIZE) => return refused(Refusal::TooLarge, error),
                Some(libc::ENXIO | libc::ENODEV) => return Err(self.socket.removed(&error, "bridge")),
                Some(libc::ENETDOWN) if self.socket.is_gone() => return Err(self.socket.removed(&error, "bridge")),
                // EINVAL: no link-layer header, or one that goes with no virtio-net header (`packet_snd`).
                Some(libc::ENETDOWN | libc::EINVAL) => return refused(Refusal::Rejected, error),
                _ => return Err(self.socket.failed("sendmmsg", &error)),
            }
        }
    }

    fn room(&self) -> &Arc<Readiness> {
        self.socket.room()
    }

    fn explain(&self, refused: &Refused, length: u32) -> Error {
        let name = self.socket.interface();
        if refused.error.raw_os_error() == Some(libc::ENETDOWN) {
            let text =
                format!("interface {name:?} is down: frames for it are dropped, this one of {length} bytes first");
            return Error::os(ErrorKind::LinkDown, "sendmmsg", &refused.error, text).on_interface(name);
        }
        describe_refusal(&refused.error, length, name, self.socket.mtu())
    }
}

/// Frames of one kind of link make no sense on another.
pub fn check_alike(a: &PacketTx, b: &PacketTx) -> Result<()> {
    let kinds = [a.socket.hardware_type()?, b.socket.hardware_type()?].map(|kind| match kind {
        // Loopback frames have an Ethernet header.
        libc::ARPHRD_LOOPBACK => libc::ARPHRD_ETHER,
        other => other,
    });
    if kinds[0] == kinds[1] {
        return Ok(());
    }
    let message = format!(
        "{:?} (link type {}) and {:?} (link type {}) have different link-layer headers, so no frame of one can be sent through the other; bridge interfaces of one type",
        a.socket.interface(),
        kinds[0],
        b.socket.interface(),
        kinds[1]
    );
    Err(Error::new(ErrorKind::Config, message))
}
