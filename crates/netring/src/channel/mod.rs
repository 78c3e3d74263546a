//! A channel: a thread that drains a source into a bounded queue of owned packets, so that a reader who is busy for a
//! while loses nothing that the queue can hold.
//!
//! The thread owns the source. It copies each batch's packets, gives the batch back to the kernel at once, and sleeps
//! while the ring is empty. Whoever else wants something of the source asks the thread ([`Channel::call`]).

mod arena;
mod chunk;
mod drain;
mod options;
mod queue;
mod shared;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use self::chunk::Chunk;
use self::drain::CaptureThread;
pub use self::options::{ChannelOptions, WhenFull};
use self::shared::Shared;
use crate::capture::Capture;
use crate::error::{Error, ErrorKind, Result};
use crate::ring::{Columns, Memory};
use crate::source::{LiveSource, Source};
#[cfg(feature = "xdp")]
use crate::xdp::XdpSocket;

/// Packets that a reader fetches at once, at most.
const FETCH_PACKETS: u32 = 2048;
/// Their bytes, at most, unless one packet is larger: who keeps a packet keeps the buffer of all that were fetched with it.
const FETCH_BYTES: u32 = 1 << 20;

/// A source that can be read to its end.
pub trait Stoppable: LiveSource {
    /// Lets no packet in any more. Those that came before can still be read.
    fn stop_receiving(&mut self) -> Result<()>;
    /// Whether packets came that [`Source::next`] will give only later.
    fn packets_coming(&self) -> bool;
}

impl Stoppable for Capture {
    fn stop_receiving(&mut self) -> Result<()> {
        Self::stop_receiving(self)
    }

    fn packets_coming(&self) -> bool {
        Self::packets_coming(self)
    }
}

#[cfg(feature = "xdp")]
impl Stoppable for XdpSocket {
    /// The packets pass to the network stack from now on.
    fn stop_receiving(&mut self) -> Result<()> {
        self.leave_map()
    }

    /// What the kernel has received is in the ring.
    fn packets_coming(&self) -> bool {
        false
    }
}

/// The reader's end. Dropping it ends the thread and frees the source.
pub struct Channel<S: Source> {
    shared: Arc<Shared<S>>,
    thread: Option<JoinHandle<S>>,
    position: Memory,
    /// What was fetched and not yet copied.
    fetched: Vec<Chunk>,
}

/// What [`Channel::fetch`] took out of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchedSize {
    /// Packets; none where the queue is empty.
    pub packets: u32,
    /// Their bytes together.
    pub bytes: u32,
}

/// Says that the thread is gone, however it went.
struct ExitGuard<S: Source>(Arc<Shared<S>>);

impl<S: Source> Drop for ExitGuard<S> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<S: Stoppable + Send + 'static> Channel<S>
where
    S::Batch: Send,
{
    /// Starts draining.
    pub fn spawn(source: S, options: ChannelOptions) -> Result<Self> {
        let position = Memory::zeroed(size_of::<u32>());
        let shared = Arc::new(Shared::new(options, position.clone())?);
        let drain = CaptureThread::new(source, Arc::clone(&shared));
        let exit_guard = ExitGuard(Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("netring-channel".into())
            .spawn(move || {
                let _leaving = exit_guard;
                drain.run()
            })
            .map_err(|error| Error::os(ErrorKind::Io, "clone", &error, "cannot start the channel's thread"))?;
        Ok(Self { shared, thread: Some(thread), position, fetched: Vec::new() })
    }

    /// Asks the source something, on the thread, which answers between two batches.
    pub fn call<T: Send + 'static>(&self, call: impl FnOnce(&mut S) -> Result<T> + Send + 'static) -> Result<T> {
        self.ask(move |drain| call(&mut drain.source))
    }

    /// As [`call`](Self::call); where that succeeds, all packets that have not been passed on are forgotten.
    pub fn call_and_clear(&self, call: impl FnOnce(&mut S) -> Result<()> + Send + 'static) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        self.ask(move |drain| {
            call(&mut drain.source)?;
            drain.give_batch_back();
            shared.clear();
            Ok(())
        })
    }

    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut CaptureThread<S>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = sync_channel(1);
        let ordered = self.shared.order(Box::new(move |drain| {
            // Nobody listens any more where the channel was closed meanwhile.
            let _ = reply.send(ask(drain));
        }));
        let gone = || Error::new(ErrorKind::Io, "the channel's thread has ended; close this channel and open another");
        if ordered { answer.recv().map_err(|_| gone())? } else { Err(gone()) }
    }

    /// Nothing more is let in; what is in the ring is queued, whatever the capacity is. [`stopped`](Self::stopped) says
    /// when that is done, and the waker is called then.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Ends the thread and frees everything.
    pub fn close(mut self) -> Result<()> {
        match self.end_thread() {
            Some(source) => source.close(),
            None => Ok(()),
        }
    }
}

impl<S: Source> Channel<S> {
    /// Four bytes to which the reader adds the number of packets that it is about to pass on: what the sum was before
    /// is the index of the first of them, in what was fetched last. Packets that were dropped are stepped over so.
    pub fn position(&self) -> &Memory {
        &self.position
    }

    /// From now on `waker` is called, on the thread, once for each [`wait`](Self::wait) that gave false.
    pub fn set_waker(&self, waker: impl Fn() + Send + Sync + 'static) {
        self.shared.set_waker(Arc::new(waker));
    }

    /// Takes packets out of the queue, to be [copied](Self::copy). The first `passed_on` of them are the reader's at
    /// once. Only when all that was fetched before has been passed on. Fails where nothing is left, once with each error
    /// of the source, and always once its interface is gone.
    pub fn fetch(&mut self, passed_on: u32) -> Result<FetchedSize> {
        let fetched = self.shared.fetch(FETCH_PACKETS, FETCH_BYTES, passed_on)?;
        self.fetched = fetched.chunks;
        Ok(FetchedSize { packets: fetched.packets, bytes: fetched.bytes })
    }

    /// Copies what was fetched last, once. False where there is no room for it.
    pub fn copy(&mut self, columns: &Columns, data: &Memory) -> bool {
        let (mut row, mut at) = (0, 0);
        self.fetched.drain(..).all(|chunk| {
            let end = chunk.copy_to(columns, row, data, at);
            row += chunk.len();
            at = end.unwrap_or(at);
            end.is_some()
        })
    }

    /// True when there is something to fetch, or once it has stopped; otherwise the waker will be called. Fails as
    /// [`fetch`](Self::fetch), and once each time that the link goes down.
    pub fn wait(&self) -> Result<bool> {
        self.shared.wait()
    }

    /// The reader does not wait any more.
    pub fn stop_waiting(&self) {
        self.shared.stop_waiting();
    }

    /// Whether everything is queued that came before [`stop`](Self::stop).
    pub fn stopped(&self) -> bool {
        self.shared.stopped()
    }

    /// Packets that have not been passed on.
    pub fn queued(&self) -> u64 {
        self.shared.queued()
    }

    /// Packets that found no room and were dropped.
    pub fn overflowed(&self) -> u64 {
        self.shared.overflowed()
    }

    /// The source, if the thread ended as it should.
    fn end_thread(&mut self) -> Option<S> {
        let thread = self.thread.take()?;
        self.shared.close();
        thread.join().ok()
    }
}

impl<S: Source> Drop for Channel<S> {
    fn drop(&mut self) {
        drop(self.end_thread());
    }
}
