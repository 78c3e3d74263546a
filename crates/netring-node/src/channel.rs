//! The class behind ChannelCapture: a queue of owned packets over a source that a thread reads.

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::capture::Capture;
use netring::channel::{Channel, ChannelOptions, WhenFull};
use netring::fanout::FanoutProgram;
use netring::filter::Filter;
use netring::readiness::TaskGuard;
use netring::ring::columns::BYTES_PER_PACKET;
use netring::ring::{Columns, Memory};
use netring::source::{Counters, LinkCallback, LinkEvents, Source};
use netring::xdp::XdpSocket;
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::callback::{JsCallback, Message};
use crate::capture::NativeRing;
use crate::error::{closed, to_js};
use crate::options::{NativeCaptureOptions, NativeFilterOption, NativeProgram};
use crate::source::NativeStats;
use crate::view::View;
use crate::xdp::{NativeXdpLayout, NativeXdpOptions};

/// Its name in errors.
const NAME: &str = "channel";

/// How much is queued.
#[napi(object)]
pub struct NativeQueueLimits {
    pub capacity: u32,
    pub capacity_bytes: f64,
    #[napi(ts_type = "'block' | 'dropOldest' | 'dropNewest'")]
    pub when_full: String,
}

impl From<NativeQueueLimits> for ChannelOptions {
    fn from(from: NativeQueueLimits) -> Self {
        Self {
            capacity: from.capacity,
            capacity_bytes: from.capacity_bytes as u64,
            when_full: match from.when_full.as_str() {
                "dropOldest" => WhenFull::DropOldest,
                "dropNewest" => WhenFull::DropNewest,
                _ => WhenFull::Block,
            },
        }
    }
}

#[napi(object, object_from_js = false)]
pub struct NativeFetched {
    pub packets: u32,
    pub bytes: u32,
}

/// A queue over one of the sources.
enum Queue {
    Packet(Channel<Capture>),
    Xdp(Channel<XdpSocket>),
}

/// Calls the same method of either source.
macro_rules! any {
    ($queue:expr, $channel:ident => $call:expr) => {
        match $queue {
            Queue::Packet($channel) => $call,
            Queue::Xdp($channel) => $call,
        }
    };
}

#[napi]
pub struct NativeChannel {
    // Dropped in this order: no callback refers to a channel that is gone.
    link: Option<TaskGuard>,
    callback: Option<JsCallback>,
    queue: Option<Queue>,
}

#[napi]
impl NativeChannel {
    #[napi(factory)]
    pub fn open(interface: String, capture: NativeCaptureOptions, limits: NativeQueueLimits) -> Result<Self> {
        let capture = Capture::open(&interface, capture.into()).map_err(to_js)?;
        Ok(Self::of(Queue::Packet(Channel::spawn(capture, limits.into()).map_err(to_js)?)))
    }

    #[napi(factory)]
    pub fn open_xdp(interface: String, options: NativeXdpOptions, limits: NativeQueueLimits) -> Result<Self> {
        let socket = XdpSocket::open(&interface, &options.into()).map_err(to_js)?;
        Ok(Self::of(Queue::Xdp(Channel::spawn(socket, limits.into()).map_err(to_js)?)))
    }

    fn of(queue: Queue) -> Self {
        Self { link: None, callback: None, queue: Some(queue) }
    }

    fn queue(&self) -> Result<&Queue> {
        self.queue.as_ref().ok_or_else(|| closed(NAME))
    }

    fn queue_mut(&mut self) -> Result<&mut Queue> {
        self.queue.as_mut().ok_or_else(|| closed(NAME))
    }

    /// AF_PACKET only.
    fn packet(&self) -> Result<&Channel<Capture>> {
        match self.queue()? {
            Queue::Packet(channel) => Ok(channel),
            Queue::Xdp(_) => Err(to_js(CoreError::new(ErrorKind::Config, "a channel over AF_XDP has none of this"))),
        }
    }

    /// AF_PACKET only.
    #[napi]
    pub fn ring(&self) -> Result<NativeRing> {
        self.packet()?.call(|capture| Ok(NativeRing::of(capture))).map_err(to_js)
    }

    /// AF_XDP only.
    #[napi]
    pub fn layout(&self) -> Result<NativeXdpLayout> {
        match self.queue()? {
            Queue::Xdp(channel) => channel.call(|socket| Ok(NativeXdpLayout::of(socket))).map_err(to_js),
            Queue::Packet(_) => Err(to_js(CoreError::new(ErrorKind::Config, "a channel over AF_PACKET has no UMEM"))),
        }
    }

    /// The LINKTYPE_ number of all packets; 0xffff_ffff where the registry has none.
    #[napi]
    pub fn link_type(&self) -> Result<u32> {
        any!(self.queue()?, channel => channel.call(|source| Ok(source.link_type().0))).map_err(to_js)
    }

    /// The position counter: which packets of the last fetch were consumed.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn position<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        let position = any!(self.queue()?, channel => channel.position().clone());
        View::create(env, position, || ()).map(|(_, value)| value)
    }

    /// Takes packets out of the queue, for copy(). The first `consumed` of them count as consumed at once.
    #[napi]
    pub fn fetch(&mut self, consumed: u32) -> Result<NativeFetched> {
        let size = any!(self.queue_mut()?, channel => channel.fetch(consumed)).map_err(to_js)?;
        Ok(NativeFetched { packets: size.packets, bytes: size.bytes })
    }

    /// Copies the last fetch: all packets end to end into `data` and their columns into `columns`.
    #[napi]
    pub fn copy(
        &mut self,
        #[napi(ts_arg_type = "Uint8Array")] data: JsArray<u8>,
        #[napi(ts_arg_type = "Uint8Array")] columns: JsArray<u8>,
    ) -> Result<()> {
        let queue = self.queue_mut()?;
        let capacity = (columns.bytes().len() / BYTES_PER_PACKET) as u32;
        let mut copy = |data: &Memory, columns: &Memory| {
            Columns::in_memory(columns.clone(), capacity)
                .is_some_and(|columns| any!(queue, channel => channel.copy(&columns, data)))
        };
        if data.with_memory(|data| columns.with_memory(|columns| copy(data, columns))) {
            return Ok(());
        }
        Err(to_js(CoreError::new(ErrorKind::Io, "the copy's target is too small")))
    }

    fn set_waker(&mut self, waker: &Function<'_, u32, ()>) -> Result<()> {
        if self.callback.is_none() {
            let wake = JsCallback::in_place(&mut self.callback, waker)?.sender();
            any!(self.queue()?, channel => channel.set_waker(move || wake(Message::Wake)));
        }
        Ok(())
    }

    /// True when fetch() would return packets or fail; otherwise the waker is called once it would.
    #[napi]
    pub fn poll_or_wait(&mut self, waker: Function<'_, u32, ()>) -> Result<bool> {
        self.set_waker(&waker)?;
        any!(self.queue()?, channel => channel.wait()).map_err(to_js)
    }

    #[napi]
    pub fn stop_waiting(&self) {
        if let Some(queue) = &self.queue {
            any!(queue, channel => channel.stop_waiting());
        }
    }

    /// Whether a wait keeps the process alive.
    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.callback.as_mut().map_or(Ok(()), |callback| callback.keep_alive(env, keep))
    }

    /// Calls the waker with every link event from now on.
    #[napi]
    pub fn watch_link(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        if self.link.is_none() {
            self.set_waker(&waker)?;
            let notify = JsCallback::in_place(&mut self.callback, &waker)?.sender();
            let changed: LinkCallback = Box::new(move |event| notify(event.into()));
            let link = any!(self.queue()?, channel => channel.call(move |source| source.watch_link(changed)));
            self.link = Some(link.map_err(to_js)?);
        }
        Ok(())
    }

    /// After watching has failed: the next watchLink() tries again.
    #[napi]
    pub fn unwatch_link(&mut self) {
        self.link = None;
    }

    /// Stops receiving and queues the packets in the ring. Calls the waker when that is done.
    #[napi]
    pub fn stop(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        self.set_waker(&waker)?;
        any!(self.queue()?, channel => channel.stop());
        Ok(())
    }

    #[napi]
    pub fn stopped(&self) -> Result<bool> {
        Ok(any!(self.queue()?, channel => channel.stopped()))
    }

    #[napi]
    pub fn queued(&self) -> Result<f64> {
        Ok(any!(self.queue()?, channel => channel.queued()) as f64)
    }

    #[napi]
    pub fn overflowed(&self) -> Result<f64> {
        Ok(any!(self.queue()?, channel => channel.overflowed()) as f64)
    }

    #[napi]
    pub fn set_filter(&self, filter: Option<NativeFilterOption>) -> Result<()> {
        let filter: Option<Filter> = filter.map(Into::into);
        any!(self.queue()?, channel => channel.call_and_clear(|source| source.set_filter(filter))).map_err(to_js)
    }

    /// AF_PACKET only.
    #[napi]
    pub fn set_fanout_program(&self, program: NativeProgram) -> Result<()> {
        let program: FanoutProgram = program.into();
        self.packet()?.call(move |capture| capture.set_fanout_program(&program)).map_err(to_js)
    }

    #[napi]
    pub fn stats(&self, cumulative: bool) -> Result<NativeStats> {
        let stats = any!(self.queue()?, channel => {
            channel.call(move |source| if cumulative { source.cumulative_stats() } else { source.stats() })
        });
        stats.map(Into::into).map_err(to_js)
    }

    /// Ends the thread and frees everything. Closing twice is harmless.
    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.link = None;
        self.callback = None;
        match self.queue.take() {
            Some(queue) => any!(queue, channel => channel.close()).map_err(to_js),
            None => Ok(()),
        }
    }
}
