//! What must hold for a packet whose bytes are anything at all. Shared by the fuzz target and by `tests/parse`.

use etherparse::{LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use netring::parse::{ABSENT, HEAD_BYTES, Layers, Network, Parsed, ParsedColumns, Place, Record, Transport};
use netring::ring::Memory;

/// One fuzz input: two bytes say how many more bytes than these there were on the wire, the rest is the packet.
pub fn run(input: &[u8]) {
    let Some(([low, high], packet)) = input.split_first_chunk() else { return };
    check(packet, u32::from(u16::from_le_bytes([*low, *high])));
}

/// Parses a packet in every way there is, and panics where a promise is broken.
pub fn check(packet: &[u8], missing: u32) {
    let captured = packet.len() as u32;
    let place = Place { offset: 0, captured, original: captured + missing };
    let whole = Layers::of(packet, place);
    check_layers(&whole, captured);
    check_head(packet, place, &whole);
    if missing == 0 {
        check_against_etherparse(packet, &whole);
    }
}

/// Layers lie inside the packet and in order.
fn check_layers(layers: &Layers<'_>, captured: u32) {
    let mut before = 0;
    for offset in [layers.network_offset, layers.transport_offset, layers.payload_offset] {
        if offset != ABSENT {
            assert!(offset > before, "a layer comes behind the one before");
            assert!(offset <= captured, "and starts inside the packet");
            before = offset;
        }
    }
    if layers.payload_offset == ABSENT {
        assert_eq!(layers.payload_length, 0);
        assert!(layers.error.is_some() || matches!(layers.network, Network::Arp(_)), "only these have no payload");
    } else {
        assert!(u64::from(layers.payload_offset) + u64::from(layers.payload_length) <= u64::from(captured));
        assert!(!layers.error.is_some_and(netring::parse::ParseError::is_truncated), "where it is cut there is none");
    }
    assert_eq!(layers.network_offset == ABSENT, matches!(layers.network, Network::None));
    assert_eq!(layers.transport_offset == ABSENT, matches!(layers.transport, Transport::None));
    assert!(!layers.fragment || layers.transport_offset == ABSENT, "nothing is parsed in a fragment");
    assert_eq!(layers.tags().count(), layers.vlans as usize);
}

/// Parsing the first bytes alone, inside other memory, gives the same as parsing the whole packet.
fn check_head(packet: &[u8], place: Place, whole: &Layers<'_>) {
    let wanted = Record::from(whole);
    // At the end of memory, where AddressSanitizer stands guard, and with bytes behind it.
    for (before, behind) in [(0, 0), (8, HEAD_BYTES), (1, 1)] {
        let memory = Memory::zeroed(before + packet.len() + behind);
        assert!(memory.write(0, &vec![0x45; memory.len()]));
        assert!(memory.write(before, packet));
        let there = Place { offset: before as u32, ..place };
        assert_eq!(Record::of(&memory, there).as_ref(), Some(&wanted));

        let target = Memory::zeroed(ParsedColumns::BYTES_PER_PACKET);
        assert!(ParsedColumns::in_memory(&target, 1).expect("large enough").parse(0, &memory, there));
        let offset = |offset: u32| if offset == ABSENT { ABSENT } else { before as u32 + offset };
        let word = |column: Parsed| target.u32(column.start()).expect("inside");
        let half = |column: Parsed| target.u16(column.start()).expect("inside");
        let byte = |column: Parsed| target.u8(column.start()).expect("inside");
        assert_eq!(word(Parsed::NetworkOffset), offset(whole.network_offset));
        assert_eq!(word(Parsed::TransportOffset), offset(whole.transport_offset));
        assert_eq!(word(Parsed::PayloadOffset), offset(whole.payload_offset));
        assert_eq!(word(Parsed::PayloadLength), whole.payload_length);
        assert_eq!(half(Parsed::EtherType), whole.ether_type);
        assert_eq!(half(Parsed::TcpFlags), whole.tcp_flags());
        assert_eq!(byte(Parsed::IpProtocol), whole.ip_protocol);
        assert_eq!(byte(Parsed::Error), whole.error.map_or(0, |error| error as u8));
    }
}

/// Where etherparse's own walk over the layers finds no fault and neither does ours, both find the same.
fn check_against_etherparse(packet: &[u8], ours: &Layers<'_>) {
    let Ok(theirs) = LaxSlicedPacket::from_ethernet(packet) else {
        assert!(ours.error.is_some());
        return;
    };
    let macsec = theirs.link_exts.iter().any(|extension| matches!(extension, LaxLinkExtSlice::Macsec(_)));
    // It goes on behind a fragment header; three tags are its most.
    if theirs.stop_err.is_some() || ours.error.is_some() || macsec || ours.fragment || ours.vlans > 3 {
        return;
    }
    let at = |part: &[u8]| (part.as_ptr().addr() - packet.as_ptr().addr()) as u32;
    let (protocol, payload) = match (&theirs.net, &ours.network) {
        (Some(LaxNetSlice::Ipv4(theirs)), Network::Ipv4(ours)) => {
            assert_eq!(theirs.header(), *ours);
            (theirs.payload_ip_number(), theirs.payload())
        }
        (Some(LaxNetSlice::Ipv6(theirs)), Network::Ipv6(ours, _)) => {
            assert_eq!(theirs.header(), *ours);
            (theirs.payload().ip_number, theirs.payload())
        }
        (Some(LaxNetSlice::Arp(theirs)), Network::Arp(ours)) => {
            assert_eq!(theirs, ours);
            return;
        }
        (None, Network::None) => return,
        (theirs, ours) => panic!("etherparse sees {theirs:?}, we see {ours:?}"),
    };
    assert_eq!(protocol.0, ours.ip_protocol);
    let payload = match (&theirs.transport, &ours.transport) {
        (Some(TransportSlice::Tcp(theirs)), Transport::Tcp(ours)) => {
            assert_eq!(theirs.header_slice(), ours.slice());
            theirs.payload()
        }
        (Some(TransportSlice::Udp(theirs)), Transport::Udp(ours)) => {
            assert_eq!(theirs.header_slice(), ours.slice());
            theirs.payload()
        }
        (Some(TransportSlice::Icmpv4(theirs)), Transport::Icmpv4(_)) => theirs.payload(),
        (Some(TransportSlice::Icmpv6(theirs)), Transport::Icmpv6(_)) => theirs.payload(),
        (Some(TransportSlice::Igmp(_)) | None, Transport::None) => payload.payload,
        (theirs, ours) => panic!("etherparse sees {theirs:?}, we see {ours:?}"),
    };
    // "No next header" and a length of zero: the rest is padding to us.
    if !payload.is_empty() && protocol != etherparse::IpNumber::IPV6_NO_NEXT_HEADER {
        assert_eq!((at(payload), payload.len() as u32), (ours.payload_offset, ours.payload_length));
    }
}
