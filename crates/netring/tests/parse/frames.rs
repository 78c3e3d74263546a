//! Frames for the tests of the parser, of every kind it knows.

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, PacketBuilder, PacketBuilderStep, TcpOptionElement, err};

/// Bytes behind the headers.
pub(crate) const PAYLOAD: &[u8] = b"what the headers carry";
const HOST_A: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const HOST_B: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn link() -> PacketBuilderStep<etherparse::Ethernet2Header> {
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
}

/// A frame with this ethertype; tags may be a part of it.
pub(crate) fn ethernet(ether_type: &[u8], rest: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], ether_type, rest].concat()
}

/// IPv4 with any protocol and flags.
pub(crate) fn ipv4(protocol: u8, rest: &[u8], change: impl FnOnce(&mut Ipv4Header)) -> Vec<u8> {
    let mut ip = Ipv4Header::new(rest.len() as u16, 64, IpNumber(protocol), [10, 0, 0, 1], [10, 0, 0, 2]).unwrap();
    change(&mut ip);
    ethernet(&[8, 0], &[&ip.to_bytes(), rest].concat())
}

/// IPv6 whose first next header is `next`.
pub(crate) fn ipv6(next: u8, rest: &[u8]) -> Vec<u8> {
    let [high, low] = (rest.len() as u16).to_be_bytes();
    ethernet(&[0x86, 0xdd], &[&[0x6a, 0xb0, 0, 0, high, low, next, 60], &HOST_A[..], &HOST_B, rest].concat())
}

/// UDP from port 1000 to port 53 with this length field.
pub(crate) fn udp(length: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    [&[0x03, 0xe8, 0, 53, high, low, 0, 0], payload].concat()
}

fn built(build: impl FnOnce(&mut Vec<u8>) -> Result<(), err::packet::BuildWriteError>) -> Vec<u8> {
    let mut frame = Vec::new();
    build(&mut frame).expect("a Vec takes all");
    frame
}

/// One of every kind, none of which is at fault.
pub(crate) fn sound() -> Vec<(&'static str, Vec<u8>)> {
    let options = [
        TcpOptionElement::MaximumSegmentSize(1460),
        TcpOptionElement::SelectiveAcknowledgementPermitted,
        TcpOptionElement::Timestamp(1, 2),
        TcpOptionElement::Noop,
        TcpOptionElement::WindowScale(7),
    ];
    let v4 = || link().ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
    let v6 = || link().ipv6(HOST_A, HOST_B, 64);
    let udp8 = udp(8 + PAYLOAD.len() as u16, PAYLOAD);
    // Hop-by-hop, destination options, routing, authentication, destination options, UDP.
    let extensions = [
        &[60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0, 0, 0][..],
        &[60, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 17, 0, 1, 4, 0, 0, 0, 0],
        &udp8,
    ];
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1], &[0; 6][..], &[10, 0, 0, 2]].concat();
    vec![
        ("tcp", built(|frame| v4().tcp(50_000, 443, 1, 1000).ack(7).write(frame, PAYLOAD))),
        ("tcp options", built(|frame| v4().tcp(1, 2, 3, 4).syn().options(&options).unwrap().write(frame, PAYLOAD))),
        ("udp", built(|frame| v4().udp(1000, 53).write(frame, PAYLOAD))),
        ("udp of unknown length", ipv4(17, &udp(0, PAYLOAD), |_| ())),
        ("udp6", built(|frame| v6().udp(1000, 53).write(frame, PAYLOAD))),
        ("tcp6", built(|frame| v6().tcp(1000, 53, 1, 2).write(frame, &[7; 1400]))),
        ("echo", built(|frame| v4().icmpv4_echo_request(5, 6).write(frame, PAYLOAD))),
        ("echo6", built(|frame| v6().icmpv6_echo_reply(5, 6).write(frame, PAYLOAD))),
        ("timestamp", ipv4(1, &[&[13, 0, 0, 0, 0, 5, 0, 6], &[0; 12][..]].concat(), |_| ())),
        ("ipv4 options", {
            ipv4(17, &udp8, |ip| {
                ip.options = [148, 4, 0, 0].into();
                ip.total_len += 4;
            })
        }),
        ("padded", [ipv4(17, &udp(8, &[]), |_| ()), vec![0; 18]].concat()),
        ("vlan", ethernet(&[0x81, 0, 0x60, 5, 8, 0], &ipv4(17, &udp8, |_| ())[14..])),
        ("qinq", ethernet(&[0x88, 0xa8, 0, 9, 0x81, 0, 0xef, 0xff, 0x86, 0xdd], &ipv6(17, &udp8)[14..])),
        ("nine tags", ethernet(&[&[0x81, 0, 0, 1].repeat(9)[..], &[8, 0]].concat(), PAYLOAD)),
        ("extensions", ipv6(0, &extensions.concat())),
        ("many extensions", {
            let extension = |next| [&[next, 31, 1, 254][..], &[0; 252]].concat();
            ipv6(0, &[extension(60), extension(60), extension(17), udp8.clone()].concat())
        }),
        ("atomic fragment", ipv6(44, &[&[17, 0, 0, 0, 0, 0, 0, 9][..], &udp8].concat())),
        ("fragment6", ipv6(44, &[&[60, 0, 0, 0x51, 0, 0, 0, 9][..], PAYLOAD].concat())),
        ("first fragment", ipv4(17, &udp8, |ip| ip.more_fragments = true)),
        ("last fragment", ipv4(51, PAYLOAD, |ip| ip.fragment_offset = IpFragOffset::try_new(185).unwrap())),
        ("authentication", ipv4(51, &[&[17, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9], &udp8[..]].concat(), |_| ())),
        ("sctp", ipv4(132, &[0; 12], |_| ())),
        ("gre", ipv4(47, &[0, 0, 8, 0], |_| ())),
        ("igmp", ipv4(2, &[0x16, 0, 0, 0, 224, 0, 0, 9], |_| ())),
        ("no next header", [ipv6(59, &[]), vec![0; 6]].concat()),
        ("arp", ethernet(&[8, 6], &arp)),
        ("llc", ethernet(&[0, 3], &[&[0x42, 0x42, 3], &[0; 43][..]].concat())),
        ("mpls", ethernet(&[0x88, 0x47], &[0, 1, 1, 64, 0x45])),
    ]
}
