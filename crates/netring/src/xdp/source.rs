//! A socket as a source of packets: batches, waiting, events of the link, counters.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::receive::RxQueue;
use super::{Batch, ProgramMonitor, XdpSocket};
use crate::error::{Error, ErrorKind, Result};
use crate::link_type::LinkType;
use crate::readiness::{EpollEvents, Readiness, TaskGuard};
use crate::ring::columns::CopyFailure;
use crate::ring::{ColumnSet, Columns, Malformed, Memory};
use crate::source::{BatchHeader, Counters, LinkCallback, LinkEvents, PollState, Pollable, Source, Target};
use crate::stats::CaptureStats;
use crate::sys::xdp;

/// Empty vectors kept for batches to come.
const SPARE_VECTORS: usize = 8;
/// How often a blocking wait looks what rtnetlink has said of the interface.
const LOOK_AT_LINK_EVERY: Duration = Duration::from_millis(100);

impl XdpSocket {
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
            self.coalescer.taken();
            // A queue's rest comes before the others' packets: there is an end of it, and so of "more".
            let more = self.queues[position].has_rest();
            self.turn = if more { position } else { (position + 1) % count };
            let batch = Batch::new(self.id, position, packets, &self.memory, self.shape.frame_size);
            self.sequence += 1;
            let sequence = self.sequence;
            // A system call for each batch would be half of what a small one costs.
            if !self.queues[position].take_ring_pressure() {
                return Ok(Some(batch.with_context(sequence, false, more)));
            }
            let losing = match self.drops(position) {
                Ok(drops) => std::mem::replace(&mut self.drops_reported[position], drops) < drops,
                Err(error) => {
                    self.release(batch);
                    return Err(error);
                }
            };
            return Ok(Some(batch.with_context(sequence, losing, more)));
        }
        Ok(None)
    }

    /// What the wake-up coalescer says of the packets in the rings.
    fn look_at_rings(&mut self) -> PollState {
        let (mut arrived, mut waiting) = (0, 0);
        for queue in &mut self.queues {
            arrived += queue.counts().0;
            waiting += queue.waiting();
        }
        self.coalescer.poll(Instant::now(), arrived, waiting)
    }

    /// While a timer drives the reader, masks epoll edges; unmasks them before the reader waits on them.
    fn mute(&mut self, muted: bool) -> Result<()> {
        if self.muted == muted {
            return Ok(());
        }
        for queue in &self.queues {
            let changed = self.readiness.mute(queue.rings().as_fd(), muted);
            changed.map_err(|error| self.failed("epoll_ctl", &error))?;
        }
        self.muted = muted;
        Ok(())
    }

    fn clear_edges(&mut self) -> Result<()> {
        let edge = self.readiness.clear().map_err(|error| self.failed("epoll_wait", &error))?;
        if edge.error { self.read_errors() } else { Ok(()) }
    }

    pub(super) fn failed(&self, syscall: &'static str, error: &io::Error) -> Error {
        Error::os(ErrorKind::Io, syscall, error, "the AF_XDP socket failed").on_interface(&self.interface)
    }

    /// Fails where no packet will come any more.
    fn fail_if_over(&mut self) -> Result<()> {
        self.link.fail_if_removed().inspect_err(|_| self.give_up_program())?;
        if !self.program_monitor.as_ref().is_some_and(ProgramMonitor::is_lost) {
            return Ok(());
        }
        // With the interface its program goes, too, and what goes first is seen first.
        self.link.fail_if_gone().inspect_err(|_| self.give_up_program())?;
        let message = format!(
            "the XDP program of this socket is no longer on interface {:?}: somebody has detached it or put another in its \
             place; close this socket and open another",
            self.interface
        );
        Err(Error::new(ErrorKind::XdpProgram, message).on_interface(&self.interface))
    }

    /// An interface that was moved to another network namespace takes its program along, which would go on to lead packets
    /// away from the stack there, to a socket that gets none.
    fn give_up_program(&self) {
        if let Some(attachment) = &self.attachment {
            attachment.link().detach();
        }
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
}

impl Source for XdpSocket {
    type Batch = Batch;

    fn link_type(&self) -> LinkType {
        self.link_type
    }

    fn next(&mut self, target: Target<'_>) -> Result<Option<(Batch, Option<Columns>)>> {
        self.must_receive()?;
        let mut batch = self.take()?;
        if batch.is_none() {
            self.clear_edges()?;
            batch = self.take()?;
        }
        let Some(batch) = batch else { return self.fail_if_over().map(|()| None) };
        let columns = target(batch.header().length).map(|(columns, set)| {
            batch.fill(&columns, set);
            columns
        });
        Ok(Some((batch, columns)))
    }

    /// The frames go back to the fill ring at once, in whatever order batches come back.
    fn release(&mut self, batch: Batch) {
        assert_eq!(batch.socket, self.id, "a batch belongs to the socket that gave it");
        let mut packets = batch.packets;
        self.queues[batch.queue].release(&mut packets);
        if self.spare.len() < SPARE_VECTORS {
            self.spare.push(packets);
        }
    }

    /// The program goes first, so that the network stack has its packets again; what is queued is not sent.
    fn close(self) -> Result<()> {
        let Self { program_monitor, attachment, barrier, queues, transmitter, memory, frames, interface, .. } = self;
        drop(program_monitor);
        drop(attachment);
        drop(barrier);
        drop(queues);
        drop(transmitter);
        drop(memory);
        frames.retire().map_err(|error| {
            Error::os(ErrorKind::Mmap, "mmap", &error, "cannot replace the frames' mapping").on_interface(&interface)
        })
    }

    fn header(batch: &Batch) -> BatchHeader {
        batch.header()
    }

    fn bytes(&self, batch: &Batch) -> Option<Memory> {
        Some(batch.memory().clone())
    }

    fn fill(&self, batch: &Batch, columns: &Columns, set: ColumnSet) -> std::result::Result<(), Malformed> {
        batch.fill(columns, set);
        Ok(())
    }

    fn copy(&self, batch: &Batch, columns: &Columns, target: &Memory) -> std::result::Result<(), CopyFailure> {
        batch.copy(columns, target)
    }
}

impl Pollable for XdpSocket {
    fn poll(&mut self) -> Result<bool> {
        self.must_receive()?;
        if self.queues.iter_mut().any(RxQueue::ready) {
            return Ok(true);
        }
        self.mute(false)?;
        self.clear_edges()?;
        if self.queues.iter_mut().any(RxQueue::ready) {
            return Ok(true);
        }
        self.fail_if_over()?;
        self.link.fail_if_down()?;
        Ok(false)
    }

    fn poll_coalesced(&mut self) -> Result<PollState> {
        self.must_receive()?;
        match self.look_at_rings() {
            PollState::Ready => Ok(PollState::Ready),
            PollState::Later(at) => self.mute(true).map(|()| PollState::Later(at)),
            // What comes from here on is an edge.
            PollState::Empty => Ok(if self.poll()? { PollState::Ready } else { PollState::Empty }),
        }
    }

    fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// rtnetlink's events wake a reader that waits without blocking, and none that blocks.
    fn look_every(&self) -> Option<Duration> {
        Some(LOOK_AT_LINK_EVERY)
    }

    fn wait_for_edge(&mut self, deadline: Instant) -> Result<EpollEvents> {
        let events = self.readiness.wait_until(deadline).map_err(|error| self.failed("epoll_wait", &error))?;
        if events.error {
            self.read_errors()?;
        }
        Ok(events)
    }
}

impl LinkEvents for XdpSocket {
    fn watch_link(&self, changed: LinkCallback) -> Result<TaskGuard> {
        self.link.watch_events(changed)
    }

    /// None is needed: the link is watched from the start, and its events wake the reader.
    fn watch_removal(&self, _removed: Box<dyn Fn() + Send + Sync>) -> Result<Option<TaskGuard>> {
        Ok(None)
    }
}

impl Counters for XdpSocket {
    fn stats(&mut self) -> Result<CaptureStats> {
        let total = self.cumulative_stats()?;
        Ok(self.since_last.take(total))
    }

    /// Nothing freezes here.
    fn cumulative_stats(&mut self) -> Result<CaptureStats> {
        let mut total = CaptureStats::default();
        for position in 0..self.queues.len() {
            total.drops += self.drops(position)?;
            total.packets += self.queues[position].counts().0;
        }
        Ok(total)
    }
}
