//! What other programs write, and odd files that they read too: netring reads the same.

use netring_pcap::OutputFormat;

use crate::build::{Ng, blocks, every_block, pcap_header, pcap_record};
use crate::capture;
use crate::decode::at_once;
use crate::naive::{End, Seen};
use crate::tool::{Folder, run, text, try_run, tshark};

/// What netring says of a file, as tshark would print it.
fn told(file: &[u8]) -> Vec<Vec<String>> {
    let (seen, end) = at_once(file);
    assert_eq!(end, End::Cut(0));
    seen.iter().map(line).collect()
}

fn line(seen: &Seen) -> Vec<String> {
    let time = format!("{}.{:09}", seen.seconds, seen.nanoseconds);
    vec![time, seen.original.to_string(), seen.data.len().to_string()]
}

const FIELDS: [&str; 3] = ["frame.time_epoch", "frame.len", "frame.cap_len"];

#[test]
fn tshark_sees_the_same_in_every_kind_of_block() {
    let folder = Folder::new("blocks");
    // tshark gives no time where there is none.
    let without_times = |mut lines: Vec<Vec<String>>| {
        for line in &mut lines {
            if line[0] == "0.000000000" || line[0].is_empty() {
                line[0] = "none".into();
            }
        }
        lines
    };
    let file = blocks(false);
    let path = folder.file("file", &file);
    assert_eq!(without_times(tshark(&path, &FIELDS)), without_times(told(&file)));
}

#[test]
fn tshark_sees_the_same_times_in_every_resolution_that_it_takes() {
    let folder = Folder::new("resolutions");
    for resolution in [0, 1, 3, 6, 8, 9, 0x80, 0x81, 0x8a, 0x94, 0x9e] {
        for big in [false, true] {
            let ng = Ng { big };
            let options = ng.options(&[(9, &[resolution])]);
            let mut file = [ng.section(), ng.interface(1, 0, &options)].concat();
            for ticks in [1, 1_000_003, 1_700_000_001] {
                file.extend(ng.packet(0, ticks, &[0; 20], &[]));
            }
            let path = folder.file("file", &file);
            assert_eq!(tshark(&path, &FIELDS), told(&file), "resolution {resolution:#x}, big-endian: {big}");
        }
    }
}

#[test]
fn tshark_sees_the_same_offsets() {
    let folder = Folder::new("offsets");
    for big in [false, true] {
        let ng = Ng { big };
        for offset in [-1_600_000_000_i64, 1_600_000_000] {
            let options = ng.options(&[(14, &ng.long(offset as u64))]);
            let packet = ng.packet(0, 1_700_000_000_000_001, &[0; 20], &[]);
            let file = [ng.section(), ng.interface(1, 0, &options), packet].concat();
            assert_eq!(tshark(&folder.file("file", &file), &FIELDS), told(&file));
        }
    }
}

/// tcpdump writes what libpcap gives it as plain pcap. Odd headers, by hand.
#[test]
fn libpcap_reads_the_same_packets() {
    let folder = Folder::new("libpcap");
    let record = |big, lengths| pcap_record(big, (1_700_000_000, 5), lengths, &[1; 60]);
    let modified = pcap_record(true, (1_700_000_000, 5), (60, 90), &[[0; 8].as_slice(), &[1; 60]].concat());
    let files = [
        [pcap_header(true, 0xa1b2_c3d4, (2, 4), 96, 1), record(true, (60, 90))].concat(),
        [pcap_header(true, 0xa1b2_3c4d, (2, 4), 96, 1), record(true, (60, 90))].concat(),
        [pcap_header(false, 0xa1b2_cd34, (2, 4), 96, 1), pcap_record(false, (1, 5), (0, 90), &[0; 8])].concat(),
        [pcap_header(true, 0xa1b2_cd34, (2, 4), 96, 1), modified].concat(),
        [pcap_header(false, 0xa1b2_c3d4, (2, 2), 96, 1), record(false, (90, 60))].concat(),
        [pcap_header(false, 0xa1b2_c3d4, (2, 3), 96, 1), record(false, (90, 60)), record(false, (60, 90))].concat(),
        [pcap_header(false, 0xa1b2_c3d4, (543, 0), 96, 1), record(false, (90, 60))].concat(),
        [pcap_header(false, 0xa1b2_c3d4, (2, 4), 0, 1), record(false, (60, 90))].concat(),
        [pcap_header(false, 0xa1b2_c3d4, (2, 4), u32::MAX, 0x2400_0001), record(false, (60, 90))].concat(),
        [pcap_header(false, 0xa1b2_c3d4, (2, 4), 96, 12), record(false, (60, 90))].concat(),
    ];
    for (i, file) in files.iter().enumerate() {
        let path = folder.file("file", file);
        let plain = run("tcpdump", &["-r", text(&path), "-w", "-", "--time-stamp-precision=nano"], &[]);
        assert_eq!(told(&plain), told(file), "file {i}");
        assert_eq!(at_once(&plain).0[0].data, at_once(file).0[0].data, "file {i}");
        assert_eq!(at_once(&plain).0[0].link_type, at_once(file).0[0].link_type, "file {i}");
    }
}

#[test]
fn libpcap_refuses_what_netring_refuses() {
    let folder = Folder::new("refused");
    let mut wrong_trailer = every_block();
    wrong_trailer[92] ^= 4;
    let odd_length = [Ng { big: false }.section(), vec![6, 0, 0, 0, 33, 0, 0, 0], vec![0; 60]].concat();
    let files = [
        pcap_header(false, 0xa1b2_c3d4, (2, 4), 96, 0x0001_0001),
        pcap_header(true, 0xa1b2_c3d4, (2, 5), 96, 1),
        pcap_header(true, 0xa1b2_c3d4, (1, 4), 96, 1),
        wrong_trailer,
        odd_length,
    ];
    for (i, file) in files.iter().enumerate() {
        assert!(matches!(at_once(file).1, End::Corrupt(_)), "file {i}");
        let judged = try_run("tcpdump", &["-r", text(&folder.file("file", file)), "-w", "/dev/null"], &[]);
        assert!(!judged.status.success(), "file {i}");
    }
}

#[test]
fn a_cut_file_gives_as_many_packets_as_tcpdump_prints() {
    let folder = Folder::new("cut");
    for format in [OutputFormat::PcapNg, OutputFormat::PcapNanoseconds] {
        let file = capture(format);
        for length in [file.len() - 1, file.len() / 2, file.len() / 3, 400] {
            let path = folder.file("file", &file[..length]);
            let printed = try_run("tcpdump", &["-r", text(&path), "-nn", "-q", "-t"], &[]).stdout;
            let printed = String::from_utf8_lossy(&printed)
                .lines()
                .filter(|line| line.contains("ethertype") || line.contains('>'))
                .count();
            assert_eq!(at_once(&file[..length]).0.len(), printed, "{format:?} {length}");
        }
    }
}

#[test]
fn mergecap_makes_one_file_with_several_interfaces() {
    let folder = Folder::new("mergecap");
    let raw = pcap_header(true, 0xa1b2_c3d4, (2, 4), 96, 101);
    let raw = [raw, pcap_record(true, (1_700_000_005, 5), (20, 90), &[0x45; 20])].concat();
    let (first, second) = (folder.file("a", &capture(OutputFormat::PcapNg)), folder.file("b", &raw));
    let merged = run("mergecap", &["-w", "-", "-F", "pcapng", text(&first), text(&second)], &[]);
    let (seen, end) = at_once(&merged);
    assert_eq!((seen.len(), end), (41, End::Cut(0)));
    let mut expected = at_once(&capture(OutputFormat::PcapNg)).0;
    expected.insert(5, Seen { interface: 1, ..at_once(&raw).0[0].clone() });
    expected.sort_by_key(|packet| (packet.seconds, packet.nanoseconds));
    assert_eq!(seen, expected);
}
