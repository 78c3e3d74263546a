//! pcapng: sections, interfaces, the three kinds of packets, options.

use crate::build::{Ng, every_block};
use crate::packets;

const BOTH: [Ng; 2] = [Ng { big: false }, Ng { big: true }];

#[test]
fn every_kind_of_block_in_sections_of_both_byte_orders() {
    let packets = packets(&every_block());
    assert_eq!(packets.len(), 12);
    let (little, big) = packets.split_at(6);
    for (section, packets) in [little, big].into_iter().enumerate() {
        let interfaces: Vec<_> = packets.iter().map(|packet| packet.interface - section * 2).collect();
        assert_eq!(interfaces, [0, 0, 1, 0, 1, 0]);
        let first = &packets[1];
        assert_eq!((first.seconds, first.nanoseconds), (1_700_000_010, 123_456_789));
        assert_eq!((&first.data[..], first.flags), (&[1, 2, 3, 4, 5][..], 1 | 1 << 9));
        assert_eq!((first.drop_count, first.packet_id, first.queue), (Some(3), Some(99), Some(7)));
        assert_eq!(first.comment.as_deref(), Some(&b"a comment"[..]));
        assert_eq!((first.hash.as_deref(), first.verdict.as_deref()), (Some(&[5, 1, 2, 3, 4][..]), Some(&[0, 1][..])));
        assert_eq!((packets[2].link_type, packets[2].nanoseconds), (101, 123_456_000));
        assert_eq!((packets[4].drop_count, packets[4].flags), (Some(5), 2));
        assert_eq!(packets[5].comment.as_deref(), Some(&b"without an end"[..]));
    }
}

#[test]
fn a_simple_packet_is_of_the_first_interface_and_its_snaplen() {
    for ng in BOTH {
        let file =
            [ng.section(), ng.interface(228, 6, &[]), ng.interface(1, 0, &[]), ng.simple(40, b"abcdef")].concat();
        let [packet] = &packets(&file)[..] else { panic!() };
        assert_eq!((&packet.data[..], packet.original, packet.link_type), (&b"abcdef"[..], 40, 228));
        assert_eq!((packet.seconds, packet.interface), (0, 0));
    }
}

#[test]
fn an_old_packets_drops_may_be_unknown() {
    for ng in BOTH {
        let head = [ng.section(), ng.interface(1, 0, &[])].concat();
        let drops = |drops| packets(&[&head[..], &ng.old_packet(0, drops, 1, b"ab", &[])].concat())[0].drop_count;
        assert_eq!([0, 1, 0xffff].map(drops), [None, Some(1), None]);
    }
}

#[test]
fn a_negative_offset_in_either_byte_order() {
    for ng in BOTH {
        let options = ng.options(&[(14, &ng.long(-100i64 as u64)), (9, &[0x83])]);
        let file = [ng.section(), ng.interface(1, 0, &options), ng.packet(0, 12, b"", &[])].concat();
        let [packet] = &packets(&file)[..] else { panic!() };
        assert_eq!((packet.seconds, packet.nanoseconds), (-99, 500_000_000));
    }
}

#[test]
fn every_resolution_is_read_as_the_naive_reader_does() {
    for resolution in 0..=u8::MAX {
        let ng = Ng { big: resolution % 2 == 0 };
        let mut file = [ng.section(), ng.interface(1, 0, &ng.options(&[(9, &[resolution])]))].concat();
        for ticks in [0, 1, 1_700_000_000_123_456_789, u64::MAX - 1, u64::MAX] {
            file.extend(ng.packet(0, ticks, b"", &[]));
        }
        assert_eq!(packets(&file).len(), 5);
    }
}

#[test]
fn a_sections_length_is_not_believed() {
    for ng in BOTH {
        for length in [0, 1, 44, u64::MAX - 7, 1 << 63] {
            let rest = [ng.interface(1, 0, &[]), ng.packet(0, 1, b"abc", &[])].concat();
            assert_eq!(packets(&[ng.section_of(length, &[]), rest].concat()).len(), 1);
        }
    }
}

#[test]
fn options_that_run_past_their_block_end_it() {
    for ng in BOTH {
        let flags = ng.option(2, &ng.word(2));
        let cut = [ng.half(1), ng.half(200), vec![b'x'; 4]].concat();
        let file =
            [ng.section(), ng.interface(1, 0, &cut), ng.packet(0, 1, b"abc", &[flags, cut.clone()].concat())].concat();
        let [packet] = &packets(&file)[..] else { panic!() };
        assert_eq!((packet.flags, &packet.comment), (2, &None));
    }
}

#[test]
fn options_of_the_wrong_length_say_nothing() {
    for ng in BOTH {
        let about = ng.options(&[(9, &[]), (9, &[3, 3]), (14, &[1, 2])]);
        let options = ng.options(&[(2, &[1]), (4, &[1, 2, 3]), (6, &[])]);
        let file = [ng.section(), ng.interface(1, 0, &about), ng.packet(0, 1_000_001, b"", &options)].concat();
        let [packet] = &packets(&file)[..] else { panic!() };
        assert_eq!((packet.seconds, packet.nanoseconds), (1, 1000));
        assert_eq!((packet.flags, packet.drop_count, packet.queue), (0, None, None));
    }
}

#[test]
fn a_block_of_nothing_but_options() {
    let ng = Ng { big: false };
    let many: Vec<u8> = (0..100_000).flat_map(|_| ng.option(1, b"")).collect();
    let file = [ng.section(), ng.interface(1, 0, &many), ng.packet(0, 1, b"", &many)].concat();
    assert_eq!(packets(&file)[0].comment.as_deref(), Some(&b""[..]));
}
