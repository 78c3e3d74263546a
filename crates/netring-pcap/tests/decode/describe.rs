//! What a file says of its sections and interfaces, and the blocks that a copy keeps.

use netring_pcap::{Batch, DecodeOptions, Decoder, Interface, InterfaceStats, LinkType, Resolution, Timestamp};

use crate::build::{Ng, every_block};

fn decoder_of(file: &[u8]) -> Decoder {
    let (mut decoder, mut batch, mut at) = (Decoder::new(Default::default()), Batch::new(), 0);
    while at < file.len() {
        at += decoder.decode(&file[at..], &mut batch).unwrap().consumed;
    }
    decoder
}

#[test]
fn interfaces_are_counted_over_all_sections() {
    let decoder = decoder_of(&every_block());
    let interfaces = decoder.interfaces();
    assert_eq!(interfaces.iter().map(|interface| interface.section).collect::<Vec<_>>(), [0, 0, 1, 1]);
    for pair in interfaces.chunks(2) {
        assert_eq!((pair[0].name.as_deref(), pair[0].description.as_deref()), (Some("eth0"), Some("the first")));
        assert_eq!((pair[0].filter.as_deref(), pair[0].ts_offset), (Some("tcp"), 10));
        assert_eq!((pair[0].resolution, pair[1].resolution), (Resolution::NANOSECONDS, Resolution::MICROSECONDS));
        assert_eq!((pair[0].snap_len, pair[1].snap_len), (96, 262_144));
        assert_eq!((pair[1].link_type, &pair[1].stats), (LinkType::RAW, &None));
        let expected = InterfaceStats {
            time: Timestamp { seconds: 10, nanoseconds: 6 },
            start: Some(Timestamp { seconds: 10, nanoseconds: 5 }),
            received: Some(1000),
            dropped: Some(17),
            delivered: Some(983),
            ..Default::default()
        };
        assert_eq!(pair[0].stats, Some(expected));
    }
    let section = decoder.section().unwrap();
    assert!(section.big_endian);
    let told = [&section.hardware, &section.os, &section.application, &section.comment];
    assert_eq!(told.map(|text| text.as_deref()), [Some("hardware"), Some("os"), Some("program"), Some("first")]);
}

#[test]
fn all_of_an_interface() {
    for ng in [Ng { big: false }, Ng { big: true }] {
        let options = ng.options(&[
            (2, b"eth0\0\0"),
            (6, &[2, 0, 0, 0, 0, 1]),
            (8, &ng.long(10_000_000_000)),
            (9, &[0x94]),
            (11, &[1, 6, 0, 0, 0]),
            (12, b"Linux"),
            (13, &[32]),
            (15, "häw".as_bytes()),
            (14, &ng.long(u64::MAX)),
        ]);
        let decoder = decoder_of(&[ng.section(), ng.interface(113, 96, &options)].concat());
        let mut expected = Interface::new(LinkType::LINUX_SLL, 96);
        expected.name = Some("eth0".into());
        expected.mac = Some([2, 0, 0, 0, 0, 1]);
        expected.speed = Some(10_000_000_000);
        expected.resolution = Resolution::Binary(20);
        expected.os = Some("Linux".into());
        expected.fcs_bits = Some(32);
        expected.hardware = Some("häw".into());
        expected.ts_offset = -1;
        assert_eq!(decoder.interfaces(), [expected]);
    }
}

#[test]
fn statistics_of_no_interface_count_nothing() {
    let ng = Ng { big: true };
    let counted = ng.block(5, &[ng.word(3), ng.ticks(6)].concat());
    let decoder = decoder_of(&[ng.section(), ng.interface(1, 0, &[]), counted].concat());
    assert_eq!(decoder.interfaces()[0].stats, None);
}

#[test]
fn a_copy_keeps_names_secrets_and_custom_blocks() {
    let file = every_block();
    let mut decoder = Decoder::new(DecodeOptions { keep_blocks: true, ..Default::default() });
    let (mut batch, mut at, mut kept) = (Batch::new(), 0, Vec::new());
    while at < file.len() {
        let bytes = &file[at..];
        let progress = decoder.decode(bytes, &mut batch).unwrap();
        for block in batch.blocks() {
            assert_eq!(bytes[block.offset as usize..][..block.len as usize].len() % 4, 0);
            kept.push((block.block_type, block.big_endian));
        }
        at += progress.consumed;
    }
    let one = |big| [(4, big), (0xbad, big), (0xa, big)];
    assert_eq!(kept, [one(false), one(true)].concat());
}
