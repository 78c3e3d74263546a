//! A channel: a thread that drains a source into a bounded queue of owned packets, so that a busy reader loses no
//! packets that fit into the queue.
//!
//! The thread owns the source. It copies each batch's packets, gives the batch back to the kernel at once, and sleeps
//! while the ring is empty. Other threads reach the source through the thread ([`Channel::call`]).

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
use self::shared::ChannelState;
use crate::capture::Capture;
use crate::error::{Error, ErrorKind, Result};
use crate::ring::{Columns, Memory};
use crate::source::{LiveSource, Source};
#[cfg(feature = "xdp")]
use crate::xdp::XdpSocket;

/// Packets per fetch, at most.
const FETCH_PACKETS: u32 = 2048;
/// Bytes per fetch, at most, unless one packet is larger: a packet that is kept keeps the buffer of its whole fetch.
const FETCH_BYTES: u32 = 1 << 20;

/// A source that can be read to its end.
pub trait Stoppable: LiveSource {
    /// Stops receiving. Packets that arrived before can still be read.
    ///
    /// # Errors
    ///
    /// What the kernel refuses.
    fn stop_receiving(&mut self) -> Result<()>;
    /// Whether packets arrived that [`Source::next`] will return only later.
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
    /// The packets go to the network stack from now on.
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
    shared: Arc<ChannelState<S>>,
    thread: Option<JoinHandle<S>>,
    position: Memory,
    /// Fetched packets that are not yet copied.
    fetched: Vec<Chunk>,
}

/// The size of what [`Channel::fetch`] took out of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchedSize {
    /// Packets; none where the queue is empty.
    pub packets: u32,
    /// Their bytes together.
    pub bytes: u32,
}

/// Marks the thread as ended when dropped, also after a panic.
struct ExitGuard<S: Source>(Arc<ChannelState<S>>);

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
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where no thread or eventfd is to be had.
    pub fn spawn(source: S, options: ChannelOptions) -> Result<Self> {
        let position = Memory::zeroed(size_of::<u32>());
        let shared = Arc::new(ChannelState::new(options, position.clone())?);
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

    /// Runs a closure on the source, on the thread, between two batches.
    ///
    /// # Errors
    ///
    /// What `call` returns, and [`Io`](ErrorKind::Io) once the thread has ended.
    pub fn call<T: Send + 'static>(&self, call: impl FnOnce(&mut S) -> Result<T> + Send + 'static) -> Result<T> {
        self.ask(move |drain| call(&mut drain.source))
    }

    /// As [`call`](Self::call); where that succeeds, all packets that have not been consumed are discarded.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
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
        let ordered = self.shared.send_call(Box::new(move |drain| {
            // The receiver is gone where the channel was closed meanwhile.
            let _ = reply.send(ask(drain));
        }));
        let gone = || Error::new(ErrorKind::Io, "the channel's thread has ended; close this channel and open another");
        if ordered { answer.recv().map_err(|_| gone())? } else { Err(gone()) }
    }

    /// Stops receiving and queues the packets in the ring, whatever the capacity is. [`stopped`](Self::stopped) returns
    /// true when that is done, and the waker is called then.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Ends the thread and frees everything.
    ///
    /// # Errors
    ///
    /// As [`Source::close`].
    pub fn close(mut self) -> Result<()> {
        match self.end_thread() {
            Some(source) => source.close(),
            None => Ok(()),
        }
    }
}

impl<S: Source> Channel<S> {
    /// The position counter: four bytes to which the reader adds the number of packets that it is about to consume. The
    /// previous value is the index of the first of them in the last fetch. The queue adds to it for each dropped
    /// packet.
    pub fn position(&self) -> &Memory {
        &self.position
    }

    /// Sets the waker, which the thread calls once for each [`wait`](Self::wait) that returned false.
    pub fn set_waker(&self, waker: impl Fn() + Send + Sync + 'static) {
        self.shared.set_waker(Arc::new(waker));
    }

    /// Takes packets out of the queue, to be [copied](Self::copy). The first `consumed` of them count as consumed at
    /// once. The previous fetch must have been consumed. When the queue is empty it fails once with each error of the
    /// source, and always once the source's interface is gone.
    ///
    /// # Errors
    ///
    /// What the source reported, once; [`InterfaceRemoved`](ErrorKind::InterfaceRemoved) always.
    pub fn fetch(&mut self, consumed: u32) -> Result<FetchedSize> {
        let fetched = self.shared.fetch(FETCH_PACKETS, FETCH_BYTES, consumed)?;
        self.fetched = fetched.chunks;
        Ok(FetchedSize { packets: fetched.packets, bytes: fetched.bytes })
    }

    /// Copies the last fetch, once. False where the targets are too small.
    pub fn copy(&mut self, columns: &Columns, data: &Memory) -> bool {
        let (mut row, mut at) = (0, 0);
        self.fetched.drain(..).all(|chunk| {
            let end = chunk.copy_to(columns, row, data, at);
            row += chunk.len();
            at = end.unwrap_or(at);
            end.is_some()
        })
    }

    /// True when there are packets to fetch, or once the channel has stopped; otherwise the waker will be called. Fails
    /// as [`fetch`](Self::fetch), and once each time the link goes down.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch), and [`LinkDown`](ErrorKind::LinkDown) once each time the link goes down.
    pub fn wait(&self) -> Result<bool> {
        self.shared.wait()
    }

    /// Ends the wait.
    pub fn stop_waiting(&self) {
        self.shared.stop_waiting();
    }

    /// Whether all packets that came before [`stop`](Self::stop) are queued.
    pub fn stopped(&self) -> bool {
        self.shared.stopped()
    }

    /// Packets that have not been consumed.
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
