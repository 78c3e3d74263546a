//! A source over the fake kernel, and a reader that behaves as the JavaScript one.

use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use netring::channel::{Channel, ChannelOptions, Stoppable, WhenFull};
use netring::link_type::LinkType;
use netring::readiness::{Readiness, TaskGuard};
use netring::ring::batches::MAX_BATCH;
use netring::ring::block::WalkOptions;
use netring::ring::columns::{CAPACITY_STEP, CopyFailure};
use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::status;
use netring::ring::{Batch, BatchReader, Column, ColumnSet, Columns, Malformed, Memory};
use netring::source::{BatchHeader, Counters, LinkCallback, LinkEvents, Pollable, Source, Target};
use netring::stats::CaptureStats;
use netring::test_support::epoll::{EpollEvents, EpollSet, Interest};
use netring::test_support::poll::Notifier;
use netring::{Error, ErrorKind, Result};

/// Long enough for a machine that is busy; a test that passes never waits for it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

const WHOLE: WalkOptions = WalkOptions { snaplen: u32::MAX, reinsert_vlan: false, vnet_header: false };

/// The reported state of the interface.
#[derive(Default)]
pub(crate) struct Link {
    pub(crate) down: bool,
    pub(crate) removed: bool,
    pub(crate) failures: u32,
    /// Packets are in an open block.
    pub(crate) open_block: bool,
    /// Receiving has stopped.
    pub(crate) shut: bool,
}

/// The far side of a [`FakeSource`].
pub(crate) struct World {
    kernel: FakeKernel,
    event: Arc<Notifier>,
    pub(crate) link: Arc<Mutex<Link>>,
}

pub(crate) struct FakeSource {
    batches: BatchReader,
    readiness: Arc<Readiness>,
    link: Arc<Mutex<Link>>,
    _event: Arc<Notifier>,
}

impl World {
    pub(crate) fn new() -> (Self, FakeSource) {
        let (kernel, ring) = FakeKernel::with_ring(1 << 16, 32);
        let event = Arc::new(Notifier::new().unwrap());
        let readiness = Readiness::new(EpollSet::of(event.as_fd(), Interest::Read).unwrap());
        let link = Arc::new(Mutex::new(Link::default()));
        let source = FakeSource {
            batches: BatchReader::new(ring, MAX_BATCH),
            readiness,
            link: Arc::clone(&link),
            _event: Arc::clone(&event),
        };
        (Self { kernel, event, link }, source)
    }

    /// Delivers packets and closes their block. Returns how many found room.
    pub(crate) fn deliver(&mut self, packets: &[FakePacket]) -> usize {
        let found = packets.iter().filter(|packet| self.kernel.receive(packet)).count();
        self.hand_over();
        found
    }

    /// Packets in an open block.
    pub(crate) fn deliver_in_open_block(&mut self, packets: &[FakePacket]) {
        for packet in packets {
            assert!(self.kernel.receive(packet));
        }
        self.link.lock().unwrap().open_block = true;
    }

    pub(crate) fn hand_over(&mut self) {
        self.link.lock().unwrap().open_block = false;
        self.kernel.retire(status::BLOCK_TIMEOUT);
        self.notify();
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Link)) {
        change(&mut self.link.lock().unwrap());
        self.notify();
    }

    fn notify(&self) {
        self.event.notify();
    }
}

impl FakeSource {
    fn fail(&mut self) -> Result<()> {
        let mut link = self.link.lock().unwrap();
        if link.failures > 0 {
            link.failures -= 1;
            return Err(Error::new(ErrorKind::Io, "the socket failed"));
        }
        if link.removed { Err(Error::new(ErrorKind::InterfaceRemoved, "gone")) } else { Ok(()) }
    }
}

impl Source for FakeSource {
    type Batch = Batch;

    fn link_type(&self) -> LinkType {
        LinkType::ETHERNET
    }

    fn next(&mut self, target: Target<'_>) -> Result<Option<(Batch, Option<Columns>)>> {
        if !self.batches.has_open_block() {
            self.readiness.clear().unwrap();
            let Some(lease) = self.batches.acquire() else { return self.fail().map(|()| None) };
            self.batches.open(lease).unwrap();
        }
        Ok(self.batches.next(WHOLE, target).unwrap())
    }

    fn release(&mut self, batch: Batch) {
        self.batches.release(batch);
    }

    fn close(self) -> Result<()> {
        Ok(())
    }

    fn header(batch: &Batch) -> BatchHeader {
        batch.into()
    }

    fn bytes(&self, batch: &Batch) -> Option<Memory> {
        self.batches.bytes(batch)
    }

    fn fill(&self, _: &Batch, _: &Columns, _: ColumnSet) -> std::result::Result<(), Malformed> {
        unreachable!("a batch comes with its columns")
    }

    fn copy(&self, _: &Batch, _: &Columns, _: &Memory) -> std::result::Result<(), CopyFailure> {
        unreachable!("the channel copies by itself")
    }
}

impl Pollable for FakeSource {
    fn poll(&mut self) -> Result<bool> {
        let ready = self.batches.ready();
        let mut link = self.link.lock().unwrap();
        if !ready && std::mem::take(&mut link.down) {
            return Err(Error::new(ErrorKind::LinkDown, "down"));
        }
        Ok(ready)
    }

    fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    fn look_every(&self) -> Option<Duration> {
        None
    }

    fn wait_for_event(&mut self, _: Instant) -> Result<EpollEvents> {
        unreachable!("the channel waits by itself")
    }
}

impl LinkEvents for FakeSource {
    fn watch_link(&self, _: LinkCallback) -> Result<TaskGuard> {
        Err(Error::new(ErrorKind::Unsupported, "a fake has no netlink"))
    }

    fn watch_removal(&self, _: Box<dyn Fn() + Send + Sync>) -> Result<Option<TaskGuard>> {
        Ok(None)
    }
}

impl Counters for FakeSource {
    fn stats(&mut self) -> Result<CaptureStats> {
        Ok(CaptureStats { packets: 7, ..CaptureStats::default() })
    }

    fn cumulative_stats(&mut self) -> Result<CaptureStats> {
        self.stats()
    }
}

impl Stoppable for FakeSource {
    fn stop_receiving(&mut self) -> Result<()> {
        self.link.lock().unwrap().shut = true;
        Ok(())
    }

    fn packets_coming(&self) -> bool {
        self.link.lock().unwrap().open_block
    }
}

/// A packet as it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    pub(crate) seconds: u32,
    pub(crate) nanoseconds: u32,
    pub(crate) original: u32,
    pub(crate) rxhash: u32,
    pub(crate) protocol: u16,
    pub(crate) direction: u8,
    pub(crate) source: Vec<u8>,
}

impl From<&FakePacket> for Seen {
    fn from(packet: &FakePacket) -> Self {
        Self {
            bytes: packet.data.clone(),
            seconds: packet.seconds,
            nanoseconds: packet.nanoseconds,
            original: packet.original,
            rxhash: packet.rxhash,
            protocol: packet.protocol,
            direction: packet.packet_type,
            source: packet.source.to_vec(),
        }
    }
}

/// A packet in which every field depends on its number.
pub(crate) fn numbered(number: u32, length: usize) -> FakePacket {
    let bytes: Vec<_> = (0..length as u32).map(|at| (number ^ at.wrapping_mul(37)) as u8).collect();
    FakePacket::numbered(number, &bytes)
}

pub(crate) fn numbers(range: std::ops::Range<u32>) -> Vec<FakePacket> {
    range.map(|number| numbered(number, 60)).collect()
}

/// A channel and its reader: fetches many packets, consumes one by one.
pub(crate) struct Reader {
    pub(crate) channel: Channel<FakeSource>,
    woken: Receiver<()>,
    columns: Columns,
    data: Memory,
    fetched: u32,
}

impl Reader {
    pub(crate) fn new(source: FakeSource, capacity: u32, capacity_bytes: u64, when_full: WhenFull) -> Self {
        let channel = Channel::spawn(source, ChannelOptions { capacity, capacity_bytes, when_full }).unwrap();
        let (wake, woken) = self::channel();
        channel.set_waker(move || {
            let _ = wake.send(());
        });
        Self { channel, woken, columns: Columns::for_packets(1), data: Memory::zeroed(0), fetched: 0 }
    }

    /// The next packet, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Seen>> {
        let mut index = self.channel.position().fetch_add(0, 1).unwrap();
        if index >= self.fetched {
            // The previous fetch is consumed, even if this one fails: the position restarts.
            self.fetched = 0;
            let size = self.channel.fetch(1)?;
            self.fetched = size.packets;
            self.columns = Columns::for_packets(size.packets.next_multiple_of(CAPACITY_STEP));
            self.data = Memory::zeroed(size.bytes as usize);
            assert!(self.channel.copy(&self.columns, &self.data));
            if size.packets == 0 {
                return Ok(None);
            }
            index = 0;
        }
        Ok(Some(self.row(index)))
    }

    fn row(&self, row: u32) -> Seen {
        let memory = self.columns.memory();
        let at = |column: Column| column.start() * self.columns.capacity() as usize + column.width() * row as usize;
        let word = |column| memory.u32(at(column)).unwrap();
        Seen {
            bytes: self.data.read(word(Column::Offset) as usize, word(Column::CapturedLength) as usize).unwrap(),
            seconds: word(Column::Seconds),
            nanoseconds: word(Column::Nanoseconds),
            original: word(Column::OriginalLength),
            rxhash: word(Column::Rxhash),
            protocol: memory.u16(at(Column::Protocol)).unwrap(),
            direction: memory.u8(at(Column::Direction)).unwrap(),
            source: memory.read(at(Column::SourceAddress), 6).unwrap(),
        }
    }

    /// The next packet, waiting for it.
    pub(crate) fn recv(&mut self) -> Result<Seen> {
        loop {
            if let Some(packet) = self.next()? {
                return Ok(packet);
            }
            if !self.channel.wait()? {
                self.woken();
            }
        }
    }

    /// Waits for a wake-up.
    pub(crate) fn woken(&self) {
        self.woken.recv_timeout(TIMEOUT).expect("a waiting reader is woken");
    }

    /// Whether there was another wake-up.
    pub(crate) fn woken_again(&self) -> bool {
        self.woken.recv_timeout(Duration::from_millis(50)).is_ok()
    }

    /// The numbers of so many packets.
    pub(crate) fn recv_numbers(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.recv().unwrap().seconds).collect()
    }

    /// The numbers of what is there.
    pub(crate) fn rest(&mut self) -> Vec<u32> {
        std::iter::from_fn(|| self.next().unwrap()).map(|seen| seen.seconds).collect()
    }

    /// Waits until something is so.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Channel<FakeSource>) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !holds(&self.channel) {
            let (queued, overflowed) = (self.channel.queued(), self.channel.overflowed());
            assert!(Instant::now() < deadline, "{what}: {queued} queued, {overflowed} overflowed");
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
