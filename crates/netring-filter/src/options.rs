//! What an expression is compiled for.

use std::net::Ipv4Addr;

/// What a packet begins with: a LINKTYPE_ of [tcpdump.org's registry](https://www.tcpdump.org/linktypes.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LinkType {
    /// Ethernet, 1.
    #[default]
    Ethernet,
    /// IPv4 or IPv6 by the version in its first byte: 101 in files, 12 for libpcap's DLT_RAW. What AF_PACKET gives on tun, WireGuard
    /// and PPP devices.
    Raw,
    /// IPv4, 228.
    Ipv4,
    /// IPv6, 229.
    Ipv6,
    /// The BSDs' loopback, 0: an address family in the byte order of the machine that captured.
    Null,
    /// OpenBSD's loopback, 108: an address family in network byte order.
    Loop,
    /// Linux' cooked capture, 113.
    LinuxSll,
    /// Linux' cooked capture version 2, 276.
    LinuxSll2,
}

impl LinkType {
    /// The link type with this LINKTYPE_ or DLT_ number.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            12 | 14 | 101 => Self::Raw,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            0 => Self::Null,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            _ => return None,
        })
    }

    /// Its LINKTYPE_ number.
    pub fn number(self) -> u32 {
        match self {
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::Null => 0,
            Self::Loop => 108,
            Self::LinuxSll => 113,
            Self::LinuxSll2 => 276,
        }
    }
}

/// Where the outermost VLAN tag of a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Vlan {
    /// In the bytes: files, memory, XDP.
    #[default]
    Bytes,
    /// In the metadata of a live AF_PACKET socket, or in the bytes where the kernel left it there. Such a program also may ask for the
    /// direction and the interface of a packet.
    Metadata,
}

/// How [`LinkType::Null`] and [`LinkType::Loop`] write the address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum LoopbackFamily {
    /// As in a file from a little-endian machine: IPv6 is 24, 28 or 30, by the system. What libpcap does on one when it reads a file.
    #[default]
    FileLittleEndian,
    /// The same from a big-endian machine.
    FileBigEndian,
    /// As this machine's kernel: IPv6 is 10. What libpcap does on a handle that is no file.
    Host,
}

/// Where a program is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Target {
    /// Here, on bytes in memory: anything is possible.
    #[default]
    Memory,
    /// In a socket of the kernel: no loops, so no `protochain`, and no more than [`MAX_INSTRUCTIONS`](crate::MAX_INSTRUCTIONS).
    Socket,
    /// In an XDP program, which sees the bytes and nothing else: also no direction, no interface, no metadata.
    Xdp,
}

/// What [`compile`](crate::compile) needs to know beside the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What packets begin with.
    pub link_type: LinkType,
    /// What the program returns for a packet that matches: how much of it is kept. Zero would match nothing and counts as one.
    pub snap_len: u32,
    /// For `ip broadcast`.
    pub netmask: Option<Ipv4Addr>,
    /// Where a VLAN tag is.
    pub vlan: Vlan,
    /// For loopback link types.
    pub loopback: LoopbackFamily,
    /// Where the program is to run.
    pub target: Target,
    /// Whether the program is made short. Both say the same of every packet; without, it is longer and made sooner.
    pub optimize: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            link_type: LinkType::default(),
            snap_len: 262_144,
            netmask: None,
            vlan: Vlan::default(),
            loopback: LoopbackFamily::default(),
            target: Target::default(),
            optimize: true,
        }
    }
}
