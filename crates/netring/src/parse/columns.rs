//! Many packets' headers as columns: one array per field.
//!
//! All columns lie in one piece of memory, the widest values first, so that each is aligned whatever the number of
//! packets. Addresses, 16 bytes each, come last and need no alignment.

use super::{ABSENT, HEAD_BYTES, Layers, Network, Place, Transport, copy_head, copy_whole};
use crate::ring::view::VolatileArray;
use crate::ring::{Columns, Memory};

/// The columns. The order is that of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of ParsedColumns in src/parse/columns.ts, explained there")]
pub enum Parsed {
    NetworkOffset,
    TransportOffset,
    PayloadOffset,
    PayloadLength,
    EtherType,
    VlanId,
    SourcePort,
    DestinationPort,
    TcpFlags,
    IpVersion,
    IpProtocol,
    Fragment,
    Error,
    SourceAddress,
    DestinationAddress,
}

impl Parsed {
    /// Every column, in the order of memory.
    pub const ALL: [Self; 15] = [
        Self::NetworkOffset,
        Self::TransportOffset,
        Self::PayloadOffset,
        Self::PayloadLength,
        Self::EtherType,
        Self::VlanId,
        Self::SourcePort,
        Self::DestinationPort,
        Self::TcpFlags,
        Self::IpVersion,
        Self::IpProtocol,
        Self::Fragment,
        Self::Error,
        Self::SourceAddress,
        Self::DestinationAddress,
    ];

    /// Bytes per packet.
    pub const fn width(self) -> usize {
        match self {
            Self::NetworkOffset | Self::TransportOffset | Self::PayloadOffset | Self::PayloadLength => 4,
            Self::EtherType | Self::VlanId | Self::SourcePort | Self::DestinationPort | Self::TcpFlags => 2,
            Self::IpVersion | Self::IpProtocol | Self::Fragment | Self::Error => 1,
            Self::SourceAddress | Self::DestinationAddress => 16,
        }
    }

    /// Bytes per packet of all columns before this one; times the number of packets it is where this one starts.
    pub const fn start(self) -> usize {
        let mut bytes = 0;
        let mut index = 0;
        while index < self as usize {
            bytes += Self::ALL[index].width();
            index += 1;
        }
        bytes
    }
}

/// Packets between the one that is parsed and the one that is prefetched: a cache miss takes as long as parsing a few.
const AHEAD: u32 = 8;

/// `vlanId` of a packet without a tag.
const NO_VLAN: u16 = u16::MAX;

/// The columns of a number of packets.
pub struct ParsedColumns<'a> {
    network_offset: VolatileArray<'a, u32>,
    transport_offset: VolatileArray<'a, u32>,
    payload_offset: VolatileArray<'a, u32>,
    payload_length: VolatileArray<'a, u32>,
    ether_type: VolatileArray<'a, u16>,
    vlan_id: VolatileArray<'a, u16>,
    source_port: VolatileArray<'a, u16>,
    destination_port: VolatileArray<'a, u16>,
    tcp_flags: VolatileArray<'a, u16>,
    ip_version: VolatileArray<'a, u8>,
    ip_protocol: VolatileArray<'a, u8>,
    fragment: VolatileArray<'a, u8>,
    error: VolatileArray<'a, u8>,
    source_address: VolatileArray<'a, [u8; 16]>,
    destination_address: VolatileArray<'a, [u8; 16]>,
}

impl<'a> ParsedColumns<'a> {
    /// Bytes per packet of all columns together.
    pub const BYTES_PER_PACKET: usize = Parsed::DestinationAddress.start() + Parsed::DestinationAddress.width();

    /// Columns of `packets` packets over this memory; `None` where it is too small, or not aligned to 4 bytes.
    pub fn in_memory(memory: &'a Memory, packets: u32) -> Option<Self> {
        let packets = packets as usize;
        Some(Self {
            network_offset: array(memory, packets, Parsed::NetworkOffset)?,
            transport_offset: array(memory, packets, Parsed::TransportOffset)?,
            payload_offset: array(memory, packets, Parsed::PayloadOffset)?,
            payload_length: array(memory, packets, Parsed::PayloadLength)?,
            ether_type: array(memory, packets, Parsed::EtherType)?,
            vlan_id: array(memory, packets, Parsed::VlanId)?,
            source_port: array(memory, packets, Parsed::SourcePort)?,
            destination_port: array(memory, packets, Parsed::DestinationPort)?,
            tcp_flags: array(memory, packets, Parsed::TcpFlags)?,
            ip_version: array(memory, packets, Parsed::IpVersion)?,
            ip_protocol: array(memory, packets, Parsed::IpProtocol)?,
            fragment: array(memory, packets, Parsed::Fragment)?,
            error: array(memory, packets, Parsed::Error)?,
            source_address: array(memory, packets, Parsed::SourceAddress)?,
            destination_address: array(memory, packets, Parsed::DestinationAddress)?,
        })
    }

    /// Parses the first `packets` packets that lie in `memory` as `places` say, each into its row. False where one does
    /// not.
    pub fn parse_all(&self, packets: u32, memory: &Memory, places: &Columns) -> bool {
        let [offset, captured, original] = places.places();
        let place =
            |row| Some(Place { offset: offset.get(row)?, captured: captured.get(row)?, original: original.get(row)? });
        (0..packets).all(|row| {
            memory.prefetch(offset.get(row.wrapping_add(AHEAD)).unwrap_or(0) as usize, HEAD_BYTES - 1);
            place(row).is_some_and(|place| self.parse(row, memory, place))
        })
    }

    /// Parses the packet at `place` into row `row`, offsets counted as `place.offset` is. False, and nothing written,
    /// where the place is not inside `memory`.
    #[inline(always)]
    pub fn parse(&self, row: u32, memory: &Memory, place: Place) -> bool {
        let mut head = [0; HEAD_BYTES];
        let Some(bytes) = copy_head(memory, place, &mut head) else { return false };
        let layers = Layers::of(bytes, place);
        if layers.goes_on() {
            self.parse_whole(row, memory, place.offset, place.captured, place.original);
        } else {
            self.set(row, place.offset, &layers);
        }
        true
    }

    /// Takes numbers and not a `Place`: were its address taken, the fast path would build it in memory for every packet
    /// and wait for that.
    #[cold]
    #[inline(never)]
    fn parse_whole(&self, row: u32, memory: &Memory, offset: u32, captured: u32, original: u32) {
        let bytes = copy_whole(memory, offset, captured);
        self.set(row, offset, &Layers::of(&bytes, Place { offset, captured, original }));
    }

    #[inline(always)]
    fn set(&self, row: u32, start: u32, layers: &Layers<'_>) {
        let offset = |offset: u32| if offset == ABSENT { ABSENT } else { start.wrapping_add(offset) };
        self.network_offset.set(row, offset(layers.network_offset));
        self.transport_offset.set(row, offset(layers.transport_offset));
        self.payload_offset.set(row, offset(layers.payload_offset));
        self.payload_length.set(row, layers.payload_length);
        self.ether_type.set(row, layers.ether_type);
        self.vlan_id.set(row, layers.outer_vlan_id().unwrap_or(NO_VLAN));
        self.ip_protocol.set(row, layers.ip_protocol);
        self.fragment.set(row, layers.fragment.into());
        self.error.set(row, layers.error.map_or(0, |error| error as u8));

        let (version, source, destination) = match &layers.network {
            Network::Ipv4(ip) => (4, widened(ip.source()), widened(ip.destination())),
            Network::Ipv6(ip, _) => (6, ip.source(), ip.destination()),
            Network::Arp(_) | Network::None => (0, [0; 16], [0; 16]),
        };
        self.ip_version.set(row, version);
        self.source_address.set(row, source);
        self.destination_address.set(row, destination);

        let (source, destination) = match &layers.transport {
            Transport::Tcp(tcp) => (tcp.source_port(), tcp.destination_port()),
            Transport::Udp(udp) => (udp.source_port(), udp.destination_port()),
            Transport::Icmpv4(_) | Transport::Icmpv6(_) | Transport::None => (0, 0),
        };
        self.source_port.set(row, source);
        self.destination_port.set(row, destination);
        self.tcp_flags.set(row, layers.tcp_flags());
    }
}

fn array<T: Copy>(memory: &Memory, packets: usize, column: Parsed) -> Option<VolatileArray<'_, T>> {
    assert_eq!(column.width(), size_of::<T>(), "an array has its column's width");
    memory.array(column.start().checked_mul(packets)?, packets)
}

/// An IPv4 address in the first four bytes.
#[inline(always)]
pub(super) fn widened(address: [u8; 4]) -> [u8; 16] {
    let mut wide = [0; 16];
    wide[..4].copy_from_slice(&address);
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_do_not_overlap() {
        let mut end = 0;
        for column in Parsed::ALL {
            assert_eq!(column.start(), end, "{column:?}");
            if column.width() < 16 {
                assert_eq!(column.start() % column.width(), 0, "{column:?}");
            }
            end += column.width();
        }
        assert_eq!(end, ParsedColumns::BYTES_PER_PACKET);
    }

    #[test]
    fn columns_never_leave_their_memory() {
        let packet = Memory::zeroed(64);
        for packets in [0, 1, 3] {
            let bytes = packets as usize * ParsedColumns::BYTES_PER_PACKET;
            let memory = Memory::zeroed(bytes + 32);
            assert!(memory.write(bytes, &[0x55; 32]));
            let columns = ParsedColumns::in_memory(&memory, packets).expect("large enough");
            for row in 0..packets + 2 {
                assert!(columns.parse(row, &packet, Place { offset: 0, captured: 64, original: 64 }));
            }
            assert_eq!(memory.read(bytes, 32).unwrap(), [0x55; 32]);
            if bytes > 0 {
                assert!(ParsedColumns::in_memory(&Memory::zeroed(bytes - 1), packets).is_none());
                assert!(ParsedColumns::in_memory(&memory.slice(1, bytes).unwrap(), packets).is_none(), "unaligned");
            }
        }
        assert!(ParsedColumns::in_memory(&Memory::zeroed(64), u32::MAX).is_none());
    }

    #[test]
    fn a_place_outside_the_memory_is_refused() {
        let packet = Memory::zeroed(64);
        let memory = Memory::zeroed(ParsedColumns::BYTES_PER_PACKET);
        let columns = ParsedColumns::in_memory(&memory, 1).unwrap();
        for (offset, captured) in [(0, 65), (1, 64), (64, 1), (65, 0), (u32::MAX, u32::MAX)] {
            assert!(!columns.parse(0, &packet, Place { offset, captured, original: 64 }), "{offset} {captured}");
        }
        assert!(columns.parse(0, &packet, Place { offset: 64, captured: 0, original: 64 }));
    }

    #[test]
    fn many_packets_are_parsed_where_their_columns_say() {
        let bytes = Memory::zeroed(3 * 64);
        let places = Columns::for_packets(3);
        for packet in 0..3u32 {
            let at = packet * 64;
            assert!(bytes.write(at as usize + 12, &[0x80 + packet as u8, 1]));
            for (array, value) in places.places().into_iter().zip([at, 60, 60]) {
                array.set(packet, value);
            }
        }
        let memory = Memory::zeroed(3 * ParsedColumns::BYTES_PER_PACKET);
        let columns = ParsedColumns::in_memory(&memory, 3).unwrap();
        assert!(columns.parse_all(3, &bytes, &places));
        let start = 3 * Parsed::EtherType.start();
        assert_eq!([0, 1, 2].map(|row| memory.u16(start + 2 * row)), [Some(0x8001), Some(0x8101), Some(0x8201)]);
        places.places()[0].set(2, 3 * 64);
        assert!(!columns.parse_all(3, &bytes, &places), "one lies outside");
        assert!(columns.parse_all(2, &bytes, &places));
        assert!(!columns.parse_all(u32::MAX, &bytes, &places), "there are not as many places");
    }
}
