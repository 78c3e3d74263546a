//! Sets a capture up, in an order that admits no packet of another interface and no unfiltered packet.

use std::io;
use std::os::fd::AsFd;

use super::options::{CaptureOptions, Setup};
use crate::error::{Error, ErrorKind, Result};
use crate::fanout::{self, Fanout};
use crate::filter::{self, SocketProgram};
use crate::interface::{entering, index_of};
use crate::link_type::LinkType;
use crate::readiness::Readiness;
use crate::ring::vlan::TAG_BYTES;
use crate::ring::{Geometry, RxRing};
use crate::sys;
use crate::sys::epoll::{EpollSet, Interest};
use crate::sys::map::Mapping;
use crate::sys::netns::path_of;
use crate::sys::packet::PacketSocket;
use crate::sys::{memory, page_size};

/// A socket with its ring, receiving.
pub(super) struct Opened {
    pub(super) socket: PacketSocket,
    pub(super) mapping: Mapping,
    pub(super) ring: RxRing,
    pub(super) readiness: std::sync::Arc<Readiness>,
    pub(super) index: u32,
    pub(super) fanout_id: Option<u16>,
    /// As it was compiled for the interface.
    pub(super) filter: Option<SocketProgram>,
    pub(super) link_type: LinkType,
    /// The interface is down.
    pub(super) down: bool,
}

/// socket (protocol 0) → version → reserve, timestamp → filter → ring → mmap → bind → fanout →
/// promiscuous. A socket made with ETH_P_ALL and bound later has packets of other interfaces in
/// its ring; a filter attached after bind lets unfiltered ones in.
pub(super) fn open(interface: &str, options: &CaptureOptions, setup: Setup) -> Result<Opened> {
    let geometry = Geometry::new(options.block_size, options.block_count, options.frame_size, page_size())?;
    let namespace = options.namespace.as_deref();
    let path = namespace.map(path_of);
    let socket = PacketSocket::open(path.as_deref())
        .map_err(|failure| entering(namespace, failure, "cannot open a packet socket", "socket"))?;
    let index = index_of(&socket, interface, namespace)?;
    configure(&socket, options, setup)?;
    // An expression depends on the interface's type, and the filter is attached before bind.
    let link_type = LinkType::of_arphrd(
        socket
            .interface_hardware_type(index)
            .map_err(|error| Error::os(ErrorKind::Io, "ioctl", &error, "cannot read the interface's type"))?,
    );
    let filter = options.filter.as_ref().map(|filter| filter.for_socket(link_type)).transpose()?;
    let program = filter::with_snaplen(filter.as_ref(), options.snaplen);
    // The filter comes first, so that the kernel refuses an invalid one here.
    attach(&socket, program.as_ref())?;
    // Between bind and joining its group a socket receives everything its filter lets through,
    // including the other members' packets: a filter drops every packet until it is a member.
    if setup.paused || options.fanout.is_some() {
        attach(&socket, Some(&filter::nothing()))?;
    }
    let (geometry, mapping) = ring(&socket, geometry, options)?;
    let ring = RxRing::new(mapping.memory(), geometry);
    let epoll = EpollSet::of(socket.as_fd(), Interest::Read)
        .map_err(|error| Error::os(ErrorKind::Io, "epoll_ctl", &error, "cannot wait on the packet socket"))?;
    socket.bind(index, libc::ETH_P_ALL as u16).map_err(|error| {
        let kind =
            if error.raw_os_error() == Some(libc::ENODEV) { ErrorKind::InterfaceRemoved } else { ErrorKind::Bind };
        Error::os(kind, "bind", &error, format_args!("cannot bind to interface {interface:?}"))
    })?;
    let mut fanout_id = None;
    if let Some(group) = &options.fanout
        && !setup.paused
    {
        fanout_id = Some(join(&socket, group, options.ignore_outgoing)?);
        replace(&socket, program.as_ref())?;
    }
    if options.promiscuous {
        socket
            .join_promiscuous(index)
            .map_err(|error| Error::sockopt("PACKET_ADD_MEMBERSHIP", &error, "promiscuous mode was refused"))?;
    }
    // An interface that is down leaves ENETDOWN behind; that is its state, not a change.
    let error =
        socket.take_error().map_err(|error| Error::os(ErrorKind::Io, "getsockopt", &error, "cannot read SO_ERROR"))?;
    let down = error.is_some_and(|error| error.raw_os_error() == Some(libc::ENETDOWN));
    Ok(Opened {
        socket,
        mapping,
        ring,
        readiness: Readiness::new(epoll),
        index: index as u32,
        fanout_id,
        filter,
        link_type,
        down,
    })
}

fn configure(socket: &PacketSocket, options: &CaptureOptions, setup: Setup) -> Result<()> {
    let packet = |name, label, value: u32, hint: &str| {
        socket.set_packet(name, value as i32).map_err(|error| Error::sockopt(label, &error, hint))
    };
    packet(
        libc::PACKET_VERSION,
        "PACKET_VERSION",
        libc::tpacket_versions::TPACKET_V3 as u32,
        "this kernel has no TPACKET_V3 (Linux 3.2)",
    )?;
    if setup.vnet_header {
        packet(libc::PACKET_VNET_HDR, "PACKET_VNET_HDR", 1, "virtio-net headers need Linux 4.6")?;
    }
    if options.reinsert_vlan {
        packet(libc::PACKET_RESERVE, "PACKET_RESERVE", TAG_BYTES, "room for VLAN tags was refused")?;
    }
    if let Some(flag) = options.timestamp_source.flag() {
        packet(libc::PACKET_TIMESTAMP, "PACKET_TIMESTAMP", flag as u32, "this timestamp source was refused")?;
    }
    if options.ignore_outgoing {
        packet(libc::PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING", 1, "`ignore_outgoing` needs Linux 4.20")?;
    }
    let socket_option = |name, label, value: u32, hint: &str| {
        socket.set_socket(name, value as i32).map_err(|error| Error::sockopt(label, &error, hint))
    };
    if options.busy_poll_us > 0 {
        socket_option(libc::SO_BUSY_POLL, "SO_BUSY_POLL", options.busy_poll_us, "`busy_poll_us` was refused")?;
    }
    if options.reuse_port {
        socket_option(
            libc::SO_REUSEPORT,
            "SO_REUSEPORT",
            1,
            "`reuse_port` was refused: since Linux 6.14 only IP sockets may have it; use `fanout` to share an interface",
        )?;
    }
    if options.receive_buffer_bytes > 0 {
        let (name, label) = if options.receive_buffer_force {
            (libc::SO_RCVBUFFORCE, "SO_RCVBUFFORCE")
        } else {
            (libc::SO_RCVBUF, "SO_RCVBUF")
        };
        socket_option(name, label, options.receive_buffer_bytes, "`receive_buffer_bytes` was refused")?;
    }
    Ok(())
}

pub(super) fn attach(socket: &PacketSocket, program: Option<&SocketProgram>) -> Result<()> {
    match program {
        None => Ok(()),
        Some(SocketProgram::Classic(code)) => socket.attach_classic(code),
        Some(SocketProgram::Ebpf(fd)) => socket.attach_ebpf(*fd),
    }
    .map_err(|error| {
        let what = match (program, error.raw_os_error()) {
            (Some(SocketProgram::Ebpf(fd)), Some(libc::EBADF)) => format!("fd {fd} is not open"),
            (Some(SocketProgram::Ebpf(fd)), Some(libc::EINVAL)) => {
                format!("fd {fd} is not an eBPF program of type BPF_PROG_TYPE_SOCKET_FILTER")
            }
            (Some(SocketProgram::Classic(code)), Some(libc::EINVAL)) => {
                let rule = filter::broken_rule(code).map(|rule| format!(": {rule}"));
                format!("the classic BPF program is not valid{}", rule.unwrap_or_default())
            }
            _ => "the filter was refused".into(),
        };
        Error::os(ErrorKind::Filter, "setsockopt", &error, what)
    })
}

/// Joins a group. That replaces PACKET_IGNORE_OUTGOING by the group's own flag.
pub(super) fn join(socket: &PacketSocket, group: &Fanout, ignore_outgoing: bool) -> Result<u16> {
    let ignore_outgoing = ignore_outgoing || group.ignore_outgoing;
    fanout::join(socket, &Fanout { ignore_outgoing, ..group.clone() })
}

/// As [`attach`], for a socket that has a filter: `None` removes it.
pub(super) fn replace(socket: &PacketSocket, program: Option<&SocketProgram>) -> Result<()> {
    if program.is_some() {
        return attach(socket, program);
    }
    match socket.detach_filter() {
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => {
            Err(Error::os(ErrorKind::Filter, "setsockopt", &error, "the filter could not be taken away"))
        }
        _ => Ok(()),
    }
}

/// Stops receiving. When it returns, all packets received before are in the ring.
pub(super) fn shut(socket: &PacketSocket) -> Result<()> {
    attach(socket, Some(&filter::nothing()))?;
    sys::membarrier::receive_paths();
    Ok(())
}

/// Replaces the filter so that no packet the new one refuses is shown. Between the two filters no packet passes;
/// earlier packets are marked stale in the ring.
pub(super) fn refilter(
    socket: &PacketSocket,
    ring: &mut RxRing,
    program: Option<&SocketProgram>,
    before: Option<&SocketProgram>,
) -> Result<()> {
    // Try the program on another socket first: a refused one must not interrupt this socket.
    let trial =
        PacketSocket::open(None).map_err(|failure| entering(None, failure, "cannot open a packet socket", "socket"))?;
    attach(&trial, program)?;
    shut(socket)?;
    let fence = ring.mark_stale();
    if let Err(error) = replace(socket, program) {
        // The kernel refused the new filter: restore the previous state.
        ring.restore_fence(fence);
        return Err(match replace(socket, before) {
            Ok(()) => error,
            Err(second) => {
                let message = format!(
                    "{}; the filter before could not be put back either ({}): nothing is received until `set_filter` succeeds",
                    error.message, second.message
                );
                Error { message, ..error }
            }
        });
    }
    Ok(())
}

/// Creates the ring and its mapping, with fewer blocks where memory is short.
fn ring(socket: &PacketSocket, wanted: Geometry, options: &CaptureOptions) -> Result<(Geometry, Mapping)> {
    let available = memory::available().unwrap_or(u64::MAX);
    let geometry = with_fewer_blocks(wanted, |geometry| {
        // The kernel would try, and its out-of-memory killer would end a process, most likely this one.
        if geometry.ring_bytes() as u64 > available {
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        socket.receive_ring(geometry, options.block_timeout_ms, options.fill_rxhash)
    })
    .map_err(|error| {
        let ask = format_args!(
            "the kernel refused a ring of {} x {} bytes; ask for a smaller `block_size` or `block_count`",
            wanted.block_count(),
            wanted.block_size()
        )
        .to_string();
        match error.raw_os_error() {
            Some(libc::ENOMEM) => Error::os(ErrorKind::Mmap, "setsockopt", &error, ask),
            _ => Error::sockopt("PACKET_RX_RING", &error, ask),
        }
    })?;
    let mapping = Mapping::of_socket(socket.as_fd(), geometry.ring_bytes()).map_err(|error| {
        Error::os(
            ErrorKind::Mmap,
            "mmap",
            &error,
            format_args!("cannot map the ring of {} bytes", geometry.ring_bytes()),
        )
    })?;
    Ok((geometry, mapping))
}

/// Calls `make` with the wanted block count; on ENOMEM retries with three quarters of the blocks, down to a quarter of
/// the wanted count.
fn with_fewer_blocks(wanted: Geometry, make: impl Fn(Geometry) -> io::Result<()>) -> io::Result<Geometry> {
    let least = wanted.block_count().div_ceil(4);
    let mut geometry = wanted;
    loop {
        match make(geometry) {
            Ok(()) => return Ok(geometry),
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && geometry.block_count() > least => {
                let fewer = (u64::from(geometry.block_count()) * 3 / 4) as u32;
                geometry = geometry.with_block_count(fewer.max(least));
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn attempts(room: u32, wanted: u32) -> (Vec<u32>, io::Result<u32>) {
        let tried = RefCell::new(Vec::new());
        let geometry = Geometry::new(4096, wanted, 2048, 4096).unwrap();
        let got = with_fewer_blocks(geometry, |geometry| {
            tried.borrow_mut().push(geometry.block_count());
            let full = io::Error::from_raw_os_error(libc::ENOMEM);
            if geometry.block_count() > room { Err(full) } else { Ok(()) }
        });
        (tried.into_inner(), got.map(Geometry::block_count))
    }

    #[test]
    fn short_memory_gives_fewer_blocks_down_to_a_quarter() {
        assert_eq!(attempts(64, 64).1.unwrap(), 64);
        let (tried, got) = attempts(30, 64);
        assert_eq!(tried, [64, 48, 36, 27]);
        assert_eq!(got.unwrap(), 27);
        let (tried, got) = attempts(16, 64);
        assert_eq!((tried.last(), got.unwrap()), (Some(&16), 16));
        let (tried, got) = attempts(15, 64);
        assert_eq!((tried.last(), got.unwrap_err().raw_os_error()), (Some(&16), Some(libc::ENOMEM)));
        assert_eq!(attempts(0, 1).0, [1]);
    }

    #[test]
    fn other_errors_are_not_retried() {
        let geometry = Geometry::new(4096, 8, 2048, 4096).unwrap();
        let error = with_fewer_blocks(geometry, |_| Err(io::Error::from_raw_os_error(libc::EINVAL))).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
