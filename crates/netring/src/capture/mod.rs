//! Receiving: a packet socket with a V3 ring.

pub mod barrier;
mod open;
mod options;
mod source;

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::barrier::{StartBarrier, start_all, stop_all};
pub(crate) use self::options::Setup;
pub use self::options::{CaptureOptions, TimestampSource};
use crate::error::{Error, ErrorKind, Result};
use crate::fanout::{self, FanoutProgram};
use crate::filter::{self, Filter, SocketProgram};
use crate::link::LinkState;
use crate::link_type::LinkType;
use crate::readiness::Readiness;
use crate::ring::batches::MAX_BATCH;
use crate::ring::block::WalkOptions;
use crate::ring::{BatchReader, Geometry, Lease, Malformed};
use crate::stats::StatsAccumulator;
use crate::sys::map::Mapping;
use crate::sys::packet::PacketSocket;

/// Packets read between two readings of the kernel's 32-bit counters, at most.
const READ_STATISTICS_EVERY: u32 = 1 << 30;

/// A capture. Closing it, or dropping it, frees the socket, promiscuous mode and the ring at once;
/// addresses in the ring stay readable (as zeros) as long as its memory is held.
#[derive(Debug)]
pub struct Capture {
    // Dropped in this order: the socket before the ring, the ring before its mapping.
    socket: Arc<PacketSocket>,
    batches: BatchReader,
    mapping: Mapping,
    readiness: Arc<Readiness>,
    fanout_id: Option<u16>,
    link_type: LinkType,
    /// How a block is walked the first time.
    walk: WalkOptions,
    filter: Option<SocketProgram>,
    stats: StatsAccumulator,
    unread: u32,
    /// Drops that a block's `losing` has reported.
    drops_reported: u64,
    /// The same before the block that was opened last, until a batch of it has been handed out.
    drops_reported_before: u64,
    link: LinkState,
    /// rtnetlink reported that the interface is gone. The socket does not report the removal of an interface that is
    /// down, not even if it is down because it is being removed.
    gone: Arc<AtomicBool>,
}

impl Capture {
    /// Opens an interface.
    ///
    /// # Errors
    ///
    /// [`Permission`](ErrorKind::Permission) without CAP_NET_RAW, [`InterfaceNotFound`](ErrorKind::InterfaceNotFound),
    /// [`Config`](ErrorKind::Config), [`Mmap`](ErrorKind::Mmap), [`SockOpt`](ErrorKind::SockOpt), [`Filter`](ErrorKind::Filter),
    /// [`Bind`](ErrorKind::Bind).
    pub fn open(interface: &str, options: CaptureOptions) -> Result<Self> {
        Self::open_with(interface, options, Setup::default())
    }

    /// Opens an interface paused: the socket is bound, but outside its fanout group and behind a filter that drops
    /// every packet. The barrier lets it join the group and start, together with the captures of other threads.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_paused(interface: &str, options: CaptureOptions) -> Result<(Self, StartBarrier)> {
        let (group, ignore_outgoing) = (options.fanout.clone(), options.ignore_outgoing);
        let capture = Self::open_with(interface, options, Setup { paused: true, ..Setup::default() })?;
        let barrier = StartBarrier::new(&capture.socket, capture.program(), group, ignore_outgoing);
        Ok((capture, barrier))
    }

    pub(crate) fn open_with(interface: &str, options: CaptureOptions, setup: Setup) -> Result<Self> {
        let opened = open::open(interface, &options, setup).map_err(|error| error.on_interface(interface))?;
        Ok(Self {
            socket: Arc::new(opened.socket),
            mapping: opened.mapping,
            batches: BatchReader::new(opened.ring, MAX_BATCH),
            readiness: opened.readiness,
            fanout_id: opened.fanout_id,
            link_type: opened.link_type,
            walk: WalkOptions {
                snaplen: options.snaplen,
                reinsert_vlan: options.reinsert_vlan,
                vnet_header: setup.vnet_header,
            },
            filter: opened.filter,
            stats: StatsAccumulator::default(),
            unread: 0,
            drops_reported: 0,
            drops_reported_before: 0,
            link: LinkState::new(interface, options.namespace.as_deref(), opened.index, "capture", opened.down),
            gone: Arc::default(),
        })
    }

    /// The socket's descriptor, owned by the capture.
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The id of the group it joined.
    pub fn fanout_id(&self) -> Option<u16> {
        self.fanout_id
    }

    /// The ring's actual geometry.
    pub fn geometry(&self) -> Geometry {
        self.batches.ring().geometry()
    }

    /// Whether the ring is locked in memory.
    pub fn locked(&self) -> bool {
        self.mapping.locked
    }

    /// The options for a second walk: the first one has put the VLAN tags back.
    fn walk_again(&self) -> WalkOptions {
        WalkOptions { reinsert_vlan: false, ..self.walk }
    }

    /// The program for the kernel: the filter with the snap length in it.
    fn program(&self) -> Option<SocketProgram> {
        filter::with_snaplen(self.filter.as_ref(), self.walk.snaplen)
    }

    /// The kernel's headers contradict their block. JavaScript has not seen them yet, so this is the
    /// kernel's fault; the rest of the block is lost.
    fn malformed(&mut self, error: Malformed) -> Error {
        // This block has not reported its drops.
        self.drops_reported = self.drops_reported.min(self.drops_reported_before);
        let message = format!(
            "packet {} of the block contradicts it ({}): what was left of the block is lost",
            error.index, error.reason
        );
        Error::new(ErrorKind::Io, message).on_interface(self.link.interface())
    }

    /// Keeps the kernel's counters from wrapping, and marks a block if drops became known since the
    /// previous block: the kernel flags every block it closes between a loss and the next
    /// reading of the counters, and none after a reading by stats().
    fn count(&mut self, mut lease: Lease) -> Result<Lease> {
        let block = self.batches.ring().block(&lease);
        let flagged = block.status() & crate::ring::layout::status::LOSING != 0;
        self.unread = self.unread.saturating_add(block.packet_count());
        drop(block);
        if (flagged || self.unread >= READ_STATISTICS_EVERY)
            && let Err(error) = self.read_statistics()
        {
            self.batches.give_back(lease);
            return Err(error);
        }
        let drops = self.stats.total().drops;
        self.drops_reported_before = std::mem::replace(&mut self.drops_reported, drops);
        lease.set_losing(self.drops_reported_before < drops);
        Ok(lease)
    }

    fn clear_events(&mut self) -> Result<()> {
        let events = self.readiness.clear().map_err(|error| self.wait_failed(&error))?;
        if events.error { self.read_error() } else { Ok(()) }
    }

    fn wait_failed(&self, error: &std::io::Error) -> Error {
        Error::os(ErrorKind::Io, "epoll_wait", error, "cannot wait on the packet socket")
            .on_interface(self.link.interface())
    }

    fn socket_failed(&self, syscall: &'static str, error: &std::io::Error) -> Error {
        Error::os(ErrorKind::Io, syscall, error, "the packet socket failed").on_interface(self.link.interface())
    }

    /// ENETDOWN means down or gone; a socket whose interface is gone is bound to -1.
    fn read_error(&mut self) -> Result<()> {
        let pending = self.socket.take_error().map_err(|error| self.socket_failed("getsockopt", &error))?;
        let Some(error) = pending else { return Ok(()) };
        if error.raw_os_error() != Some(libc::ENETDOWN) {
            return Err(self.socket_failed("getsockopt", &error));
        }
        let index = self.socket.bound_index().map_err(|error| self.socket_failed("getsockopt", &error))?;
        if index == -1 {
            self.link.set_removed(true);
        } else {
            self.link.went_down();
        }
        Ok(())
    }

    fn look_for_removal(&mut self) -> Result<()> {
        if !self.link.is_down() || self.link.is_removed() {
            return Ok(());
        }
        let index = self.socket.bound_index().map_err(|error| self.socket_failed("getsockname", &error))?;
        self.link.set_removed(index == -1 || self.gone.load(Ordering::Acquire));
        // Up again: from now on the socket reports changes. A packet would prove nothing, because its block
        // may have been open when the interface went down.
        if self.socket.interface_is_up(self.link.index() as i32).unwrap_or(false) {
            self.link.set_up(true);
        }
        Ok(())
    }

    /// Packets in the open block come first: the kernel's timer closes it.
    fn fail_if_removed(&mut self) -> Result<()> {
        self.look_for_removal()?;
        if self.batches.ring().packets_coming() { Ok(()) } else { self.link.fail_if_removed() }
    }

    /// Replaces the filter (`None`: removes it). After this returns no packet that the new filter refuses is
    /// shown, including those in the ring; batches already taken stay. Takes some milliseconds, in which no packet
    /// is received. A capture with a [`StartBarrier`] uses [`StartBarrier::set_filter`] instead.
    ///
    /// # Errors
    ///
    /// [`Filter`](ErrorKind::Filter) where the kernel refuses it; the filter is then as it was.
    pub fn set_filter(&mut self, filter: Option<Filter>) -> Result<()> {
        self.refilter(filter, false)
    }

    /// `stopped`: the kernel gets a filter that drops every packet, whatever `filter` is.
    fn refilter(&mut self, filter: Option<Filter>, stopped: bool) -> Result<()> {
        let filter = filter
            .map(|filter| filter.for_socket(self.link_type))
            .transpose()
            .map_err(|error| error.on_interface(self.link.interface()))?;
        let before = if stopped { Some(filter::nothing()) } else { self.program() };
        let program =
            if stopped { Some(filter::nothing()) } else { filter::with_snaplen(filter.as_ref(), self.walk.snaplen) };
        open::refilter(&self.socket, self.batches.ring_mut(), program.as_ref(), before.as_ref())
            .map_err(|error| error.on_interface(self.link.interface()))?;
        self.batches.discard_rest();
        self.filter = filter;
        Ok(())
    }

    /// Stops receiving. Packets that arrived before can still be read.
    ///
    /// # Errors
    ///
    /// [`Filter`](ErrorKind::Filter) where the kernel refuses the filter that lets nothing pass.
    pub fn stop_receiving(&mut self) -> Result<()> {
        open::shut(&self.socket).map_err(|error| error.on_interface(self.link.interface()))
    }

    /// Whether there are packets in the block that the kernel is filling, which it hands over when its timer fires.
    pub fn packets_coming(&self) -> bool {
        self.batches.ring().packets_coming()
    }

    /// Sets the fanout group's program.
    ///
    /// # Errors
    ///
    /// [`SockOpt`](ErrorKind::SockOpt) where the kernel refuses it.
    pub fn set_fanout_program(&self, program: &FanoutProgram) -> Result<()> {
        fanout::set_program(&self.socket, program).map_err(|error| error.on_interface(self.link.interface()))
    }

    fn read_statistics(&mut self) -> Result<()> {
        let raw = self.socket.take_statistics().map_err(|error| {
            Error::os(ErrorKind::Io, "getsockopt", &error, "cannot read PACKET_STATISTICS")
                .on_interface(self.link.interface())
        })?;
        self.stats.add(raw);
        self.unread = 0;
        Ok(())
    }
}
