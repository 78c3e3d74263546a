//! Files in, packets out: the odd ones, the cut ones, the wrong ones, and any bytes at all.
#![allow(unreachable_pub)]

mod any;
mod cut;
mod describe;
mod pcap;
mod pcapng;
mod wrong;

#[path = "../support/build.rs"]
mod build;
#[allow(dead_code)]
#[path = "../../fuzz/src/decode.rs"]
mod decode;
#[allow(dead_code)]
#[path = "../../fuzz/src/naive.rs"]
mod naive;

use naive::{End, Seen};

/// All packets of a file that is whole; what the decoder says is compared with what the naive reader says.
fn packets(file: &[u8]) -> Vec<Seen> {
    let (seen, end) = told(file);
    assert_eq!(end, End::Cut(0));
    seen
}

/// What both readers say, and the decoder in pieces too.
fn told(file: &[u8]) -> (Vec<Seen>, End) {
    let told = decode::at_once(file);
    assert_eq!(told, naive::read(file));
    assert_eq!(told, decode::in_pieces(file, Default::default(), 64, 7.max(file.len() / 1000)));
    told
}

/// What the decoder says is wrong.
fn error(file: &[u8]) -> netring_pcap::DecodeError {
    let mut decoder = netring_pcap::BufferedDecoder::new(Default::default(), file.len());
    decoder.space()[..file.len()].copy_from_slice(file);
    decoder.filled(file.len());
    decoder.finish();
    loop {
        match decoder.next() {
            Ok(netring_pcap::Event::Batch(_)) => {}
            Ok(event) => panic!("{event:?} where an error was to come"),
            Err(error) => return error,
        }
    }
}
