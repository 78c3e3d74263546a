//! pcap: magic numbers, versions, the link type's word, lengths and times.

use netring_pcap::{Batch, Decoder, Format, LinkType, PcapHeader};

use crate::build::{pcap_header, pcap_record};
use crate::packets;

const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;
const KUZNETZOV: u32 = 0xa1b2_cd34;

fn header_of(file: &[u8]) -> PcapHeader {
    let mut decoder = Decoder::new(Default::default());
    decoder.decode(file, &mut Batch::new()).unwrap();
    match decoder.format() {
        Some(Format::Pcap(header)) => header,
        format => panic!("{format:?}"),
    }
}

#[test]
fn both_units_in_both_byte_orders() {
    for big in [false, true] {
        for (magic, nanoseconds) in [(MICROS, 5000), (NANOS, 5)] {
            let record = pcap_record(big, (1_700_000_000, 5), (3, 60), b"abc");
            let file = [pcap_header(big, magic, (2, 4), 65_535, 1), record].concat();
            let [packet] = &packets(&file)[..] else { panic!() };
            assert_eq!((packet.seconds, packet.nanoseconds), (1_700_000_000, nanoseconds));
            assert_eq!((&packet.data[..], packet.original, packet.link_type), (&b"abc"[..], 60, 1));
            let header = header_of(&file);
            assert_eq!((header.big_endian, header.nanoseconds), (big, magic == NANOS));
        }
    }
}

#[test]
fn seconds_are_unsigned() {
    let file = [pcap_header(false, MICROS, (2, 4), 0, 1), pcap_record(false, (u32::MAX, 0), (0, 0), b"")].concat();
    assert_eq!(packets(&file)[0].seconds, i64::from(u32::MAX));
}

#[test]
fn a_fraction_past_a_second_is_carried() {
    let time = |magic, fraction| {
        let record = pcap_record(true, (5, fraction), (0, 0), b"");
        let [packet] = &packets(&[pcap_header(true, magic, (2, 4), 0, 1), record].concat())[..] else { panic!() };
        (packet.seconds, packet.nanoseconds)
    };
    assert_eq!(time(MICROS, 2_000_001), (7, 1000));
    assert_eq!([time(MICROS, 999_999), time(MICROS, 1_000_000)], [(5, 999_999_000), (6, 0)]);
    assert_eq!([time(NANOS, 999_999_999), time(NANOS, 1_000_000_000)], [(5, 999_999_999), (6, 0)]);
}

#[test]
fn kuznetzovs_record_header_has_24_bytes_and_a_direction() {
    for big in [false, true] {
        let mut file = pcap_header(big, KUZNETZOV, (2, 4), 2000, 1);
        for packet_type in [0, 4, 77] {
            // Interface index, protocol, packet type, padding.
            let rest = [0, 0, 0, 2, 8, 0, packet_type, 0, b'x', b'y'];
            file.extend(pcap_record(big, (1, 2), (2, 2), &rest));
        }
        let packets = packets(&file);
        assert_eq!(packets.iter().map(|packet| packet.flags).collect::<Vec<_>>(), [0b101, 0b10, 0]);
        assert!(packets.iter().all(|packet| packet.data == b"xy"));
        assert!(header_of(&file).modified);
    }
}

#[test]
fn old_versions_have_lengths_the_other_way_round() {
    let lengths = |version, written| {
        let file = [pcap_header(false, MICROS, version, 0, 1), pcap_record(false, (0, 0), written, &[7; 3])].concat();
        let [packet] = &packets(&file)[..] else { panic!("{version:?}") };
        (packet.data.len(), packet.original)
    };
    for version in [(2, 0), (2, 2), (543, 0), (2, 3)] {
        assert_eq!(lengths(version, (9, 3)), (3, 9), "{version:?}");
    }
    for version in [(2, 3), (2, 4)] {
        assert_eq!(lengths(version, (3, 9)), (3, 9), "{version:?}");
    }
}

#[test]
fn the_link_types_word_has_an_fcs_length() {
    let header = header_of(&pcap_header(true, MICROS, (2, 4), 0, 0x2400_0001));
    assert_eq!((header.link_type, header.fcs_bytes), (LinkType::ETHERNET, Some(4)));
    // Without bit P the top bits say nothing.
    let header = header_of(&pcap_header(true, MICROS, (2, 4), 0, 0x2000_0114));
    assert_eq!((header.link_type, header.fcs_bytes), (LinkType::LINUX_SLL2, None));
    assert_eq!(header_of(&pcap_header(false, MICROS, (2, 4), 0, 12)).link_type, LinkType::RAW);
}

#[test]
fn no_snaplen_is_262_144() {
    for (written, read) in
        [(0, 262_144), (1 << 31, 262_144), (u32::MAX, 262_144), (i32::MAX as u32, i32::MAX as u32), (96, 96)]
    {
        assert_eq!(header_of(&pcap_header(false, MICROS, (2, 4), written, 1)).snap_len, read);
    }
}

#[test]
fn a_packet_beyond_the_snaplen_is_given_whole() {
    let file = [pcap_header(false, MICROS, (2, 4), 2, 1), pcap_record(false, (0, 0), (5, 5), b"abcde")].concat();
    assert_eq!(packets(&file)[0].data, b"abcde");
}

#[test]
fn an_original_length_below_the_captured_one_is_raised() {
    let file = [pcap_header(false, MICROS, (2, 4), 0, 1), pcap_record(false, (0, 0), (5, 2), b"abcde")].concat();
    assert_eq!(packets(&file)[0].original, 5);
}
