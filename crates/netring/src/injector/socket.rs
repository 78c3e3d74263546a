//! A packet socket that only sends, and the wait for room in its buffer.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use super::in_flight::SMALLEST_OVERHEAD;
use super::options::InjectorOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::interface::{entering, index_of};
use crate::readiness::Readiness;
use crate::sys::epoll::{EpollSet, Interest};
use crate::sys::netns::path_of;
use crate::sys::packet::PacketSocket;

const LARGEST_SEND_BUFFER: u64 = 64 << 20;

/// A socket that sends through one interface.
#[derive(Debug)]
pub(crate) struct SendSocket {
    socket: PacketSocket,
    readiness: Arc<Readiness>,
    /// Whether `readiness` watches the socket: only while its buffer is full. Whoever watches a socket's room is called
    /// for each frame that leaves it (`sock_def_write_space`, net/core/sock.c), which made forwarding 7 % slower.
    watched: bool,
    interface: String,
    index: i32,
}

impl AsFd for SendSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for SendSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl SendSocket {
    /// Opens an interface; `vnet_header`: a virtio-net header lies before each frame.
    pub(crate) fn open(interface: &str, options: &InjectorOptions, vnet_header: bool) -> Result<Self> {
        let namespace = options.namespace.as_deref();
        let path = namespace.map(path_of);
        let socket = PacketSocket::open(path.as_deref())
            .map_err(|failure| entering(namespace, failure, "cannot open a packet socket", "socket"))?;
        let index = index_of(&socket, interface, namespace)?;
        if vnet_header {
            socket
                .set_packet(libc::PACKET_VNET_HDR, 1)
                .map_err(|error| Error::sockopt("PACKET_VNET_HDR", &error, "virtio-net headers were refused"))?;
        }
        if options.qdisc_bypass {
            socket
                .set_packet(libc::PACKET_QDISC_BYPASS, 1)
                .map_err(|error| Error::sockopt("PACKET_QDISC_BYPASS", &error, "qdiscBypass was refused"))?;
        }
        widen_send_buffer(&socket, options)?;
        let edges = EpollSet::none()
            .map_err(|error| Error::os(ErrorKind::Io, "epoll_create1", &error, "cannot wait on the packet socket"))?;
        // Protocol 0: it receives nothing.
        socket.bind(index, 0).map_err(|error| {
            Error::os(ErrorKind::Bind, "bind", &error, format_args!("cannot bind to interface {interface:?}"))
        })?;
        Ok(Self { socket, readiness: Readiness::new(edges), watched: false, interface: interface.to_owned(), index })
    }

    /// Its interface's name.
    pub(crate) fn interface(&self) -> &str {
        &self.interface
    }

    /// The ARPHRD_* type of the interface.
    pub(crate) fn hardware_type(&self) -> Result<u16> {
        self.socket.bound_hardware_type().map_err(|error| {
            Error::os(ErrorKind::Io, "getsockname", &error, "cannot read the interface's type")
                .on_interface(&self.interface)
        })
    }

    /// The interface's MTU, if it can be had.
    pub(crate) fn mtu(&self) -> Option<i32> {
        self.socket.interface_mtu(self.index).ok()
    }

    /// What the kernel charges the socket for frames that it still holds.
    pub(crate) fn outstanding_bytes(&self) -> Result<u32> {
        self.socket.outstanding_bytes().map_err(|error| self.failed("ioctl", &error))
    }

    /// Tells when the buffer has room, from [`watch`](Self::watch) until [`stop_watching`](Self::stop_watching).
    pub(crate) fn room(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// Watches the buffer, which is full. If there is room again by then, that is an edge (`ep_insert`, fs/eventpoll.c).
    pub(crate) fn watch(&mut self) -> Result<()> {
        if !self.watched {
            let added = self.readiness.edges().add(self.socket.as_fd(), Interest::Write);
            added.map_err(|error| self.failed("epoll_ctl", &error))?;
            self.watched = true;
        }
        Ok(())
    }

    /// Whether it was watched.
    pub(crate) fn stop_watching(&mut self) -> Result<bool> {
        let watched = std::mem::take(&mut self.watched);
        if watched {
            let removed = self.readiness.edges().remove(self.socket.as_fd());
            removed.map_err(|error| self.failed("epoll_ctl", &error))?;
        }
        Ok(watched)
    }

    /// EpollSet from before the kernel said no are no news.
    pub(crate) fn clear_edges(&self) -> Result<()> {
        self.readiness.clear().map(|_| ()).map_err(|error| self.failed("epoll_wait", &error))
    }

    /// Not by its name, which it may have changed: a socket whose interface is gone is bound to none.
    pub(crate) fn is_gone(&self) -> bool {
        self.socket.bound_index().is_ok_and(|index| index == -1)
    }

    /// The error for an interface that is gone; `what` is to be closed.
    pub(crate) fn removed(&self, error: &io::Error, what: &str) -> Error {
        let text = format!(
            "interface {:?} is gone (deleted or moved to another network namespace); close this {what} and open another",
            self.interface
        );
        Error::os(ErrorKind::InterfaceRemoved, "sendmmsg", error, text).on_interface(&self.interface)
    }

    /// The error for whatever else fails.
    pub(crate) fn failed(&self, syscall: &'static str, error: &io::Error) -> Error {
        Error::os(ErrorKind::Io, syscall, error, "the packet socket failed").on_interface(&self.interface)
    }
}

/// Room in the socket's send buffer for every slot. Without CAP_NET_ADMIN the system's limit
/// (net.core.wmem_max) holds, which only makes the send buffer full sooner.
fn widen_send_buffer(socket: &PacketSocket, options: &InjectorOptions) -> Result<()> {
    let wanted = u64::from(options.frame_count) * (u64::from(options.frame_size) + 2 * SMALLEST_OVERHEAD);
    let bytes = wanted.min(LARGEST_SEND_BUFFER) as i32;
    if socket.set_socket(libc::SO_SNDBUFFORCE, bytes).is_ok() {
        return Ok(());
    }
    socket
        .set_socket(libc::SO_SNDBUF, bytes)
        .map_err(|error| Error::sockopt("SO_SNDBUF", &error, "the send buffer was refused"))
}
