//! A packet socket that only sends, with sendmmsg(2), and watches for room in its send buffer.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use super::{FrameTx, Refusal, Refused, TrySend, WouldBlock, describe_refusal};
use crate::error::{Error, ErrorKind, Result};
use crate::interface::{entering, index_of};
use crate::readiness::Readiness;
use crate::ring::VolatileSlice;
use crate::sys::epoll::{EpollSet, Interest};
use crate::sys::netns::path_of;
use crate::sys::packet::PacketSocket;
use crate::sys::send::Sender;

const LARGEST_SEND_BUFFER: u64 = 64 << 20;

/// How to open a [`SendSocket`].
#[derive(Clone, Copy, Debug)]
pub struct SendOptions<'a> {
    /// What error texts call the object to close when the interface is gone.
    pub owner: &'static str,
    /// Bytes of the send buffer, at most 64 MiB.
    pub buffer_bytes: u64,
    /// Hand frames to the driver past the queueing discipline.
    pub qdisc_bypass: bool,
    /// Network namespace, a name or a path.
    pub namespace: Option<&'a str>,
}

/// A socket that sends through one interface. `HEADER`: bytes of the virtio-net header before each
/// frame (`PACKET_VNET_HDR`), or 0 for none.
#[derive(Debug)]
pub struct SendSocket<const HEADER: u32> {
    socket: PacketSocket,
    sender: Sender,
    readiness: Arc<Readiness>,
    /// Whether `readiness` watches the socket: only while its buffer is full. The kernel calls the
    /// watcher for each frame that leaves (`sock_def_write_space`, net/core/sock.c), which made
    /// forwarding 7 % slower.
    watched: bool,
    interface: String,
    index: i32,
    owner: &'static str,
}

impl<const HEADER: u32> AsRawFd for SendSocket<HEADER> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl<const HEADER: u32> AsFd for SendSocket<HEADER> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<const HEADER: u32> SendSocket<HEADER> {
    /// Opens an interface.
    pub fn open(interface: &str, options: &SendOptions<'_>) -> Result<Self> {
        let SendOptions { namespace, .. } = *options;
        let path = namespace.map(path_of);
        let socket = PacketSocket::open(path.as_deref())
            .map_err(|failure| entering(namespace, failure, "cannot open a packet socket", "socket"))?;
        let index = index_of(&socket, interface, namespace)?;
        if HEADER > 0 {
            socket
                .set_packet(libc::PACKET_VNET_HDR, 1)
                .map_err(|error| Error::sockopt("PACKET_VNET_HDR", &error, "virtio-net headers were refused"))?;
        }
        if options.qdisc_bypass {
            socket
                .set_packet(libc::PACKET_QDISC_BYPASS, 1)
                .map_err(|error| Error::sockopt("PACKET_QDISC_BYPASS", &error, "`qdisc_bypass` was refused"))?;
        }
        widen_send_buffer(&socket, options.buffer_bytes)?;
        let edges = EpollSet::none()
            .map_err(|error| Error::os(ErrorKind::Io, "epoll_create1", &error, "cannot wait on the packet socket"))?;
        // Protocol 0: it receives nothing.
        socket.bind(index, 0).map_err(|error| {
            Error::os(ErrorKind::Bind, "bind", &error, format_args!("cannot bind to interface {interface:?}"))
        })?;
        Ok(Self {
            socket,
            sender: Sender::default(),
            readiness: Readiness::new(edges),
            watched: false,
            interface: interface.to_owned(),
            index,
            owner: options.owner,
        })
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The ARPHRD_* type of the interface.
    pub fn hardware_type(&self) -> Result<u16> {
        self.socket.bound_hardware_type().map_err(|error| {
            Error::os(ErrorKind::Io, "getsockname", &error, "cannot read the interface's type")
                .on_interface(&self.interface)
        })
    }

    /// The bytes that the kernel charges the socket for frames it still holds.
    pub(crate) fn outstanding_bytes(&self) -> Result<u32> {
        self.socket.outstanding_bytes().map_err(|error| self.failed("ioctl", &error))
    }

    /// Whether the last try found the send buffer full, so that [`FrameTx::room`] watches it.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched
    }

    /// Watches the full buffer. An edge from before the kernel refused the frame says nothing, so it
    /// is cleared, and the frame has to be tried once more.
    fn watch(&mut self) -> Result<()> {
        if !self.watched {
            let added = self.readiness.edges().add(self.socket.as_fd(), Interest::Write);
            added.map_err(|error| self.failed("epoll_ctl", &error))?;
            self.watched = true;
        }
        self.readiness.clear().map(|_| ()).map_err(|error| self.failed("epoll_wait", &error))
    }

    fn stop_watching(&mut self) -> Result<()> {
        if std::mem::take(&mut self.watched) {
            let removed = self.readiness.edges().remove(self.socket.as_fd());
            removed.map_err(|error| self.failed("epoll_ctl", &error))?;
        }
        Ok(())
    }

    /// Whether the interface is gone: its socket is bound to none. Its name may have changed.
    fn is_gone(&self) -> bool {
        self.socket.bound_index().is_ok_and(|index| index == -1)
    }

    fn send_or_watch<'a>(&mut self, frames: impl Iterator<Item = VolatileSlice<'a>> + Clone) -> Result<TrySend> {
        let mut watching = false;
        loop {
            let error = match self.sender.send(self.socket.as_fd(), frames.clone()) {
                Ok(count) => return Ok(TrySend::Taken(count)),
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) if watching => return Ok(TrySend::WouldBlock(WouldBlock::Buffer)),
                Some(libc::EAGAIN) => {
                    self.watch()?;
                    watching = true;
                }
                Some(errno @ (libc::ENOBUFS | libc::ENOMEM)) => {
                    let ours_wait = self.outstanding_bytes()? > 0;
                    return Ok(TrySend::WouldBlock(WouldBlock::Queue { ours_wait, errno }));
                }
                _ => return self.refused(error).map(TrySend::Refused),
            }
        }
    }

    /// What an error of sendmmsg says: the frame is refused, or the socket has failed.
    #[cold]
    fn refused(&self, error: io::Error) -> Result<Refused> {
        let kind = match error.raw_os_error() {
            Some(libc::EMSGSIZE) => Refusal::TooLarge,
            // No link-layer header, or one that does not match the virtio-net header (`packet_snd`).
            Some(libc::EINVAL) => Refusal::Malformed,
            Some(libc::ENXIO | libc::ENODEV) => return Err(self.removed(&error)),
            Some(libc::ENETDOWN) if self.is_gone() => return Err(self.removed(&error)),
            Some(libc::ENETDOWN) => Refusal::LinkDown,
            _ => return Err(self.failed("sendmmsg", &error)),
        };
        Ok(Refused { kind, error })
    }

    fn removed(&self, error: &io::Error) -> Error {
        let text = crate::link::removed(&self.interface, self.owner).message;
        Error::os(ErrorKind::InterfaceRemoved, "sendmmsg", error, text).on_interface(&self.interface)
    }

    fn failed(&self, syscall: &'static str, error: &io::Error) -> Error {
        Error::os(ErrorKind::Io, syscall, error, "the packet socket failed").on_interface(&self.interface)
    }
}

impl<const HEADER: u32> FrameTx for SendSocket<HEADER> {
    const HEADER: u32 = HEADER;

    fn try_send<'a>(&mut self, frames: impl Iterator<Item = VolatileSlice<'a>> + Clone) -> Result<TrySend> {
        let outcome = self.send_or_watch(frames)?;
        if !matches!(outcome, TrySend::WouldBlock(WouldBlock::Buffer)) {
            self.stop_watching()?;
        }
        Ok(outcome)
    }

    fn room(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    fn explain(&self, refused: &Refused, length: u32) -> Error {
        let mtu = self.socket.interface_mtu(self.index).ok().and_then(|mtu| u32::try_from(mtu).ok());
        describe_refusal(refused, length, &self.interface, mtu)
    }
}

/// Asks for a send buffer of this size. Without CAP_NET_ADMIN the system's limit
/// (net.core.wmem_max) holds; the buffer is then full sooner.
fn widen_send_buffer(socket: &PacketSocket, bytes: u64) -> Result<()> {
    let bytes = bytes.min(LARGEST_SEND_BUFFER) as i32;
    if socket.set_socket(libc::SO_SNDBUFFORCE, bytes).is_ok() {
        return Ok(());
    }
    socket
        .set_socket(libc::SO_SNDBUF, bytes)
        .map_err(|error| Error::sockopt("SO_SNDBUF", &error, "the send buffer was refused"))
}
