//! Receiving: a packet socket with a V3 ring.

mod open;
mod options;
mod source;

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::options::{CaptureOptions, TimestampSource};
use crate::error::{Error, ErrorKind, Result};
use crate::fanout::{self, FanoutProgram};
use crate::filter::{self, Filter};
use crate::readiness::Readiness;
use crate::ring::block::WalkOptions;
use crate::ring::runs::RUN_PACKETS;
use crate::ring::{Geometry, Lease, Malformed, Runs};
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
    socket: PacketSocket,
    runs: Runs,
    mapping: Mapping,
    readiness: Arc<Readiness>,
    interface: String,
    namespace: Option<String>,
    index: u32,
    fanout_id: Option<u16>,
    snaplen: u32,
    reinsert_vlan: bool,
    filter: Option<Filter>,
    stats: StatsAccumulator,
    unread: u32,
    /// Drops that a block's `losing` has told of.
    drops_told: u64,
    /// The same before the block that was opened last, until a run of it has been handed out.
    drops_told_before: u64,
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
    down_untold: bool,
    removed: bool,
}

impl Capture {
    /// Opens an interface.
    pub fn open(interface: &str, options: CaptureOptions) -> Result<Self> {
        let opened = open::open(interface, &options).map_err(|error| error.on_interface(interface))?;
        Ok(Self {
            socket: opened.socket,
            mapping: opened.mapping,
            runs: Runs::new(opened.ring, RUN_PACKETS),
            readiness: opened.readiness,
            interface: interface.to_owned(),
            namespace: options.namespace,
            index: opened.index,
            fanout_id: opened.fanout_id,
            snaplen: options.snaplen,
            reinsert_vlan: options.reinsert_vlan,
            filter: options.filter,
            stats: StatsAccumulator::default(),
            unread: 0,
            drops_told: 0,
            drops_told_before: 0,
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
        WalkOptions { snaplen: self.snaplen, reinsert_vlan: false }
    }

    /// The kernel's headers contradict their block. Nobody else has written to them yet, so this is
    /// the kernel's fault; what was left of the block is lost.
    fn malformed(&mut self, error: Malformed) -> Error {
        // Nobody has been told by this block.
        self.drops_told = self.drops_told.min(self.drops_told_before);
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
        self.drops_told_before = std::mem::replace(&mut self.drops_told, drops);
        lease.set_losing(self.drops_told_before < drops);
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
            self.link.down_untold = true;
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
        if self.socket.interface_is_up(&self.interface).unwrap_or(false) {
            self.link.down = false;
            self.link.down_untold = false;
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
        if self.link.removed || !std::mem::take(&mut self.link.down_untold) {
            return Ok(());
        }
        let message =
            format!("interface {:?} went down; wait again, this capture goes on when it is up", self.interface);
        Err(Error { errno: Some(libc::ENETDOWN), ..Error::new(ErrorKind::LinkDown, message) }
            .on_interface(&self.interface))
    }

    /// Replaces the filter (`None`: takes it away). No packet that the new one refuses is seen
    /// after this returns, those already in the ring included; batches already taken stay. Takes
    /// some milliseconds, in which nothing is received.
    pub fn set_filter(&mut self, filter: Option<Filter>) -> Result<()> {
        let program = filter::with_snaplen(filter.as_ref(), self.snaplen);
        let before = filter::with_snaplen(self.filter.as_ref(), self.snaplen);
        open::refilter(&self.socket, self.runs.ring_mut(), program.as_ref(), before.as_ref())
            .map_err(|error| error.on_interface(&self.interface))?;
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
