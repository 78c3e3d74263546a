//! What can be wrong with a packet's headers.

/// Why a packet was not, or not wholly, parsed. The numbers are public: the `error` column holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ParseError {
    /// Shorter than an Ethernet header.
    LinkTruncated = 1,
    /// An 802.3 length that the frame does not have.
    LinkLength = 2,
    /// The packet ends in a VLAN tag.
    VlanTruncated = 3,
    /// The packet ends in an ARP message.
    ArpTruncated = 4,
    /// The packet ends in an IP header.
    IpTruncated = 5,
    /// Another version than the ethertype says, or an IPv4 header length below 20 bytes.
    IpMalformed = 6,
    /// An IP length that does not cover the header, or that the packet did not have on the wire.
    IpLength = 7,
    /// The packet, or what its IP length says there is of it, ends in an extension header.
    ExtensionTruncated = 8,
    /// A hop-by-hop header that is not the first, or an authentication header without a length.
    ExtensionMalformed = 9,
    /// The packet, or what its IP length says there is of it, ends in a TCP header.
    TcpTruncated = 10,
    /// A TCP data offset below 20 bytes.
    TcpMalformed = 11,
    /// A TCP option that leaves the header, or has a length below 2.
    TcpOptions = 12,
    /// The packet, or what its IP length says there is of it, ends in a UDP header.
    UdpTruncated = 13,
    /// A UDP length that does not cover the header, or that the IP packet does not have.
    UdpLength = 14,
    /// The packet, or what its IP length says there is of it, ends in an ICMP header.
    IcmpTruncated = 15,
}

impl ParseError {
    /// Every error, by number.
    pub const ALL: [Self; 15] = [
        Self::LinkTruncated,
        Self::LinkLength,
        Self::VlanTruncated,
        Self::ArpTruncated,
        Self::IpTruncated,
        Self::IpMalformed,
        Self::IpLength,
        Self::ExtensionTruncated,
        Self::ExtensionMalformed,
        Self::TcpTruncated,
        Self::TcpMalformed,
        Self::TcpOptions,
        Self::UdpTruncated,
        Self::UdpLength,
        Self::IcmpTruncated,
    ];

    /// The header ends behind the bytes that there are.
    pub fn is_truncated(self) -> bool {
        matches!(
            self,
            Self::LinkTruncated
                | Self::VlanTruncated
                | Self::ArpTruncated
                | Self::IpTruncated
                | Self::ExtensionTruncated
                | Self::TcpTruncated
                | Self::UdpTruncated
                | Self::IcmpTruncated
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_numbered_from_one_without_a_gap() {
        for (index, error) in ParseError::ALL.into_iter().enumerate() {
            assert_eq!(error as usize, index + 1);
        }
    }
}
