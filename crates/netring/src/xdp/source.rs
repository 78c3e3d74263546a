//! A socket as a source of packets: batches, waiting, what the link does.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::receive::RxQueue;
use super::{Batch, XdpSocket};
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::Wait;
use crate::sys::xdp;

/// Empty vectors kept for batches to come.
const SPARE_VECTORS: usize = 8;
/// How often a blocking wait looks what rtnetlink has said of the interface.
const LOOK_AT_LINK_EVERY: Duration = Duration::from_millis(100);

impl XdpSocket {
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

    pub(super) fn failed(&self, syscall: &'static str, error: &io::Error) -> Error {
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
}
