//! The thread: takes batches from its source, copies their packets into the queue, and does what it is told.

use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Stoppable;
use super::arena::Arena;
use super::chunk::{Chunk, length};
use super::shared::{End, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::{Readiness, TaskGuard};
use crate::ring::{ColumnSet, Columns, Memory};
use crate::source::Source;
use crate::sys::poll;

/// How often a blocked thread looks for room that the reader made without a word.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(1);
/// Bytes of packets a chunk, or one packet.
const CHUNK_BYTES: u64 = 256 << 10;
/// How often to look where nothing tells: for the removal of an interface that is down and whose namespace cannot be
/// watched, and after an error.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How often to look for the last block of a ring that nothing comes into any more.
const LOOK_FOR_THE_END: Duration = Duration::from_millis(10);

/// What the thread owns.
pub(super) struct CaptureThread<S: Source> {
    pub(super) source: S,
    shared: Arc<Shared<S>>,
    readiness: Arc<Readiness>,
    /// The batch of which not every packet has found its place.
    batch: Option<Taken<S::Batch>>,
    columns: Columns,
    lengths: Vec<u32>,
    kept: Vec<Range<u32>>,
    arena: Arena,
    /// Tells of the removal of an interface that is down.
    removal: Option<TaskGuard>,
    /// Nothing comes into the ring any more.
    shut: bool,
    /// The source has ended.
    over: bool,
}

struct Taken<B> {
    batch: B,
    /// Packets that the queue has decided about.
    done: usize,
}

impl<S: Stoppable> CaptureThread<S> {
    pub(super) fn new(source: S, shared: Arc<Shared<S>>) -> Self {
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

    /// Until the channel is closed. Gives the source back.
    pub(super) fn run(mut self) -> S {
        loop {
            // Cleared before looking: who rings later wakes the next wait.
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
                // Otherwise it would have no end: there is no limit to the queue any more.
                if let Err(error) = self.source.stop_receiving() {
                    self.end(End::Failed(error));
                }
            }
            if let Err(error) = self.step() {
                self.fail(error);
            }
        }
    }

    /// One batch, or one wait.
    fn step(&mut self) -> Result<()> {
        if self.over {
            return self.wait_for_orders();
        }
        if self.batch.is_some() {
            // The reader claims packets without a word; only when it fetches or waits does it ring.
            return if self.queue_packets()? {
                Ok(())
            } else {
                self.wait_for(&[self.shared.notifier.as_fd()], Some(LOOK_FOR_ROOM))
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

    /// Puts packets of the batch into the queue; false where the rest of them has to wait for room.
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

    /// Outside the lock: the reader does not wait for copying.
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

    /// What is left of the batch is not queued.
    pub(super) fn give_batch_back(&mut self) {
        if let Some(taken) = self.batch.take() {
            self.source.release(taken.batch);
        }
    }

    /// The ring is empty.
    fn idle(&mut self) -> Result<()> {
        if self.shut {
            if self.source.packets_coming() {
                return self.wait(Some(LOOK_FOR_THE_END));
            }
            self.end(End::Stopped);
            return Ok(());
        }
        // A link that went down is told to who waits, and only then: it may be up again before anybody does.
        if self.shared.somebody_waits() && self.source.poll()? {
            return Ok(());
        }
        // Where the source's edges do not tell of everything, a watch does; where there is none, looking now and then.
        let mut timeout = self.source.look_every();
        if self.removal.is_none() {
            let notifier = Arc::clone(&self.shared.notifier);
            match self.source.watch_removal(Box::new(move || notifier.notify())) {
                Ok(watch) => self.removal = watch,
                Err(_) => timeout = Some(LOOK_AGAIN),
            }
        }
        if self.removal.is_some() {
            timeout = None;
        }
        self.wait(timeout)
    }

    fn fail(&mut self, error: Error) {
        match error.kind {
            ErrorKind::InterfaceRemoved => self.end(End::Failed(error)),
            ErrorKind::LinkDown => self.shared.tell(error),
            _ => {
                self.shared.tell(error);
                // It may come again at once.
                let _ = self.wait(Some(LOOK_AGAIN));
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

    fn wait_for_orders(&self) -> Result<()> {
        self.wait_for(&[self.shared.notifier.as_fd()], None)
    }

    fn wait_for(&self, descriptors: &[std::os::fd::BorrowedFd<'_>], timeout: Option<Duration>) -> Result<()> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        poll::readable(descriptors, deadline)
            .map_err(|error| Error::os(ErrorKind::Io, "ppoll", &error, "the channel's thread cannot wait"))
    }
}
