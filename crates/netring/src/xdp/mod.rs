//! Receiving and sending over AF_XDP: one object for any number of queues of an interface.

pub mod frames;
pub mod receive;
pub mod rings;
pub mod transmit;

mod batch;
pub mod coalesce;
mod counters;
mod embedded;
mod frame_tx;
mod link;
mod open;
mod options;
mod program;
mod program_link;
mod sink;
mod source;
mod xsk;

#[cfg(any(test, feature = "fake"))]
pub mod fake;

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use self::batch::Batch;
use self::coalesce::WakeupCoalescer;
use self::frames::Received;
use self::link::Link;
pub use self::options::{Attach, BusyPoll, Mode, OwnProgram, Queues, UmemLayout, XdpOptions, ZeroCopy};
pub use self::program::Attached;
use self::program::{AttachedProgram, PreparedProgram};
use self::program_link::ProgramMonitor;
use self::receive::RxQueue;
use self::transmit::Transmitter;
use self::xsk::{Frames, XskQueue};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::link_type::LinkType;
use crate::readiness::Readiness;
use crate::ring::{Memory, SlotRing};
use crate::stats::SinceLast;
pub use crate::sys::bpf::XdpMode;
use crate::sys::bpf::XskMap;
use crate::sys::membarrier;
pub use crate::sys::xdp::XdpStats;

/// Packets of a batch at most, as in a capture: what a batch costs is little beside them, and what was asked for when
/// they were taken is still in the cache when they are read.
const MAX_BATCH: u32 = 2048;
/// Packets of batches that are handed out one after the other, at most.
const MAX_BURST: u32 = 4096;
/// So many packets are not waited for any longer: what a wake-up costs is little beside them.
const WORTH_A_WAKE_UP: u32 = 4096;

/// A quarter of a queue's frames at most, so that one batch that is held leaves the kernel room.
fn max_batch(rx_frames: u32, most: u32) -> u32 {
    (rx_frames / 4).clamp(rx_frames.min(64), most)
}

/// Whether this process may make XDP programs here; the error says what it lacks.
///
/// # Errors
///
/// [`Permission`](crate::ErrorKind::Permission), with what is missing.
pub fn is_permitted() -> Result<()> {
    XskMap::new(1).map(drop).map_err(|error| program::failed("bpf", &error, "cannot make an XSKMAP"))
}

/// A program on an interface that redirects packets to sockets which other threads of this process open `paused`, with
/// the descriptor of its map. Dropping it detaches the program: the sockets receive no more packets.
#[derive(Debug)]
pub struct SharedProgram {
    interface: String,
    state: ProgramState,
    queues: Vec<u32>,
}

#[derive(Debug)]
enum ProgramState {
    Prepared(PreparedProgram),
    Attached(AttachedProgram),
}

impl SharedProgram {
    /// Creates map and program without changing the interface. Uses only the options for queues, program, attach mode
    /// and namespace.
    ///
    /// # Errors
    ///
    /// As [`XdpSocket::open`] about the program.
    pub fn prepare(interface: &str, options: &XdpOptions) -> Result<Self> {
        let (ready, queues) = open::prepare(interface, options).map_err(|error| error.on_interface(interface))?;
        Ok(Self { interface: interface.to_owned(), state: ProgramState::Prepared(ready), queues })
    }

    /// Attaches the program, replacing another one if asked to. Packets pass to the network stack until sockets start.
    /// Does nothing if it is attached; after a failure the caller may try again.
    ///
    /// # Errors
    ///
    /// [`XdpProgram`](crate::ErrorKind::XdpProgram) where the kernel refuses it.
    pub fn attach(&mut self) -> Result<()> {
        if let ProgramState::Prepared(ready) = &self.state {
            let attachment = open::attach(ready).map_err(|error| error.on_interface(&self.interface))?;
            self.state = ProgramState::Attached(attachment);
        }
        Ok(())
    }

    /// Stops redirecting: packets of its queues pass to the network stack. The program stays attached, so that no
    /// socket reports it as detached.
    ///
    /// # Errors
    ///
    /// [`XdpProgram`](crate::ErrorKind::XdpProgram) where a socket cannot be taken out of the map.
    pub fn shut(&self) -> Result<()> {
        let ProgramState::Attached(attachment) = &self.state else { return Ok(()) };
        program::leave(&attachment.map, &self.queues).map_err(|error| error.on_interface(&self.interface))
    }

    /// The descriptor of the XSKMAP, owned by this.
    pub fn map_fd(&self) -> RawFd {
        match &self.state {
            ProgramState::Prepared(ready) => ready.map.fd(),
            ProgramState::Attached(attachment) => attachment.map.fd(),
        }
    }

    /// The queues, in the order of the options.
    pub fn queues(&self) -> &[u32] {
        &self.queues
    }
}

fn monitor_program(attachment: Option<&AttachedProgram>, readiness: &Arc<Readiness>) -> Result<Option<ProgramMonitor>> {
    attachment.map(|attachment| ProgramMonitor::over(Arc::clone(attachment.link()), Arc::clone(readiness))).transpose()
}

/// Sockets on some queues of an interface. Closing it, or dropping it, detaches the program and
/// frees sockets and frames at once; addresses in the frames stay readable (as zeros) as long as
/// their memory is held.
#[derive(Debug)]
pub struct XdpSocket {
    // Dropped in this order: no packet comes any more, then the sockets, then the frames.
    program_monitor: Option<ProgramMonitor>,
    attachment: Option<AttachedProgram>,
    barrier: Option<PreparedProgram>,
    queues: Vec<RxQueue<XskQueue>>,
    transmitter: Option<Transmitter>,
    memory: Memory,
    frames: Frames,
    id: u64,
    readiness: Arc<Readiness>,
    link: Link,
    interface: String,
    numbers: Vec<u32>,
    layout: UmemLayout,
    zero_copy: bool,
    link_type: LinkType,
    coalescer: WakeupCoalescer,
    /// The queues' epoll events are masked.
    masked: bool,
    /// The queue to look at first, so that a busy one does not starve the others.
    turn: usize,
    sequence: u64,
    free_vecs: Vec<Vec<Received>>,
    /// Drops of each queue that a batch's `losing` flag has reported.
    drops_reported: Vec<u64>,
    since_last: SinceLast,
    /// What a filter can be put into.
    mode: Mode,
    own_program: bool,
}

impl XdpSocket {
    /// Opens queues of an interface.
    ///
    /// # Errors
    ///
    /// [`XdpProgram`](crate::ErrorKind::XdpProgram) where there is a program already or none can be loaded, `Permission`,
    /// `InterfaceNotFound`, `Bind` where a queue is in use or is none, `Mmap`, `Unsupported`, `Config`.
    pub fn open(interface: &str, options: &XdpOptions) -> Result<Self> {
        let on_interface = |error: Error| error.on_interface(interface);
        let opened = open::open(interface, options).map_err(on_interface)?;
        let layout = opened.layout;
        let readiness = Readiness::new(opened.epoll);
        let link =
            Link::watch(interface, options.namespace.as_deref(), opened.index, opened.control, Arc::clone(&readiness))
                .map_err(on_interface)?;
        let program_monitor = monitor_program(opened.attachment.as_ref(), &readiness).map_err(on_interface)?;
        let memory = opened.frames.memory();
        let transmitter = (layout.tx_frames > 0).then(|| {
            let start = layout.rx_bytes() + options::HEADROOM;
            let area = memory.slice(start as usize, memory.len() - start as usize).expect("slots lie inside the UMEM");
            let size = layout.frame_size - options::HEADROOM;
            let slots = SlotRing::with_stride(area, layout.frame_size, size, layout.tx_frames);
            Transmitter::new(slots, layout.first_tx_frame(), layout.frame_size)
        });
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            drops_reported: vec![0; opened.queues.len()],
            program_monitor,
            attachment: opened.attachment,
            barrier: opened.barrier,
            queues: opened.queues,
            transmitter,
            memory,
            frames: opened.frames,
            readiness,
            link,
            interface: interface.to_owned(),
            numbers: opened.numbers,
            layout,
            zero_copy: opened.zero_copy,
            link_type: opened.link_type,
            coalescer: WakeupCoalescer::new(
                Duration::from_micros(options.coalesce_us.into()),
                layout.rx_frames,
                max_batch(layout.rx_frames, WORTH_A_WAKE_UP),
                Instant::now(),
            ),
            masked: false,
            turn: 0,
            sequence: 0,
            free_vecs: Vec::new(),
            since_last: SinceLast::default(),
            mode: options.mode,
            own_program: options.program.is_some(),
        })
    }

    /// Starts a socket that was opened `paused`: from now on packets come. A program of the caller's has to be attached
    /// by now. After a failure the socket stays paused, and the caller may try again.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) about the program.
    pub fn start(&mut self) -> Result<()> {
        let Some(ready) = &self.barrier else { return Ok(()) };
        let open = || {
            open::enter(&ready.map, &self.queues, &self.numbers)?;
            let attachment = open::may_copy(open::attach(ready)?, self.zero_copy)?;
            Ok((monitor_program(Some(&attachment), &self.readiness)?, attachment))
        };
        let (watch, attachment) = open().map_err(|error: Error| error.on_interface(&self.interface))?;
        (self.program_monitor, self.attachment, self.barrier) = (watch, Some(attachment), None);
        Ok(())
    }

    /// Replaces the filter (`None`: every packet comes). After this returns the socket hands out no packet that the new filter
    /// refuses, not even one that was in a ring already; batches that were taken stay. No packet is lost: one of the two programs
    /// judges each of them, and this call judges the packets in the rings again. Takes some milliseconds.
    pub fn set_filter(&mut self, filter: Option<Filter>) -> Result<()> {
        self.replace_filter(filter.as_ref()).map_err(|error| error.on_interface(&self.interface))
    }

    fn replace_filter(&mut self, filter: Option<&Filter>) -> Result<()> {
        options::check_filter(self.mode, self.own_program)?;
        let code = filter.map(|filter| filter.for_xdp(self.link_type)).transpose()?;
        if let Some(attachment) = &self.attachment {
            attachment.set_filter(code.as_deref())?;
        } else if let Some(prepared) = &mut self.barrier {
            prepared.set_filter(code.as_deref())?;
        }
        // Receive paths that started with the old program have filled the rings when this returns.
        membarrier::receive_paths();
        let Some(code) = code else { return Ok(()) };
        let mut matcher = Filter::Classic(code).for_memory(self.link_type)?;
        let Self { queues, memory, .. } = self;
        for queue in queues {
            queue.retain(|packet| {
                let bytes = memory.part(packet.offset() as usize, packet.length() as usize);
                matcher.matches(bytes.expect("accepted frames lie inside the UMEM"), packet.length())
            });
        }
        Ok(())
    }

    /// Stops receiving: packets pass to the network stack. Packets that have arrived can still be read.
    pub(crate) fn leave_map(&mut self) -> Result<()> {
        let Some(attachment) = &self.attachment else { return Ok(()) };
        program::leave(&attachment.map, &self.numbers).map_err(|error| error.on_interface(&self.interface))?;
        // A poll that redirected packets before delivers them when it ends (`xdp_do_flush`, net/core/filter.c).
        crate::sys::membarrier::receive_paths();
        Ok(())
    }

    /// The descriptor of the first queue's socket, owned by this.
    pub fn fd(&self) -> RawFd {
        self.queues[0].rings().as_fd().as_raw_fd()
    }

    /// The queues, in the order of the options. What is sent leaves through the first.
    pub fn queues(&self) -> &[u32] {
        &self.numbers
    }

    /// How the frames are divided and how large the rings are.
    pub fn layout(&self) -> UmemLayout {
        self.layout
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The interface's MTU in bytes, where it can be asked.
    pub(crate) fn mtu(&self) -> Option<u32> {
        self.link.mtu()
    }

    /// Promiscuous mode for as long as the socket lives.
    pub(crate) fn join_promiscuous(&self) -> Result<()> {
        self.link.join_promiscuous().map_err(|error| error.on_interface(&self.interface))
    }

    /// Whether queued frames need another flush.
    pub(crate) fn has_unsent(&self) -> bool {
        self.transmitter.as_ref().is_some_and(Transmitter::has_unsent)
    }

    /// Bytes of the largest packet that a frame holds.
    pub fn frame_capacity(&self) -> u32 {
        self.layout.frame_size - options::HEADROOM
    }

    /// How the program is attached. Asks the kernel: [`Attached::None`] if another process detached or replaced it.
    pub fn attached(&self) -> Attached {
        self.attachment.as_ref().map_or(Attached::None, AttachedProgram::attached)
    }

    /// Whether the driver uses the frames itself.
    pub fn zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// Whether it was opened to receive.
    pub fn receives(&self) -> bool {
        self.layout.rx_frames > 0
    }

    /// Whether it was opened to send.
    pub fn transmits(&self) -> bool {
        self.transmitter.is_some()
    }
}
