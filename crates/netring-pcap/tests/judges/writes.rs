//! What netring writes, judged.

use netring_pcap::{EncodeOptions, Encoder, Interface, LinkType, OutputFormat, PacketRecord, Timestamp};

use crate::decode::at_once;
use crate::naive::{End, Seen};
use crate::tool::{Folder, run, text, tshark};
use crate::{capture, records};

const FORMATS: [OutputFormat; 3] =
    [OutputFormat::PcapNg, OutputFormat::PcapMicroseconds, OutputFormat::PcapNanoseconds];

#[test]
fn tshark_reads_every_field() {
    let folder = Folder::new("fields");
    for format in FORMATS {
        let path = folder.file("file", &capture(format));
        let fields = [
            "frame.time_epoch",
            "frame.len",
            "frame.cap_len",
            "frame.packet_flags",
            "frame.drop_count",
            "frame.interface_queue",
            "frame.comment",
            "frame.interface_name",
            "eth.dst",
        ];
        let printed = tshark(&path, &fields);
        let pcapng = format == OutputFormat::PcapNg;
        let expected: Vec<Vec<String>> = records()
            .iter()
            .map(|record| {
                let nanos = record.time.nanoseconds;
                let nanos = if format == OutputFormat::PcapMicroseconds { nanos / 1000 * 1000 } else { nanos };
                let known = |text: Option<String>| text.filter(|_| pcapng).unwrap_or_default();
                vec![
                    format!("{}.{nanos:09}", record.time.seconds),
                    record.original_len.to_string(),
                    record.data.len().min(96).to_string(),
                    known((record.flags.0 != 0).then(|| format!("0x{:08x}", record.flags.0))),
                    known(record.drop_count.map(|count| count.to_string())),
                    known(record.queue.map(|queue| queue.to_string())),
                    known(record.comment.map(str::to_owned)),
                    known(Some("eth0".into())),
                    "00:25:4a:6f:94:b9".into(),
                ]
            })
            .collect();
        assert_eq!(printed, expected, "{format:?}");
    }
}

#[test]
fn tcpdump_writes_the_same_bytes_as_the_encoder() {
    let folder = Folder::new("tcpdump");
    for format in FORMATS {
        let path = folder.file("file", &capture(format));
        let rewritten =
            |arguments: &[&str]| run("tcpdump", &[&["-r", text(&path), "-w", "-"], arguments].concat(), &[]);
        let micros = rewritten(&["--time-stamp-precision=micro"]);
        assert!(micros == capture(OutputFormat::PcapMicroseconds), "{format:?}, microseconds");
        if format != OutputFormat::PcapMicroseconds {
            let nanos = rewritten(&["--time-stamp-precision=nano"]);
            assert!(nanos == capture(OutputFormat::PcapNanoseconds), "{format:?}, nanoseconds");
        }
    }
}

#[test]
fn tcpdump_reads_from_a_pipe() {
    let printed = run("tcpdump", &["-r", "-", "-nn", "-tt", "--nano"], &capture(OutputFormat::PcapNg));
    let printed = String::from_utf8(printed).unwrap();
    let times: Vec<_> =
        printed.lines().filter_map(|line| line.split(' ').next()).filter(|word| word.contains('.')).collect();
    let expected: Vec<_> =
        records().iter().map(|record| format!("{}.{:09}", record.time.seconds, record.time.nanoseconds)).collect();
    assert_eq!(times, expected);
}

#[test]
fn capinfos_reads_what_a_file_says_of_itself() {
    let folder = Folder::new("capinfos");
    let printed = run("capinfos", &[text(&folder.file("file", &capture(OutputFormat::PcapNg)))], &[]);
    let printed = String::from_utf8(printed).unwrap();
    let lines: Vec<String> =
        printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "File type: Wireshark/... - pcapng",
        "File encapsulation: Ethernet",
        "File timestamp precision: nanoseconds (9)",
        "Number of packets: 40",
        "Data size: 8000 bytes",
        "Capture hardware: hardware",
        "Capture oper-sys: Linux 6",
        "Capture application: netring",
        "Number of interfaces in file: 1",
        "Name = eth0",
        "Capture length = 96",
        "Time precision = nanoseconds (9)",
        "Filter string = udp",
        "Operating system = Linux",
        "Number of stat entries = 1",
        "Number of packets = 40",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected}, in:\n{printed}");
    }
}

/// Wireshark's dissector of pcapng itself shows every block and option.
#[test]
fn wireshark_dissects_the_statistics() {
    let folder = Folder::new("statistics");
    let path = folder.file("file", &capture(OutputFormat::PcapNg));
    let dissected = run("tshark", &["-X", "read_format:MIME Files Format", "-r", text(&path), "-V"], &[]);
    let dissected = String::from_utf8(dissected).unwrap();
    let (_, statistics) = dissected.rsplit_once("Block: Interface Statistics Block").expect("a block of statistics");
    let lines: Vec<_> = statistics.lines().map(str::trim).collect();
    for expected in [
        "Block Length: 88",
        "Interface: 0",
        "[Timestamp: Nov 14, 2023 22:14:00.999959959 UTC]",
        "Option: Start Time",
        "Option: End Time",
        "Number of Received Packets: 1000",
        "Number of Dropped Packets: 17",
        "Number of Delivered to the User Packets: 40",
        "Option: End of Options",
        "Block Length (trailer): 88",
    ] {
        assert!(lines.contains(&expected), "{expected}, in:\n{statistics}");
    }
    for damage in ["Malformed", "Expert Info"] {
        assert!(!dissected.contains(damage), "{damage}, in:\n{dissected}");
    }
}

/// Files that are put together: sections one behind the other, interfaces that come later, link types that differ.
#[test]
fn an_appended_file_with_several_interfaces_is_one_file() {
    let folder = Folder::new("sections");
    let mut file = Vec::new();
    let record = |data, seconds, interface_id| PacketRecord {
        time: Timestamp { seconds, nanoseconds: 7 },
        interface_id,
        ..PacketRecord::new(data)
    };
    for section in 0..2 {
        let mut encoder = Encoder::new(EncodeOptions::default(), vec![Interface::new(LinkType::ETHERNET, 0)]).unwrap();
        encoder.begin(&mut file);
        encoder.packet(&record(&crate::DATA, section * 2, 0), &mut file).unwrap();
        let second = encoder.add_interface(Interface::new(LinkType::RAW, 0), &mut file).unwrap();
        encoder.packet(&record(&[0x45; 20], section * 2 + 1, second), &mut file).unwrap();
    }
    let printed = tshark(&folder.file("file", &file), &["frame.time_epoch", "frame.cap_len", "frame.encap_type"]);
    let words: Vec<Vec<&str>> = printed.iter().map(|line| line.iter().map(String::as_str).collect()).collect();
    // 1 and 7 are Wireshark's WTAP_ENCAP_ETHERNET and WTAP_ENCAP_RAW_IP.
    let expected: [[&str; 3]; 4] = [
        ["0.000000007", "100", "1"],
        ["1.000000007", "20", "7"],
        ["2.000000007", "100", "1"],
        ["3.000000007", "20", "7"],
    ];
    assert_eq!(words, expected);
}

#[test]
fn editcap_and_back() {
    let folder = Folder::new("editcap");
    let from = folder.file("from", &capture(OutputFormat::PcapNg));
    let told = |path| -> (Vec<Seen>, End) { at_once(&std::fs::read(path).unwrap()) };
    let to = folder.path("to");
    run("editcap", &["-F", "pcapng", text(&from), text(&to)], &[]);
    assert_eq!(told(&to), told(&from), "pcapng");
    run("editcap", &["-F", "nsecpcap", text(&from), text(&to)], &[]);
    let (mut written, expected) = (std::fs::read(&to).unwrap(), capture(OutputFormat::PcapNanoseconds));
    // editcap puts its own snaplen into the header.
    written[16..20].copy_from_slice(&expected[16..20]);
    assert!(written == expected, "nsecpcap");
}
