//! The class behind ChannelCapture.

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::capture::Capture;
use netring::channel::{Channel, ChannelOptions, WhenFull};
use netring::readiness::Wait;
use netring::ring::columns::BYTES_PER_PACKET;
use netring::ring::{Columns, Memory};
use netring::source::Source;
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::callback::{JsCallback, Message};
use crate::capture::{NativeRing, NativeStats};
use crate::error::{closed, to_js};
use crate::events::Waker;
use crate::options::{NativeCaptureOptions, NativeProgram};
use crate::view::View;

/// What errors call it.
const NAME: &str = "channel";

#[napi(object)]
pub struct NativeChannelOptions {
    pub capture: NativeCaptureOptions,
    pub capacity: u32,
    pub capacity_bytes: f64,
    #[napi(ts_type = "'block' | 'dropOldest' | 'dropNewest'")]
    pub when_full: String,
}

impl From<&NativeChannelOptions> for ChannelOptions {
    fn from(from: &NativeChannelOptions) -> Self {
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

#[napi]
pub struct NativeChannel {
    // Dropped in this order: nobody is called about a channel that is gone.
    link: Option<Wait>,
    signal: Option<JsCallback>,
    channel: Option<Channel<Capture>>,
}

#[napi]
impl NativeChannel {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeChannelOptions) -> Result<Self> {
        let limits = ChannelOptions::from(&options);
        let capture = Capture::open(&interface, options.capture.into()).map_err(to_js)?;
        let channel = Channel::spawn(capture, limits).map_err(to_js)?;
        Ok(Self { link: None, signal: None, channel: Some(channel) })
    }

    fn channel(&self) -> Result<&Channel<Capture>> {
        self.channel.as_ref().ok_or_else(|| closed(NAME))
    }

    fn channel_mut(&mut self) -> Result<&mut Channel<Capture>> {
        self.channel.as_mut().ok_or_else(|| closed(NAME))
    }

    #[napi]
    pub fn ring(&self) -> Result<NativeRing> {
        self.channel()?.call(|capture| Ok(NativeRing::of(capture))).map_err(to_js)
    }

    /// The counter that says which packets of those fetched last were passed on.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn position<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        View::create(env, self.channel()?.position().clone(), || ()).map(|(_, value)| value)
    }

    /// Takes packets out of the queue, for copy(). The first `passedOn` of them are passed on at once.
    #[napi]
    pub fn fetch(&mut self, passed_on: u32) -> Result<NativeFetched> {
        let size = self.channel_mut()?.fetch(passed_on).map_err(to_js)?;
        Ok(NativeFetched { packets: size.packets, bytes: size.bytes })
    }

    /// Copies what was fetched last: all packets end to end into `data` and their columns into `columns`.
    #[napi]
    pub fn copy(
        &mut self,
        #[napi(ts_arg_type = "Uint8Array")] data: JsArray<u8>,
        #[napi(ts_arg_type = "Uint8Array")] columns: JsArray<u8>,
    ) -> Result<()> {
        let channel = self.channel_mut()?;
        let capacity = (columns.bytes().len() / BYTES_PER_PACKET) as u32;
        let mut copy = |data: &Memory, columns: &Memory| {
            Columns::in_memory(columns.clone(), capacity).is_some_and(|columns| channel.copy(&columns, data))
        };
        if data.with_memory(|data| columns.with_memory(|columns| copy(data, columns))) {
            return Ok(());
        }
        Err(to_js(CoreError::new(ErrorKind::Io, "the copy's target is too small")))
    }

    fn set_waker(&mut self, waker: &Waker<'_>) -> Result<()> {
        if self.signal.is_none() {
            let wake = JsCallback::in_place(&mut self.signal, waker)?.sender();
            self.channel()?.set_waker(move || wake(Message::Wake));
        }
        Ok(())
    }

    /// True when fetch() would give something or fail; otherwise the waker is called once it would.
    #[napi]
    pub fn poll_or_wait(&mut self, waker: Function<'_, u32, ()>) -> Result<bool> {
        self.set_waker(&waker)?;
        self.channel()?.wait().map_err(to_js)
    }

    #[napi]
    pub fn stop_waiting(&self) {
        if let Some(channel) = &self.channel {
            channel.stop_waiting();
        }
    }

    /// Whether a wait keeps the process alive.
    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.signal.as_mut().map_or(Ok(()), |signal| signal.keep_alive(env, keep))
    }

    /// From now on the waker is called with every change of the link.
    #[napi]
    pub fn watch_link(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        if self.link.is_none() {
            self.set_waker(&waker)?;
            let tell = JsCallback::in_place(&mut self.signal, &waker)?.sender();
            let watch = move |capture: &mut Capture| capture.watch_link(move |event| tell(event.into()));
            self.link = Some(self.channel()?.call(watch).map_err(to_js)?);
        }
        Ok(())
    }

    /// After watching has failed: the next watch_link() tries again.
    #[napi]
    pub fn unwatch_link(&mut self) {
        self.link = None;
    }

    /// Nothing more is let in, and what is in the ring is queued. The waker is called when that is done.
    #[napi]
    pub fn stop(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        self.set_waker(&waker)?;
        self.channel()?.stop();
        Ok(())
    }

    #[napi]
    pub fn stopped(&self) -> Result<bool> {
        Ok(self.channel()?.stopped())
    }

    #[napi]
    pub fn queued(&self) -> Result<f64> {
        Ok(self.channel()?.queued() as f64)
    }

    #[napi]
    pub fn overflowed(&self) -> Result<f64> {
        Ok(self.channel()?.overflowed() as f64)
    }

    #[napi]
    pub fn set_filter(&self, filter: Option<NativeProgram>) -> Result<()> {
        let filter = filter.map(Into::into);
        self.channel()?.call_and_clear(|capture| capture.set_filter(filter)).map_err(to_js)
    }

    #[napi]
    pub fn set_fanout_program(&self, program: NativeProgram) -> Result<()> {
        let program = program.into();
        self.channel()?.call(move |capture| capture.set_fanout_program(&program)).map_err(to_js)
    }

    #[napi]
    pub fn stats(&self, cumulative: bool) -> Result<NativeStats> {
        let stats = move |capture: &mut Capture| if cumulative { capture.cumulative_stats() } else { capture.stats() };
        self.channel()?.call(stats).map(Into::into).map_err(to_js)
    }

    /// Ends the thread and frees everything. Closing twice is harmless.
    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.link = None;
        self.signal = None;
        self.channel.take().map_or(Ok(()), |channel| channel.close().map_err(to_js))
    }
}
