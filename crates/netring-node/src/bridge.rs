//! The class behind a Bridge without a hook: a native thread.

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::bridge::runner::RunnerEvent;
use netring::bridge::xdp::XdpSideOptions;
use netring::bridge::{Bridge, DirectionStats, PacketPort, Port, Runner, SideOptions};
use netring::filter::Filter;

use crate::callback::{JsCallback, Message};
use crate::error::{closed, texts, to_js};
use crate::filter::NativeExpression;
use crate::options::{NativeCaptureOptions, NativeInjectorOptions, milliseconds};
use crate::xdp::NativeXdpOptions;

/// Its name in errors.
pub(crate) const NAME: &str = "bridge";

#[napi(object)]
pub struct NativeSideOptions {
    pub capture: NativeCaptureOptions,
    pub injector: NativeInjectorOptions,
}

impl From<NativeSideOptions> for SideOptions {
    fn from(from: NativeSideOptions) -> Self {
        Self { capture: from.capture.into(), injector: from.injector.into() }
    }
}

#[napi(object)]
pub struct NativeXdpSideOptions {
    pub xdp: NativeXdpOptions,
    pub promiscuous: bool,
}

impl From<NativeXdpSideOptions> for XdpSideOptions {
    fn from(from: NativeXdpSideOptions) -> Self {
        Self { xdp: from.xdp.into(), promiscuous: from.promiscuous }
    }
}

#[napi(object)]
pub struct NativeDirectionStats {
    pub received: f64,
    pub forwarded: f64,
    pub dropped: f64,
    pub too_large: f64,
    pub ring_full: f64,
    pub rejected: f64,
    pub pending: f64,
    pub pushed_back: f64,
    pub kernel_drops: f64,
}

impl From<DirectionStats> for NativeDirectionStats {
    fn from(from: DirectionStats) -> Self {
        Self {
            received: from.received as f64,
            forwarded: from.forwarded as f64,
            dropped: from.dropped as f64,
            too_large: from.too_large as f64,
            ring_full: from.ring_full as f64,
            rejected: from.rejected as f64,
            pending: from.pending as f64,
            pushed_back: from.pushed_back as f64,
            kernel_drops: from.kernel_drops as f64,
        }
    }
}

/// The filter of each direction. Absent: no filter.
#[napi(object)]
pub struct NativeBridgeFilters {
    pub a_to_b: Option<NativeExpression>,
    pub b_to_a: Option<NativeExpression>,
}

/// A bridge over any backend.
trait Forwarding {
    fn start(&mut self, notify: Box<dyn Fn(RunnerEvent) + Send>) -> netring::Result<()>;
    fn stop(&self);
    fn join(&mut self) -> netring::Result<()>;
    fn round(&self, timeout_ms: f64) -> netring::Result<bool>;
    fn stats(&self) -> netring::Result<[DirectionStats; 2]>;
    fn take_rejections(&self) -> [Vec<netring::Error>; 2];
    fn close(self: Box<Self>) -> netring::Result<()>;
}

impl<P: Port + Send + 'static> Forwarding for Runner<P>
where
    Bridge<P>: Send,
{
    fn start(&mut self, notify: Box<dyn Fn(RunnerEvent) + Send>) -> netring::Result<()> {
        Self::start(self, notify)
    }

    fn stop(&self) {
        Self::stop(self);
    }

    fn join(&mut self) -> netring::Result<()> {
        Self::join(self)
    }

    fn round(&self, timeout_ms: f64) -> netring::Result<bool> {
        self.with(|bridge| bridge.round(milliseconds(timeout_ms)))
    }

    fn stats(&self) -> netring::Result<[DirectionStats; 2]> {
        self.with(Bridge::stats)
    }

    fn take_rejections(&self) -> [Vec<netring::Error>; 2] {
        self.with(Bridge::take_rejections)
    }

    fn close(self: Box<Self>) -> netring::Result<()> {
        Self::close(*self)
    }
}

#[napi]
pub struct NativeBridge {
    // Dropped in this order: the thread ends before its callback.
    bridge: Option<Box<dyn Forwarding>>,
    signal: Option<JsCallback>,
}

#[napi]
impl NativeBridge {
    /// The bridge drops and counts the frames that `filters` refuse.
    #[napi(factory)]
    pub fn open(
        a: String,
        b: String,
        a_options: NativeSideOptions,
        b_options: NativeSideOptions,
        filters: NativeBridgeFilters,
    ) -> Result<Self> {
        let bridge = Bridge::<PacketPort>::open(&a, &b, a_options.into(), b_options.into()).map_err(to_js)?;
        Self::running(bridge, filters)
    }

    #[napi(factory)]
    pub fn open_xdp(
        a: String,
        b: String,
        a_options: NativeXdpSideOptions,
        b_options: NativeXdpSideOptions,
        filters: NativeBridgeFilters,
    ) -> Result<Self> {
        Self::running(Bridge::open_xdp(&a, &b, &a_options.into(), &b_options.into()).map_err(to_js)?, filters)
    }

    fn running<P: Port + Send + 'static>(mut bridge: Bridge<P>, filters: NativeBridgeFilters) -> Result<Self>
    where
        Bridge<P>: Send,
    {
        let filters = [filters.a_to_b, filters.b_to_a].map(|filter| filter.map(|one| Filter::Expression(one.into())));
        bridge.set_filters([filters[0].as_ref(), filters[1].as_ref()]).map_err(to_js)?;
        Ok(Self { bridge: Some(Box::new(Runner::new(bridge).map_err(to_js)?)), signal: None })
    }

    fn bridge(&self) -> Result<&dyn Forwarding> {
        self.bridge.as_deref().ok_or_else(|| closed(NAME))
    }

    /// The waker is called when frames were refused, and when the thread has ended.
    #[napi]
    pub fn start(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        let bridge = self.bridge.as_mut().ok_or_else(|| closed(NAME))?;
        let wake = JsCallback::in_place(&mut self.signal, &waker)?.sender();
        let notify = move |event| {
            wake(match event {
                RunnerEvent::Rejections => Message::Wake,
                RunnerEvent::Ended => Message::Ended,
            });
        };
        bridge.start(Box::new(notify)).map_err(to_js)
    }

    /// Ends the thread after its current round; it then calls the waker.
    #[napi]
    pub fn stop(&self) -> Result<()> {
        self.bridge().map(Forwarding::stop)
    }

    /// Waits for the thread to end; throws its error.
    #[napi]
    pub fn join(&mut self) -> Result<()> {
        self.bridge.as_mut().ok_or_else(|| closed(NAME))?.join().map_err(to_js)
    }

    /// Forwards available frames on this thread, waiting at most this long for some; true if there were any.
    #[napi]
    pub fn round(&self, timeout_ms: f64) -> Result<bool> {
        self.bridge()?.round(timeout_ms).map_err(to_js)
    }

    /// a to b first.
    #[napi]
    pub fn stats(&self) -> Result<Vec<NativeDirectionStats>> {
        Ok(self.bridge()?.stats().map_err(to_js)?.map(Into::into).into())
    }

    /// Errors of frames that were refused since the last call, as texts for src/errors/native.ts; a to b first.
    #[napi]
    pub fn take_rejections(&self) -> Result<Vec<Vec<String>>> {
        Ok(self.bridge()?.take_rejections().map(texts).into())
    }

    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.signal.as_mut().map_or(Ok(()), |signal| signal.keep_alive(env, keep))
    }

    #[napi]
    pub fn close(&mut self) -> Result<()> {
        let closed = self.bridge.take().map_or(Ok(()), Forwarding::close);
        self.signal = None;
        closed.map_err(to_js)
    }
}
