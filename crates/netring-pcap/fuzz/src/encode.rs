//! Any packets through the encoder and back.

use netring_pcap::{
    Columns, EncodeError, EncodeOptions, Encoder, Interface, LinkType, OutputFormat, PacketFlags, PacketRecord, Room,
    Timestamp, VlanColumns,
};

use super::decode::at_once;
use super::naive::{End, Seen};

/// Values off the front of an input; zeros behind its end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// One input: a format, interfaces and packets. What the encoder writes, one by one and as a batch, has to be read back as it
/// was given, as far as the format holds it.
pub fn run(input: &[u8]) {
    let mut input = Input(input);
    let format = [OutputFormat::PcapNg, OutputFormat::PcapNanoseconds, OutputFormat::PcapMicroseconds];
    let options = EncodeOptions { format: format[usize::from(input.byte() % 3)], ..Default::default() };
    let count = if options.format == OutputFormat::PcapNg { input.byte() % 3 + 1 } else { 1 };
    let interfaces = (0..count).map(|_| Interface::new(link_type(input.byte()), u32::from(input.byte()) * 8)).collect();
    let encoder = Encoder::new(options, interfaces).expect("all of them fit");
    let (mut file, mut expected) = (Vec::new(), Vec::new());
    encoder.begin(&mut file);
    while !input.0.is_empty() {
        if input.byte() & 1 == 0 {
            one(&encoder, &mut input, &mut file, &mut expected);
        } else {
            batch(&encoder, &mut input, &mut file, &mut expected);
        }
    }
    assert_eq!(at_once(&file), (expected, End::Cut(0)));
}

fn link_type(byte: u8) -> LinkType {
    if byte & 3 == 0 { LinkType::from_number(byte.into()) } else { LinkType::ETHERNET }
}

fn one(encoder: &Encoder, input: &mut Input<'_>, file: &mut Vec<u8>, expected: &mut Vec<Seen>) {
    let kind = input.byte();
    let length = usize::from(input.byte());
    let text = String::from_utf8_lossy(input.take(usize::from(kind >> 5))).into_owned();
    let record = PacketRecord {
        original_len: input.word(),
        time: Timestamp { seconds: u64::from(input.word()) as i64 * 3 - 5, nanoseconds: input.word() % 1_000_000_000 },
        interface_id: (kind & 3).into(),
        flags: PacketFlags(if kind & 4 == 0 { 0 } else { input.word() }),
        drop_count: (kind & 8 != 0).then(|| input.word().into()),
        queue: (kind & 16 != 0).then(|| input.word()),
        comment: (kind >= 32).then_some(text.as_str()),
        ..PacketRecord::new(input.take(length))
    };
    let before = file.len();
    match encoder.packet(&record, file) {
        Ok(()) => expected.push(seen(encoder, &record)),
        Err(error) => {
            assert_eq!(file.len(), before, "what is refused leaves nothing behind");
            refused(encoder, &record, error);
        }
    }
}

/// The packet as it is to be read back.
fn seen(encoder: &Encoder, record: &PacketRecord<'_>) -> Seen {
    let interface = &encoder.interfaces()[usize::from(record.interface_id)];
    let limit = if interface.snap_len == 0 { usize::MAX } else { interface.snap_len as usize };
    let pcapng = encoder.format() == OutputFormat::PcapNg;
    let micros = encoder.format() == OutputFormat::PcapMicroseconds;
    Seen {
        link_type: interface.link_type.number(),
        interface: record.interface_id.into(),
        seconds: record.time.seconds,
        nanoseconds: if micros { record.time.nanoseconds / 1000 * 1000 } else { record.time.nanoseconds },
        data: record.data[..record.data.len().min(limit)].to_vec(),
        original: record.original_len.max(record.data.len() as u32),
        flags: if pcapng { record.flags.0 } else { 0 },
        drop_count: record.drop_count.filter(|_| pcapng),
        queue: record.queue.filter(|_| pcapng),
        packet_id: None,
        comment: record.comment.filter(|_| pcapng).map(|text| text.as_bytes().to_vec()),
        hash: None,
        verdict: None,
    }
}

fn refused(encoder: &Encoder, record: &PacketRecord<'_>, error: EncodeError) {
    let id = usize::from(record.interface_id);
    match error {
        EncodeError::NoInterface(number) => assert!(number as usize == id && id >= encoder.interfaces().len()),
        EncodeError::TimeOutOfRange(seconds) => {
            let least =
                if encoder.format() == OutputFormat::PcapNg { i64::MAX / 1_000_000_000 } else { u32::MAX.into() };
            assert!(seconds == record.time.seconds && (seconds < 0 || seconds > least));
        }
        other => panic!("{other}"),
    }
}

/// A batch of up to 7 packets in 64 bytes, some of which need not lie in them.
fn batch(encoder: &Encoder, input: &mut Input<'_>, file: &mut Vec<u8>, expected: &mut Vec<Seen>) {
    let kind = input.byte();
    let bytes = input.take(64).to_vec();
    let length = usize::from(kind & 7);
    let mut column = |mask: u32| -> Vec<u32> { (0..length).map(|_| input.word() & mask).collect() };
    let (offset, lengths, seconds) = (column(31), column(31), column(u32::MAX));
    let nanoseconds: Vec<u32> = column(u32::MAX).iter().map(|nanos| nanos % 1_000_000_000).collect();
    let status = column(0x1ff);
    let tci: Vec<u16> = column(0xffff).iter().map(|&tci| tci as u16).collect();
    let direction: Vec<u8> = tci.iter().map(|tci| (tci % 6) as u8).collect();
    let vlan = (kind & 8 != 0).then_some(VlanColumns { tci: &tci, tpid: &tci });
    let columns = Columns {
        offset: &offset,
        captured_len: &lengths,
        original_len: &lengths,
        seconds: &seconds,
        nanoseconds: &nanoseconds,
        status: if kind & 16 == 0 { &status } else { &[] },
        direction: if kind & 32 == 0 { &direction } else { &[] },
        vlan,
        drop_count: (kind & 64 != 0).then_some(7),
        ..Default::default()
    };
    let room = Room { bytes: u64::from(kind) * 4, packets: u64::from(kind >> 4), one_at_least: kind & 128 != 0 };
    let before = file.len();
    let written = match encoder.batch(&bytes, &columns, 0..length as u32, room, file) {
        Ok(written) => written,
        Err(EncodeError::Bounds(_) | EncodeError::LinkType { .. }) => return assert_eq!(file.len(), before),
        Err(error) => panic!("{error}"),
    };
    assert!(written as u64 <= room.packets);
    let length = (file.len() - before) as u64;
    assert!(length <= room.bytes || written == 1 && room.one_at_least, "{length} bytes in {room:?}");
    for i in 0..written {
        let mut data = bytes[offset[i] as usize..][..lengths[i] as usize].to_vec();
        let status = columns.status.get(i).copied().unwrap_or(0);
        if vlan.is_some() && status & 0x10 != 0 && data.len() >= 12 {
            let [t0, t1] = if status & 0x40 == 0 { [0x81, 0] } else { tci[i].to_be_bytes() };
            let [c0, c1] = tci[i].to_be_bytes();
            data.splice(12..12, [t0, t1, c0, c1]);
        }
        let record = PacketRecord {
            time: Timestamp { seconds: seconds[i].into(), nanoseconds: nanoseconds[i] },
            flags: PacketFlags::from_af_packet(status, columns.direction.get(i).copied().unwrap_or(9)),
            drop_count: columns.drop_count.filter(|_| i == 0),
            ..PacketRecord::new(&data)
        };
        expected.push(seen(encoder, &record));
    }
}
