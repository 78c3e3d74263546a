//! One packet's headers with all of their fields, as an array of 32-bit words.
//!
//! A JavaScript object costs some 100 ns a property when native code makes it; filling an array costs nothing to speak
//! of, and JavaScript makes objects of what is asked for. `src/parse/record.ts` reads it.

use etherparse::{ArpPacketSlice, Ipv6FragmentHeaderSlice, TcpHeaderSlice};

use super::columns::widened;
use super::layers::MAX_VLANS;
use super::{HEAD_BYTES, Layers, Network, Place, Transport, copy_head, copy_whole, options};
use crate::ring::Memory;

/// Options that a TCP header has room for: 40 bytes of no-operation.
pub const MAX_OPTIONS: usize = 40;

/// The words of a record that hold one value each, in their order.
///
/// Behind them come, with a fixed number of words each: destination and source of the link (2 words each, 6 bytes
/// used), source and destination of IP (4 words each, IPv4 in the first), tags (TPID in the upper half, TCI in the
/// lower) and TCP options (2 words each: kind and length of the data in the upper and lower half, and where the data
/// starts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "named as the fields of ParsedPacket in src/parse/packet.ts, explained there")]
pub enum Word {
    Error,
    /// There is an Ethernet header.
    Link,
    EtherType,
    Vlans,
    NetworkOffset,
    PayloadOffset,
    PayloadLength,
    /// There is an ARP message.
    Arp,
    ArpOperation,
    /// Protocol type, such as 0x0800.
    ArpProtocol,
    /// Bytes of a hardware address.
    ArpHardwareSize,
    /// Bytes of a protocol address.
    ArpProtocolSize,
    IpVersion,
    IpProtocol,
    HopLimit,
    Dscp,
    Ecn,
    Fragment,
    /// In units of 8 bytes, as on the wire.
    FragmentOffset,
    MoreFragments,
    Identification,
    /// Protocol number of the transport layer that was parsed.
    Transport,
    SourcePort,
    DestinationPort,
    Sequence,
    Acknowledgment,
    TcpFlags,
    Window,
    Options,
    UdpLength,
    IcmpType,
    IcmpCode,
    /// Bytes 5 and 6, and 7 and 8, of an ICMP message.
    IcmpIdentifier,
    IcmpSequence,
}

impl Word {
    /// Every one, in their order.
    pub const ALL: [Self; 34] = [
        Self::Error,
        Self::Link,
        Self::EtherType,
        Self::Vlans,
        Self::NetworkOffset,
        Self::PayloadOffset,
        Self::PayloadLength,
        Self::Arp,
        Self::ArpOperation,
        Self::ArpProtocol,
        Self::ArpHardwareSize,
        Self::ArpProtocolSize,
        Self::IpVersion,
        Self::IpProtocol,
        Self::HopLimit,
        Self::Dscp,
        Self::Ecn,
        Self::Fragment,
        Self::FragmentOffset,
        Self::MoreFragments,
        Self::Identification,
        Self::Transport,
        Self::SourcePort,
        Self::DestinationPort,
        Self::Sequence,
        Self::Acknowledgment,
        Self::TcpFlags,
        Self::Window,
        Self::Options,
        Self::UdpLength,
        Self::IcmpType,
        Self::IcmpCode,
        Self::IcmpIdentifier,
        Self::IcmpSequence,
    ];
}

const LINK_DESTINATION: usize = Word::IcmpSequence as usize + 1;
const LINK_SOURCE: usize = LINK_DESTINATION + 2;
const SOURCE_ADDRESS: usize = LINK_SOURCE + 2;
const DESTINATION_ADDRESS: usize = SOURCE_ADDRESS + 4;
const TAGS: usize = DESTINATION_ADDRESS + 4;
const OPTIONS: usize = TAGS + MAX_VLANS as usize;

/// A packet's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record([u32; Self::WORDS]);

impl Record {
    /// Words of a record.
    pub const WORDS: usize = OPTIONS + 2 * MAX_OPTIONS;

    /// Where the fields that take several words start.
    pub const PARTS: [(&'static str, usize); 6] = [
        ("linkDestination", LINK_DESTINATION),
        ("linkSource", LINK_SOURCE),
        ("sourceAddress", SOURCE_ADDRESS),
        ("destinationAddress", DESTINATION_ADDRESS),
        ("tags", TAGS),
        ("tcpOptions", OPTIONS),
    ];

    /// Parses the packet at `place`; `None` where that is not inside the memory. Offsets count from the packet's first
    /// byte.
    pub fn of(memory: &Memory, place: Place) -> Option<Self> {
        let mut head = [0; HEAD_BYTES];
        let layers = Layers::of(copy_head(memory, place, &mut head)?, place);
        if layers.goes_on() {
            let bytes = copy_whole(memory, place.offset, place.captured);
            return Some(Self::from(&Layers::of(&bytes, place)));
        }
        Some(Self::from(&layers))
    }

    /// The words.
    pub fn words(&self) -> &[u32; Self::WORDS] {
        &self.0
    }

    /// One of the words that stand for themselves.
    pub fn get(&self, word: Word) -> u32 {
        self.0[word as usize]
    }

    fn set(&mut self, word: Word, value: impl Into<u32>) {
        self.0[word as usize] = value.into();
    }

    /// Bytes in memory order, whatever this machine's.
    fn set_bytes(&mut self, at: usize, bytes: &[u8]) {
        for (index, chunk) in bytes.chunks(4).enumerate() {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0[at + index] = u32::from_ne_bytes(word);
        }
    }

    fn set_network(&mut self, layers: &Layers<'_>) {
        self.set(Word::IpProtocol, layers.ip_protocol);
        self.set(Word::Fragment, layers.fragment);
        match &layers.network {
            Network::None => (),
            Network::Arp(arp) => self.set_arp(arp),
            Network::Ipv4(ip) => {
                self.set(Word::IpVersion, 4u8);
                self.set(Word::HopLimit, ip.ttl());
                self.set(Word::Dscp, ip.dcp().value());
                self.set(Word::Ecn, ip.ecn().value());
                self.set(Word::FragmentOffset, ip.fragments_offset().value());
                self.set(Word::MoreFragments, ip.more_fragments());
                self.set(Word::Identification, ip.identification());
                self.set_bytes(SOURCE_ADDRESS, &widened(ip.source()));
                self.set_bytes(DESTINATION_ADDRESS, &widened(ip.destination()));
            }
            Network::Ipv6(ip, fragment) => {
                self.set(Word::IpVersion, 6u8);
                self.set(Word::HopLimit, ip.hop_limit());
                self.set(Word::Dscp, ip.dscp().value());
                self.set(Word::Ecn, ip.ecn().value());
                self.set_bytes(SOURCE_ADDRESS, &ip.source());
                self.set_bytes(DESTINATION_ADDRESS, &ip.destination());
                if let Some(fragment) = fragment {
                    self.set_fragment(fragment);
                }
            }
        }
    }

    fn set_fragment(&mut self, fragment: &Ipv6FragmentHeaderSlice<'_>) {
        self.set(Word::FragmentOffset, fragment.fragment_offset().value());
        self.set(Word::MoreFragments, fragment.more_fragments());
        self.set(Word::Identification, fragment.identification());
    }

    fn set_arp(&mut self, arp: &ArpPacketSlice<'_>) {
        self.set(Word::Arp, 1u8);
        self.set(Word::ArpOperation, arp.operation().0);
        self.set(Word::ArpProtocol, arp.proto_addr_type().0);
        self.set(Word::ArpHardwareSize, arp.hw_addr_size());
        self.set(Word::ArpProtocolSize, arp.proto_addr_size());
    }

    fn set_transport(&mut self, layers: &Layers<'_>) {
        match &layers.transport {
            Transport::None => (),
            Transport::Tcp(tcp) => self.set_tcp(layers, tcp),
            Transport::Udp(udp) => {
                self.set(Word::Transport, etherparse::ip_number::UDP.0);
                self.set(Word::SourcePort, udp.source_port());
                self.set(Word::DestinationPort, udp.destination_port());
                self.set(Word::UdpLength, udp.length());
            }
            Transport::Icmpv4(icmp) => {
                self.set(Word::Transport, etherparse::ip_number::ICMP.0);
                self.set_icmp(icmp.type_u8(), icmp.code_u8(), icmp.bytes5to8());
            }
            Transport::Icmpv6(icmp) => {
                self.set(Word::Transport, etherparse::ip_number::IPV6_ICMP.0);
                self.set_icmp(icmp.type_u8(), icmp.code_u8(), icmp.bytes5to8());
            }
        }
    }

    fn set_tcp(&mut self, layers: &Layers<'_>, tcp: &TcpHeaderSlice<'_>) {
        self.set(Word::Transport, etherparse::ip_number::TCP.0);
        self.set(Word::SourcePort, tcp.source_port());
        self.set(Word::DestinationPort, tcp.destination_port());
        self.set(Word::Sequence, tcp.sequence_number());
        self.set(Word::Acknowledgment, tcp.acknowledgment_number());
        self.set(Word::TcpFlags, layers.tcp_flags());
        self.set(Word::Window, tcp.window_size());
        let options = tcp.options();
        let start = layers.transport_offset as usize + tcp.slice().len() - options.len();
        let mut count = 0;
        options::walk(options, |kind, at, length| {
            let words = &mut self.0[OPTIONS + 2 * count..][..2];
            words.copy_from_slice(&[u32::from(kind) << 16 | length as u32, (start + at) as u32]);
            count += 1;
        });
        self.set(Word::Options, count as u32);
    }

    fn set_icmp(&mut self, kind: u8, code: u8, [a, b, c, d]: [u8; 4]) {
        self.set(Word::IcmpType, kind);
        self.set(Word::IcmpCode, code);
        self.set(Word::IcmpIdentifier, u16::from_be_bytes([a, b]));
        self.set(Word::IcmpSequence, u16::from_be_bytes([c, d]));
    }
}

impl From<&Layers<'_>> for Record {
    fn from(layers: &Layers<'_>) -> Self {
        let mut record = Self([0; Self::WORDS]);
        record.set(Word::Error, layers.error.map_or(0, |error| error as u32));
        record.set(Word::EtherType, layers.ether_type);
        record.set(Word::NetworkOffset, layers.network_offset);
        record.set(Word::PayloadOffset, layers.payload_offset);
        record.set(Word::PayloadLength, layers.payload_length);
        if let Some(link) = &layers.link {
            record.set(Word::Link, 1u8);
            record.set_bytes(LINK_DESTINATION, &link.destination());
            record.set_bytes(LINK_SOURCE, &link.source());
        }
        record.set(Word::Vlans, layers.vlans);
        for (index, (tpid, tag)) in layers.tags().enumerate() {
            let [high, low, ..] = *tag.slice() else { continue };
            record.0[TAGS + index] = u32::from(tpid) << 16 | u32::from(u16::from_be_bytes([high, low]));
        }
        record.set_network(layers);
        record.set_transport(layers);
        record
    }
}
