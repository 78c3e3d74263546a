//! Lists and describes network interfaces.

use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use crate::error::{Error, ErrorKind, Result};
use crate::link_type::LinkType;
use crate::sys::netlink::LinkSocket;
use crate::sys::netns::{Failure, path_of};
use crate::sys::packet::PacketSocket;
use crate::sys::{ethtool, netns};

/// The properties of an interface.
#[derive(Clone, Debug)]
pub struct InterfaceInfo {
    /// Its name.
    pub name: String,
    /// Its index in its network namespace.
    pub index: u32,
    /// Largest layer-3 packet in bytes.
    pub mtu: u32,
    /// Speed in Mbit/s, if it has one.
    pub speed_mbps: Option<u32>,
    /// The driver's name, if the driver reports one.
    pub driver: Option<String>,
    /// Receive queues.
    pub rx_queues: u32,
    /// Transmit queues.
    pub tx_queues: u32,
    /// Whether the lower layer is up (IFF_LOWER_UP).
    pub carrier: bool,
    /// Whether it is administratively up (IFF_UP).
    pub up: bool,
    /// IFF_* flags in lower case.
    pub flags: Vec<&'static str>,
    /// Hardware address as `aa:bb:cc:dd:ee:ff`; empty where it has none.
    pub mac_address: String,
    /// What its packets begin with.
    pub link_type: LinkType,
}

/// Every interface of a network namespace, by index.
///
/// # Errors
///
/// [`Config`](ErrorKind::Config) for a namespace that cannot be entered, [`Io`](ErrorKind::Io).
pub fn list(namespace: Option<&str>) -> Result<Vec<InterfaceInfo>> {
    let path = namespace.map(path_of);
    let namespace_error = |failure| entering(namespace, failure, "cannot list interfaces", "socket");
    let mut socket = LinkSocket::open(path.as_deref(), false).map_err(namespace_error)?;
    let links = socket.all().map_err(|error| Error::os(ErrorKind::Io, "recvmsg", &error, "cannot list interfaces"))?;
    let asker = asker(path.as_deref()).map_err(namespace_error)?;
    let mut list: Vec<_> = links.iter().map(|link| describe(link, &asker)).collect();
    list.sort_by_key(|info| info.index);
    Ok(list)
}

/// One interface.
///
/// # Errors
///
/// As [`list`], and [`InterfaceNotFound`](ErrorKind::InterfaceNotFound).
pub fn info(name: &str, namespace: Option<&str>) -> Result<InterfaceInfo> {
    list(namespace)?.into_iter().find(|info| info.name == name).ok_or_else(|| not_found(name, namespace))
}

/// Whether two names, each in its network namespace, denote the same interface: an interface may have several names
/// (`ip link property add altname`), and so may its namespace. Unknown names denote no interface.
pub fn is_same(a: &str, a_namespace: Option<&str>, b: &str, b_namespace: Option<&str>) -> bool {
    let place = |name: &str, namespace: Option<&str>| -> Option<((u64, u64), i32)> {
        let path = namespace.map(path_of);
        let socket = PacketSocket::open(path.as_deref()).ok()?;
        Some((netns::identity(path.as_deref()).ok()?, socket.interface_index(name).ok()?))
    };
    place(a, a_namespace).is_some_and(|one| place(b, b_namespace) == Some(one))
}

/// The error for a name that no interface has.
pub fn not_found(name: &str, namespace: Option<&str>) -> Error {
    let place = namespace.map_or_else(|| "this network namespace".to_owned(), |ns| format!("network namespace {ns}"));
    Error::new(ErrorKind::InterfaceNotFound, format!("no interface {name:?} in {place}: `ip link` lists them"))
        .on_interface(name)
}

/// The error for a failed call into another network namespace.
pub(crate) fn entering(namespace: Option<&str>, failure: Failure, what: &str, syscall: &'static str) -> Error {
    let name = namespace.unwrap_or("");
    match failure {
        Failure::Open(error) => {
            let why = if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM)) {
                "that of a process with other rights than this one's also needs CAP_SYS_PTRACE"
            } else {
                "no such network namespace; give a name under /run/netns (`ip netns`) or a path such as /proc/PID/ns/net"
            };
            Error::os(ErrorKind::Config, "open", &error, format_args!("netns {name:?}: {why}"))
        }
        Failure::Enter(error) => {
            let why = if error.raw_os_error() == Some(libc::EINVAL) {
                "it is no network namespace; give a name under /run/netns (`ip netns`) or a path such as /proc/PID/ns/net"
            } else {
                "which also needs CAP_SYS_ADMIN"
            };
            Error::os(ErrorKind::Config, "setns", &error, format_args!("cannot enter netns {name:?}: {why}"))
        }
        Failure::Call(error) => Error::os(ErrorKind::Socket, syscall, &error, what),
    }
}

/// A socket for the ethtool ioctls; needs no privilege.
fn asker(namespace: Option<&std::path::Path>) -> std::result::Result<UnixDatagram, Failure> {
    // Any family's socket passes these ioctls on to the device (`sock_do_ioctl`, net/socket.c).
    netns::within(namespace, UnixDatagram::unbound)
}

fn describe(link: &LinkMessage, asker: &UnixDatagram) -> InterfaceInfo {
    let flags = link.header.flags;
    let mut info = InterfaceInfo {
        name: String::new(),
        index: link.header.index,
        mtu: 0,
        speed_mbps: None,
        driver: None,
        rx_queues: 1,
        tx_queues: 1,
        carrier: flags.contains(LinkFlags::LowerUp),
        up: flags.contains(LinkFlags::Up),
        flags: FLAG_NAMES.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect(),
        mac_address: String::new(),
        link_type: LinkType::of_arphrd(link.header.link_layer_type.into()),
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => info.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => info.mtu = *mtu,
            LinkAttribute::NumRxQueues(count) => info.rx_queues = *count,
            LinkAttribute::NumTxQueues(count) => info.tx_queues = *count,
            LinkAttribute::Address(bytes) => info.mac_address = colons(bytes),
            _ => {}
        }
    }
    // The field stays empty where the driver refuses to answer or does not know.
    info.driver = ethtool::driver(asker.as_fd(), &info.name).ok().flatten();
    info.speed_mbps = ethtool::speed(asker.as_fd(), &info.name).ok().flatten();
    info
}

fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

const FLAG_NAMES: [(LinkFlags, &str); 12] = [
    (LinkFlags::Up, "up"),
    (LinkFlags::Broadcast, "broadcast"),
    (LinkFlags::Loopback, "loopback"),
    (LinkFlags::Pointopoint, "pointopoint"),
    (LinkFlags::Running, "running"),
    (LinkFlags::Noarp, "noarp"),
    (LinkFlags::Promisc, "promisc"),
    (LinkFlags::Allmulti, "allmulti"),
    (LinkFlags::Multicast, "multicast"),
    (LinkFlags::LowerUp, "lowerUp"),
    (LinkFlags::Dormant, "dormant"),
    (LinkFlags::Controller, "master"),
];

/// Index of an interface in a socket's namespace.
pub(crate) fn index_of(socket: &PacketSocket, name: &str, namespace: Option<&str>) -> Result<i32> {
    socket.interface_index(name).map_err(|error| match error.raw_os_error() {
        Some(libc::ENODEV) => not_found(name, namespace),
        _ => Error::os(ErrorKind::Io, "ioctl", &error, format_args!("cannot look up interface {name:?}"))
            .on_interface(name),
    })
}
