//! The class behind a Bridge with a hook: one direction, whose batches JavaScript sees before they are sent on.

use std::time::Instant;

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::bridge::packet::check_alike;
use netring::bridge::xdp::{XdpSideOptions, open_side};
use netring::bridge::{
    DirectionStats, Forwarder, FrameTx, PacketPort, Replacements, SideOptions, Step, Verdict, WaitSet, check_two,
};
use netring::source::Source;

use crate::array::JsArray;
use crate::bridge::{NAME, NativeDirectionStats, NativeSideOptions, NativeXdpSideOptions, texts};
use crate::error::{closed, to_js};
use crate::events::{SourceEvents, Waker};
use crate::options::milliseconds;
use crate::shared::{Shared, share};
use crate::source::SourceHandle;

/// What push() says; src/bridge/hooked.ts has the same numbers.
const NOTHING_LEFT: u32 = 0;
const MORE: u32 = 1;
const NO_ROOM: u32 = 2;

/// One direction over whatever backend.
struct Hooked<S: Source, O> {
    // Dropped in this order: nobody is called about a source that is gone.
    events: SourceEvents,
    forwarder: Shared<Forwarder<S::Batch>>,
    /// None once sending has ended.
    to: Option<Shared<O>>,
    from: SourceHandle<S>,
}

/// What [`NativeForwarder`] needs of a [`Hooked`].
trait Direction {
    fn head<'env>(&self, env: &'env Env) -> Result<Unknown<'env>>;
    fn next(&self, set: u32) -> Result<i32>;
    fn poll_or_wait(&mut self, waker: &Waker<'_>) -> Result<bool>;
    fn events(&mut self) -> &mut SourceEvents;
    fn bytes<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>>;
    fn columns<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>>;
    fn fill(&self, id: u32, set: u32) -> Result<()>;
    fn parse<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>>;
    fn copy(&self, id: u32, data: &JsArray<u8>, columns: &JsArray<u8>) -> Result<()>;
    fn release(&self, id: u32) -> Result<()>;
    fn decide(&self, id: u32, verdicts: &[Verdict], replacements: Replacements) -> Result<()>;
    fn push(&self) -> Result<u32>;
    fn add_to(&self, idle: &mut WaitSet) -> Result<()>;
    fn is_unsettled(&self) -> bool;
    fn stats(&self) -> Result<DirectionStats>;
    fn take_rejections(&self) -> Vec<netring::Error>;
    fn end_sending(&mut self);
    fn close(&mut self) -> Result<()>;
}

impl<S: Source, O> Hooked<S, O> {
    fn to(&self) -> Result<&Shared<O>> {
        self.to.as_ref().ok_or_else(|| closed(NAME))
    }
}

impl<S: Source + 'static, O: FrameTx + 'static> Direction for Hooked<S, O> {
    fn head<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.from.head(env)
    }

    fn next(&self, set: u32) -> Result<i32> {
        let id = self.from.next(set)?;
        if id >= 0 {
            let noted = self
                .from
                .inspect(id as u32, |source, batch| self.forwarder.borrow_mut().note(source, batch).map_err(to_js))?;
            if let Err(error) = noted {
                self.from.release(id as u32)?;
                return Err(error);
            }
        }
        Ok(id)
    }

    fn poll_or_wait(&mut self, waker: &Waker<'_>) -> Result<bool> {
        self.events.poll_or_wait(&self.from, waker)
    }

    fn events(&mut self) -> &mut SourceEvents {
        &mut self.events
    }

    fn bytes<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.from.bytes(env, id)
    }

    fn columns<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.from.columns(env, id)
    }

    fn fill(&self, id: u32, set: u32) -> Result<()> {
        self.from.fill(id, set)
    }

    fn parse<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.from.parse(env, id)
    }

    fn copy(&self, id: u32, data: &JsArray<u8>, columns: &JsArray<u8>) -> Result<()> {
        self.from.copy(id, data, columns)
    }

    fn release(&self, id: u32) -> Result<()> {
        self.from.release(id)
    }

    fn decide(&self, id: u32, verdicts: &[Verdict], replacements: Replacements) -> Result<()> {
        let (batch, memory) = self.from.take(id)?;
        self.forwarder.borrow_mut().decide(batch, memory, verdicts, replacements);
        Ok(())
    }

    fn push(&self) -> Result<u32> {
        let to = self.to()?;
        self.from.with(|source| {
            let mut forwarder = self.forwarder.borrow_mut();
            Ok(match forwarder.push(source, &mut *to.borrow_mut())? {
                Step::Idle => NOTHING_LEFT,
                Step::Moved if forwarder.is_loaded() => MORE,
                Step::Moved => NOTHING_LEFT,
                Step::Waits(_) => NO_ROOM,
            })
        })
    }

    fn add_to(&self, idle: &mut WaitSet) -> Result<()> {
        let to = self.to()?;
        self.from.with(|source| {
            idle.add(&self.forwarder.borrow(), source, &*to.borrow());
            Ok(())
        })
    }

    fn is_unsettled(&self) -> bool {
        self.forwarder.borrow().is_unsettled()
    }

    fn stats(&self) -> Result<DirectionStats> {
        let kernel = self.from.with(Source::cumulative_stats)?;
        Ok(DirectionStats { kernel_drops: kernel.drops, ..self.forwarder.borrow().stats() })
    }

    fn take_rejections(&self) -> Vec<netring::Error> {
        self.forwarder.borrow_mut().take_rejections()
    }

    fn end_sending(&mut self) {
        self.to = None;
    }

    fn close(&mut self) -> Result<()> {
        self.events = SourceEvents::default();
        // Closed already: there is nothing to give back to.
        let _ = self.from.with(|source| {
            self.forwarder.borrow_mut().abandon(source);
            Ok(())
        });
        self.from.close()
    }
}

#[napi]
pub struct NativeForwarder(Box<dyn Direction>);

impl NativeForwarder {
    fn of<S: Source + 'static, O: FrameTx + 'static>(from: Shared<S>, to: Shared<O>) -> Self {
        let (events, forwarder) = (SourceEvents::default(), share(Forwarder::default()));
        Self(Box::new(Hooked { events, forwarder, to: Some(to), from: SourceHandle::new(NAME, from) }))
    }
}

/// Both directions between two interfaces, a to b first.
#[napi]
pub fn native_open_forwarders(
    a: String,
    b: String,
    a_options: NativeSideOptions,
    b_options: NativeSideOptions,
) -> Result<Vec<NativeForwarder>> {
    let (a_options, b_options) = (SideOptions::from(a_options), SideOptions::from(b_options));
    check_two(&a, a_options.capture.namespace.as_deref(), &b, b_options.capture.namespace.as_deref()).map_err(to_js)?;
    let a = PacketPort::open(&a, a_options).map_err(to_js)?;
    let b = PacketPort::open(&b, b_options).map_err(to_js)?;
    check_alike(&a.tx, &b.tx).map_err(to_js)?;
    Ok(vec![NativeForwarder::of(share(a.capture), share(b.tx)), NativeForwarder::of(share(b.capture), share(a.tx))])
}

/// The same over AF_XDP: a socket receives for one direction and sends for the other.
#[napi]
pub fn native_open_xdp_forwarders(
    a: String,
    b: String,
    a_options: NativeXdpSideOptions,
    b_options: NativeXdpSideOptions,
) -> Result<Vec<NativeForwarder>> {
    let (a_options, b_options) = (XdpSideOptions::from(a_options), XdpSideOptions::from(b_options));
    check_two(&a, a_options.xdp.namespace.as_deref(), &b, b_options.xdp.namespace.as_deref()).map_err(to_js)?;
    let a = share(open_side(&a, &a_options).map_err(to_js)?);
    let b = share(open_side(&b, &b_options).map_err(to_js)?);
    Ok(vec![NativeForwarder::of(a.clone(), b.clone()), NativeForwarder::of(b, a)])
}

#[napi]
impl NativeForwarder {
    /// Where the head of the batch is that next() has handed out last.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn head<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.0.head(env)
    }

    /// The id of the next batch, with the columns of `set` filled on the way; -1 where there is none. decide()
    /// takes it back; there is one at a time.
    #[napi]
    pub fn next(&self, set: u32) -> Result<i32> {
        self.0.next(set)
    }

    /// True when next() would give a batch; otherwise the waker is called once something changes.
    #[napi]
    pub fn poll_or_wait(&mut self, waker: Function<'_, u32, ()>) -> Result<bool> {
        self.0.poll_or_wait(&waker)
    }

    #[napi]
    pub fn stop_waiting(&mut self) {
        self.0.events().stop_waiting();
    }

    /// Whether a wait keeps the process alive.
    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.0.events().keep_alive(env, keep)
    }

    /// The batch's packets, headers between them; `offset` columns count from its first byte.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn bytes<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.0.bytes(env, id)
    }

    /// Memory of the columns, those filled that next() or fill() was asked for.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn columns<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.0.columns(env, id)
    }

    /// Fills more columns of a batch whose columns() has been asked for.
    #[napi]
    pub fn fill(&self, id: u32, set: u32) -> Result<()> {
        self.0.fill(id, set)
    }

    /// Parsed columns of a batch, whose columns offset, capturedLength and originalLength have been filled.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn parse<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.0.parse(env, id)
    }

    /// Copies all packets end to end into `data` and their columns into `columns`.
    #[napi]
    pub fn copy(
        &self,
        id: u32,
        #[napi(ts_arg_type = "Uint8Array")] data: JsArray<u8>,
        #[napi(ts_arg_type = "Uint8Array")] columns: JsArray<u8>,
    ) -> Result<()> {
        self.0.copy(id, &data, &columns)
    }

    /// Gives a batch back undecided.
    #[napi]
    pub fn release(&self, id: u32) -> Result<()> {
        self.0.release(id)
    }

    /// What becomes of the packets of a batch: 0 forward, 1 drop, 2 the next of `replacements`; what has no verdict is
    /// dropped. Its views are empty from now on, and push() sends it.
    #[napi]
    pub fn decide(
        &self,
        id: u32,
        #[napi(ts_arg_type = "Uint8Array")] verdicts: JsArray<u8>,
        #[napi(ts_arg_type = "Uint8Array[]")] replacements: Array<'_>,
    ) -> Result<()> {
        let verdicts: Vec<_> = verdicts
            .copy(usize::MAX)
            .into_iter()
            .map(|verdict| match verdict {
                0 => Verdict::Forward,
                2 => Verdict::Replace,
                _ => Verdict::Drop,
            })
            .collect();
        let mut frames = Replacements::default();
        for index in 0..replacements.len() {
            if let Some(frame) = replacements.get::<JsArray<u8>>(index)? {
                frames.add(frame.bytes());
            }
        }
        self.0.decide(id, &verdicts, frames)
    }

    /// Sends on what was decided: 0 nothing is left, 1 there is more, 2 the other side has no room.
    #[napi]
    pub fn push(&self) -> Result<u32> {
        self.0.push()
    }

    /// Waits on this thread, at most so long, until this direction or another has something to do.
    #[napi]
    pub fn wait_with(&self, other: &NativeForwarder, timeout_ms: f64) -> Result<()> {
        let mut idle = WaitSet::default();
        idle.not_after(Instant::now() + milliseconds(timeout_ms));
        self.0.add_to(&mut idle)?;
        other.0.add_to(&mut idle)?;
        idle.wait(None).map_err(to_js)
    }

    /// Whether push() has to be called again in a millisecond, whatever comes.
    #[napi]
    pub fn is_unsettled(&self) -> bool {
        self.0.is_unsettled()
    }

    #[napi]
    pub fn stats(&self) -> Result<NativeDirectionStats> {
        self.0.stats().map(Into::into)
    }

    /// Errors of frames that were refused since the last call, as texts for src/errors.ts.
    #[napi]
    pub fn take_rejections(&self) -> Vec<String> {
        texts(self.0.take_rejections())
    }

    /// Before close(), of every direction: what sends here may be what receives there.
    #[napi]
    pub fn end_sending(&mut self) {
        self.0.end_sending();
    }

    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.0.close()
    }
}
