//! The decoder: bytes in, packets out.

mod batch;
mod buffered;
mod bytes;
mod head;
mod pcap;
mod pcapng;

pub use batch::{Batch, Extra, Packet, RawBlock, Span};
pub use buffered::{BufferedDecoder, Event, Found};
pub(crate) use bytes::padded;
pub use head::{Format, PcapHeader};
pub use pcapng::SectionInfo;

use crate::error::{DecodeError, Reason};
use crate::interface::Interface;
use head::Head;
use pcapng::Blocks;

/// Interfaces that a file may describe, over all of its sections. It bounds the memory that a hostile file takes;
/// [`Packet::interface_id`] has 16 bits.
pub const MAX_INTERFACES: usize = 1 << 16;

/// What a decoder takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Records and blocks that say they are longer are an error, so that a wrong length is told from a long wait. At
    /// most 1 GiB. Default 256 MiB: libpcap takes 128 MiB for the link types that allow the longest packets.
    pub max_record_len: u32,
    /// Packets a batch, from 1. Default: as many as the bytes hold; a descriptor takes 40 bytes, and a record has 16 at least.
    pub max_packets: usize,
    /// Give also the blocks that a copy of the file should have: names, decryption secrets, custom blocks that may be
    /// copied. Default: skip them.
    pub keep_blocks: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { max_record_len: 256 << 20, max_packets: usize::MAX, keep_blocks: false }
    }
}

/// What to do after a call of [`Decoder::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are done with. The next call begins behind them.
    pub consumed: usize,
    /// What the next call needs.
    pub next: Next,
}

/// What the next call of [`Decoder::decode`] needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the bytes that are left hold more. The batch is full, a packet of another link type follows, or a
    /// place that cannot be read.
    Again,
    /// More bytes.
    More {
        /// How many, with those that are left, it takes at least to go on. It comes from the file: let a buffer grow
        /// with what arrives, not to this at once.
        wanted: usize,
    },
}

/// Reads pcap and pcapng from bytes that the caller has. It owns no buffer, copies no packet and calls nothing.
///
/// Whoever calls keeps the bytes that were not consumed and puts what arrives next behind them; packets of a batch
/// lie in the bytes of that call. [`BufferedDecoder`] does both with a buffer of its own.
///
/// ```
/// use netring_pcap::{Batch, Decoder, Next};
///
/// let file = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0\
///              \x01\0\0\0\x02\0\0\0\x03\0\0\0\x40\0\0\0abc";
/// let (mut decoder, mut batch) = (Decoder::new(Default::default()), Batch::new());
///
/// // The header and a part of the record have arrived.
/// let progress = decoder.decode(&file[..30], &mut batch)?;
/// assert_eq!((progress.consumed, progress.next), (24, Next::More { wanted: 16 }));
///
/// // The rest of them, and what has arrived since.
/// let bytes = &file[24..];
/// decoder.decode(bytes, &mut batch)?;
/// let packet = batch.packets()[0];
/// assert_eq!(packet.data(bytes), b"abc");
/// assert_eq!((packet.original_len, packet.time.seconds, packet.time.nanoseconds), (64, 1, 2000));
/// assert_eq!(decoder.truncated_bytes(0), 0);
/// # Ok::<(), netring_pcap::DecodeError>(())
/// ```
///
/// With the buffers of a pool, a batch stays readable while the next one is decoded: the tail is copied to the front of
/// another buffer.
///
/// ```
/// # use std::io::Read;
/// # use netring_pcap::{Batch, Decoder, Next};
/// # fn read(mut file: impl Read) -> Result<usize, Box<dyn std::error::Error>> {
/// let (mut decoder, mut batch) = (Decoder::new(Default::default()), Batch::new());
/// let (mut buffer, mut filled, mut packets) = (vec![0; 1 << 20], 0, 0);
/// loop {
///     let count = file.read(&mut buffer[filled..])?;
///     if count == 0 {
///         break assert_eq!(decoder.truncated_bytes(filled), 0);
///     }
///     filled += count;
///     let mut at = 0;
///     let wanted = loop {
///         let progress = decoder.decode(&buffer[at..filled], &mut batch)?;
///         // Here a batch is given out: its packets lie in the buffer from `at` on.
///         packets += batch.packets().len();
///         at += progress.consumed;
///         if let Next::More { wanted } = progress.next {
///             break wanted;
///         }
///     };
///     let tail = filled - at;
///     let mut another = vec![0; wanted.min(2 * tail).max(1 << 20)];
///     another[..tail].copy_from_slice(&buffer[at..filled]);
///     (buffer, filled) = (another, tail);
/// }
/// # Ok(packets)
/// # }
/// # let mut file = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0".to_vec();
/// # file.extend(b"\x01\0\0\0\x02\0\0\0\x03\0\0\0\x40\0\0\0abc".repeat(200_000));
/// # assert_eq!(read(&file[..]).unwrap(), 200_000);
/// ```
#[derive(Debug)]
pub struct Decoder {
    options: DecodeOptions,
    position: u64,
    state: State,
    failed: Option<DecodeError>,
    interfaces: Vec<Interface>,
}

#[derive(Debug)]
enum State {
    Start,
    Pcap(PcapHeader),
    PcapNg(Blocks),
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Full,
    More(usize),
    Failed(Reason),
}

/// What a walk needs to know.
#[derive(Clone, Copy)]
struct Limits {
    max_record_len: u32,
    max_packets: usize,
    keep_blocks: bool,
}

impl Decoder {
    /// A decoder at the start of a file.
    pub fn new(options: DecodeOptions) -> Self {
        Self { options, position: 0, state: State::Start, failed: None, interfaces: Vec::new() }
    }

    /// Fills `batch` with the packets of one link type that lie whole in `bytes`, which begin where the last call
    /// stopped consuming.
    ///
    /// # Errors
    /// Where the next record cannot be read, and so from then on. Packets before it have been given.
    pub fn decode(&mut self, bytes: &[u8], batch: &mut Batch) -> Result<Progress, DecodeError> {
        batch.clear();
        if let Some(error) = self.failed {
            return Err(error);
        }
        // Offsets have 32 bits; a record is shorter by far.
        let seen = &bytes[..bytes.len().min(u32::MAX as usize)];
        let mut progress = self.decode_seen(seen, batch)?;
        if seen.len() < bytes.len() {
            progress.next = Next::Again;
        }
        Ok(progress)
    }

    fn decode_seen(&mut self, bytes: &[u8], batch: &mut Batch) -> Result<Progress, DecodeError> {
        let mut consumed = 0;
        if let State::Start = self.state {
            match head::read(bytes) {
                Ok(head) => consumed = self.begin(head),
                Err(Stop::Failed(reason)) => return Err(self.fail(self.position, reason)),
                Err(stop) => return Ok(self.progress(0, stop)),
            }
        }
        let limits = self.limits();
        let (end, stop) = match &mut self.state {
            State::Pcap(header) => pcap::walk(header, &limits, bytes, consumed, batch),
            State::PcapNg(blocks) => blocks.walk(&limits, &mut self.interfaces, self.position, bytes, batch),
            State::Start => unreachable!("a header was read"),
        };
        match stop {
            Stop::Failed(reason) if batch.is_empty() => Err(self.fail(self.record_start(end), reason)),
            // Found again, and told, by the next call.
            Stop::Failed(_) => Ok(self.progress(end, Stop::Full)),
            stop => Ok(self.progress(end, stop)),
        }
    }

    /// Of what is left over when no more bytes come: how many of the file's bytes lie behind its last whole record.
    /// `rest` is how many of them were not consumed.
    pub fn truncated_bytes(&self, rest: usize) -> u64 {
        self.position + rest as u64 - self.record_start(0)
    }

    /// Why it cannot go on, after that has been told.
    pub fn error(&self) -> Option<DecodeError> {
        self.failed
    }

    /// Bytes consumed since the file's start.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// pcap or pcapng; `None` until the header has been read.
    pub fn format(&self) -> Option<Format> {
        match &self.state {
            State::Pcap(header) => Some(Format::Pcap(*header)),
            State::PcapNg(_) => Some(Format::PcapNg),
            State::Start => None,
        }
    }

    /// The interfaces described so far. A pcap file has one.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// What the last section's header says, of pcapng.
    pub fn section(&self) -> Option<&SectionInfo> {
        match &self.state {
            State::PcapNg(blocks) => blocks.section(),
            _ => None,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            max_record_len: self.options.max_record_len.min(1 << 30),
            max_packets: self.options.max_packets.max(1),
            keep_blocks: self.options.keep_blocks,
        }
    }

    /// Returns the length of the header.
    fn begin(&mut self, head: Head) -> usize {
        match head {
            Head::Pcap(header) => {
                self.interfaces.push(header.interface());
                self.state = State::Pcap(header);
                crate::wire::pcap::FILE_HEADER
            }
            Head::PcapNg => {
                self.state = State::PcapNg(Blocks::default());
                0
            }
        }
    }

    fn progress(&mut self, consumed: usize, stop: Stop) -> Progress {
        self.position += consumed as u64;
        let next = match stop {
            Stop::More(wanted) => Next::More { wanted },
            _ => Next::Again,
        };
        Progress { consumed, next }
    }

    /// Where in the file the record begins that was reached, `consumed` bytes on.
    fn record_start(&self, consumed: usize) -> u64 {
        let skipped = match &self.state {
            State::PcapNg(blocks) => blocks.skipped_from(),
            _ => None,
        };
        skipped.unwrap_or(self.position + consumed as u64)
    }

    fn fail(&mut self, position: u64, reason: Reason) -> DecodeError {
        let error = DecodeError { position, reason };
        self.failed = Some(error);
        error
    }
}
