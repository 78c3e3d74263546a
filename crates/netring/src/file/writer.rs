//! A writer of capture files. Its caller encodes records into memory; a thread of its own writes them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use netring_pcap::{
    EncodeError, EncodeOptions, Encoder, Interface, InterfaceStats, OutputFormat, PacketFlags, PacketRecord,
    RotationLimits, Timestamp,
};

use super::output::{Output, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::link_type::LinkType;
use crate::ring::columns::Row;
use crate::ring::layout::status;
use crate::ring::{Columns, Memory, VolatileSlice};
use crate::stats::CaptureStats;

/// Bytes that are worth a write(2).
const CHUNK: usize = 1 << 20;
/// Bytes that may wait for the disk before the caller is told to wait.
const LIMIT: usize = 8 << 20;
/// How long fewer bytes than a chunk wait.
const FLUSH_AFTER: Duration = Duration::from_millis(500);

/// What is written.
#[derive(Clone, Debug, Default)]
pub struct WriterOptions {
    /// pcapng or pcap.
    pub format: OutputFormat,
    /// What packets begin with: then the file has its header at once. `None`: that of the first batch.
    pub link_type: Option<LinkType>,
    /// The most bytes of a packet that are kept; 0: all.
    pub snap_len: u32,
    /// The first interface's name, in pcapng.
    pub interface_name: Option<String>,
    /// Write behind what is in the file.
    pub append: bool,
    /// When the next file begins.
    pub rotate: Option<RotationLimits>,
    /// The program that writes, in pcapng.
    pub application: Option<String>,
}

/// Counts of a writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterStats {
    /// Packets that the operating system has.
    pub packets: u64,
    /// Bytes that it has.
    pub bytes: u64,
    /// Files that were begun.
    pub files: u64,
    /// Packets that were given and that no file will have, because writing failed.
    pub dropped: u64,
}

/// How far the thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Some records wait.
    Writing,
    /// The operating system has them all.
    Drained,
    /// And the disk, too; the thread has ended.
    Finished,
}

type Wake = Box<dyn Fn() + Send>;

#[derive(Default)]
struct State {
    /// Records that wait, and how many of them are packets.
    waiting: Vec<u8>,
    packets: u64,
    /// Bytes that are being written.
    writing: usize,
    spare: Vec<u8>,
    flush: bool,
    closing: bool,
    ended: bool,
    /// Told when the thread has drained or ended, once.
    wake: Option<Wake>,
    failure: Option<Error>,
    stats: WriterStats,
    whole: Vec<PathBuf>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes pcapng or pcap. Dropping it writes what waits, which blocks; [`close`](Self::close) does not.
pub struct FileWriter {
    encoder: Option<Encoder>,
    options: WriterOptions,
    /// The file has its beginning.
    begun: bool,
    /// Numbers in the file of the interfaces of what is written.
    interfaces: HashMap<(LinkType, u16), u16>,
    began: SystemTime,
    bytes: Vec<u8>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWriter").field("options", &self.options).finish_non_exhaustive()
    }
}

impl FileWriter {
    /// Creates a file, empties one that is there, or appends to it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] where the operating system refuses, [`ErrorKind::Config`] for what the format cannot hold and a
    /// file that cannot be appended to.
    pub fn open(path: impl AsRef<Path>, options: WriterOptions) -> Result<Self> {
        let path = path.as_ref();
        let pcap = options.format != OutputFormat::PcapNg;
        let link_type = options.link_type.map(pcap_link_type).transpose()?;
        if options.append && options.rotate.is_some() {
            return Err(Error::new(ErrorKind::Config, "`append` and `rotate` do not go together"));
        }
        let (output, begin) = if options.append {
            Output::append(path, options.format, link_type.unwrap_or(netring_pcap::LinkType::ETHERNET))?
        } else {
            (Output::create(path, pcap, options.rotate.map(|limits| (limits, Encoder::STATISTICS_LEN)))?, true)
        };
        let shared = Arc::new(Shared::default());
        shared.lock().stats.files = 1;
        let thread = {
            let shared = Arc::clone(&shared);
            let spawned = std::thread::Builder::new().name("netring-file".into()).spawn(move || run(&shared, output));
            spawned.map_err(|error| Error::file("clone", &error, "cannot start the thread that writes"))?
        };
        Self::with(options, !begin, shared, Some(thread))
    }

    /// Writes nothing by itself: the caller takes the records.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what the format cannot hold.
    pub fn detached(options: WriterOptions) -> Result<Self> {
        Self::with(options, false, Arc::default(), None)
    }

    fn with(options: WriterOptions, begun: bool, shared: Arc<Shared>, thread: Option<JoinHandle<()>>) -> Result<Self> {
        let mut writer = Self {
            encoder: None,
            begun,
            interfaces: HashMap::new(),
            began: SystemTime::now(),
            bytes: Vec::new(),
            shared,
            thread,
            options,
        };
        if let Some(link_type) = writer.options.link_type {
            writer.describe(link_type, 0)?;
        }
        Ok(writer)
    }

    /// The number of an interface in the file, where it is described first if it is not yet.
    fn describe(&mut self, link_type: LinkType, id: u16) -> Result<u16> {
        let mut interface = Interface::new(pcap_link_type(link_type)?, self.options.snap_len);
        if self.interfaces.is_empty() {
            interface.name.clone_from(&self.options.interface_name);
        }
        let mut head = Vec::new();
        let number = match &mut self.encoder {
            Some(encoder) => encoder.add_interface(interface, &mut head).map_err(refused)?,
            None => {
                let application = self.options.application.clone();
                let options = EncodeOptions { format: self.options.format, application, ..EncodeOptions::default() };
                let encoder = Encoder::new(options, vec![interface]).map_err(refused)?;
                if !self.begun {
                    encoder.begin(&mut head);
                }
                self.encoder = Some(encoder);
                0
            }
        };
        self.begun = true;
        self.interfaces.insert((link_type, id), number);
        let mut state = self.shared.lock();
        state.waiting.extend_from_slice(&head);
        self.shared.changed.notify_one();
        Ok(number)
    }

    /// Writes packets of a batch: those at `indices`, or all. The bytes are copied. False: much waits for the disk, and the
    /// caller should wait for [`drain`](Self::drain).
    ///
    /// # Errors
    ///
    /// What the thread ran into, once it has; [`ErrorKind::Config`] for what the format cannot hold, and then nothing of
    /// the batch is written.
    pub fn batch(
        &mut self,
        bytes: &Memory,
        columns: &Columns,
        indices: impl ExactSizeIterator<Item = u32> + Clone,
        link_type: LinkType,
        strips_vlan: bool,
    ) -> Result<bool> {
        let packets = indices.clone().map(|index| {
            let row = columns.row(index);
            bytes.part(row.offset as usize, row.captured as usize).map(|data| (data, row))
        });
        self.number(indices.map(|index| columns.interface_id(index)), link_type)?;
        self.put(packets, link_type, strips_vlan)
    }

    /// As [`batch`](Self::batch), packets with their bytes.
    ///
    /// # Errors
    ///
    /// As [`batch`](Self::batch).
    pub fn packets(&mut self, packets: &[(VolatileSlice<'_>, Row)], link_type: LinkType) -> Result<bool> {
        self.number(packets.iter().map(|(_, row)| row.interface_id), link_type)?;
        self.put(packets.iter().copied().map(Some), link_type, false)
    }

    /// Describes the interfaces that are new.
    fn number(&mut self, ids: impl Iterator<Item = u16>, link_type: LinkType) -> Result<()> {
        let mut last = None;
        for id in ids {
            if last != Some(id) && !self.interfaces.contains_key(&(link_type, id)) {
                self.describe(link_type, id)?;
            }
            last = Some(id);
        }
        Ok(())
    }

    /// Encodes packets, whose interfaces are described, into the records that wait.
    fn put<'a>(
        &mut self,
        packets: impl ExactSizeIterator<Item = Option<(VolatileSlice<'a>, Row)>>,
        link_type: LinkType,
        strips_vlan: bool,
    ) -> Result<bool> {
        let mut state = self.shared.lock();
        fail_or(&state)?;
        let (before, count) = (state.waiting.len(), packets.len() as u64);
        let Some(encoder) = self.encoder.as_ref().filter(|_| count > 0) else { return Ok(true) };
        let put = |out: &mut Vec<u8>| {
            let mut last = None;
            for packet in packets {
                let outside = || Error::new(ErrorKind::Io, "a packet does not lie inside of its batch");
                let (data, row) = packet.ok_or_else(outside)?;
                let number = match last {
                    Some((id, number)) if id == row.interface_id => number,
                    _ => last.insert((row.interface_id, self.interfaces[&(link_type, row.interface_id)])).1,
                };
                collect(data, &row, strips_vlan, &mut self.bytes);
                encoder.packet(&record(&self.bytes, &row, number), out).map_err(refused)?;
            }
            Ok(())
        };
        if let Err(error) = put(&mut state.waiting) {
            state.waiting.truncate(before);
            return Err(error);
        }
        state.packets += count;
        if before == 0 || state.waiting.len() >= CHUNK {
            self.shared.changed.notify_one();
        }
        Ok(state.waiting.len() + state.writing < LIMIT)
    }

    /// How far the thread is. Where it still writes, everything that waits is written now, and `wake` is called once it is.
    ///
    /// # Errors
    ///
    /// What the thread ran into.
    pub fn drain(&self, wake: impl FnOnce() -> Wake) -> Result<Progress> {
        let mut state = self.shared.lock();
        if state.ended {
            return fail_or(&state).map(|()| Progress::Finished);
        }
        fail_or(&state)?;
        if !state.closing && state.waiting.is_empty() && state.writing == 0 {
            return Ok(Progress::Drained);
        }
        state.flush = true;
        state.wake = Some(wake());
        self.shared.changed.notify_one();
        Ok(Progress::Writing)
    }

    /// The records that wait, of a [detached](Self::detached) writer. They count as written.
    pub fn take(&self) -> Vec<u8> {
        let mut state = self.shared.lock();
        let records = std::mem::take(&mut state.waiting);
        state.stats.bytes += records.len() as u64;
        state.stats.packets += std::mem::take(&mut state.packets);
        records
    }

    /// Nobody wants to be woken any more.
    pub fn forget_wake(&self) {
        self.shared.lock().wake = None;
    }

    /// Counts.
    pub fn stats(&self) -> WriterStats {
        self.shared.lock().stats
    }

    /// Files that have become whole since the last call.
    pub fn take_whole(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.shared.lock().whole)
    }

    /// Ends the file, in pcapng with these statistics of its first interface. The thread goes on until all is written:
    /// [`drain`](Self::drain) tells when. Closing twice is harmless.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what the format cannot hold.
    pub fn close(&mut self, stats: Option<CaptureStats>) -> Result<()> {
        if self.shared.lock().closing {
            return Ok(());
        }
        if self.interfaces.is_empty() {
            // A file without packets can be read, too.
            self.describe(self.options.link_type.unwrap_or(LinkType::ETHERNET), 0)?;
        }
        let mut records = Vec::new();
        if let (Some(stats), Some(encoder)) = (stats, &self.encoder)
            && encoder.format() == OutputFormat::PcapNg
        {
            encoder.statistics(0, &self.counters(stats), &mut records).map_err(refused)?;
        }
        let mut state = self.shared.lock();
        state.waiting.extend_from_slice(&records);
        state.closing = true;
        self.shared.changed.notify_one();
        Ok(())
    }

    fn counters(&self, stats: CaptureStats) -> InterfaceStats {
        let now = timestamp(SystemTime::now());
        InterfaceStats {
            time: now,
            start: Some(timestamp(self.began)),
            end: Some(now),
            received: Some(stats.packets + stats.drops),
            dropped: Some(stats.drops),
            filter_accepted: Some(stats.packets + stats.drops),
            os_dropped: Some(stats.drops),
            delivered: Some(stats.packets),
        }
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.closing = true;
            state.wake = None;
        }
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nobody left to be told.
            let _ = thread.join();
        }
    }
}

fn fail_or(state: &State) -> Result<()> {
    state.failure.clone().map_or(Ok(()), Err)
}

fn refused(error: EncodeError) -> Error {
    Error::new(ErrorKind::Config, format!("the capture file cannot hold it: {error}"))
}

fn pcap_link_type(link_type: LinkType) -> Result<netring_pcap::LinkType> {
    u16::try_from(link_type.0).map(netring_pcap::LinkType::from_number).map_err(|_| {
        let message = format!("capture files have no number for link type {link_type}");
        Error::new(ErrorKind::Config, message)
    })
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { seconds: since.as_secs() as i64, nanoseconds: since.subsec_nanos() }
}

/// A packet's bytes in memory that nobody else writes, with a VLAN tag put back that lies beside them.
fn collect(data: VolatileSlice<'_>, row: &Row, strips_vlan: bool, bytes: &mut Vec<u8>) {
    const ADDRESSES: usize = 12;
    bytes.resize(data.len(), 0);
    data.copy_to(bytes);
    if strips_vlan && row.status & status::VLAN_VALID != 0 && bytes.len() >= ADDRESSES {
        let tag = [row.vlan_tpid.to_be_bytes(), row.vlan_tci.to_be_bytes()].concat();
        bytes.splice(ADDRESSES..ADDRESSES, tag);
    }
}

fn record<'a>(bytes: &'a [u8], row: &Row, interface_id: u16) -> PacketRecord<'a> {
    let tag = bytes.len() as u32 - row.captured.min(bytes.len() as u32);
    PacketRecord {
        original_len: row.original.saturating_add(tag),
        time: Timestamp { seconds: row.seconds.into(), nanoseconds: row.nanoseconds.min(999_999_999) },
        interface_id,
        flags: PacketFlags::from_af_packet(row.status, row.direction),
        ..PacketRecord::new(bytes)
    }
}

/// The thread: waits for a chunk, or for less when it is asked to or when that has waited long.
fn run(shared: &Shared, mut output: Output) {
    loop {
        let (chunk, packets, last) = next_chunk(shared);
        let mut written = Written::default();
        let result = output.write(&chunk, packets, &mut written);
        let failed = result.is_err();
        note(shared, written, packets, result);
        if failed || last {
            break;
        }
        idle(shared, chunk);
    }
    let mut written = Written::default();
    let finished = if shared.lock().failure.is_some() { Ok(()) } else { output.finish(&mut written) };
    note(shared, written, 0, finished);
    let wake = {
        let mut state = shared.lock();
        state.ended = true;
        // What came after the failure.
        state.stats.dropped += std::mem::take(&mut state.packets);
        state.waiting = Vec::new();
        state.wake.take()
    };
    if let Some(wake) = wake {
        wake();
    }
}

/// Records to write, how many packets they are, and whether they are the last.
fn next_chunk(shared: &Shared) -> (Vec<u8>, u64, bool) {
    let mut state = shared.lock();
    let mut waited = false;
    while !(state.closing || state.waiting.len() >= CHUNK || (!state.waiting.is_empty() && (state.flush || waited))) {
        if state.waiting.is_empty() {
            waited = false;
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let (after, timeout) = shared.changed.wait_timeout(state, FLUSH_AFTER).unwrap_or_else(PoisonError::into_inner);
        (state, waited) = (after, timeout.timed_out());
    }
    let spare = std::mem::take(&mut state.spare);
    let chunk = std::mem::replace(&mut state.waiting, spare);
    state.writing = chunk.len();
    (chunk, std::mem::take(&mut state.packets), state.closing)
}

fn note(shared: &Shared, written: Written, packets: u64, result: Result<()>) {
    let mut state = shared.lock();
    state.writing = 0;
    state.stats.bytes += written.bytes;
    state.stats.packets += written.packets;
    state.stats.dropped += packets.saturating_sub(written.packets);
    state.stats.files += written.begun;
    state.whole.extend(written.files);
    if let Err(error) = result {
        state.failure = Some(error);
    }
}

/// All that was there has been written: tells who waits for that.
fn idle(shared: &Shared, mut chunk: Vec<u8>) {
    chunk.clear();
    let wake = {
        let mut state = shared.lock();
        if chunk.capacity() <= LIMIT {
            state.spare = chunk;
        }
        if !state.waiting.is_empty() || state.closing {
            return;
        }
        state.flush = false;
        state.wake.take()
    };
    if let Some(wake) = wake {
        wake();
    }
}
