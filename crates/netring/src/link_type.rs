//! What every packet of a source begins with.

use std::fmt;

/// Raw IP (include/uapi/linux/if_arp.h); the libc crate has no name for it.
const ARPHRD_RAWIP: u16 = 519;

/// A number of tcpdump's LINKTYPE_ registry (<https://www.tcpdump.org/linktypes.html>), as capture files have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: a 4-byte address family in the host's byte order.
    pub const NULL: Self = Self(netring_pcap::LinkType::NULL.number() as u32);
    /// Ethernet.
    pub const ETHERNET: Self = Self(netring_pcap::LinkType::ETHERNET.number() as u32);
    /// An IPv4 or IPv6 packet; the first four bits say which.
    pub const RAW: Self = Self(netring_pcap::LinkType::RAW.number() as u32);
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    pub const LOOP: Self = Self(netring_pcap::LinkType::LOOP.number() as u32);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(netring_pcap::LinkType::LINUX_SLL.number() as u32);
    /// An IPv4 packet.
    pub const IPV4: Self = Self(netring_pcap::LinkType::IPV4.number() as u32);
    /// An IPv6 packet.
    pub const IPV6: Self = Self(netring_pcap::LinkType::IPV6.number() as u32);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(netring_pcap::LinkType::LINUX_SLL2.number() as u32);
    /// The registry has no number for what this interface gives a packet socket.
    pub const UNKNOWN: Self = Self(u32::MAX);

    /// Of what an AF_PACKET `SOCK_RAW` socket sees on an interface of this ARPHRD_ type (include/uapi/linux/if_arp.h). Point-to-point
    /// and tunnel devices have no link-layer header: their packets begin with the IP header, as libpcap's
    /// `map_arphrd_to_dlt` has it.
    pub fn of_arphrd(hardware: u16) -> Self {
        match hardware {
            libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Self::ETHERNET,
            libc::ARPHRD_NONE
            | libc::ARPHRD_PPP
            | ARPHRD_RAWIP
            | libc::ARPHRD_TUNNEL
            | libc::ARPHRD_TUNNEL6
            | libc::ARPHRD_SIT => Self::RAW,
            _ => Self::UNKNOWN,
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u16::try_from(self.0) {
            Ok(number) => netring_pcap::LinkType::from_number(number).fmt(f),
            Err(_) => f.write_str("unknown"),
        }
    }
}
