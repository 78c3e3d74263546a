//! Other programs as judges: what netring writes, they read; what they write, netring reads; field for field and byte for
//! byte. A judge that is missing is a failure, with the line that brings it.
#![allow(unreachable_pub)]

mod public;
mod reads;
mod tool;
mod writes;

#[path = "../support/build.rs"]
#[allow(dead_code)]
mod build;
#[allow(dead_code)]
#[path = "../../fuzz/src/decode.rs"]
mod decode;
#[path = "../../fuzz/src/naive.rs"]
mod naive;

use netring_pcap::{
    EncodeOptions, Encoder, Interface, InterfaceStats, LinkType, OutputFormat, PacketFlags, PacketRecord, Timestamp,
};

/// Some packets, with all that is known of packets, and statistics at the end.
fn capture(format: OutputFormat) -> Vec<u8> {
    let mut interface = Interface::new(LinkType::ETHERNET, 96);
    interface.name = Some("eth0".into());
    interface.filter = Some("udp".into());
    interface.os = Some("Linux".into());
    let options = EncodeOptions {
        format,
        hardware: Some("hardware".into()),
        os: Some("Linux 6".into()),
        application: Some("netring".into()),
    };
    let encoder = Encoder::new(options, vec![interface]).unwrap();
    let mut file = Vec::new();
    encoder.begin(&mut file);
    for record in records() {
        encoder.packet(&record, &mut file).unwrap();
    }
    if format == OutputFormat::PcapNg {
        let stats = InterfaceStats {
            time: time(40),
            start: Some(time(0)),
            end: Some(time(40)),
            received: Some(1000),
            dropped: Some(17),
            delivered: Some(40),
            ..Default::default()
        };
        encoder.statistics(0, &stats, &mut file).unwrap();
    }
    file
}

fn time(i: u32) -> Timestamp {
    Timestamp { seconds: 1_700_000_000 + i64::from(i), nanoseconds: 999_999_999 - i * 1001 }
}

fn records() -> Vec<PacketRecord<'static>> {
    let flags = [0, 1 | 1 << 2, 2, 1 | 3 << 2 | 1 << 9, 2 | 1 << 10 | 1 << 11];
    (0..40)
        .map(|i: u32| PacketRecord {
            original_len: 200,
            time: time(i),
            flags: PacketFlags(flags[i as usize % 5]),
            drop_count: (i % 7 == 3).then_some(u64::from(i) << 33),
            queue: (i % 3 == 1).then_some(i),
            comment: (i % 4 == 2).then_some("a comment, with ümlauts"),
            // Addresses, an ethertype that nobody dissects, and any bytes, up to the snaplen.
            ..PacketRecord::new(&DATA[..60 + i as usize % 37])
        })
        .collect()
}

const DATA: [u8; 100] = {
    let mut data = [0; 100];
    let mut i = 0;
    while i < data.len() {
        data[i] = (i as u8).wrapping_mul(37);
        i += 1;
    }
    (data[12], data[13]) = (0x88, 0xb5);
    data
};
