//! Any bytes, and good files with wrong bytes: the decoder and the naive reader say the same.

use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::build::{every_block, pcap_header, pcap_record};
use crate::decode;

fn seeds_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/decode")
}

/// The fuzz target's seeds: a byte that says how to feed them, and a file.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let records = |big| {
        let header = if big { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let records = [pcap_record(big, (1, 2), (3, 3), b"abc"), pcap_record(big, (4, 5), (6, 66), b"abcdef")];
        [pcap_header(big, header, (2, 4), 96, 1), records.concat()].concat()
    };
    let modified = pcap_record(false, (1, 2), (2, 2), &[0, 0, 0, 2, 8, 0, 4, 0, b'x', b'y']);
    let files = [
        ("pcap", records(false)),
        ("pcap_big_endian", records(true)),
        ("pcap_modified", [pcap_header(false, 0xa1b2_cd34, (2, 4), 96, 1), modified].concat()),
        (
            "pcap_swapped",
            [pcap_header(true, 0xa1b2_c3d4, (2, 3), 0, 101), pcap_record(true, (1, 2), (9, 3), b"abc")].concat(),
        ),
        ("pcapng", every_block()),
    ];
    files.into_iter().enumerate().map(|(i, (name, file))| (name.into(), [vec![i as u8 * 37], file].concat())).collect()
}

#[test]
fn seeds_are_what_is_in_the_folder() {
    for (name, input) in seeds() {
        let path = seeds_folder().join(&name);
        if std::env::var_os("NETRING_WRITE_SEEDS").is_some() {
            std::fs::create_dir_all(seeds_folder()).unwrap();
            std::fs::write(&path, &input).unwrap();
        }
        let stored =
            std::fs::read(&path).expect("NETRING_WRITE_SEEDS=1 cargo test -p netring-pcap --test decode writes it");
        assert_eq!(stored, input, "{name}");
        decode::run(&input);
    }
}

proptest! {
    #[test]
    fn any_bytes(input in vec(any::<u8>(), 0..400)) {
        decode::run(&input);
    }

    #[test]
    fn a_good_file_with_wrong_bytes(
        seed in 0..5usize,
        changes in vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), 0..8u8, Just(255)]), 1..6),
        length in any::<prop::sample::Index>(),
    ) {
        let (_, mut input) = seeds().swap_remove(seed);
        for (place, byte) in changes {
            let place = place.index(input.len());
            input[place] = byte;
        }
        decode::run(&input);
        decode::run(&input[..length.index(input.len())]);
    }
}
