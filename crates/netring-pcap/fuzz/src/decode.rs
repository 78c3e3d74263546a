//! Any bytes as a file.

use netring_pcap::{Batch, BufferedDecoder, DecodeError, DecodeOptions, Decoder, Event, Next, Packet, Span};

use super::naive::{self, End, Seen};

/// What a decoder says of a file, in the naive reader's words.
pub type Told = (Vec<Seen>, End);

/// One input: a byte that says in which pieces it is fed, and a file. The naive reader, a decoder that sees all at once and
/// one that is fed piece by piece, with a small buffer and few packets a batch, all have to say the same.
pub fn run(input: &[u8]) {
    let Some((&plan, file)) = input.split_first() else { return };
    let expected = naive::read(file);
    let whole = at_once(file);
    assert_eq!(whole, expected, "the decoder and the naive reader");
    let options = DecodeOptions { max_packets: usize::from(plan >> 5) + 1, ..Default::default() };
    let pieces = in_pieces(file, options, 64, usize::from(plan & 31) + 1);
    assert_eq!(pieces, expected, "in pieces and at once");
    kept_blocks(file, &expected);
}

/// The file in one call after the other, with nothing missing.
pub fn at_once(file: &[u8]) -> Told {
    let (mut decoder, mut batch) = (Decoder::new(DecodeOptions::default()), Batch::new());
    let (mut at, mut seen) = (0, Vec::new());
    loop {
        let bytes = &file[at..];
        let progress = match decoder.decode(bytes, &mut batch) {
            Ok(progress) => progress,
            Err(error) => return (seen, corrupt(&mut decoder, error)),
        };
        collect(&decoder, &batch, bytes, &mut seen);
        at += progress.consumed;
        assert_eq!(decoder.position(), at as u64);
        if let Next::More { wanted } = progress.next {
            assert!(wanted > file.len() - at, "what it asks for is there");
            return (seen, End::Cut(decoder.truncated_bytes(file.len() - at)));
        }
        assert!(!batch.is_empty(), "it asks to be called again and gives nothing");
    }
}

/// The file in pieces of so many bytes, through a buffer that begins with `buffer` bytes.
pub fn in_pieces(file: &[u8], options: DecodeOptions, buffer: usize, piece: usize) -> Told {
    let mut decoder = BufferedDecoder::new(options, buffer);
    let (mut rest, mut seen) = (file, Vec::new());
    let mut bound = decoder.buffer_size();
    loop {
        match decoder.next() {
            Ok(Event::NeedMore) => {}
            Ok(Event::Batch(found)) => {
                assert!(found.batch.packets().len() <= options.max_packets);
                seen.extend(found.batch.packets().iter().map(|packet| told(packet, found.batch, found.bytes)));
                continue;
            }
            Ok(Event::End { truncated_bytes }) => return (seen, End::Cut(truncated_bytes)),
            Err(error) => return (seen, End::Corrupt(error.position)),
        }
        let space = decoder.space();
        let count = piece.min(rest.len()).min(space.len());
        let (now, later) = rest.split_at(count);
        space[..count].copy_from_slice(now);
        rest = later;
        decoder.filled(count);
        if count == 0 {
            decoder.finish();
        }
        bound = bound.max(2 * (file.len() - rest.len()));
        assert!(decoder.buffer_size() <= bound, "a buffer of {} bytes", decoder.buffer_size());
    }
}

/// With blocks kept, the same packets come, and every block is whole, in place, and between its packets.
fn kept_blocks(file: &[u8], expected: &Told) {
    let options = DecodeOptions { keep_blocks: true, ..Default::default() };
    let (mut decoder, mut batch) = (Decoder::new(options), Batch::new());
    let (mut at, mut packets) = (0, 0);
    while let Ok(progress) = decoder.decode(&file[at..], &mut batch) {
        for block in batch.blocks() {
            let bytes = &file[at..][block.offset as usize..][..block.len as usize];
            let word = |at: usize| {
                let raw = bytes[at..at + 4].try_into().unwrap();
                if block.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
            };
            assert_eq!((word(0), word(4), word(bytes.len() - 4)), (block.block_type, block.len, block.len));
            assert!(block.after as usize <= batch.packets().len());
        }
        packets += batch.packets().len();
        at += progress.consumed;
        if matches!(progress.next, Next::More { .. }) {
            break;
        }
    }
    assert_eq!(packets, expected.0.len());
}

/// A decoder that failed says so again.
fn corrupt(decoder: &mut Decoder, error: DecodeError) -> End {
    assert_eq!(decoder.error(), Some(error));
    assert_eq!(decoder.decode(&[0; 64], &mut Batch::new()), Err(error));
    End::Corrupt(error.position)
}

fn collect(decoder: &Decoder, batch: &Batch, bytes: &[u8], seen: &mut Vec<Seen>) {
    assert_eq!(batch.link_type().is_some(), !batch.packets().is_empty());
    for packet in batch.packets() {
        let interface = &decoder.interfaces()[usize::from(packet.interface_id)];
        assert_eq!(batch.link_type(), Some(interface.link_type));
        seen.push(told(packet, batch, bytes));
    }
}

fn told(packet: &Packet, batch: &Batch, bytes: &[u8]) -> Seen {
    let extra = batch.extra(packet).copied().unwrap_or_default();
    assert!(packet.time.nanoseconds < 1_000_000_000 && packet.original_len >= packet.captured_len);
    let value = |span: Option<Span>| span.map(|span| span.of(bytes).to_vec());
    Seen {
        link_type: batch.link_type().expect("a batch with packets has one").number(),
        interface: packet.interface_id.into(),
        seconds: packet.time.seconds,
        nanoseconds: packet.time.nanoseconds,
        data: packet.data(bytes).to_vec(),
        original: packet.original_len,
        flags: packet.flags.0,
        drop_count: extra.drop_count,
        queue: extra.queue,
        packet_id: extra.packet_id,
        comment: value(extra.comment),
        hash: value(extra.hash),
        verdict: value(extra.verdict),
    }
}
