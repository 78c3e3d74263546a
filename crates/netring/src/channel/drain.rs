//! The capture thread: takes batches from its source, copies their packets into the queue, and executes commands.

use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Stoppable;
use super::arena::Arena;
use super::chunk::{Chunk, length};
use super::shared::{ChannelState, End};
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::{Readiness, TaskGuard};
use crate::ring::{ColumnSet, Columns, Memory};
use crate::source::Source;
use crate::sys::poll;

/// How often a blocked thread checks for room: consuming packets does not notify it.
const CHECK_ROOM_EVERY: Duration = Duration::from_millis(1);
/// Bytes of packets per chunk, unless one packet is larger.
const CHUNK_BYTES: u64 = 256 << 10;
/// How often to check without a notification: for the removal of an interface that is down and whose namespace cannot
/// be watched, and after an error.
const CHECK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How often to check for the last block of a ring after receiving has stopped.
const CHECK_END_EVERY: Duration = Duration::from_millis(10);

/// The state that the thread owns.
pub(super) struct CaptureThread<S: Source> {
    pub(super) source: S,
    shared: Arc<ChannelState<S>>,
    readiness: Arc<Readiness>,
    /// The batch whose packets are not all queued or dropped yet.
    batch: Option<Taken<S::Batch>>,
    columns: Columns,
    lengths: Vec<u32>,
    kept: Vec<Range<u32>>,
    arena: Arena,
    /// Reports the removal of an interface that is down.
    removal: Option<TaskGuard>,
    /// No more packets enter the ring.
    shut: bool,
    /// The source has ended.
    over: bool,
}

struct Taken<B> {
    batch: B,
    /// Packets that the queue has accepted or dropped.
    done: usize,
}

impl<S: Stoppable> CaptureThread<S> {
    pub(super) fn new(source: S, shared: Arc<ChannelState<S>>) -> Self {
        Self {
            readiness: Arc::clone(source.readiness()),
            source,
            shared,
            batch: None,
            columns: Columns::for_packets(crate::ring::batches::MAX_BATCH),
            lengths: Vec::new(),
            kept: Vec::new(),
            arena: Arena::default(),
            removal: None,
            shut: false,
            over: false,
        }
    }

    /// Runs until the channel is closed, then returns the source.
    pub(super) fn run(mut self) -> S {
        loop {
            // Clear before reading the commands: a later notification wakes the next wait.
            self.shared.notifier.clear();
            let commands = self.shared.commands();
            for call in commands.calls {
                call(&mut self);
            }
            if commands.close {
                return self.source;
            }
            if commands.stop && !self.shut {
                self.shut = true;
                // If this fails the source has to end now: the queue no longer has a limit.
                if let Err(error) = self.source.stop_receiving() {
                    self.end(End::Failed(error));
                }
            }
            if let Err(error) = self.step() {
                self.fail(error);
            }
        }
    }

    /// Handles one batch, or waits once.
    fn step(&mut self) -> Result<()> {
        if self.over {
            return self.wait_for_commands();
        }
        if self.batch.is_some() {
            // Consuming packets sends no notification; only fetch() and wait() notify this thread.
            return if self.queue_packets()? {
                Ok(())
            } else {
                self.wait_for(&[self.shared.notifier.as_fd()], Some(CHECK_ROOM_EVERY))
            };
        }
        let Self { source, columns, .. } = self;
        let mut target = |packets| {
            if packets > columns.capacity() {
                *columns = Columns::for_packets(packets);
            }
            Some((columns.clone(), ColumnSet::ALL))
        };
        let Some((batch, _)) = source.next(&mut target)? else { return self.idle() };
        self.removal = None;
        let packets = S::header(&batch).length;
        self.lengths.clear();
        self.lengths.extend((0..packets).map(|row| length(&self.columns, row)));
        self.batch = Some(Taken { batch, done: 0 });
        self.queue_packets().map(|_| ())
    }

    /// Queues packets of the batch; false where the rest has to wait for room.
    fn queue_packets(&mut self) -> Result<bool> {
        let Some(taken) = &mut self.batch else { return Ok(true) };
        let first = taken.done;
        taken.done += self.shared.admit(&self.lengths[first..], &mut self.kept);
        let finished = taken.done == self.lengths.len();
        let copied = if self.kept.is_empty() { Ok(()) } else { self.copy_kept(first as u32) };
        self.shared.settle();
        if finished || copied.is_err() {
            self.give_batch_back();
        }
        copied.map(|()| finished)
    }

    /// Copies outside the lock, so that the reader does not wait for it.
    fn copy_kept(&mut self, first: u32) -> Result<()> {
        let Self { source, batch, columns, lengths, kept, arena, shared, .. } = self;
        let bytes = batch.as_ref().and_then(|taken| source.bytes(&taken.batch)).unwrap_or_else(|| Memory::zeroed(0));
        for range in kept.drain(..) {
            let mut start = first + range.start;
            while start < first + range.end {
                let mut size = 0;
                let more = lengths[start as usize..(first + range.end) as usize].iter().take_while(|length| {
                    size += u64::from(**length);
                    size <= CHUNK_BYTES
                });
                let end = start + (more.count() as u32).max(1);
                let chunk = Chunk::copy_of(&bytes, columns, start..end, arena).ok_or_else(|| {
                    Error::new(ErrorKind::Io, "a batch contradicts its columns: its packets are lost")
                })?;
                shared.push(chunk);
                start = end;
            }
        }
        Ok(())
    }

    /// Releases the batch; packets left in it are not queued.
    pub(super) fn give_batch_back(&mut self) {
        if let Some(taken) = self.batch.take() {
            self.source.release(taken.batch);
        }
    }

    /// The ring is empty.
    fn idle(&mut self) -> Result<()> {
        if self.shut {
            if self.source.packets_coming() {
                return self.wait(Some(CHECK_END_EVERY));
            }
            self.end(End::Stopped);
            return Ok(());
        }
        // Report a link that went down only to a waiting reader: it may be up again before the reader waits.
        if self.shared.reader_waits() && self.source.poll()? {
            return Ok(());
        }
        // A watch reports what the source's epoll does not; where there is no watch, check at intervals.
        let mut timeout = self.source.look_every();
        if self.removal.is_none() {
            let notifier = Arc::clone(&self.shared.notifier);
            match self.source.watch_removal(Box::new(move || notifier.notify())) {
                Ok(watch) => self.removal = watch,
                Err(_) => timeout = Some(CHECK_AGAIN_AFTER),
            }
        }
        if self.removal.is_some() {
            timeout = None;
        }
        self.wait(timeout)
    }

    fn fail(&mut self, error: Error) {
        match error.kind {
            ErrorKind::InterfaceRemoved | ErrorKind::XdpProgram => self.end(End::Failed(error)),
            ErrorKind::LinkDown => self.shared.report(error),
            // The reader wants what was queued before, and nothing else comes.
            _ if self.shut => self.end(End::Failed(error)),
            _ => {
                self.shared.report(error);
                // The same error may follow at once.
                let _ = self.wait(Some(CHECK_AGAIN_AFTER));
            }
        }
    }

    fn end(&mut self, end: End) {
        self.over = true;
        self.removal = None;
        self.shared.end(end);
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        self.wait_for(&[self.readiness.as_fd(), self.shared.notifier.as_fd()], timeout)
    }

    fn wait_for_commands(&self) -> Result<()> {
        self.wait_for(&[self.shared.notifier.as_fd()], None)
    }

    fn wait_for(&self, descriptors: &[std::os::fd::BorrowedFd<'_>], timeout: Option<Duration>) -> Result<()> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        poll::readable(descriptors, deadline)
            .map_err(|error| Error::os(ErrorKind::Io, "ppoll", &error, "the channel's thread cannot wait"))
    }
}
