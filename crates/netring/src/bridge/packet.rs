//! One side of a bridge over AF_PACKET: a capture, and a socket that sends.
//!
//! Both speak `PACKET_VNET_HDR`: what the sender of a frame left to its hardware (a checksum, cutting into segments)
//! is left to the hardware of the other side, or done by the kernel before it. A frame is read by the kernel where it
//! lies in the ring, header and all: nothing is copied here.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::Port;
use super::outlet::{Full, Offer, Outlet, Refusal, Refused};
use crate::capture::{Capture, CaptureOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::injector::{InjectorOptions, describe_refusal, widen_send_buffer};
use crate::interface::{entering, index_of};
use crate::readiness::Readiness;
use crate::ring::{Lent, vnet};
use crate::source::Source;
use crate::sys::epoll::{Edges, Interest};
use crate::sys::netns::path_of;
use crate::sys::packet::PacketSocket;
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
    pub outlet: PacketOutlet,
}

impl PacketPort {
    /// Opens an interface. What must be so for frames to pass whole is so, whatever the options say.
    pub fn open(interface: &str, options: SideOptions) -> Result<Self> {
        let outlet = PacketOutlet::open(interface, &options.injector).map_err(|error| error.on_interface(interface))?;
        Ok(Self { capture: open_capture(interface, options.capture)?, outlet })
    }
}

/// A capture whose frames can be sent on as they are.
pub fn open_capture(interface: &str, options: CaptureOptions) -> Result<Capture> {
    // What is sent to a side would otherwise come back from it, for ever.
    Capture::open(
        interface,
        CaptureOptions { vnet_header: true, ignore_outgoing: true, reinsert_vlan: true, ..options },
    )
}

impl Port for PacketPort {
    type In = Capture;
    type Out = PacketOutlet;

    fn input(&mut self) -> &mut Capture {
        &mut self.capture
    }

    fn output(&mut self) -> &mut PacketOutlet {
        &mut self.outlet
    }

    fn close(self) -> Result<()> {
        drop(self.outlet);
        self.capture.close()
    }
}

/// The sending half.
#[derive(Debug)]
pub struct PacketOutlet {
    socket: PacketSocket,
    readiness: Arc<Readiness>,
    /// Whether `readiness` watches the socket: only while its buffer is full. Whoever watches a socket's room is called
    /// for each frame that leaves it (`sock_def_write_space`, net/core/sock.c), which made forwarding 7 % slower.
    watched: bool,
    sender: Sender,
    interface: String,
}

impl PacketOutlet {
    /// Opens an interface for sending.
    pub fn open(interface: &str, options: &InjectorOptions) -> Result<Self> {
        let namespace = options.namespace.as_deref();
        let path = namespace.map(path_of);
        let socket = PacketSocket::open(path.as_deref())
            .map_err(|failure| entering(namespace, failure, "cannot open a packet socket", "socket"))?;
        let index = index_of(&socket, interface, namespace)?;
        socket
            .set_packet(libc::PACKET_VNET_HDR, 1)
            .map_err(|error| Error::sockopt("PACKET_VNET_HDR", &error, "virtio-net headers were refused"))?;
        if options.qdisc_bypass {
            socket
                .set_packet(libc::PACKET_QDISC_BYPASS, 1)
                .map_err(|error| Error::sockopt("PACKET_QDISC_BYPASS", &error, "qdiscBypass was refused"))?;
        }
        widen_send_buffer(&socket, options)?;
        let edges = Edges::none()
            .map_err(|error| Error::os(ErrorKind::Io, "epoll_ctl", &error, "cannot wait on the packet socket"))?;
        // Protocol 0: it receives nothing.
        socket.bind(index, 0).map_err(|error| {
            Error::os(ErrorKind::Bind, "bind", &error, format_args!("cannot bind to interface {interface:?}"))
        })?;
        Ok(Self {
            socket,
            readiness: Readiness::new(edges),
            watched: false,
            sender: Sender::default(),
            interface: interface.to_owned(),
        })
    }

    /// The ARPHRD_* type of the interface.
    pub fn hardware_type(&self) -> Result<u16> {
        self.socket.bound_hardware_type().map_err(|error| self.failed("getsockname", &error))
    }

    fn failed(&self, syscall: &'static str, error: &io::Error) -> Error {
        Error::os(ErrorKind::Io, syscall, error, "the packet socket failed").on_interface(&self.interface)
    }

    /// Watches the buffer and asks the kernel once more: edges from before it said no are no news.
    fn buffer_full<'a>(&mut self, frames: impl Iterator<Item = Lent<'a>>) -> Result<io::Result<usize>> {
        if !self.watched {
            let added = self.readiness.edges().add(self.socket.as_fd(), Interest::Write);
            added.map_err(|error| self.failed("epoll_ctl", &error))?;
            self.watched = true;
        }
        self.readiness.clear().map_err(|error| self.failed("epoll_wait", &error))?;
        Ok(self.sender.send_parts(self.socket.as_fd(), frames))
    }

    fn stop_watching(&mut self) -> Result<()> {
        if std::mem::take(&mut self.watched) {
            let removed = self.readiness.edges().remove(self.socket.as_fd());
            removed.map_err(|error| self.failed("epoll_ctl", &error))?;
        }
        Ok(())
    }

    fn is_gone(&self) -> bool {
        // Not by its name, which it may have changed.
        self.socket.bound_index().is_ok_and(|index| index == -1)
    }

    fn removed(&self, error: &io::Error) -> Error {
        let text = format_args!(
            "interface {:?} is gone (deleted or moved to another network namespace); close this bridge and open another",
            self.interface
        )
        .to_string();
        Error::os(ErrorKind::InterfaceRemoved, "sendmmsg", error, text).on_interface(&self.interface)
    }
}

impl Outlet for PacketOutlet {
    const HEADER: u32 = vnet::BYTES;

    fn offer<'a>(&mut self, frames: impl Iterator<Item = Lent<'a>> + Clone) -> Result<Offer> {
        let refused = |kind, error| Ok(Offer::Refused(Refused { kind, error }));
        let mut sent = self.sender.send_parts(self.socket.as_fd(), frames.clone());
        loop {
            let error = match sent {
                Ok(count) => {
                    self.stop_watching()?;
                    return Ok(Offer::Taken(count));
                }
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => sent = self.sender.send_parts(self.socket.as_fd(), frames.clone()),
                Some(libc::EAGAIN) => match self.buffer_full(frames.clone())? {
                    Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => return Ok(Offer::Full(Full::Buffer)),
                    again => sent = again,
                },
                Some(libc::ENOBUFS | libc::ENOMEM) => {
                    let charge = self.socket.outstanding_bytes().map_err(|error| self.failed("ioctl", &error))?;
                    return Ok(Offer::Full(Full::Queue { ours_wait: charge > 0 }));
                }
                Some(libc::EMSGSIZE) => return refused(Refusal::TooLarge, error),
                Some(libc::ENXIO | libc::ENODEV) => return Err(self.removed(&error)),
                Some(libc::ENETDOWN) if self.is_gone() => return Err(self.removed(&error)),
                // EINVAL: no link-layer header, or one that goes with no virtio-net header (`packet_snd`).
                Some(libc::ENETDOWN | libc::EINVAL) => return refused(Refusal::Rejected, error),
                _ => return Err(self.failed("sendmmsg", &error)),
            }
        }
    }

    fn room(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    fn explain(&self, refused: &Refused, length: u32) -> Error {
        if refused.error.raw_os_error() == Some(libc::ENETDOWN) {
            let text = format!(
                "interface {:?} is down: frames for it are dropped, this one of {length} bytes first",
                self.interface
            );
            return Error::os(ErrorKind::LinkDown, "sendmmsg", &refused.error, text).on_interface(&self.interface);
        }
        let mtu = self.socket.interface_mtu(&self.interface).ok();
        describe_refusal(&refused.error, length, &self.interface, mtu)
    }
}

/// Frames of one kind of link make no sense on another.
pub fn check_alike(a: &PacketOutlet, b: &PacketOutlet) -> Result<()> {
    let kinds = [a.hardware_type()?, b.hardware_type()?].map(|kind| match kind {
        // Loopback frames have an Ethernet header.
        libc::ARPHRD_LOOPBACK => libc::ARPHRD_ETHER,
        other => other,
    });
    if kinds[0] == kinds[1] {
        return Ok(());
    }
    let message = format!(
        "{:?} (link type {}) and {:?} (link type {}) have different link-layer headers, so no frame of one can be sent through the other; bridge interfaces of one type",
        a.interface, kinds[0], b.interface, kinds[1]
    );
    Err(Error::new(ErrorKind::Config, message))
}
