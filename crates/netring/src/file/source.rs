//! What a capture file holds, as a source. A file has no link and nothing to wait for: [`Source::next`] reads when it is asked,
//! which blocks for as long as a read(2) of a regular file does.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use netring_pcap::{DecodeError, DecodeOptions, Decoder, Format, Interface, Next};

use super::batch::Batch;
use super::buffers::{Buffers, SIZE};
use crate::error::{Error, ErrorKind, Result};
use crate::link_type::LinkType;
use crate::ring::columns::CopyFailure;
use crate::ring::{ColumnSet, Columns, Malformed, Memory, VolatileSlice};
use crate::source::{BatchHeader, Counters, Source, Target};
use crate::stats::{CaptureStats, SinceLast};
use crate::sys::file;

/// Packets a batch, as those of a ring.
const PACKETS: usize = 2048;
/// The least that is worth a read(2).
const READ_LEAST: usize = SIZE / 4;
/// Descriptors kept for batches to come.
const SPARE: usize = 8;

/// Where bytes come from.
#[derive(Debug)]
enum Input {
    File(OwnedFd),
    /// The caller feeds them.
    Fed,
    /// All have come.
    Over,
}

/// A capture file, or bytes of one that the caller feeds.
#[derive(Debug)]
pub struct FileSource {
    id: u64,
    /// What errors call it.
    name: String,
    input: Input,
    decoder: Decoder,
    buffers: Buffers,
    /// A batch that was decoded and not handed out, or why there will be none.
    ahead: Option<Result<Batch>>,
    /// Bytes that the decoder needs, with those that are unread; 0 where it has not said.
    wanted: usize,
    spare: Vec<netring_pcap::Batch>,
    sequence: u64,
    packets: u64,
    since_last: SinceLast,
    link_type: Option<LinkType>,
    truncated: u64,
}

impl FileSource {
    /// A regular file. Its header and first packets are read at once; what is wrong with them is told by [`Source::next`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] where it cannot be opened, [`ErrorKind::Unsupported`] where it is no regular file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let name = path.as_ref().display().to_string();
        // A regular file opens at once; a FIFO that nobody writes would not.
        let kind = fs::metadata(&path).map_err(|error| Error::file("stat", &error, cannot_open(&name)))?;
        if !kind.is_file() {
            return Err(not_regular(&name));
        }
        let file = File::open(&path).map_err(|error| Error::file("open", &error, cannot_open(&name)))?;
        let mut source = Self::with(Input::File(file.into()), name);
        source.look();
        Ok(source)
    }

    /// Bytes that the caller feeds, as they come.
    pub fn fed() -> Self {
        Self::with(Input::Fed, "the stream".to_owned())
    }

    fn with(input: Input, name: String) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            name,
            input,
            decoder: Decoder::new(DecodeOptions { max_packets: PACKETS, ..DecodeOptions::default() }),
            buffers: Buffers::new(),
            ahead: None,
            wanted: 0,
            spare: Vec::new(),
            sequence: 0,
            packets: 0,
            since_last: SinceLast::default(),
            link_type: None,
            truncated: 0,
        }
    }

    /// Copies bytes that follow those that were fed before.
    ///
    /// # Panics
    ///
    /// Where this is a file, or after [`finish`](Self::finish).
    pub fn feed(&mut self, bytes: VolatileSlice<'_>) {
        assert!(matches!(self.input, Input::Fed), "bytes are fed to a source that takes them");
        let (memory, at, _) = self.buffers.room(bytes.len().max(self.growth()));
        assert!(memory.copy_from(at, bytes), "there is room for as many bytes as were asked for");
        self.buffers.filled(bytes.len());
        self.wanted = 0;
    }

    /// No more bytes will be fed.
    pub fn finish(&mut self) {
        self.input = Input::Over;
        self.wanted = 0;
    }

    /// Whether [`Source::next`] would give a batch or fail, or never give one any more. Of a file always.
    pub fn look(&mut self) -> bool {
        if self.ahead.is_none() {
            self.ahead = self.decode().transpose();
        }
        self.ahead.is_some() || matches!(self.input, Input::Over)
    }

    /// Whether all has been handed out: no batch comes any more.
    pub fn ended(&self) -> bool {
        matches!(self.input, Input::Over) && self.ahead.is_none() && self.wanted > 0
    }

    /// Bytes behind the last whole packet, of a file that was cut off. Known at the end.
    pub fn truncated_bytes(&self) -> u64 {
        self.truncated
    }

    /// pcap or pcapng, once the header has been read.
    pub fn format(&self) -> Option<Format> {
        self.decoder.format()
    }

    /// The interfaces that were described as far as the file has been read. A pcap file has one.
    pub fn interfaces(&self) -> &[Interface] {
        self.decoder.interfaces()
    }

    /// The next batch; `None` where more bytes have to be fed first, or at the end.
    fn decode(&mut self) -> Result<Option<Batch>> {
        let mut found = self.spare.pop().unwrap_or_default();
        loop {
            if self.wanted == 0 {
                let decoded = self.decoder.decode(self.buffers.unread(), &mut found);
                let progress = decoded.map_err(|error| self.wrong(error))?;
                self.wanted = match progress.next {
                    Next::More { wanted } => wanted.max(1),
                    Next::Again => 0,
                };
                if let Some(link_type) = found.link_type() {
                    let link_type = LinkType(link_type.number().into());
                    return Ok(Some(self.hand_out(found, link_type, progress.consumed)));
                }
                self.buffers.skip(progress.consumed);
                continue;
            }
            if !self.read()? {
                self.spare.push(found);
                return Ok(None);
            }
        }
    }

    fn hand_out(&mut self, found: netring_pcap::Batch, link_type: LinkType, consumed: usize) -> Batch {
        let (buffer, memory) = self.buffers.take(consumed);
        self.sequence += 1;
        let (source, sequence, more) = (self.id, self.sequence, self.wanted == 0);
        Batch { source, buffer, memory, found, link_type, sequence, more }
    }

    /// Reads what fits; false where there is nothing to be read now.
    fn read(&mut self) -> Result<bool> {
        let growth = self.growth();
        let file = match &self.input {
            Input::File(file) => file,
            Input::Fed => return Ok(false),
            Input::Over => {
                self.truncated = self.decoder.truncated_bytes(self.buffers.unread().len());
                return Ok(false);
            }
        };
        let (memory, at, room) = self.buffers.room(READ_LEAST.max(growth));
        let count = file::read(file.as_fd(), &memory, at, room)
            .map_err(|error| Error::file("read", &error, format_args!("cannot read {}", self.name)))?;
        self.buffers.filled(count);
        if count == 0 {
            self.finish();
        }
        self.wanted = 0;
        Ok(true)
    }

    /// What a record that does not fit takes. Its length is the file's word, so a buffer only doubles with what has arrived.
    fn growth(&self) -> usize {
        let unread = self.buffers.unread().len();
        self.wanted.saturating_sub(unread).min(unread)
    }

    fn wrong(&self, error: DecodeError) -> Error {
        Error::new(ErrorKind::Io, format!("{} cannot be read on: {error}", self.name))
    }
}

fn cannot_open(name: &str) -> String {
    format!("cannot open {name}")
}

fn not_regular(name: &str) -> Error {
    let message = format!("{name} is no regular file; read it as a stream");
    Error::new(ErrorKind::Unsupported, message)
}

impl Source for FileSource {
    type Batch = Batch;

    /// Of the last batch; before it, of the first interface that is described; [`LinkType::UNKNOWN`] where there is none yet.
    fn link_type(&self) -> LinkType {
        let described = || self.interfaces().first().map(|one| LinkType(one.link_type.number().into()));
        self.link_type.or_else(described).unwrap_or(LinkType::UNKNOWN)
    }

    fn batch_link_type(&self, batch: &Batch) -> LinkType {
        batch.link_type
    }

    /// Reads from the file until there is a batch. `None` at its end, and where more bytes have to be fed first.
    fn next(&mut self, target: Target<'_>) -> Result<Option<(Batch, Option<Columns>)>> {
        let Some(batch) = self.ahead.take().or_else(|| self.decode().transpose()).transpose()? else { return Ok(None) };
        self.packets += u64::from(batch.packets());
        self.link_type = Some(batch.link_type);
        let columns = target(batch.packets()).map(|(columns, set)| {
            batch.fill(&columns, set);
            columns
        });
        Ok(Some((batch, columns)))
    }

    fn release(&mut self, batch: Batch) {
        assert_eq!(batch.source, self.id, "a batch belongs to the file that gave it");
        self.buffers.release(batch.buffer);
        if self.spare.len() < SPARE {
            self.spare.push(batch.found);
        }
    }

    fn close(self) -> Result<()> {
        Ok(())
    }

    fn header(batch: &Batch) -> BatchHeader {
        batch.header()
    }

    fn bytes(&self, batch: &Batch) -> Option<Memory> {
        Some(batch.memory.clone())
    }

    fn fill(&self, batch: &Batch, columns: &Columns, set: ColumnSet) -> std::result::Result<(), Malformed> {
        batch.fill(columns, set);
        Ok(())
    }

    fn copy(&self, batch: &Batch, columns: &Columns, target: &Memory) -> std::result::Result<(), CopyFailure> {
        batch.copy(columns, target)
    }
}

/// Packets that were handed out; what the file's writer counted is in its [interfaces](FileSource::interfaces).
impl Counters for FileSource {
    fn stats(&mut self) -> Result<CaptureStats> {
        let total = self.cumulative_stats()?;
        Ok(self.since_last.take(total))
    }

    fn cumulative_stats(&mut self) -> Result<CaptureStats> {
        Ok(CaptureStats { packets: self.packets, ..CaptureStats::default() })
    }
}
