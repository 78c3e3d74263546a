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

/// Empty vectors kept for later batches.
const MAX_FREE_VECS: usize = 8;
/// How often a blocking wait checks rtnetlink's messages about the interface.
const CHECK_LINK_EVERY: Duration = Duration::from_millis(100);

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
            let free_vec = self.free_vecs.pop().unwrap_or_default();
            let packets = self.queues[position].take(free_vec).expect("it is ready");
            self.coalescer.taken();
            // The rest of a burst comes before other queues' packets; a burst is finite, so "more" ends.
            let more = self.queues[position].has_rest();
            self.turn = if more { position } else { (position + 1) % count };
            let batch = Batch::new(self.id, position, packets, &self.memory, self.layout.frame_size);
            self.sequence += 1;
            let sequence = self.sequence;
            // A system call for each batch would be half the cost of a small batch.
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

    /// The wake-up coalescer's decision for the packets in the rings.
    fn poll_rings(&mut self) -> PollState {
        let (mut arrived, mut waiting) = (0, 0);
        for queue in &mut self.queues {
            arrived += queue.counts().0;
            waiting += queue.waiting();
        }
        self.coalescer.poll(Instant::now(), arrived, waiting)
    }

    /// While a timer drives the reader, masks epoll events; unmasks them before the reader waits on them.
    fn set_masked(&mut self, masked: bool) -> Result<()> {
        if self.masked == masked {
            return Ok(());
        }
        for queue in &self.queues {
            let changed = self.readiness.set_masked(queue.rings().as_fd(), masked);
            changed.map_err(|error| self.failed("epoll_ctl", &error))?;
        }
        self.masked = masked;
        Ok(())
    }

    fn clear_events(&mut self) -> Result<()> {
        let events = self.readiness.clear().map_err(|error| self.failed("epoll_wait", &error))?;
        if events.error { self.read_errors() } else { Ok(()) }
    }

    pub(super) fn failed(&self, syscall: &'static str, error: &io::Error) -> Error {
        Error::os(ErrorKind::Io, syscall, error, "the AF_XDP socket failed").on_interface(&self.interface)
    }

    /// Fails once no more packets can come.
    fn fail_if_ended(&mut self) -> Result<()> {
        self.link.fail_if_removed().inspect_err(|_| self.give_up_program())?;
        if !self.program_monitor.as_ref().is_some_and(ProgramMonitor::is_lost) {
            return Ok(());
        }
        // The program disappears with its interface; report the removed interface, not the program.
        self.link.fail_if_gone().inspect_err(|_| self.give_up_program())?;
        let message = format!(
            "the XDP program of this socket is no longer on interface {:?}: somebody has detached it or put another in its \
             place; close this socket and open another",
            self.interface
        );
        Err(Error::new(ErrorKind::XdpProgram, message).on_interface(&self.interface))
    }

    /// An interface that was moved to another network namespace keeps its program, which would still take packets from
    /// the network stack there, for a socket that receives none.
    fn give_up_program(&self) {
        if let Some(attachment) = &self.attachment {
            attachment.link().detach();
        }
    }

    /// When an interface is removed the kernel unbinds its sockets and sets ENETDOWN.
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
            self.clear_events()?;
            batch = self.take()?;
        }
        let Some(batch) = batch else { return self.fail_if_ended().map(|()| None) };
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
        if self.free_vecs.len() < MAX_FREE_VECS {
            self.free_vecs.push(packets);
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
        self.set_masked(false)?;
        self.clear_events()?;
        if self.queues.iter_mut().any(RxQueue::ready) {
            return Ok(true);
        }
        self.fail_if_ended()?;
        self.link.fail_if_down()?;
        Ok(false)
    }

    fn poll_coalesced(&mut self) -> Result<PollState> {
        self.must_receive()?;
        match self.poll_rings() {
            PollState::Ready => Ok(PollState::Ready),
            PollState::Later(at) => self.set_masked(true).map(|()| PollState::Later(at)),
            // Packets from here on cause an epoll event.
            PollState::Empty => Ok(if self.poll()? { PollState::Ready } else { PollState::Empty }),
        }
    }

    fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// rtnetlink's events wake an asynchronous reader, but not a blocking one.
    fn look_every(&self) -> Option<Duration> {
        Some(CHECK_LINK_EVERY)
    }

    fn wait_for_event(&mut self, deadline: Instant) -> Result<EpollEvents> {
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

    /// AF_XDP has no freezes.
    fn cumulative_stats(&mut self) -> Result<CaptureStats> {
        let mut total = CaptureStats::default();
        for position in 0..self.queues.len() {
            total.drops += self.drops(position)?;
            total.packets += self.queues[position].counts().0;
        }
        Ok(total)
    }
}
