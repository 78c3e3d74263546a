//! Receiving and sending over AF_XDP: one object for any number of queues of an interface.

pub mod frames;
pub mod receive;
pub mod rings;
pub mod transmit;

mod batch;
mod link;
mod open;
mod options;
mod program;
mod xsk;

#[cfg(any(test, feature = "fake"))]
pub mod fake;

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use self::batch::Batch;
use self::frames::Received;
use self::link::Link;
pub use self::options::{Attach, BusyPoll, Mode, OwnProgram, Queues, Shape, XdpOptions, ZeroCopy};
pub use self::program::Attached;
use self::program::Attachment;
use self::receive::RxQueue;
use self::transmit::Transmitter;
use self::xsk::{Frames, XskQueue};
use crate::error::{Error, ErrorKind, Result};
use crate::injector::{Flushed, TxStats};
use crate::readiness::{Readiness, Wait};
use crate::ring::{Memory, SlotRing, SlotToken};
use crate::stats::CaptureStats;
pub use crate::sys::bpf::XdpMode;
use crate::sys::bpf::XskMap;
use crate::sys::xdp;
pub use crate::sys::xdp::XdpStats;

/// Packets of a batch at most: enough to make what a batch costs small beside its packets.
const LARGEST_BATCH: u32 = 4096;
/// Empty vectors kept for batches to come.
const SPARE_VECTORS: usize = 8;
/// How often a blocking wait looks what rtnetlink has said of the interface.
const LOOK_AT_LINK_EVERY: Duration = Duration::from_millis(100);
/// Bytes of an Ethernet header: no shorter frame can be sent.
const ETHERNET_HEADER: usize = 14;

/// A quarter of a queue's frames at most, so that one batch that is held leaves the kernel room.
fn batch_limit(rx_frames: u32) -> u32 {
    (rx_frames / 4).clamp(rx_frames.min(64), LARGEST_BATCH)
}

#[cold]
fn sends_nothing(interface: &str) -> Error {
    let message = "this XDP socket was opened in mode 'rx' and sends nothing; open another in mode 'tx' or 'rxtx'";
    Error::new(ErrorKind::Config, message).on_interface(interface)
}

/// Whether this process may make XDP programs here; the error says what it lacks.
pub fn is_permitted() -> Result<()> {
    XskMap::new(1).map(drop).map_err(|error| program::failed("bpf", &error, "cannot make an XSKMAP"))
}

/// Sockets on some queues of an interface. Closing it, or dropping it, detaches the program and
/// frees sockets and frames at once; addresses in the frames stay readable (as zeros) for whoever
/// still holds their memory.
#[derive(Debug)]
pub struct XdpSocket {
    // Dropped in this order: no packet comes any more, then the sockets, then the frames.
    attachment: Option<Attachment>,
    queues: Vec<RxQueue<XskQueue>>,
    transmitter: Option<Transmitter>,
    memory: Memory,
    frames: Frames,
    id: u64,
    readiness: Arc<Readiness>,
    link: Link,
    interface: String,
    numbers: Vec<u32>,
    shape: Shape,
    zero_copy: bool,
    /// The queue to look at first, so that a busy one does not starve the others.
    turn: usize,
    sequence: u64,
    spare: Vec<Vec<Received>>,
    /// Drops of each queue that a batch's `losing` has told of.
    drops_told: Vec<u64>,
    reported: CaptureStats,
}

impl XdpSocket {
    /// Opens queues of an interface.
    pub fn open(interface: &str, options: &XdpOptions) -> Result<Self> {
        let on_interface = |error: Error| error.on_interface(interface);
        let opened = open::open(interface, options).map_err(on_interface)?;
        let shape = opened.shape;
        let readiness = Readiness::new(opened.edges);
        let link =
            Link::watch(interface, options.namespace.as_deref(), opened.index, opened.control, Arc::clone(&readiness))
                .map_err(on_interface)?;
        let memory = opened.frames.memory();
        let transmitter = (shape.tx_frames > 0).then(|| {
            let start = shape.rx_bytes() + options::HEADROOM;
            let area = memory.slice(start as usize, memory.len() - start as usize).expect("slots lie inside the UMEM");
            let size = shape.frame_size - options::HEADROOM;
            let slots = SlotRing::with_stride(area, shape.frame_size, size, shape.tx_frames);
            Transmitter::new(slots, shape.first_tx_frame(), shape.frame_size)
        });
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            drops_told: vec![0; opened.queues.len()],
            attachment: opened.attachment,
            queues: opened.queues,
            transmitter,
            memory,
            frames: opened.frames,
            readiness,
            link,
            interface: interface.to_owned(),
            numbers: opened.numbers,
            shape,
            zero_copy: opened.zero_copy,
            turn: 0,
            sequence: 0,
            spare: Vec::new(),
            reported: CaptureStats::default(),
        })
    }

    /// The descriptor of the first queue's socket, owned by this.
    pub fn fd(&self) -> RawFd {
        self.queues[0].rings().as_fd().as_raw_fd()
    }

    /// The interface's index.
    pub fn interface_index(&self) -> u32 {
        self.link.index()
    }

    /// The queues, in the order of the options. What is sent leaves through the first.
    pub fn queues(&self) -> &[u32] {
        &self.numbers
    }

    /// How the frames are divided and how large the rings are.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How packets get here.
    pub fn attached(&self) -> Attached {
        self.attachment.as_ref().map_or(Attached::None, |attachment| attachment.attached)
    }

    /// Whether the driver uses the frames itself.
    pub fn zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// Whether it was opened to receive.
    pub fn receives(&self) -> bool {
        self.shape.rx_frames > 0
    }

    /// Whether it was opened to send.
    pub fn transmits(&self) -> bool {
        self.transmitter.is_some()
    }

    /// For waiting without blocking. Wait only after [`poll`](Self::poll) had nothing.
    pub fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    // ---- receiving

    /// The next batch, `None` when there is none. Never blocks. Fails once the interface is gone
    /// and what had arrived has been taken.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        self.must_receive()?;
        if let Some(batch) = self.take()? {
            return Ok(Some(batch));
        }
        self.clear_edges()?;
        match self.take()? {
            Some(batch) => Ok(Some(batch)),
            None => self.link.fail_if_removed(&self.interface).map(|()| None),
        }
    }

    fn must_receive(&self) -> Result<()> {
        if self.receives() {
            return Ok(());
        }
        let message =
            "this XDP socket was opened in mode 'tx' and receives nothing; open another in mode 'rx' or 'rxtx'";
        Err(Error::new(ErrorKind::Config, message).on_interface(&self.interface))
    }

    fn take(&mut self) -> Result<Option<Batch>> {
        let count = self.queues.len();
        for step in 0..count {
            let position = (self.turn + step) % count;
            if !self.queues[position].ready() {
                continue;
            }
            let spare = self.spare.pop().unwrap_or_default();
            let packets = self.queues[position].take(spare).expect("it is ready");
            self.turn = (position + 1) % count;
            let batch = Batch::new(self.id, position, packets, &self.memory, self.shape.frame_size);
            let sequence = self.sequence;
            self.sequence += 1;
            // A system call for each batch would be half of what a small one costs.
            if !self.queues[position].take_squeezed() {
                return Ok(Some(batch.numbered(sequence, false)));
            }
            let losing = match self.drops(position) {
                Ok(drops) => std::mem::replace(&mut self.drops_told[position], drops) < drops,
                Err(error) => {
                    self.release(batch);
                    return Err(error);
                }
            };
            return Ok(Some(batch.numbered(sequence, losing)));
        }
        Ok(None)
    }

    /// As [`next_batch`](Self::next_batch), waiting up to `timeout` on this thread. Fails when the link goes down
    /// meanwhile.
    pub fn next_batch_within(&mut self, timeout: Duration) -> Result<Option<Batch>> {
        let now = Instant::now();
        let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(u64::from(u32::MAX)));
        loop {
            // Not next_batch(): the wait takes the edges itself, and a stale one costs one more look.
            self.must_receive()?;
            if let Some(batch) = self.take()? {
                return Ok(Some(batch));
            }
            self.link.fail_if_removed(&self.interface)?;
            self.link.fail_if_down(&self.interface)?;
            let until = deadline.min(Instant::now() + LOOK_AT_LINK_EVERY);
            let edge = self.readiness.wait_until(until).map_err(|error| self.failed("epoll_wait", &error))?;
            if edge.error {
                self.read_errors()?;
            }
            if !edge.any && until == deadline {
                // One last look: the deadline may have come before the edge did.
                return self.next_batch();
            }
        }
    }

    /// Whether [`next_batch`](Self::next_batch) would give one. Clears the edges first, so that a wait that follows
    /// misses nothing. Fails when the link went down since the last time.
    pub fn poll(&mut self) -> Result<bool> {
        self.must_receive()?;
        if self.queues.iter_mut().any(RxQueue::ready) {
            return Ok(true);
        }
        self.clear_edges()?;
        if self.queues.iter_mut().any(RxQueue::ready) {
            return Ok(true);
        }
        self.link.fail_if_removed(&self.interface)?;
        self.link.fail_if_down(&self.interface)?;
        Ok(false)
    }

    fn clear_edges(&mut self) -> Result<()> {
        let edge = self.readiness.clear().map_err(|error| self.failed("epoll_wait", &error))?;
        if edge.error { self.read_errors() } else { Ok(()) }
    }

    fn failed(&self, syscall: &'static str, error: &io::Error) -> Error {
        Error::os(ErrorKind::Io, syscall, error, "the AF_XDP socket failed").on_interface(&self.interface)
    }

    /// The kernel unbinds the sockets of an interface that goes, and says ENETDOWN.
    fn read_errors(&mut self) -> Result<()> {
        for queue in &self.queues {
            match xdp::take_error(queue.rings().as_fd()) {
                Ok(None) => {}
                Ok(Some(error)) if error.raw_os_error() == Some(libc::ENETDOWN) => self.link.set_removed(),
                Ok(Some(error)) | Err(error) => return Err(self.failed("getsockopt", &error)),
            }
        }
        Ok(())
    }

    /// Nothing to do here, where a packet socket needs it: this watches its interface from the start.
    pub fn watch_removal(&self, _removed: impl Fn() + Send + Sync + 'static) -> Result<Option<Wait>> {
        Ok(None)
    }

    /// Gives a batch's frames back to the kernel at once, in whatever order batches come back.
    pub fn release(&mut self, batch: Batch) {
        assert_eq!(batch.socket, self.id, "a batch belongs to the socket that gave it");
        let mut packets = batch.packets;
        self.queues[batch.queue].release(&mut packets);
        if self.spare.len() < SPARE_VECTORS {
            self.spare.push(packets);
        }
    }

    // ---- sending

    #[inline]
    fn transmitter(&mut self) -> Result<&mut Transmitter> {
        match &mut self.transmitter {
            Some(transmitter) => Ok(transmitter),
            None => Err(sends_nothing(&self.interface)),
        }
    }

    /// The slots, where it was opened to send.
    pub fn slots(&self) -> Option<&SlotRing> {
        self.transmitter.as_ref().map(Transmitter::slots)
    }

    /// A free slot, or `None`. Slots whose frames have left are free again.
    pub fn allocate(&mut self) -> Result<Option<SlotToken>> {
        if self.transmitter()?.slots().available() == 0 {
            self.collect();
        }
        Ok(self.transmitter()?.slots_mut().allocate())
    }

    /// Queues a slot's first `length` bytes. The slot is given back where that is no frame.
    pub fn queue(&mut self, token: SlotToken, length: u32) -> Result<()> {
        if let Err(error) = self.check(length as usize) {
            self.discard(token);
            return Err(error);
        }
        self.transmitter()?.slots_mut().queue(token, length);
        Ok(())
    }

    /// Gives a slot back unsent.
    pub fn discard(&mut self, token: SlotToken) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().discard(token);
        }
    }

    /// Keeps a slot's memory out of use until [`reclaim`](Self::reclaim).
    pub fn withhold(&mut self, slot: u32) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().withhold(slot);
        }
    }

    /// See [`SlotRing::reclaim`].
    pub fn reclaim(&mut self, slot: u32) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().reclaim(slot);
        }
    }

    /// Whether a frame of this length can be sent at all.
    pub fn check(&self, length: usize) -> Result<()> {
        let capacity = (self.shape.frame_size - options::HEADROOM) as usize;
        let message = if length > capacity {
            format!(
                "a frame of {length} bytes does not fit {capacity}, frameSize less {} of headroom; \
                 open with frameSize 4096",
                options::HEADROOM
            )
        } else if length < ETHERNET_HEADER {
            format!("a frame of {length} bytes is shorter than its link-layer header, {ETHERNET_HEADER} bytes")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Frame, message).on_interface(&self.interface))
    }

    /// Copies a frame into a slot and queues it; false when no slot is free.
    pub fn send(&mut self, frame: &[u8]) -> Result<bool> {
        self.check(frame.len())?;
        let Some(transmitter) = &mut self.transmitter else { return Err(sends_nothing(&self.interface)) };
        if transmitter.slots().available() == 0 {
            transmitter.collect(self.queues[0].rings_mut());
        }
        Ok(transmitter.slots_mut().queue_copy(frame))
    }

    /// Hands what is queued to the kernel and kicks it until it takes no more; never blocks.
    /// Returns how many frames went into the transmit ring and why it ended.
    pub fn flush(&mut self) -> Result<(u32, Flushed)> {
        self.transmitter()?;
        let Self { transmitter, queues, .. } = self;
        let transmitter = transmitter.as_mut().expect("looked at above");
        transmitter.flush(queues[0].rings_mut()).map_err(|error| self.link_error(&error))
    }

    /// Takes completions in.
    fn collect(&mut self) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.collect(self.queues[0].rings_mut());
        }
    }

    /// Takes the last frames queued out of the queue again, unsent.
    pub fn cancel(&mut self, frames: usize) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().cancel(frames);
        }
    }

    /// How many refusals [`take_rejections`](Self::take_rejections) has to tell.
    pub fn untold_rejections(&self) -> usize {
        self.transmitter.as_ref().map_or(0, |transmitter| transmitter.rejections().len())
    }

    /// Frames refused since the last call of this, the newest 64.
    pub fn take_rejections(&mut self) -> Vec<Error> {
        let lengths = self.transmitter.as_mut().map(Transmitter::take_rejections).unwrap_or_default();
        let tell = |length| {
            let text = format!("the driver of interface {:?} dropped a frame of {length} bytes", self.interface);
            Error { syscall: Some("sendto"), errno: Some(libc::EBUSY), ..Error::new(ErrorKind::Frame, text) }
                .on_interface(&self.interface)
        };
        lengths.into_iter().map(tell).collect()
    }

    /// The counters of what was sent, now.
    pub fn tx_stats(&mut self) -> TxStats {
        self.collect();
        self.transmitter.as_ref().map(Transmitter::stats).unwrap_or_default()
    }

    /// Flushes until every frame has left or was refused, blocking this thread; false when
    /// `timeout` passed first.
    pub fn wait_drained(&mut self, timeout: Duration) -> Result<bool> {
        let now = Instant::now();
        let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(u64::from(u32::MAX)));
        loop {
            self.flush()?;
            if self.tx_stats().pending == 0 {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            // Nothing tells when a driver has room or the last frame has left.
            std::thread::sleep(deadline.min(now + Duration::from_millis(1)) - now);
        }
    }

    /// Frames stay where they are: an interface that is down may come up again.
    fn link_error(&mut self, error: &io::Error) -> Error {
        let pending = self.transmitter.as_ref().map_or(0, Transmitter::pending);
        match error.raw_os_error() {
            // ENXIO: unbound, which the kernel does to sockets of an interface that goes.
            Some(libc::ENXIO | libc::ENODEV) => {
                self.link.set_removed();
                Error { syscall: Some("sendto"), errno: error.raw_os_error(), ..self.link.removed(&self.interface) }
            }
            Some(libc::ENETDOWN) => {
                let text = format!(
                    "interface {:?} is down; {pending} frames stay queued, flush again when it is up",
                    self.interface
                );
                Error::os(ErrorKind::LinkDown, "sendto", error, text).on_interface(&self.interface)
            }
            _ => self.failed("sendto", error),
        }
    }

    // ---- statistics

    /// The kernel's six counters, summed over the queues, since open.
    pub fn xdp_stats(&self) -> Result<XdpStats> {
        let mut sum = XdpStats::default();
        for position in 0..self.queues.len() {
            let one = self.statistics(position)?;
            sum.rx_dropped += one.rx_dropped;
            sum.rx_invalid_descriptors += one.rx_invalid_descriptors;
            sum.tx_invalid_descriptors += one.tx_invalid_descriptors;
            sum.rx_ring_full += one.rx_ring_full;
            sum.rx_fill_ring_empty += one.rx_fill_ring_empty;
            sum.tx_ring_empty += one.tx_ring_empty;
        }
        Ok(sum)
    }

    fn statistics(&self, position: usize) -> Result<XdpStats> {
        xdp::statistics(self.queues[position].rings().as_fd()).map_err(|error| {
            Error::os(ErrorKind::Io, "getsockopt", &error, "cannot read XDP_STATISTICS").on_interface(&self.interface)
        })
    }

    /// Packets of a queue that were led to its socket and did not get into the receive ring. One
    /// that found the fill ring empty is in `rx_dropped` already (`__xsk_rcv`, net/xdp/xsk.c).
    fn drops(&mut self, position: usize) -> Result<u64> {
        let stats = self.statistics(position)?;
        let (_, lies) = self.queues[position].counts();
        Ok(stats.rx_dropped + stats.rx_ring_full + lies)
    }

    /// Packets and drops since the last call of this.
    pub fn stats(&mut self) -> Result<CaptureStats> {
        let total = self.cumulative_stats()?;
        let before = std::mem::replace(&mut self.reported, total);
        Ok(CaptureStats {
            packets: total.packets - before.packets,
            drops: total.drops - before.drops,
            freezes: total.freezes - before.freezes,
        })
    }

    /// Packets and drops since open. Nothing freezes here.
    pub fn cumulative_stats(&mut self) -> Result<CaptureStats> {
        let mut total = CaptureStats::default();
        for position in 0..self.queues.len() {
            total.drops += self.drops(position)?;
            total.packets += self.queues[position].counts().0;
        }
        Ok(total)
    }

    /// Frees everything at once: the program first, so that packets go to the network stack again;
    /// what is queued is not sent.
    pub fn close(self) -> Result<()> {
        let Self { attachment, queues, transmitter, memory, frames, interface, .. } = self;
        drop(attachment);
        drop(queues);
        drop(transmitter);
        drop(memory);
        frames.retire().map_err(|error| {
            Error::os(ErrorKind::Mmap, "mmap", &error, "cannot replace the frames' mapping").on_interface(&interface)
        })
    }
}
