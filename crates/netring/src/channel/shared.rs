//! State shared by the capture thread and its owner.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::chunk::Chunk;
use super::drain::CaptureThread;
use super::options::ChannelOptions;
use super::queue::{Fetched, Queue};
use crate::error::{Error, ErrorKind, Result};
use crate::ring::Memory;
use crate::source::Source;
use crate::sys::poll::Notifier;

/// A closure to run on the thread.
pub(super) type Call<S> = Box<dyn FnOnce(&mut CaptureThread<S>) + Send>;
/// Called on the thread when the reader has something to read.
pub(super) type ReaderCallback = Arc<dyn Fn() + Send + Sync>;

pub(super) struct ChannelState<S: Source> {
    state: Mutex<State<S>>,
    /// Wakes the thread.
    pub(super) notifier: Arc<Notifier>,
}

struct State<S: Source> {
    queue: Queue,
    calls: Vec<Call<S>>,
    stop: bool,
    close: bool,
    /// The thread is waiting for room.
    blocked: bool,
    /// The reader is waiting and has not been woken.
    waiting: bool,
    waker: Option<ReaderCallback>,
    /// Errors to report once, after all queued packets.
    errors: VecDeque<Error>,
    end: Option<End>,
    /// The thread has ended.
    gone: bool,
}

/// Why no more packets come.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// stop() was called, and all packets are queued.
    Stopped,
    /// The error that ended the source.
    Failed(Error),
}

/// Commands for the thread.
pub(super) struct Commands<S: Source> {
    pub(super) calls: Vec<Call<S>>,
    pub(super) stop: bool,
    pub(super) close: bool,
}

/// Unreported errors, at most.
const MAX_ERRORS: usize = 16;

impl<S: Source> ChannelState<S> {
    pub(super) fn new(options: ChannelOptions, position: Memory) -> Result<Self> {
        let notifier = Notifier::new().map_err(|error| {
            Error::os(ErrorKind::Io, "eventfd", &error, "cannot make what wakes the channel's thread")
        })?;
        let state = State {
            queue: Queue::new(options, position),
            calls: Vec::new(),
            stop: false,
            close: false,
            blocked: false,
            waiting: false,
            waker: None,
            errors: VecDeque::new(),
            end: None,
            gone: false,
        };
        Ok(Self { state: Mutex::new(state), notifier: Arc::new(notifier) })
    }

    /// A panic cannot leave the state half-changed, so a poisoned lock is usable.
    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- for the thread

    pub(super) fn commands(&self) -> Commands<S> {
        let mut state = self.state();
        Commands { calls: std::mem::take(&mut state.calls), stop: state.stop, close: state.close }
    }

    /// As [`Queue::admit`]; where packets have to wait, the next fetch wakes the thread.
    pub(super) fn admit(&self, lengths: &[u32], kept: &mut Vec<Range<u32>>) -> usize {
        let mut state = self.state();
        let done = state.queue.admit(lengths, kept);
        state.blocked = done < lengths.len();
        done
    }

    pub(super) fn push(&self, chunk: Chunk) {
        self.change(|state| state.queue.push(chunk));
    }

    /// As [`Queue::settle`].
    pub(super) fn settle(&self) {
        self.state().queue.settle();
    }

    pub(super) fn reader_waits(&self) -> bool {
        self.state().waiting
    }

    pub(super) fn report(&self, error: Error) {
        self.change(|state| {
            if state.errors.len() < MAX_ERRORS && !state.stop {
                state.errors.push_back(error);
            }
        });
    }

    pub(super) fn end(&self, end: End) {
        self.change(|state| {
            // After stop() the reader wants the queued packets, not a later error.
            state.end = Some(if state.stop { End::Stopped } else { end });
        });
    }

    /// Changes the state and wakes a waiting reader, once until it waits again.
    fn change(&self, change: impl FnOnce(&mut State<S>)) {
        let mut state = self.state();
        change(&mut state);
        // After stop() the reader waits for the end, not for packets.
        let worth = !state.stop || state.end.is_some();
        let waker = if worth && std::mem::take(&mut state.waiting) { state.waker.clone() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker();
        }
    }

    /// Marks the thread as ended, also after a panic.
    pub(super) fn leave(&self) {
        self.change(|state| {
            state.gone = true;
            // Dropping the calls ends the waits for their answers.
            state.calls.clear();
            let message = "the channel's thread has ended, which is a bug; close this channel and open another";
            state.end.get_or_insert_with(|| End::Failed(Error::new(ErrorKind::Io, message)));
        });
    }

    // ---- for the owner

    /// False where the thread has ended.
    pub(super) fn send_call(&self, call: Call<S>) -> bool {
        let mut state = self.state();
        if state.gone {
            return false;
        }
        state.calls.push(call);
        drop(state);
        self.notifier.notify();
        true
    }

    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stop = true;
        state.waiting = true;
        state.queue.lift();
        state.errors.clear();
        if state.end.is_some() {
            state.end = Some(End::Stopped);
        }
        drop(state);
        self.notifier.notify();
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.close = true;
        // The waker is not called from now on.
        state.waker = None;
        drop(state);
        self.notifier.notify();
    }

    pub(super) fn set_waker(&self, waker: ReaderCallback) {
        self.state().waker = Some(waker);
    }

    /// As [`Queue::fetch`].
    pub(super) fn fetch(&self, most: u32, most_bytes: u32, consumed: u32) -> Result<Fetched> {
        let mut state = self.state();
        let fetched = state.queue.fetch(most, most_bytes, consumed);
        let empty = fetched.packets == 0;
        // Only a waiting reader is notified that the link is down.
        let failure = if empty { state.failure(|error| error.kind != ErrorKind::LinkDown) } else { Ok(()) };
        let blocked = std::mem::take(&mut state.blocked);
        drop(state);
        if blocked {
            self.notifier.notify();
        }
        failure.map(|()| fetched)
    }

    /// Whether fetch() would return packets or the channel has stopped; otherwise the waker will be called.
    pub(super) fn wait(&self) -> Result<bool> {
        let mut state = self.state();
        if !state.queue.is_empty() {
            return Ok(true);
        }
        state.failure(|_| true)?;
        if state.end.is_some() {
            return Ok(true);
        }
        state.waiting = true;
        drop(state);
        // The thread now checks whether the link went down.
        self.notifier.notify();
        Ok(false)
    }

    pub(super) fn stop_waiting(&self) {
        let mut state = self.state();
        state.waiting = state.stop;
    }

    pub(super) fn stopped(&self) -> bool {
        let state = self.state();
        state.stop && state.end.is_some()
    }

    pub(super) fn queued(&self) -> u64 {
        self.state().queue.len()
    }

    pub(super) fn overflowed(&self) -> u64 {
        self.state().queue.overflowed()
    }

    pub(super) fn clear(&self) {
        self.state().queue.clear();
    }
}

impl<S: Source> State<S> {
    /// The first error that `filter` accepts, else the error that ended the source.
    fn failure(&mut self, filter: impl Fn(&Error) -> bool) -> Result<()> {
        if let Some(at) = self.errors.iter().position(filter) {
            return self.errors.remove(at).map_or(Ok(()), Err);
        }
        match &self.end {
            Some(End::Failed(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}
