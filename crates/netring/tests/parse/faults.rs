//! Every error there is, from a frame that has it.

use netring::parse::{Layers, ParseError, Place};

use crate::frames::{PAYLOAD, ethernet, ipv4, ipv6, sound, udp};
use crate::{fuzz, parse};

fn changed(mut frame: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    frame[at] = value;
    frame
}

fn frame(name: &str) -> Vec<u8> {
    sound().into_iter().find(|(other, _)| *other == name).expect("one of the sound frames").1
}

fn cut(name: &str, length: usize) -> Vec<u8> {
    frame(name)[..length].to_vec()
}

#[test]
fn every_error_has_a_frame() {
    let udp8 = udp(8 + PAYLOAD.len() as u16, PAYLOAD);
    let tcp_data_offset = 14 + 20 + 12;
    let cases = vec![
        (ParseError::LinkTruncated, false, vec![]),
        (ParseError::LinkTruncated, false, cut("udp", 13)),
        (ParseError::LinkLength, true, ethernet(&[0, 4], &[0x42, 0x42, 3])),
        (ParseError::VlanTruncated, false, cut("vlan", 17)),
        (ParseError::ArpTruncated, false, cut("arp", 41)),
        (ParseError::ArpTruncated, false, changed(frame("arp"), 18, 255)),
        (ParseError::IpTruncated, false, cut("udp", 33)),
        (ParseError::IpTruncated, false, cut("udp6", 53)),
        (ParseError::IpTruncated, false, changed(cut("udp", 34), 14, 0x46)),
        (ParseError::IpMalformed, false, changed(frame("udp"), 14, 0x65)),
        (ParseError::IpMalformed, false, changed(frame("udp"), 14, 0x44)),
        (ParseError::IpMalformed, false, changed(frame("udp6"), 14, 0x45)),
        (ParseError::IpLength, true, changed(frame("udp"), 16, 1)),
        (ParseError::IpLength, true, ipv4(132, &[0; 4], |ip| ip.total_len = 19)),
        (ParseError::IpLength, true, changed(frame("udp6"), 18, 1)),
        (ParseError::ExtensionTruncated, false, ipv6(0, &[17, 1, 0, 0, 0, 0, 0, 0])),
        (ParseError::ExtensionTruncated, false, ipv6(44, &[17, 0, 0, 0])),
        (ParseError::ExtensionTruncated, false, ipv4(51, &[17, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], |_| ())),
        (
            ParseError::ExtensionMalformed,
            false,
            ipv6(60, &[[0, 0, 1, 4, 0, 0, 0, 0], [17, 0, 1, 4, 0, 0, 0, 0]].concat()),
        ),
        (ParseError::ExtensionMalformed, false, ipv4(51, &[&[17, 0, 0, 0][..], &udp8].concat(), |_| ())),
        (ParseError::TcpTruncated, false, cut("tcp", 53)),
        (ParseError::TcpTruncated, false, ipv4(6, &[0; 19], |_| ())),
        (ParseError::TcpTruncated, false, changed(cut("tcp", 54), tcp_data_offset, 0xf0)),
        (ParseError::TcpMalformed, false, changed(frame("tcp"), tcp_data_offset, 0x40)),
        (ParseError::TcpOptions, true, changed(frame("tcp options"), tcp_data_offset + 9, 1)),
        (ParseError::UdpTruncated, false, ipv4(17, &udp8[..7], |_| ())),
        (ParseError::UdpLength, true, ipv4(17, &udp(7, PAYLOAD), |_| ())),
        (ParseError::UdpLength, true, ipv4(17, &udp(9, &[]), |_| ())),
        (ParseError::IcmpTruncated, false, ipv4(1, &[8, 0, 0, 0, 0, 0, 0], |_| ())),
        (ParseError::IcmpTruncated, false, ipv4(1, &[13, 0, 0, 0, 0, 0, 0, 0], |_| ())),
        (ParseError::IcmpTruncated, false, ipv6(58, &[128, 0, 0, 0])),
    ];
    for (index, (error, goes_on, frame)) in cases.iter().enumerate() {
        let layers = parse(frame);
        assert_eq!(layers.error, Some(*error), "case {index}");
        assert_eq!(layers.payload_offset != netring::parse::ABSENT, *goes_on, "case {index}, {error:?}");
        fuzz::check(frame, 0);
    }
    for error in ParseError::ALL {
        assert!(cases.iter().any(|(other, ..)| *other == error), "{error:?}");
    }
}

#[test]
fn a_length_that_was_there_on_the_wire_is_no_error() {
    let frame = frame("udp");
    let captured = frame.len() as u32 - 5;
    let place = Place { offset: 0, captured, original: captured + 5 };
    assert_eq!(Layers::of(&frame[..captured as usize], place).error, None);
    let short = Place { original: captured + 4, ..place };
    assert_eq!(Layers::of(&frame[..captured as usize], short).error, Some(ParseError::IpLength));
}
