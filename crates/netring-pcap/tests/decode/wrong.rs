//! Files that cannot be read on: where, why, and with every packet before that place given.

use netring_pcap::{BufferedDecoder, Event, MAX_INTERFACES, Reason};

use crate::build::{Ng, pcap_header, pcap_record};
use crate::naive::End;
use crate::{error, told};

/// A section with an interface and a packet; what follows is wrong.
fn good(ng: Ng) -> Vec<u8> {
    [ng.section(), ng.interface(1, 0, &[]), ng.packet(0, 1, b"abc", &[])].concat()
}

/// The packet before comes, then the error, at the right place.
fn fails(ng: Ng, wrong: &[u8], reason: Reason) {
    let good = good(ng);
    // What follows the wrong block does not matter.
    let file = [&good[..], wrong, &ng.packet(0, 1, b"abc", &[])].concat();
    let (seen, end) = told(&file);
    assert_eq!((seen.len(), end), (1, End::Corrupt(good.len() as u64)), "{reason}");
    let error = error(&file);
    assert_eq!((error.position, error.reason), (good.len() as u64, reason));
}

const BOTH: [Ng; 2] = [Ng { big: false }, Ng { big: true }];

#[test]
fn a_length_that_is_no_multiple_of_4() {
    for ng in BOTH {
        for block_type in [1, 2, 3, 5, 6, 77] {
            let head = [ng.word(block_type), ng.word(33), vec![0; 40]].concat();
            fails(ng, &head, Reason::BlockLength(33));
        }
    }
}

#[test]
fn a_length_that_is_too_small_for_the_block() {
    for ng in BOTH {
        for (block_type, total) in [(1, 16), (2, 28), (3, 12), (5, 20), (6, 28), (77, 8), (6, 0)] {
            fails(ng, &[ng.word(block_type), ng.word(total), vec![0; 60]].concat(), Reason::BlockLength(total));
        }
        let section = [ng.word(0x0a0d_0d0a), ng.word(24), ng.word(0x1a2b_3c4d), vec![0; 40]].concat();
        fails(ng, &section, Reason::BlockLength(24));
    }
}

#[test]
fn a_trailer_that_disagrees() {
    for ng in BOTH {
        let blocks = [
            ng.section(),
            ng.interface(1, 0, &[]),
            ng.packet(0, 1, b"abcd", &[]),
            ng.simple(4, b"abcd"),
            ng.block(77, &[0; 400]),
            ng.block(5, &[0; 12]),
        ];
        for mut block in blocks {
            let length = block.len() as u32;
            for trailer in [length + 4, length - 4] {
                block.splice(length as usize - 4.., ng.word(trailer));
                fails(ng, &block, Reason::Trailer { header: length, trailer });
            }
        }
    }
}

#[test]
fn a_packet_that_is_longer_than_its_block() {
    for ng in BOTH {
        let mut block = ng.packet(0, 1, b"abcd", &[]);
        block.splice(20..24, ng.word(5));
        fails(ng, &block, Reason::PacketLength { captured: 5, room: 4 });
        fails(ng, &ng.simple(40, b"abcd"), Reason::PacketLength { captured: 40, room: 4 });
    }
}

#[test]
fn a_packet_of_no_interface() {
    for ng in BOTH {
        fails(ng, &ng.packet(1, 1, b"abcd", &[]), Reason::NoInterface(1));
        let second = [ng.section(), ng.simple(4, b"abcd")].concat();
        let file = [good(ng), second].concat();
        assert_eq!(error(&file).reason, Reason::NoInterface(0), "each section has its own interfaces");
    }
}

#[test]
fn a_record_that_is_too_long() {
    for ng in BOTH {
        let block = [ng.word(6), ng.word(0x1000_0004), vec![0; 40]].concat();
        fails(ng, &block, Reason::TooLong { length: 0x1000_0004, limit: 256 << 20 });
    }
    let file = [
        pcap_header(false, 0xa1b2_c3d4, (2, 4), 0, 1),
        pcap_record(false, (0, 0), (1, 1), b"a"),
        pcap_record(false, (0, 0), (0x1000_0001, 1), b"a"),
    ]
    .concat();
    assert_eq!(told(&file).1, End::Corrupt(41));
    assert_eq!(
        error(&file).to_string(),
        "at byte 41: a record says it has 268435457 bytes; more than 268435456 are not taken"
    );
}

#[test]
fn a_section_of_no_byte_order_and_of_another_version() {
    let mut section = Ng { big: false }.section();
    section[8] = 0;
    fails(Ng { big: false }, &section, Reason::ByteOrderMagic(0x1a2b_3c00));
    let mut section = Ng { big: true }.section();
    section[13] = 2;
    fails(Ng { big: false }, &section, Reason::Version { major: 2, minor: 0 });
    let mut section = Ng { big: true }.section();
    section[15] = 1;
    fails(Ng { big: false }, &section, Reason::Version { major: 1, minor: 1 });
}

#[test]
fn what_is_no_capture_file_is_named() {
    let named = |first: [u8; 4], reason| {
        let error = error(&[&first[..], &[0; 40]].concat());
        assert_eq!((error.position, error.reason), (0, reason));
    };
    named([0x1f, 0x8b, 8, 0], Reason::Compressed("gzip"));
    named([0x28, 0xb5, 0x2f, 0xfd], Reason::Compressed("zstd"));
    named([4, 0x22, 0x4d, 0x18], Reason::Compressed("lz4"));
    named(*b"GET ", Reason::NotACapture(*b"GET "));
    for (magic, name) in [(0xa1b2_34cd_u32, "FMESQUITA"), (0xa12b_3c4d, "Navtel"), (0xa1b2_c3cb, "classic BPF")] {
        for first in [magic.to_le_bytes(), magic.to_be_bytes()] {
            let error = error(&[&first[..], &[0; 40]].concat()).to_string();
            assert!(error.contains(name) && error.contains("not supported"), "{error}");
        }
    }
}

#[test]
fn pcap_headers_that_libpcap_refuses() {
    let reason = |version, link_type| error(&pcap_header(true, 0xa1b2_c3d4, version, 0, link_type)).reason;
    assert_eq!(reason((1, 4), 1), Reason::Version { major: 1, minor: 4 });
    assert_eq!(reason((2, 5), 1), Reason::Version { major: 2, minor: 5 });
    assert_eq!(reason((543, 1), 1), Reason::Version { major: 543, minor: 1 });
    assert_eq!(reason((2, 4), 0x0001_0001), Reason::ReservedBits(0x0001_0001));
}

#[test]
fn interfaces_are_limited() {
    let ng = Ng { big: false };
    let file = [ng.section(), ng.interface(1, 0, &[]).repeat(MAX_INTERFACES), ng.packet(65_535, 0, b"", &[])].concat();
    assert_eq!(told(&file).0[0].interface, 65_535);
    let file = [file, ng.interface(1, 0, &[])].concat();
    assert_eq!(error(&file).reason, Reason::TooManyInterfaces);
}

#[test]
fn a_length_alone_takes_no_memory() {
    let ng = Ng { big: false };
    let head = [good(ng), ng.word(6), ng.word(200 << 20), vec![0; 100]].concat();
    let mut decoder = BufferedDecoder::new(Default::default(), 64);
    let mut reader = &head[..];
    loop {
        match decoder.next().unwrap() {
            Event::NeedMore => drop(decoder.fill(&mut reader).unwrap()),
            Event::Batch(_) => {}
            Event::End { truncated_bytes } => break assert_eq!(truncated_bytes, 108),
        }
    }
    assert!(decoder.buffer_size() <= 2 * 108, "{}", decoder.buffer_size());
}
