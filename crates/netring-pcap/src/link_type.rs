//! What every packet of an interface begins with.

use std::fmt;
use std::str::FromStr;

/// A value of the LINKTYPE_ registry (tcpdump.org/linktypes.html), as capture files hold it.
///
/// ```
/// use netring_pcap::LinkType;
///
/// assert_eq!("linuxSll2".parse(), Ok(LinkType::LINUX_SLL2));
/// assert_eq!("127".parse(), Ok(LinkType::from_number(127)));
/// assert_eq!(LinkType::ETHERNET.name(), Some("ethernet"));
/// assert_eq!(LinkType::from_number(127).to_string(), "127");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(u16);

/// Names and numbers, in the order of the registry.
const NAMES: [(&str, LinkType); 8] = [
    ("null", LinkType::NULL),
    ("ethernet", LinkType::ETHERNET),
    ("raw", LinkType::RAW),
    ("loop", LinkType::LOOP),
    ("linuxSll", LinkType::LINUX_SLL),
    ("ipv4", LinkType::IPV4),
    ("ipv6", LinkType::IPV6),
    ("linuxSll2", LinkType::LINUX_SLL2),
];

impl LinkType {
    /// BSD loopback: the address family in the byte order of the host that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IPv4 or IPv6, told apart by the first four bits.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(113);
    /// IPv4.
    pub const IPV4: Self = Self(228);
    /// IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, second version, with the interface's index.
    pub const LINUX_SLL2: Self = Self(276);

    /// The link type of a number that a file holds. 12 and 14 are DLT_RAW of most systems and of OpenBSD; old files
    /// hold them in place of LINKTYPE_RAW, and no other link type has these numbers.
    pub const fn from_number(number: u16) -> Self {
        match number {
            12 | 14 => Self::RAW,
            number => Self(number),
        }
    }

    /// The number in the registry.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The name, for the link types that have one here.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(_, link_type)| *link_type == self).map(|(name, _)| *name)
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

/// A text that names no link type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLinkType(
    /// The text.
    pub String,
);

impl fmt::Display for UnknownLinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is no link type; give a number of 16 bits or one of", self.0)?;
        NAMES.iter().try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl std::error::Error for UnknownLinkType {}

impl FromStr for LinkType {
    type Err = UnknownLinkType;

    fn from_str(text: &str) -> Result<Self, UnknownLinkType> {
        let named = NAMES.iter().find(|(name, _)| *name == text).map(|(_, link_type)| *link_type);
        let numbered = || text.parse().ok().map(Self::from_number);
        named.or_else(numbered).ok_or_else(|| UnknownLinkType(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (name, link_type) in NAMES {
            assert_eq!(name.parse(), Ok(link_type));
            assert_eq!(link_type.to_string(), name);
            assert_eq!(link_type.number().to_string().parse(), Ok(link_type));
        }
    }

    #[test]
    fn dlt_raw_is_raw() {
        assert_eq!([12, 14, 101].map(LinkType::from_number), [LinkType::RAW; 3]);
    }

    #[test]
    fn what_is_no_link_type_is_told_with_the_names() {
        let error = "wifi".parse::<LinkType>().unwrap_err().to_string();
        assert!(error.contains("\"wifi\"") && error.contains("linuxSll2"), "{error}");
        assert!("65536".parse::<LinkType>().is_err());
    }
}
