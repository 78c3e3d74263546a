//! One packet's headers, from the outside in.
//!
//! Each header is checked and read by etherparse; this module determines their order, as in etherparse's own
//! `LaxSlicedPacket`. That type is not used for two reasons. It knows only the bytes it is given, and here these are
//! the copied start of a longer packet, whose lengths count. And it takes 41 ns, where the same headers one by one take
//! 6 (`cargo run --release --example parse`).

use etherparse::{
    ArpPacketSlice, EtherType, Ethernet2Header, Ethernet2HeaderSlice, Icmpv4Slice, Icmpv6Slice, IpAuthHeaderSlice,
    IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, SingleVlanHeader,
    SingleVlanHeaderSlice, TcpHeaderSlice, UdpHeaderSlice, err, ether_type, icmpv4, ip_number,
};

use super::{ParseError, Place, options};

/// The offset of an absent layer.
pub const ABSENT: u32 = u32::MAX;
/// Tags of one frame that are parsed; deeper ones are payload.
pub const MAX_VLANS: u32 = 8;

const ETHERNET: usize = Ethernet2Header::LEN;
const TAG: usize = SingleVlanHeader::LEN;

/// The network layer.
#[derive(Clone, Debug)]
pub enum Network<'a> {
    /// None that is parsed.
    None,
    /// ARP, for whatever addresses.
    Arp(ArpPacketSlice<'a>),
    /// IPv4.
    Ipv4(Ipv4HeaderSlice<'a>),
    /// IPv6, and its fragment header where it is a fragment.
    Ipv6(Ipv6HeaderSlice<'a>, Option<Ipv6FragmentHeaderSlice<'a>>),
}

/// The transport layer.
#[derive(Clone, Debug)]
pub enum Transport<'a> {
    /// None that is parsed.
    None,
    /// TCP.
    Tcp(TcpHeaderSlice<'a>),
    /// UDP.
    Udp(UdpHeaderSlice<'a>),
    /// ICMP.
    Icmpv4(Icmpv4Slice<'a>),
    /// ICMPv6.
    Icmpv6(Icmpv6Slice<'a>),
}

/// A packet's headers. Offsets count from the packet's first byte and are [`ABSENT`] where there is no such
/// layer.
#[derive(Clone, Debug)]
pub struct Layers<'a> {
    /// The bytes that were parsed: the packet, or the start of it.
    pub bytes: &'a [u8],
    /// Ethernet.
    pub link: Option<Ethernet2HeaderSlice<'a>>,
    /// VLAN tags, from byte 12 on.
    pub vlans: u32,
    /// Behind the tags. Below 0x600 it is a length, and what follows is LLC.
    pub ether_type: u16,
    /// IP or ARP.
    pub network: Network<'a>,
    /// Of the network layer.
    pub network_offset: u32,
    /// Protocol of what follows the IP header and its extensions.
    pub ip_protocol: u8,
    /// Part of a larger IP packet: nothing behind the IP header is parsed, the payload is the part.
    pub fragment: bool,
    /// TCP, UDP or ICMP.
    pub transport: Transport<'a>,
    /// Of the transport layer.
    pub transport_offset: u32,
    /// Of what follows the last header. Absent in ARP, and where an error ended the parsing.
    pub payload_offset: u32,
    /// Its captured bytes, without Ethernet's padding where a length field excludes it.
    pub payload_length: u32,
    /// What is wrong with the packet: what ended the parsing, or else a length or an option that cannot be right.
    pub error: Option<ParseError>,
    captured: u32,
}

/// What is left of a packet.
#[derive(Clone, Copy)]
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the bytes of this layer end: at the end of what was captured, or before.
    end: usize,
    /// The same as if everything had been captured.
    wire_end: usize,
}

impl<'a> Rest<'a> {
    #[inline(always)]
    fn bytes(&self) -> &'a [u8] {
        &self.bytes[self.at.min(self.bytes.len())..self.end.max(self.at).min(self.bytes.len())]
    }
}

impl<'a> Layers<'a> {
    /// Parses a packet of which `bytes` are the start, or all that was captured.
    #[inline(always)]
    pub fn of(bytes: &'a [u8], place: Place) -> Self {
        let mut layers = Self {
            bytes,
            link: None,
            vlans: 0,
            ether_type: 0,
            network: Network::None,
            network_offset: ABSENT,
            ip_protocol: 0,
            fragment: false,
            transport: Transport::None,
            transport_offset: ABSENT,
            payload_offset: ABSENT,
            payload_length: 0,
            error: None,
            captured: place.captured,
        };
        let (captured, original) = (place.captured as usize, place.original as usize);
        // On the wire there was at least what was captured.
        let rest = Rest { bytes, at: 0, end: captured, wire_end: original.max(captured) };
        if let Err(error) = layers.ethernet(rest) {
            // An error that ends the parsing counts before a length that was found wrong on the way to it.
            layers.error = Some(error);
        }
        layers
    }

    /// VLAN tags from the outermost in: TPID and the tag.
    pub fn tags(&self) -> impl Iterator<Item = (u16, SingleVlanHeaderSlice<'a>)> {
        let mut tpid = self.link.as_ref().map_or(0, |link| link.ether_type().0);
        let bytes = self.bytes;
        (0..self.vlans as usize).filter_map(move |index| {
            let tag = SingleVlanHeaderSlice::from_slice(bytes.get(ETHERNET + index * TAG..)?).ok()?;
            Some((std::mem::replace(&mut tpid, tag.ether_type().0), tag))
        })
    }

    /// VLAN identifier of the outermost tag.
    #[inline(always)]
    pub fn outer_vlan_id(&self) -> Option<u16> {
        if self.vlans == 0 { None } else { self.tags().next().map(|(_, tag)| tag.vlan_identifier().value()) }
    }

    /// The nine flags of TCP, FIN lowest and NS highest; 0 without TCP.
    #[inline(always)]
    pub fn tcp_flags(&self) -> u16 {
        let Transport::Tcp(tcp) = &self.transport else { return 0 };
        let header = tcp.slice();
        u16::from_be_bytes([header[12], header[13]]) & 0x1ff
    }

    /// A header ends behind the bytes given, and the packet has more of them.
    pub(super) fn goes_on(&self) -> bool {
        self.error.is_some_and(ParseError::is_truncated) && self.bytes.len() < self.captured as usize
    }

    /// What is wrong, but does not end the parsing.
    fn note(&mut self, error: ParseError) {
        self.error.get_or_insert(error);
    }

    /// A header says that there are `length` bytes from here on.
    #[inline(always)]
    fn limit(&mut self, rest: &mut Rest<'a>, length: usize, error: ParseError) {
        let end = rest.at + length;
        if end > rest.wire_end {
            self.note(error);
        }
        rest.wire_end = rest.wire_end.min(end);
        rest.end = rest.end.min(end);
    }

    fn end(&mut self, rest: Rest<'a>) {
        self.payload_offset = rest.at as u32;
        self.payload_length = rest.end.saturating_sub(rest.at) as u32;
    }

    #[inline(always)]
    fn ethernet(&mut self, mut rest: Rest<'a>) -> Result<(), ParseError> {
        let link = Ethernet2HeaderSlice::from_slice(rest.bytes()).map_err(|_| ParseError::LinkTruncated)?;
        let mut ether_type = link.ether_type();
        self.ether_type = ether_type.0;
        rest.at += link.slice().len();
        self.link = Some(link);
        while is_tag(ether_type) && self.vlans < MAX_VLANS {
            let tag = SingleVlanHeaderSlice::from_slice(rest.bytes()).map_err(|_| ParseError::VlanTruncated)?;
            ether_type = tag.ether_type();
            self.ether_type = ether_type.0;
            self.vlans += 1;
            rest.at += tag.slice().len();
        }
        match ether_type {
            ether_type::IPV4 => self.ipv4(rest),
            ether_type::IPV6 => self.ipv6(rest),
            ether_type::ARP => {
                let arp = ArpPacketSlice::from_slice(rest.bytes()).map_err(|_| ParseError::ArpTruncated)?;
                self.network = Network::Arp(arp);
                self.network_offset = rest.at as u32;
                Ok(())
            }
            EtherType(length) => {
                if length <= LONGEST_802_3 {
                    self.limit(&mut rest, length.into(), ParseError::LinkLength);
                }
                self.end(rest);
                Ok(())
            }
        }
    }

    #[inline(always)]
    fn ipv4(&mut self, mut rest: Rest<'a>) -> Result<(), ParseError> {
        use err::ipv4::HeaderSliceError::{Content, Len};
        let ip = Ipv4HeaderSlice::from_slice(rest.bytes()).map_err(|error| match error {
            Len(_) => ParseError::IpTruncated,
            Content(_) => ParseError::IpMalformed,
        })?;
        self.network_offset = rest.at as u32;
        let (header, length) = (ip.slice().len(), usize::from(ip.total_len()));
        if length >= header {
            self.limit(&mut rest, length, ParseError::IpLength);
        } else if length != 0 {
            // Zero stands for more than 64 KiB (BIG TCP, and segmentation offload before it).
            self.note(ParseError::IpLength);
        }
        rest.at += header;
        let mut protocol = ip.protocol();
        self.ip_protocol = protocol.0;
        self.fragment = ip.is_fragmenting_payload();
        self.network = Network::Ipv4(ip);
        if protocol == ip_number::AUTH && !self.fragment {
            protocol = authentication(&mut rest)?;
        }
        self.transport(protocol, rest)
    }

    #[inline(always)]
    fn ipv6(&mut self, mut rest: Rest<'a>) -> Result<(), ParseError> {
        use err::ipv6::HeaderSliceError::{Content, Len};
        let ip = Ipv6HeaderSlice::from_slice(rest.bytes()).map_err(|error| match error {
            Len(_) => ParseError::IpTruncated,
            Content(_) => ParseError::IpMalformed,
        })?;
        self.network_offset = rest.at as u32;
        rest.at += ip.header_len();
        let (mut next, length) = (ip.next_header(), usize::from(ip.payload_length()));
        // Zero stands for more than 64 KiB (RFC 2675, BIG TCP), or for a header and nothing behind it.
        if length != 0 || next == ip_number::IPV6_NO_NEXT_HEADER {
            self.limit(&mut rest, length, ParseError::IpLength);
        }
        self.network = Network::Ipv6(ip, None);
        let first = rest.at;
        loop {
            self.ip_protocol = next.0;
            match next {
                ip_number::IPV6_HOP_BY_HOP if rest.at != first => return Err(ParseError::ExtensionMalformed),
                ip_number::IPV6_HOP_BY_HOP | ip_number::IPV6_ROUTE | ip_number::IPV6_DEST_OPTIONS => {
                    let extension =
                        Ipv6RawExtHeaderSlice::from_slice(rest.bytes()).map_err(|_| ParseError::ExtensionTruncated)?;
                    next = extension.next_header();
                    rest.at += extension.slice().len();
                }
                ip_number::IPV6_FRAG => {
                    let extension = Ipv6FragmentHeaderSlice::from_slice(rest.bytes())
                        .map_err(|_| ParseError::ExtensionTruncated)?;
                    next = extension.next_header();
                    rest.at += extension.slice().len();
                    if extension.is_fragmenting_payload() {
                        // What follows are bytes of the whole packet's middle, not headers.
                        self.fragment = true;
                        if let Network::Ipv6(_, fragment) = &mut self.network {
                            *fragment = Some(extension);
                        }
                        break;
                    }
                }
                ip_number::AUTH => next = authentication(&mut rest)?,
                _ => break,
            }
        }
        self.transport(next, rest)
    }

    #[inline(always)]
    fn transport(&mut self, protocol: IpNumber, mut rest: Rest<'a>) -> Result<(), ParseError> {
        self.ip_protocol = protocol.0;
        let header = match protocol {
            _ if self.fragment => 0,
            ip_number::TCP => {
                use err::tcp::HeaderSliceError::{Content, Len};
                let tcp = TcpHeaderSlice::from_slice(rest.bytes()).map_err(|error| match error {
                    Len(_) => ParseError::TcpTruncated,
                    Content(_) => ParseError::TcpMalformed,
                })?;
                if !options::walk(tcp.options(), |_, _, _| ()) {
                    self.note(ParseError::TcpOptions);
                }
                let header = tcp.slice().len();
                self.transport = Transport::Tcp(tcp);
                header
            }
            ip_number::UDP => {
                let udp = UdpHeaderSlice::from_slice(rest.bytes()).map_err(|_| ParseError::UdpTruncated)?;
                let (header, length) = (udp.slice().len(), usize::from(udp.length()));
                if length >= header {
                    self.limit(&mut rest, length, ParseError::UdpLength);
                } else if length != 0 {
                    // Zero stands for as much as there is (RFC 2675).
                    self.note(ParseError::UdpLength);
                }
                self.transport = Transport::Udp(udp);
                header
            }
            ip_number::ICMP => {
                // etherparse wants a timestamp message to be exactly that long, and nothing of others.
                let bytes = rest.bytes();
                let icmp = Icmpv4Slice::from_slice(&bytes[..bytes.len().min(icmpv4::TimestampMessage::LEN)])
                    .map_err(|_| ParseError::IcmpTruncated)?;
                let header = icmp.header_len();
                self.transport = Transport::Icmpv4(icmp);
                header
            }
            ip_number::IPV6_ICMP => {
                let icmp = Icmpv6Slice::from_slice(rest.bytes()).map_err(|_| ParseError::IcmpTruncated)?;
                let header = icmp.header_len();
                self.transport = Transport::Icmpv6(icmp);
                header
            }
            _ => 0,
        };
        if header != 0 {
            self.transport_offset = rest.at as u32;
            rest.at += header;
        }
        self.end(rest);
        Ok(())
    }
}

/// The largest value of the ethertype field that is an 802.3 length.
const LONGEST_802_3: u16 = 1500;

fn is_tag(ether_type: EtherType) -> bool {
    matches!(
        ether_type,
        ether_type::VLAN_TAGGED_FRAME | ether_type::PROVIDER_BRIDGING | ether_type::VLAN_DOUBLE_TAGGED_FRAME
    )
}

/// Skips an authentication header and returns what follows it.
fn authentication(rest: &mut Rest<'_>) -> Result<IpNumber, ParseError> {
    use err::ip_auth::HeaderSliceError::{Content, Len};
    let header = IpAuthHeaderSlice::from_slice(rest.bytes()).map_err(|error| match error {
        Len(_) => ParseError::ExtensionTruncated,
        Content(_) => ParseError::ExtensionMalformed,
    })?;
    rest.at += header.slice().len();
    Ok(header.next_header())
}
