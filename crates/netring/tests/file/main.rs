//! A file source says of any bytes, in whatever pieces they come, what the decoder says of them in one.

use netring::file::FileSource;
use netring::ring::columns::Row;
use netring::ring::{ColumnSet, Columns, Memory};
use netring::source::Source;
use netring_pcap::{BufferedDecoder, EncodeOptions, Encoder, Event, Interface, LinkType, PacketRecord};
use proptest::prelude::*;

/// Bytes of a packet, and its length on the wire.
type Seen = (Vec<u8>, u32);

/// Packets, whether an error came behind them, and the bytes that are no whole packet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    packets: Vec<Seen>,
    failed: bool,
    truncated: u64,
}

fn file(lengths: &[usize]) -> Vec<u8> {
    let interface = Interface::new(LinkType::ETHERNET, 0);
    let encoder = Encoder::new(EncodeOptions::default(), vec![interface]).unwrap();
    let mut bytes = Vec::new();
    encoder.begin(&mut bytes);
    for (index, length) in lengths.iter().enumerate() {
        encoder.packet(&PacketRecord::new(&vec![index as u8; *length]), &mut bytes).unwrap();
    }
    bytes
}

/// The decoder by itself.
fn expected(mut bytes: &[u8]) -> Read {
    let mut decoder = BufferedDecoder::new(Default::default(), 1 << 16);
    let mut read = Read::default();
    loop {
        match decoder.next() {
            Ok(Event::NeedMore) => drop(decoder.fill(&mut bytes).unwrap()),
            Ok(Event::Batch(found)) => {
                read.packets.extend(found.iter().map(|(packet, data)| (data.to_vec(), packet.original_len)));
            }
            Ok(Event::End { truncated_bytes }) => return Read { truncated: truncated_bytes, ..read },
            Err(_) => return Read { failed: true, ..read },
        }
    }
}

/// Takes the batches that are there; false where the source failed.
fn drain(source: &mut FileSource, held: &mut Vec<(Vec<Row>, Memory, <FileSource as Source>::Batch)>) -> bool {
    loop {
        match source.next(&mut |packets| Some((Columns::for_packets(packets), ColumnSet::ALL))) {
            Ok(Some((batch, columns))) => {
                let rows = (0..FileSource::header(&batch).length).map(|index| columns.as_ref().unwrap().row(index));
                held.push((rows.collect(), source.bytes(&batch).unwrap(), batch));
            }
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// In pieces; every batch is held until `hold` of them are, and then all are looked at and given back.
fn fed(bytes: &[u8], pieces: &[usize], hold: usize) -> Read {
    let mut source = FileSource::fed();
    let (mut read, mut held, mut at) = (Read::default(), Vec::new(), 0);
    for piece in pieces.iter().cycle() {
        let end = (at + piece).min(bytes.len());
        source.feed((&bytes[at..end]).into());
        let over = end == bytes.len();
        if over {
            source.finish();
        }
        read.failed = !drain(&mut source, &mut held);
        if held.len() >= hold || over || read.failed {
            for (rows, memory, batch) in held.drain(..) {
                let seen = |row: &Row| (memory.read(row.offset as usize, row.captured as usize).unwrap(), row.original);
                read.packets.extend(rows.iter().map(seen));
                source.release(batch);
            }
        }
        if over || read.failed {
            break;
        }
        at = end;
    }
    assert_eq!(source.ended(), !read.failed);
    read.truncated = source.truncated_bytes();
    read
}

proptest! {
    #[test]
    fn in_pieces_as_in_one(
        lengths in prop::collection::vec(0..3000usize, 0..60),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        pieces in prop::collection::vec(1..20_000usize, 1..6),
        hold in 0..5usize,
    ) {
        let mut bytes = file(&lengths);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        prop_assert_eq!(fed(&bytes, &pieces, hold), expected(&bytes));
    }
}

#[test]
fn buffers_change_while_batches_are_held() {
    let lengths: Vec<usize> = (0..3000).map(|index| 900 + index % 100).collect();
    let bytes = file(&lengths);
    let wanted = expected(&bytes);
    assert_eq!(wanted.packets.len(), 3000);
    for hold in [0, 3, 1000] {
        assert_eq!(fed(&bytes, &[70_000, 3, 1], hold), wanted, "{hold}");
    }
}

#[test]
fn what_is_no_file_cannot_be_opened() {
    let none = FileSource::open("/nonexistent.pcap").unwrap_err();
    assert_eq!((none.kind.code(), none.syscall, none.errno), ("ERR_NETRING_IO", Some("stat"), Some(libc::ENOENT)));
    assert_eq!(FileSource::open("/").unwrap_err().kind.code(), "ERR_NETRING_UNSUPPORTED");
}
