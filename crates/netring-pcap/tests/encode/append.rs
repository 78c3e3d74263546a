//! Going on with files that exist.

use netring_pcap::{Append, AppendRefused, BufferedDecoder, Event, LinkType, OutputFormat, PacketRecord, Reason};

use crate::build::{Ng, pcap_header, pcap_record};
use crate::{FORMATS, encoder, packets};

fn append_to(file: &[u8], format: OutputFormat) -> Result<Append, AppendRefused> {
    let mut decoder = BufferedDecoder::new(Default::default(), 64);
    let mut rest = file;
    loop {
        match decoder.next() {
            Ok(Event::NeedMore) => drop(decoder.fill(&mut rest).unwrap()),
            Ok(Event::Batch(_)) => {}
            Ok(Event::End { .. }) | Err(_) => return Append::to(decoder.decoder(), format, LinkType::ETHERNET),
        }
    }
}

#[test]
fn a_file_cut_anywhere_goes_on_behind_its_last_whole_record() {
    for format in FORMATS {
        let encoder = encoder(format, LinkType::ETHERNET, 0);
        let (mut file, mut ends) = (Vec::new(), vec![0]);
        encoder.begin(&mut file);
        for length in [3, 0, 60] {
            ends.push(file.len());
            encoder.packet(&PacketRecord::new(&[1; 60][..length]), &mut file).unwrap();
        }
        ends.push(file.len());
        for length in 0..=file.len() {
            let append = append_to(&file[..length], format).unwrap();
            let whole = append.length as usize;
            let before = ends.iter().filter(|&&end| end > ends[1] && end <= length).count();
            let mut longer = file[..whole].to_vec();
            assert_eq!(append.begin, format == OutputFormat::PcapNg || length < 24, "{format:?} {length}");
            if append.begin {
                encoder.begin(&mut longer);
            }
            encoder.packet(&PacketRecord::new(b"new"), &mut longer).unwrap();
            let packets = packets(&longer);
            assert_eq!((packets.len(), &packets[before].data[..]), (before + 1, &b"new"[..]), "{format:?} {length}");
        }
    }
}

#[test]
fn what_would_make_two_files_of_one_is_refused() {
    let pcap = |big, magic, version, link_type| pcap_header(big, magic, version, 0, link_type);
    let refused = |file: &[u8], format| append_to(file, format).unwrap_err();
    let micros = pcap(false, 0xa1b2_c3d4, (2, 4), 1);
    for format in [OutputFormat::PcapNg, OutputFormat::PcapNanoseconds] {
        assert!(matches!(refused(&micros, format), AppendRefused::Format { .. }));
    }
    let ng = |big| Ng { big }.section();
    assert!(matches!(refused(&ng(false), OutputFormat::PcapNanoseconds), AppendRefused::Format { .. }));
    assert_eq!(refused(&ng(true), OutputFormat::PcapNg), AppendRefused::ByteOrder);
    let micros = OutputFormat::PcapMicroseconds;
    assert_eq!(refused(&pcap(true, 0xa1b2_c3d4, (2, 4), 1), micros), AppendRefused::ByteOrder);
    assert_eq!(refused(&pcap(false, 0xa1b2_cd34, (2, 4), 1), micros), AppendRefused::Variant);
    assert_eq!(refused(&pcap(false, 0xa1b2_c3d4, (2, 3), 1), micros), AppendRefused::Variant);
    let other = AppendRefused::LinkType { file: LinkType::RAW, wanted: LinkType::ETHERNET };
    assert_eq!(refused(&pcap(false, 0xa1b2_c3d4, (2, 4), 12), micros), other);
}

#[test]
fn what_is_no_capture_file_or_a_broken_one_stays_as_it_is() {
    for format in FORMATS {
        let AppendRefused::Unreadable(error) = append_to(b"A letter to the editor", format).unwrap_err() else {
            panic!()
        };
        assert_eq!(error.reason, Reason::NotACapture(*b"A le"));
    }
    let header = pcap_header(false, 0xa1b2_c3d4, (2, 4), 0, 1);
    let broken = [header, pcap_record(false, (0, 0), (u32::MAX, 0), b"")].concat();
    let refused = append_to(&broken, OutputFormat::PcapMicroseconds).unwrap_err();
    assert!(refused.to_string().contains("at byte 24"), "{refused}");
}

#[test]
fn a_file_cut_in_a_block_that_is_passed_over_goes_on_before_it() {
    let ng = Ng { big: false };
    let (head, block) = ([ng.section(), ng.interface(1, 0, &[])].concat(), ng.block(0x4000_0bad, &[7; 400]));
    let file = [&head[..], &block].concat();
    for length in head.len()..file.len() {
        let append = append_to(&file[..length], OutputFormat::PcapNg);
        assert_eq!(append, Ok(Append { length: head.len() as u64, begin: true }), "{length}");
    }
    assert_eq!(append_to(&file, OutputFormat::PcapNg), Ok(Append { length: file.len() as u64, begin: true }));
}
