//! What a file begins and ends with.

use netring_pcap::{
    Batch, BufferedDecoder, DecodeOptions, Decoder, EncodeError, EncodeOptions, Encoder, Event, Interface,
    InterfaceStats, LinkType, MAX_INTERFACES, OutputFormat, PacketRecord, Resolution, Timestamp,
};

use crate::build::every_block;
use crate::encoder;

fn decoder_of(file: &[u8]) -> Decoder {
    let (mut decoder, mut batch, mut at) = (Decoder::new(Default::default()), Batch::new(), 0);
    while at < file.len() {
        at += decoder.decode(&file[at..], &mut batch).unwrap().consumed;
    }
    decoder
}

fn full_interface() -> Interface {
    Interface {
        resolution: Resolution::NANOSECONDS,
        name: Some("eth0".into()),
        description: Some("the first".into()),
        filter: Some("tcp port 80".into()),
        os: Some("Linux 6.1".into()),
        hardware: Some("a card".into()),
        mac: Some([2, 0, 0, 0, 0, 1]),
        speed: Some(10_000_000_000),
        fcs_bits: Some(32),
        ..Interface::new(LinkType::ETHERNET, 96)
    }
}

#[test]
fn sections_and_interfaces_come_back() {
    let options = EncodeOptions {
        hardware: Some("hardware".into()),
        os: Some("os".into()),
        application: Some("program".into()),
        ..Default::default()
    };
    let mut encoder = Encoder::new(options, vec![full_interface()]).unwrap();
    let mut file = Vec::new();
    encoder.begin(&mut file);
    assert_eq!(encoder.add_interface(Interface::new(LinkType::RAW, 0), &mut file), Ok(1));
    let decoder = decoder_of(&file);
    assert_eq!(decoder.interfaces()[0], full_interface());
    assert_eq!(decoder.interfaces()[1].link_type, LinkType::RAW);
    let section = decoder.section().unwrap();
    assert_eq!(
        [&section.hardware, &section.os, &section.application].map(|text| text.as_deref()),
        [Some("hardware"), Some("os"), Some("program")]
    );
    // The next file of a rotation begins with all that is known by then.
    let mut next = Vec::new();
    encoder.begin(&mut next);
    assert_eq!(decoder_of(&next).interfaces(), decoder.interfaces());
}

#[test]
fn statistics_come_back_and_are_no_longer_than_said() {
    let encoder = encoder(OutputFormat::PcapNg, LinkType::ETHERNET, 0);
    let at = |seconds| Timestamp { seconds, nanoseconds: 5 };
    let stats = InterfaceStats {
        time: at(30),
        start: Some(at(10)),
        end: Some(at(20)),
        received: Some(u64::MAX),
        dropped: Some(3),
        filter_accepted: Some(4),
        os_dropped: Some(0),
        delivered: Some(6),
    };
    for stats in [stats, InterfaceStats { time: at(1), dropped: Some(1), ..Default::default() }] {
        let mut file = Vec::new();
        encoder.begin(&mut file);
        let before = file.len() as u64;
        encoder.statistics(0, &stats, &mut file).unwrap();
        assert!(file.len() as u64 - before <= Encoder::STATISTICS_LEN);
        assert_eq!(decoder_of(&file).interfaces()[0].stats, Some(stats));
    }
    let mut full = Vec::new();
    encoder.statistics(0, &stats, &mut full).unwrap();
    assert_eq!(full.len() as u64, Encoder::STATISTICS_LEN);
    let before_1970 = InterfaceStats { end: Some(at(-1)), ..stats };
    let mut out = Vec::new();
    assert_eq!(encoder.statistics(0, &before_1970, &mut out), Err(EncodeError::TimeOutOfRange(-1)));
    assert_eq!(encoder.statistics(1, &stats, &mut out), Err(EncodeError::NoInterface(1)));
    assert!(out.is_empty());
}

#[test]
fn pcap_holds_one_link_type_and_no_statistics() {
    let options = || EncodeOptions { format: OutputFormat::PcapNanoseconds, ..Default::default() };
    let two = vec![Interface::new(LinkType::ETHERNET, 0), Interface::new(LinkType::RAW, 0)];
    let refused = EncodeError::LinkType { file: LinkType::ETHERNET, other: LinkType::RAW };
    assert_eq!(Encoder::new(options(), two).unwrap_err(), refused);
    assert_eq!(Encoder::new(options(), Vec::new()).unwrap_err(), EncodeError::NoInterface(0));
    let mut encoder = Encoder::new(options(), vec![full_interface()]).unwrap();
    let mut file = Vec::new();
    encoder.begin(&mut file);
    assert_eq!(encoder.add_interface(full_interface(), &mut file), Ok(1));
    assert_eq!(encoder.statistics(0, &InterfaceStats::default(), &mut file), Err(EncodeError::NotInPcap));
    assert_eq!(encoder.raw_block(&[], &mut file), Err(EncodeError::NotInPcap));
    assert_eq!(file.len(), 24);
    let decoder = decoder_of(&file);
    let interface = &decoder.interfaces()[0];
    assert_eq!((interface.fcs_bits, interface.snap_len), (Some(32), 96));
}

#[test]
fn interfaces_are_as_many_as_a_decoder_takes() {
    let mut encoder = encoder(OutputFormat::PcapNg, LinkType::ETHERNET, 0);
    let mut out = Vec::new();
    for number in 1..MAX_INTERFACES {
        assert_eq!(encoder.add_interface(Interface::new(LinkType::RAW, 0), &mut out), Ok(number as u16));
    }
    let length = out.len();
    let refused = encoder.add_interface(Interface::new(LinkType::RAW, 0), &mut out);
    assert_eq!((refused, out.len()), (Err(EncodeError::TooManyInterfaces), length));
}

#[test]
fn texts_have_to_fit_an_option() {
    let long = "x".repeat(65_535);
    let interface = Interface { name: Some(long.clone()), ..full_interface() };
    assert_eq!(Encoder::new(Default::default(), vec![interface]).unwrap_err(), EncodeError::TextTooLong(65_535));
    let options = EncodeOptions { os: Some(long.clone()), ..Default::default() };
    assert_eq!(Encoder::new(options, Vec::new()).unwrap_err(), EncodeError::TextTooLong(65_535));
    let encoder = encoder(OutputFormat::PcapNg, LinkType::ETHERNET, 0);
    let mut out = Vec::new();
    let record = PacketRecord { comment: Some(&long), ..PacketRecord::new(b"") };
    assert_eq!(encoder.packet(&record, &mut out), Err(EncodeError::TextTooLong(65_535)));
    encoder.packet(&PacketRecord { comment: Some(&long[1..]), ..record }, &mut out).unwrap();
}

#[test]
fn kept_blocks_go_from_file_to_file() {
    let file = every_block();
    let encoder = encoder(OutputFormat::PcapNg, LinkType::ETHERNET, 0);
    let mut decoder = BufferedDecoder::new(DecodeOptions { keep_blocks: true, ..Default::default() }, 64);
    let (mut rest, mut copy, mut copied, mut refused) = (&file[..], Vec::new(), Vec::new(), 0);
    encoder.begin(&mut copy);
    loop {
        match decoder.next().unwrap() {
            Event::NeedMore => drop(decoder.fill(&mut rest).unwrap()),
            Event::End { .. } => break,
            Event::Batch(found) => {
                for block in found.batch.blocks() {
                    let bytes = &found.bytes[block.offset as usize..][..block.len as usize];
                    match encoder.raw_block(bytes, &mut copy) {
                        Ok(()) => copied.extend_from_slice(bytes),
                        Err(error) => {
                            assert!(block.big_endian && error == EncodeError::RawBlock);
                            refused += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(refused, 3);
    assert!(copy.ends_with(&copied) && !copied.is_empty());
    assert_eq!(encoder.raw_block(&copied[..copied.len() - 4], &mut copy), Err(EncodeError::RawBlock));
}
