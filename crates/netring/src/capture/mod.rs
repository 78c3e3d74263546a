//! Receiving: a packet socket with a V3 ring.

mod barrier;
mod open;
mod options;
mod source;

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use self::barrier::StartBarrier;
pub use self::barrier::{start_all, stop_all};
pub use self::options::{CaptureOptions, TimestampSource};
use crate::error::{Error, ErrorKind, Result};
use crate::fanout::{self, Fanout, FanoutProgram};
use crate::filter::{self, Filter};
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
/// addresses in the ring stay readable (as zeros) for whoever still holds its memory.
#[derive(Debug)]
pub struct Capture {
    // Dropped in this order: the socket before the ring, the ring before what keeps it mapped.
    socket: Arc<PacketSocket>,
    runs: BatchReader,
    mapping: Mapping,
    readiness: Arc<Readiness>,
    interface: String,
    namespace: Option<String>,
    index: u32,
    fanout_id: Option<u16>,
    /// Where it was opened `paused`.
    barrier: Option<StartBarrier>,
    snaplen: u32,
    reinsert_vlan: bool,
    vnet_header: bool,
    filter: Option<Filter>,
    stats: StatsAccumulator,
    unread: u32,
    /// Drops that a block's `losing` has told of.
    drops_reported: u64,
    /// The same before the block that was opened last, until a run of it has been handed out.
    drops_reported_before: u64,
    link: Link,
}

/// What is known of the interface from the socket's errors.
#[derive(Debug, Default)]
struct Link {
    /// It was down when last looked at. The socket says nothing of the removal of an interface
    /// that is down, not even of one that is down because it is being removed.
    down: bool,
    /// What rtnetlink says, sooner than the socket.
    gone: Arc<AtomicBool>,
    /// It went down and nobody who waits has been told.
    down_unreported: bool,
    removed: bool,
}

impl Capture {
    /// Opens an interface.
    pub fn open(interface: &str, options: CaptureOptions) -> Result<Self> {
        let opened = open::open(interface, &options).map_err(|error| error.on_interface(interface))?;
        let socket = Arc::new(opened.socket);
        let barrier = options.paused.then(|| {
            let program = filter::with_snaplen(options.filter.as_ref(), options.snaplen);
            StartBarrier::new(&socket, program, options.fanout, options.ignore_outgoing)
        });
        Ok(Self {
            socket,
            mapping: opened.mapping,
            runs: BatchReader::new(opened.ring, MAX_BATCH),
            readiness: opened.readiness,
            interface: interface.to_owned(),
            namespace: options.namespace,
            index: opened.index,
            fanout_id: opened.fanout_id,
            barrier,
            snaplen: options.snaplen,
            reinsert_vlan: options.reinsert_vlan,
            vnet_header: options.vnet_header,
            filter: options.filter,
            stats: StatsAccumulator::default(),
            unread: 0,
            drops_reported: 0,
            drops_reported_before: 0,
            link: Link { down: opened.down, ..Link::default() },
        })
    }

    /// The socket's descriptor, owned by the capture.
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The group it joined.
    pub fn fanout_id(&self) -> Option<u16> {
        self.fanout_id
    }

    /// The ring's shape, as it was got.
    pub fn geometry(&self) -> Geometry {
        self.runs.ring().geometry()
    }

    /// Whether the ring is locked in memory.
    pub fn locked(&self) -> bool {
        self.mapping.locked
    }

    /// How a run is walked again: its tags were put back when it was handed out.
    pub fn walk_options(&self) -> WalkOptions {
        WalkOptions { snaplen: self.snaplen, reinsert_vlan: false, vnet_header: self.vnet_header }
    }

    /// The kernel's headers contradict their block. Nobody else has written to them yet, so this is
    /// the kernel's fault; what was left of the block is lost.
    fn malformed(&mut self, error: Malformed) -> Error {
        // Nobody has been told by this block.
        self.drops_reported = self.drops_reported.min(self.drops_reported_before);
        let message = format!(
            "packet {} of the block contradicts it ({}): what was left of the block is lost",
            error.index, error.reason
        );
        Error::new(ErrorKind::Io, message).on_interface(&self.interface)
    }

    /// Keeps the kernel's counters from wrapping, and says of a block whether drops became known
    /// since the block before: the kernel flags every block it closes between a loss and the next
    /// reading of the counters, and none after a reading by stats().
    fn count(&mut self, mut lease: Lease) -> Result<Lease> {
        let block = self.runs.ring().block(&lease);
        let flagged = block.status() & crate::ring::layout::status::LOSING != 0;
        self.unread = self.unread.saturating_add(block.packet_count());
        drop(block);
        if (flagged || self.unread >= READ_STATISTICS_EVERY)
            && let Err(error) = self.read_statistics()
        {
            self.runs.give_back(lease);
            return Err(error);
        }
        let drops = self.stats.total().drops;
        self.drops_reported_before = std::mem::replace(&mut self.drops_reported, drops);
        lease.set_losing(self.drops_reported_before < drops);
        Ok(lease)
    }

    fn clear_edges(&mut self) -> Result<()> {
        let edge = self.readiness.clear().map_err(|error| self.wait_failed(&error))?;
        if edge.error { self.read_error() } else { Ok(()) }
    }

    fn wait_failed(&self, error: &io::Error) -> Error {
        Error::os(ErrorKind::Io, "epoll_wait", error, "cannot wait on the packet socket").on_interface(&self.interface)
    }

    /// ENETDOWN stands for both, down and gone; a socket whose interface is gone is bound to -1.
    fn read_error(&mut self) -> Result<()> {
        let failed = |error: &io::Error, name: &str| {
            Error::os(ErrorKind::Io, "getsockopt", error, "the packet socket failed").on_interface(name)
        };
        let Some(error) = self.socket.take_error().map_err(|error| failed(&error, &self.interface))? else {
            return Ok(());
        };
        if error.raw_os_error() != Some(libc::ENETDOWN) {
            return Err(failed(&error, &self.interface));
        }
        let index = self.socket.bound_index().map_err(|error| failed(&error, &self.interface))?;
        if index == -1 {
            self.link.removed = true;
        } else {
            self.link.down = true;
            self.link.down_unreported = true;
        }
        Ok(())
    }

    fn look_for_removal(&mut self) -> Result<()> {
        if !self.link.down || self.link.removed {
            return Ok(());
        }
        let index = self.socket.bound_index().map_err(|error| {
            Error::os(ErrorKind::Io, "getsockname", &error, "the packet socket failed").on_interface(&self.interface)
        })?;
        self.link.removed = index == -1 || self.link.gone.load(Ordering::Acquire);
        // Up again: from now on the socket tells. A packet would prove nothing, because the block
        // it is in may have been open when the interface went down.
        if self.socket.interface_is_up(self.index as i32).unwrap_or(false) {
            self.link.down = false;
            self.link.down_unreported = false;
        }
        Ok(())
    }

    /// Packets that are already in the open block come first: the kernel's timer hands it over.
    fn fail_if_removed(&mut self) -> Result<()> {
        self.look_for_removal()?;
        if !self.link.removed || self.runs.ring().packets_coming() {
            return Ok(());
        }
        let message = format!(
            "interface {:?} is gone (deleted or moved to another network namespace); close this capture and open another",
            self.interface
        );
        Err(Error::new(ErrorKind::InterfaceRemoved, message).on_interface(&self.interface))
    }

    fn fail_if_down(&mut self) -> Result<()> {
        if self.link.removed || !std::mem::take(&mut self.link.down_unreported) {
            return Ok(());
        }
        let message =
            format!("interface {:?} went down; wait again, this capture goes on when it is up", self.interface);
        Err(Error { errno: Some(libc::ENETDOWN), ..Error::new(ErrorKind::LinkDown, message) }
            .on_interface(&self.interface))
    }

    /// Of a capture that was opened `paused`: joins the group of its options, by this id or (`None`) as the
    /// first member of one that nobody uses, and gives the id. The gate stays shut.
    pub fn join_group(&mut self, id: Option<u16>) -> Result<u16> {
        let Some(StartBarrier { open: false, group: Some(group), ignore_outgoing, .. }) = &self.barrier else {
            let message = "only a capture that was opened paused, with a group, joins it later";
            return Err(Error::new(ErrorKind::Config, message).on_interface(&self.interface));
        };
        // The group has its program from its first member; somebody may have given it another since.
        let program = if id.is_none() { group.program.clone() } else { None };
        let group = Fanout { group: id, program, ..group.clone() };
        let id =
            open::join(&self.socket, &group, *ignore_outgoing).map_err(|error| error.on_interface(&self.interface))?;
        self.fanout_id = Some(id);
        Ok(id)
    }

    /// Of a capture that was opened `paused`: what [`start_all`] knows it by.
    pub fn barrier_id(&self) -> Option<u32> {
        self.barrier.as_ref().map(StartBarrier::id)
    }

    /// Of a capture that was opened `paused`: from now on its filter decides. Nothing has passed before: a filter
    /// has been there since before `bind`, so the ring holds nothing that would have to be discarded. To be called
    /// after [`start_all`], too, which does the same for the socket alone.
    pub fn start(&mut self) -> Result<()> {
        let Some(barrier) = self.barrier.as_mut().filter(|barrier| !barrier.open) else { return Ok(()) };
        let program = filter::with_snaplen(self.filter.as_ref(), self.snaplen);
        barrier
            .with_shut(|shut| if shut { Ok(()) } else { open::replace(&self.socket, program.as_ref()) })
            .map_err(|error| error.on_interface(&self.interface))?;
        barrier.open = true;
        Ok(())
    }

    /// Replaces the filter (`None`: takes it away). No packet that the new one refuses is seen
    /// after this returns, those already in the ring included; batches already taken stay. Takes
    /// some milliseconds, in which nothing is received. Where [`stop_all`] was called, nothing passes afterwards either.
    pub fn set_filter(&mut self, filter: Option<Filter>) -> Result<()> {
        if self.barrier.as_ref().is_some_and(|barrier| !barrier.open) {
            let message = "the filter cannot be replaced while the gate is shut; open it first";
            return Err(Error::new(ErrorKind::Config, message).on_interface(&self.interface));
        }
        let program = filter::with_snaplen(filter.as_ref(), self.snaplen);
        let before = filter::with_snaplen(self.filter.as_ref(), self.snaplen);
        let (socket, ring) = (&self.socket, self.runs.ring_mut());
        let refilter = |shut: bool| {
            let [program, before] = [program, before].map(|wanted| if shut { Some(filter::nothing()) } else { wanted });
            open::refilter(socket, ring, program.as_ref(), before.as_ref())
        };
        let refiltered = match &self.barrier {
            Some(barrier) => barrier.with_shut(refilter),
            None => refilter(false),
        };
        refiltered.map_err(|error| error.on_interface(&self.interface))?;
        self.runs.discard_rest();
        self.filter = filter;
        Ok(())
    }

    /// Lets no packet in any more. Those that came before can still be read.
    pub fn stop_receiving(&mut self) -> Result<()> {
        open::shut(&self.socket).map_err(|error| error.on_interface(&self.interface))
    }

    /// Whether there are packets in the block that the kernel is filling, which it hands over when its timer fires.
    pub fn packets_coming(&self) -> bool {
        self.runs.ring().packets_coming()
    }

    /// Gives the fanout group its program.
    pub fn set_fanout_program(&self, program: &FanoutProgram) -> Result<()> {
        fanout::set_program(&self.socket, program).map_err(|error| error.on_interface(&self.interface))
    }

    fn read_statistics(&mut self) -> Result<()> {
        let raw = self.socket.take_statistics().map_err(|error| {
            Error::os(ErrorKind::Io, "getsockopt", &error, "cannot read PACKET_STATISTICS")
                .on_interface(&self.interface)
        })?;
        self.stats.add(raw);
        self.unread = 0;
        Ok(())
    }
}
