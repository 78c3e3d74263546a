//! A decoder with a buffer.

use std::io::{self, Read};

use super::batch::{Batch, Packet};
use super::{DecodeOptions, Decoder, Next};
use crate::error::DecodeError;

/// A [`Decoder`] that keeps the bytes it is fed: in one buffer, which grows beyond its size only for a record that does
/// not fit, and then to no more than twice the bytes that have arrived of it.
///
/// ```
/// use netring_pcap::{BufferedDecoder, Event};
///
/// # let file: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0\
/// #              \x01\0\0\0\x02\0\0\0\x03\0\0\0\x40\0\0\0abc\x01";
/// # let mut file = file; // std::fs::File::open(path)?
/// let mut decoder = BufferedDecoder::new(Default::default(), 1 << 20);
/// let mut lengths = Vec::new();
/// loop {
///     match decoder.next()? {
///         Event::NeedMore => decoder.fill(&mut file).map(drop)?,
///         Event::Batch(found) => lengths.extend(found.iter().map(|(_, data)| data.len())),
///         Event::End { truncated_bytes } => break assert_eq!(truncated_bytes, 1),
///     }
/// }
/// assert_eq!(lengths, [3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BufferedDecoder {
    decoder: Decoder,
    batch: Batch,
    buffer: Vec<u8>,
    /// What has been consumed, and what has arrived.
    start: usize,
    end: usize,
    /// Bytes that the decoder asks for.
    wanted: usize,
    finished: bool,
}

/// What a [`BufferedDecoder`] says.
#[derive(Debug)]
pub enum Event<'a> {
    /// All that has arrived has been given.
    NeedMore,
    /// Packets of one link type.
    Batch(Found<'a>),
    /// The file is at its end.
    End {
        /// Bytes behind the last whole record: not 0 where the file was cut off.
        truncated_bytes: u64,
    },
}

/// A batch, and the bytes that its packets lie in.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The bytes that offsets count from.
    pub bytes: &'a [u8],
    /// The packets.
    pub batch: &'a Batch,
}

impl<'a> Found<'a> {
    /// Packets with their bytes.
    pub fn iter(self) -> impl Iterator<Item = (&'a Packet, &'a [u8])> {
        self.batch.packets().iter().map(move |packet| (packet, packet.data(self.bytes)))
    }
}

impl BufferedDecoder {
    /// A decoder with a buffer of so many bytes, from 64.
    pub fn new(options: DecodeOptions, buffer_size: usize) -> Self {
        Self {
            decoder: Decoder::new(options),
            batch: Batch::new(),
            buffer: vec![0; buffer_size.max(64)],
            start: 0,
            end: 0,
            wanted: 0,
            finished: false,
        }
    }

    /// The decoder: format, interfaces, position.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Bytes that the buffer has now.
    pub fn buffer_size(&self) -> usize {
        self.buffer.len()
    }

    /// Where to put what arrives next: never empty. What is left of the bytes before moves to the buffer's front.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            let size = self.wanted.clamp(self.end + 1, self.end * 2);
            self.buffer.reserve_exact(size - self.end);
            self.buffer.resize(size, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes have been put into [`space`](Self::space).
    ///
    /// # Panics
    /// Where it has not so many.
    pub fn filled(&mut self, count: usize) {
        assert!(count <= self.buffer.len() - self.end, "{count} bytes are more than the buffer has room for");
        self.end += count;
    }

    /// No more bytes will come.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// One `read` into the space that there is; at the end of what is read, the file's end. Returns the bytes read. Where
    /// the file may grow (as with `tail -f`), call [`space`](Self::space) and [`filled`](Self::filled), and
    /// [`finish`](Self::finish) when it is not to be waited for any longer.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn fill(&mut self, reader: &mut impl Read) -> io::Result<usize> {
        let count = reader.read(self.space())?;
        self.filled(count);
        self.finished |= count == 0;
        Ok(count)
    }

    /// What has been found in the bytes that arrived.
    ///
    /// # Errors
    /// Where the file cannot be read on; all packets before that place have been given.
    #[expect(clippy::should_implement_trait, reason = "an event borrows from the buffer; no iterator can")]
    pub fn next(&mut self) -> Result<Event<'_>, DecodeError> {
        let from = self.start;
        let progress = self.decoder.decode(&self.buffer[from..self.end], &mut self.batch)?;
        self.start += progress.consumed;
        if !self.batch.is_empty() {
            return Ok(Event::Batch(Found { bytes: &self.buffer[from..self.end], batch: &self.batch }));
        }
        match progress.next {
            Next::More { wanted } => self.wanted = wanted,
            Next::Again => unreachable!("a batch without packets needs more bytes"),
        }
        if !self.finished {
            return Ok(Event::NeedMore);
        }
        Ok(Event::End { truncated_bytes: self.decoder.truncated_bytes(self.end - self.start) })
    }
}
