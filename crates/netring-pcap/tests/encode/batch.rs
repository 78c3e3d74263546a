//! Batches by columns.

use netring_pcap::{Columns, EncodeError, LinkType, OutputFormat, Room, VlanColumns};

use crate::{FORMATS, encoder, packets};

const BYTES: &[u8] = b"................0123456789abcdefghij";

const COLUMNS: Columns<'_> = Columns {
    offset: &[16, 20, 30],
    captured_len: &[14, 3, 0],
    original_len: &[14, 3, 1500],
    seconds: &[1, 2, u32::MAX],
    nanoseconds: &[999_999_999, 1000, 0],
    status: &[],
    direction: &[],
    interface_id: &[],
    vlan: None,
    queue: None,
    drop_count: None,
};

#[test]
fn every_packet_of_a_batch_in_every_format() {
    for format in FORMATS {
        let encoder = encoder(format, LinkType::ETHERNET, 0);
        let mut file = Vec::new();
        encoder.begin(&mut file);
        assert_eq!(encoder.batch(BYTES, &COLUMNS, 0..3, Room::UNLIMITED, &mut file), Ok(3));
        let seen = packets(&file);
        let data: Vec<_> = seen.iter().map(|packet| &packet.data[..]).collect();
        assert_eq!(data, [&b"0123456789abcd"[..], b"456", b""]);
        assert_eq!(seen.iter().map(|packet| packet.original).collect::<Vec<_>>(), [14, 3, 1500]);
        let nanos = if format == OutputFormat::PcapMicroseconds { 999_999_000 } else { 999_999_999 };
        assert_eq!((seen[0].seconds, seen[0].nanoseconds, seen[2].seconds), (1, nanos, u32::MAX.into()));
    }
}

#[test]
fn chosen_packets_in_the_chosen_order() {
    let encoder = encoder(OutputFormat::PcapNg, LinkType::ETHERNET, 0);
    let mut file = Vec::new();
    encoder.begin(&mut file);
    assert_eq!(encoder.batch(BYTES, &COLUMNS, [1, 0, 1], Room::UNLIMITED, &mut file), Ok(3));
    assert_eq!(packets(&file).iter().map(|packet| packet.data.len()).collect::<Vec<_>>(), [3, 14, 3]);
}

#[test]
fn a_tag_beside_the_bytes_goes_back_into_them() {
    let columns = Columns {
        status: &[0x50, 0x10, 0x10],
        vlan: Some(VlanColumns { tci: &[0x0123, 7, 7], tpid: &[0x88a8, 0, 0] }),
        ..COLUMNS
    };
    for format in FORMATS {
        let encoder = encoder(format, LinkType::ETHERNET, 17);
        let mut file = Vec::new();
        encoder.begin(&mut file);
        encoder.batch(BYTES, &columns, 0..3, Room::UNLIMITED, &mut file).unwrap();
        let seen = packets(&file);
        // 18 bytes with the tag, cut to the snaplen.
        assert_eq!((&seen[0].data[..], seen[0].original), (&b"0123456789ab\x88\xa8\x01\x23c"[..], 18));
        assert_eq!((&seen[1].data[..], seen[1].original), (&b"456"[..], 3), "too short for addresses and a tag");
    }
    let raw = encoder(OutputFormat::PcapNg, LinkType::RAW, 0);
    let refused = raw.batch(BYTES, &columns, 0..1, Room::UNLIMITED, &mut Vec::new());
    assert_eq!(refused, Err(EncodeError::LinkType { file: LinkType::ETHERNET, other: LinkType::RAW }));
}

#[test]
fn what_the_kernel_says_becomes_flags_drops_and_a_queue() {
    let columns =
        Columns { status: &[8, 0x80, 0x100], direction: &[4, 0, 3], queue: Some(5), drop_count: Some(17), ..COLUMNS };
    let encoder = encoder(OutputFormat::PcapNg, LinkType::ETHERNET, 0);
    let mut file = Vec::new();
    encoder.begin(&mut file);
    encoder.batch(BYTES, &columns, 0..3, Room::UNLIMITED, &mut file).unwrap();
    let seen = packets(&file);
    assert_eq!(seen.iter().map(|packet| packet.flags).collect::<Vec<_>>(), [2 | 1 << 9, 5 | 1 << 10, 17 | 1 << 11]);
    assert_eq!(seen.iter().map(|packet| packet.queue).collect::<Vec<_>>(), [Some(5); 3]);
    assert_eq!(seen.iter().map(|packet| packet.drop_count).collect::<Vec<_>>(), [Some(17), None, None]);
}

#[test]
fn no_record_is_cut_where_room_ends() {
    for format in FORMATS {
        let encoder = encoder(format, LinkType::ETHERNET, 0);
        let length = |indices: std::ops::Range<u32>| {
            let mut out = Vec::new();
            encoder.batch(BYTES, &COLUMNS, indices, Room::UNLIMITED, &mut out).unwrap();
            out.len() as u64
        };
        let written = |bytes, packets, one_at_least| {
            let mut out = Vec::new();
            let count = encoder.batch(BYTES, &COLUMNS, 0..3, Room { bytes, packets, one_at_least }, &mut out).unwrap();
            assert_eq!(out.len() as u64, length(0..count as u32));
            count
        };
        assert_eq!(written(length(0..2), 9, false), 2);
        assert_eq!(written(length(0..2) - 1, 9, false), 1);
        assert_eq!(written(length(0..1) - 1, 9, false), 0);
        assert_eq!(written(0, 9, true), 1);
        assert_eq!((written(u64::MAX, 2, true), written(u64::MAX, 0, true)), (2, 0));
    }
}

#[test]
fn a_packet_outside_of_the_batch_leaves_nothing_behind() {
    let encoder = encoder(OutputFormat::PcapNg, LinkType::ETHERNET, 0);
    let bad = [
        (Columns { offset: &[0, 0, 37], ..COLUMNS }, 2),
        (Columns { offset: &[0, u32::MAX, 0], ..COLUMNS }, 1),
        (Columns { captured_len: &[14, u32::MAX, 0], ..COLUMNS }, 1),
        (Columns { captured_len: &[37], ..COLUMNS }, 0),
        (Columns { seconds: &[1, 2], ..COLUMNS }, 2),
        (Columns { status: &[1, 2], ..COLUMNS }, 2),
        (Columns { direction: &[1], ..COLUMNS }, 1),
    ];
    for (columns, index) in bad {
        let mut out = b"before".to_vec();
        let refused = encoder.batch(BYTES, &columns, 0..3, Room::UNLIMITED, &mut out);
        assert_eq!((refused, &out[..]), (Err(EncodeError::Bounds(index)), &b"before"[..]));
    }
    let of_no_interface = Columns { interface_id: &[0, 1, 0], ..COLUMNS };
    let refused = encoder.batch(BYTES, &of_no_interface, 0..3, Room::UNLIMITED, &mut Vec::new());
    assert_eq!(refused, Err(EncodeError::NoInterface(1)));
}
