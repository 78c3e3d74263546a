//! Files that end at any byte, and that arrive in pieces of any size.

use netring_pcap::{Batch, DecodeOptions, Decoder};

use crate::build::{Ng, every_block, pcap_header, pcap_record};
use crate::decode::{at_once, in_pieces};
use crate::naive::{self, End};

fn files() -> Vec<Vec<u8>> {
    let pcap = |big, magic, extra: &[u8]| {
        let mut file = pcap_header(big, magic, (2, 4), 65_535, 1);
        for length in [0u32, 1, 60, 5] {
            let data = [extra, &vec![length as u8; length as usize]].concat();
            file.extend(pcap_record(big, (length, 3), (length, 70), &data));
        }
        file
    };
    let ng = Ng { big: true };
    let long =
        [ng.section(), ng.block(77, &[1; 300]), ng.interface(1, 0, &[]), ng.packet(0, 1, &[2; 300], &[])].concat();
    vec![
        every_block(),
        long,
        pcap(false, 0xa1b2_c3d4, &[]),
        pcap(true, 0xa1b2_3c4d, &[]),
        pcap(false, 0xa1b2_cd34, &[0; 8]),
    ]
}

#[test]
fn a_cut_file_gives_its_whole_packets_and_the_number_of_bytes_behind() {
    for file in files() {
        let (all, end) = at_once(&file);
        assert_eq!(end, End::Cut(0));
        for length in 0..file.len() {
            let (seen, end) = at_once(&file[..length]);
            assert_eq!(seen[..], all[..seen.len()]);
            let End::Cut(truncated) = end else { panic!("{end:?} at {length}") };
            // Up to there it is whole, with the same packets.
            let whole = length - truncated as usize;
            assert_eq!(at_once(&file[..whole]), (seen.clone(), End::Cut(0)));
            assert_eq!(naive::read(&file[..length]), (seen, end));
        }
    }
}

#[test]
fn a_file_in_pieces_of_any_size_is_the_same_file() {
    for file in files() {
        let all = at_once(&file);
        for piece in 1..file.len() {
            let max_packets = piece % 5 + 1;
            let options = DecodeOptions { max_packets, ..Default::default() };
            assert_eq!(in_pieces(&file, options, 64, piece), all, "pieces of {piece}");
        }
    }
}

#[test]
fn a_file_that_ends_at_any_byte_of_any_piece() {
    for file in files() {
        for length in (0..file.len()).step_by(3) {
            let cut = &file[..length];
            assert_eq!(in_pieces(cut, Default::default(), 64, 7), at_once(cut), "{length}");
        }
    }
}

#[test]
fn a_batch_has_one_packet_at_least() {
    for file in files() {
        let options = DecodeOptions { max_packets: 0, ..Default::default() };
        let (mut decoder, mut batch, mut at) = (Decoder::new(options), Batch::new(), 0);
        while at < file.len() {
            at += decoder.decode(&file[at..], &mut batch).unwrap().consumed;
            assert!(batch.packets().len() <= 1);
        }
    }
}
