//! Rotations with a clock of their own.

use super::*;
use crate::{Columns, Encoder, Interface, LinkType};

/// 2023-11-14 22:13:20 UTC.
const NOW: u64 = 1_700_000_000;

fn rotation(template: &str, limits: RotationLimits) -> Rotation {
    Rotation::new(NameTemplate::new(template).unwrap(), limits, 0)
}

fn names(template: &str, limits: RotationLimits, times: &[u64]) -> Vec<String> {
    let mut rotation = rotation(template, limits);
    times.iter().map(|&now| rotation.next_file(now).name).collect()
}

const SIZE: RotationLimits = RotationLimits { bytes: Some(1000), seconds: None, packets: None, files: None };

#[test]
fn times_are_those_of_date() {
    let template = NameTemplate::new("%Y%m%d%H%M%S").unwrap();
    // date -u -d @SECONDS +%Y%m%d%H%M%S
    for (seconds, name) in [
        (0, "19700101000000"),
        (951_782_399, "20000228235959"),
        (951_782_400, "20000229000000"),
        (951_868_800, "20000301000000"),
        (NOW, "20231114221320"),
        (1_735_689_599, "20241231235959"),
        (4_107_542_399, "21000228235959"),
        (4_107_542_400, "21000301000000"),
        (253_402_300_799, "99991231235959"),
    ] {
        assert_eq!(template.name(seconds, 1), name);
    }
}

#[test]
fn names_with_time_number_and_percent() {
    let template = NameTemplate::new("/tmp/%i-100%%-%H:%M.pcapng").unwrap();
    assert_eq!(template.name(NOW, 7), "/tmp/00007-100%-22:13.pcapng");
    assert_eq!(template.name(NOW, 123_456), "/tmp/123456-100%-22:13.pcapng");
    assert_eq!(NameTemplate::new("a%q").unwrap_err().directive, Some('q'));
    assert_eq!(NameTemplate::new("a%").unwrap_err().directive, None);
}

#[test]
fn no_two_files_have_one_name() {
    assert_eq!(names("a.d/x.pcapng.gz", SIZE, &[NOW, NOW]), ["a.d/x_00001.pcapng.gz", "a.d/x_00002.pcapng.gz"]);
    assert_eq!(names("a.d/.x", SIZE, &[NOW, NOW]), ["a.d/.x_00001", "a.d/.x_00002"]);
    assert_eq!(names("x-%S.pcap", SIZE, &[NOW, NOW, NOW + 1]), ["x-20.pcap", "x-20_00002.pcap", "x-21.pcap"]);
    assert_eq!(names("x-%i.pcap", SIZE, &[NOW, NOW]), ["x-00001.pcap", "x-00002.pcap"]);
    // A clock that is set back comes to a file that is still kept.
    let kept = RotationLimits { files: Some(3), ..SIZE };
    assert_eq!(names("x-%S", kept, &[NOW, NOW + 1, NOW]), ["x-20", "x-21", "x-20_00003"]);
    // Without limits there is one file, and its name is as given.
    assert_eq!(names("x.pcapng", RotationLimits::default(), &[NOW]), ["x.pcapng"]);
}

#[test]
fn the_oldest_file_goes() {
    let mut rotation = rotation("%i", RotationLimits { files: Some(2), ..SIZE });
    let deleted: Vec<_> = (0..4).map(|_| rotation.next_file(NOW).delete).collect();
    assert_eq!(deleted, [None, None, Some("00001".into()), Some("00002".into())]);
    assert_eq!(rotation.count(), 4);
}

#[test]
fn seconds_count_from_a_files_beginning() {
    let mut rotation = rotation("%i", RotationLimits { seconds: Some(10), ..Default::default() });
    rotation.next_file(NOW);
    assert_eq!([NOW - 5, NOW, NOW + 9, NOW + 10].map(|now| rotation.is_due(now)), [false, false, false, true]);
    rotation.next_file(NOW + 25);
    assert_eq!([NOW + 34, NOW + 35].map(|now| rotation.is_due(now)), [false, true]);
    assert_eq!(rotation.room(), Room::UNLIMITED);
}

#[test]
fn room_is_what_is_left() {
    let limits = RotationLimits { bytes: Some(100), packets: Some(3), ..Default::default() };
    let mut rotation = Rotation::new(NameTemplate::new("%i").unwrap(), limits, 10);
    rotation.next_file(NOW);
    assert_eq!(rotation.room(), Room { bytes: 90, packets: 3, one_at_least: true });
    rotation.wrote(28, 0);
    assert_eq!(rotation.room(), Room { bytes: 62, packets: 3, one_at_least: true });
    rotation.wrote(70, 1);
    assert_eq!(rotation.room(), Room { bytes: 0, packets: 2, one_at_least: false });
    rotation.next_file(NOW);
    assert_eq!(rotation.room(), Room { bytes: 90, packets: 3, one_at_least: true });
}

/// The loop of a writer: every file is whole, none is longer than it may be, no packet is lost.
#[test]
fn a_batch_goes_into_as_many_files_as_it_takes() {
    for limits in
        [SIZE, RotationLimits { packets: Some(7), ..Default::default() }, RotationLimits { bytes: Some(1), ..SIZE }]
    {
        let encoder = Encoder::new(Default::default(), vec![Interface::new(LinkType::ETHERNET, 0)]).unwrap();
        let column = [0; 100];
        let lengths: Vec<u32> = (0..100).collect();
        let columns = Columns {
            offset: &column,
            captured_len: &lengths,
            original_len: &lengths,
            seconds: &column,
            nanoseconds: &column,
            ..Default::default()
        };
        let mut rotation = rotation("%i", limits);
        let (mut files, mut next): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
        while next < 100 {
            rotation.next_file(NOW);
            let mut file = Vec::new();
            encoder.begin(&mut file);
            rotation.wrote(file.len() as u64, 0);
            let before = file.len();
            let count = encoder.batch(&[9; 100], &columns, next as u32..100, rotation.room(), &mut file).unwrap();
            assert!(count > 0 && limits.packets.is_none_or(|packets| count as u64 <= packets));
            rotation.wrote((file.len() - before) as u64, count as u64);
            assert!(count == 1 || limits.bytes.is_none_or(|bytes| file.len() as u64 <= bytes));
            next += count;
            files.push(file);
        }
        assert!(files.len() > 5);
        let packets: usize = files.iter().map(|file| packets(file)).sum();
        assert_eq!(packets, 100);
    }
}

fn packets(file: &[u8]) -> usize {
    let (mut decoder, mut batch) = (crate::Decoder::new(Default::default()), crate::Batch::new());
    let progress = decoder.decode(file, &mut batch).unwrap();
    assert_eq!(progress.consumed, file.len());
    batch.packets().len()
}
