//! Packets in, files out, and back.
#![allow(unreachable_pub)]

mod any;
mod append;
mod batch;
mod blocks;

#[path = "../support/build.rs"]
#[allow(dead_code)]
mod build;
#[allow(dead_code)]
#[path = "../../fuzz/src/decode.rs"]
mod decode;
#[path = "../../fuzz/src/encode.rs"]
mod encode;
#[path = "../../fuzz/src/naive.rs"]
mod naive;

use naive::{End, Seen};
use netring_pcap::{EncodeOptions, Encoder, Interface, LinkType, OutputFormat};

const FORMATS: [OutputFormat; 3] =
    [OutputFormat::PcapNg, OutputFormat::PcapMicroseconds, OutputFormat::PcapNanoseconds];

fn encoder(format: OutputFormat, link_type: LinkType, snap_len: u32) -> Encoder {
    let options = EncodeOptions { format, ..Default::default() };
    Encoder::new(options, vec![Interface::new(link_type, snap_len)]).unwrap()
}

fn packets(file: &[u8]) -> Vec<Seen> {
    let (seen, end) = decode::at_once(file);
    assert_eq!(end, End::Cut(0));
    seen
}
