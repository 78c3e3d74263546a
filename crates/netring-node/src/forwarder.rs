//! A bridge's direction with a hook: JavaScript sees its batches, through a NativeSource, before they are forwarded.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Instant;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::bridge::packet::check_alike;
use netring::bridge::xdp::{XdpSideOptions, open_side};
use netring::bridge::{
    DirectionStats, Forwarder, FrameTx, PacketPort, Replacements, SideOptions, Step, Verdict, WaitSet, check_two,
};
use netring::filter::Place;
use netring::ring::Memory;
use netring::source::{Counters, LiveSource};

use crate::array::JsArray;
use crate::bridge::{NAME, NativeBridgeFilters, NativeDirectionStats, NativeSideOptions, NativeXdpSideOptions};
use crate::erased::{HeldBatches, Shared, share};
use crate::error::{closed, released, texts, to_js};
use crate::filter::{NativeExpression, NativeFilter};
use crate::options::milliseconds;
use crate::source::NativeSource;
use crate::views::Views;

/// Results of push().
pub(crate) const PUSH_STATES: [(&str, u32); 3] = [("nothingLeft", NOTHING_LEFT), ("more", MORE), ("noRoom", NO_ROOM)];
const NOTHING_LEFT: u32 = 0;
const MORE: u32 = 1;
const NO_ROOM: u32 = 2;

/// A verdict of decide() for a packet.
pub(crate) const VERDICTS: [(&str, u32); 3] = [("forward", FORWARD), ("drop", DROP), ("replace", REPLACE)];
const FORWARD: u32 = 0;
const DROP: u32 = 1;
const REPLACE: u32 = 2;

fn verdict(number: u8) -> Verdict {
    match u32::from(number) {
        FORWARD => Verdict::Forward,
        REPLACE => Verdict::Replace,
        _ => Verdict::Drop,
    }
}

/// One direction over one backend.
struct Direction<S: LiveSource, O> {
    forwarder: Shared<Forwarder<S::Batch>>,
    from: Shared<HeldBatches<S>>,
    /// None once sending has ended.
    to: Option<Shared<O>>,
}

/// The methods of a [`Direction`] that [`NativeForwarder`] uses.
trait Forward {
    /// `memory`: the batch's bytes; `kept`: a copy of them, the batch itself being quarantined.
    fn decide(&self, id: u32, memory: Memory, kept: bool, verdicts: &[Verdict], replacements: Replacements);
    fn push(&self) -> Result<u32>;
    fn add_to(&self, waits: &mut WaitSet) -> Result<()>;
    fn is_unsettled(&self) -> bool;
    fn stats(&self) -> Result<DirectionStats>;
    fn take_rejections(&self) -> Vec<netring::Error>;
    fn end_sending(&mut self);
    fn abandon(&self);
}

impl<S: LiveSource, O> Direction<S, O> {
    fn to(&self) -> Result<&Shared<O>> {
        self.to.as_ref().ok_or_else(|| closed(NAME))
    }
}

impl<S: LiveSource + 'static, O: FrameTx + 'static> Forward for Direction<S, O> {
    fn decide(&self, id: u32, memory: Memory, kept: bool, verdicts: &[Verdict], replacements: Replacements) {
        let batch = if kept { None } else { self.from.borrow_mut().take(id) };
        self.forwarder.borrow_mut().decide(batch, memory, verdicts, replacements);
    }

    fn push(&self) -> Result<u32> {
        let to = self.to()?;
        let push = |source: &mut S| {
            let mut forwarder = self.forwarder.borrow_mut();
            Ok(match forwarder.push(source, &mut *to.borrow_mut())? {
                Step::Idle => NOTHING_LEFT,
                Step::Moved if forwarder.is_loaded() => MORE,
                Step::Moved => NOTHING_LEFT,
                Step::Waits(_) => NO_ROOM,
            })
        };
        self.from.borrow().with(push).map_err(to_js)
    }

    fn add_to(&self, waits: &mut WaitSet) -> Result<()> {
        let to = self.to()?;
        let add = |source: &mut S| {
            waits.add(&self.forwarder.borrow(), source, &*to.borrow());
            Ok(())
        };
        self.from.borrow().with(add).map_err(to_js)
    }

    fn is_unsettled(&self) -> bool {
        self.forwarder.borrow().is_unsettled()
    }

    fn stats(&self) -> Result<DirectionStats> {
        let kernel = self.from.borrow().with(Counters::cumulative_stats).map_err(to_js)?;
        Ok(DirectionStats { kernel_drops: kernel.drops, ..self.forwarder.borrow().stats() })
    }

    fn take_rejections(&self) -> Vec<netring::Error> {
        self.forwarder.borrow_mut().take_rejections()
    }

    fn end_sending(&mut self) {
        self.to = None;
    }

    fn abandon(&self) {
        // The source is closed already.
        let _ = self.from.borrow().with(|source| {
            self.forwarder.borrow_mut().abandon(source);
            Ok(())
        });
    }
}

/// One direction of a bridge with a hook.
#[napi]
pub struct NativeForwarder {
    direction: Box<dyn Forward>,
    views: Weak<RefCell<Views>>,
    /// `Some` until source() takes it.
    source: Option<NativeSource>,
    /// `Some` until filter() takes it.
    filter: Option<NativeFilter>,
}

impl NativeForwarder {
    fn of<S: LiveSource + 'static, O: FrameTx + 'static>(
        from: Shared<S>,
        to: Shared<O>,
        filter: Option<NativeExpression>,
    ) -> Result<Self> {
        let place = Place::Memory(from.borrow().link_type());
        let filter = filter.map(|expression| NativeFilter::of(expression, place)).transpose()?;
        let forwarder = share(Forwarder::default());
        let noting = Rc::clone(&forwarder);
        // Records the offset of each packet before JavaScript can write into headers.
        let inspect = Box::new(move |source: &S, batch: &S::Batch| noting.borrow_mut().note(source, batch));
        let held = share(HeldBatches::new(NAME, from, Some(inspect)));
        let source = NativeSource::live(NAME, Rc::clone(&held));
        let views = Rc::downgrade(source.views()?);
        let direction = Box::new(Direction { forwarder, from: held, to: Some(to) });
        Ok(Self { direction, views, source: Some(source), filter })
    }
}

/// Both directions between two interfaces, a to b first.
#[napi]
pub fn native_open_forwarders(
    a: String,
    b: String,
    a_options: NativeSideOptions,
    b_options: NativeSideOptions,
    filters: NativeBridgeFilters,
) -> Result<Vec<NativeForwarder>> {
    let (a_options, b_options) = (SideOptions::from(a_options), SideOptions::from(b_options));
    check_two(&a, a_options.capture.namespace.as_deref(), &b, b_options.capture.namespace.as_deref()).map_err(to_js)?;
    let a = PacketPort::open(&a, a_options).map_err(to_js)?;
    let b = PacketPort::open(&b, b_options).map_err(to_js)?;
    check_alike(&a.tx, &b.tx).map_err(to_js)?;
    Ok(vec![
        NativeForwarder::of(share(a.capture), share(b.tx), filters.a_to_b)?,
        NativeForwarder::of(share(b.capture), share(a.tx), filters.b_to_a)?,
    ])
}

/// The same over AF_XDP: a socket receives for one direction and sends for the other.
#[napi]
pub fn native_open_xdp_forwarders(
    a: String,
    b: String,
    a_options: NativeXdpSideOptions,
    b_options: NativeXdpSideOptions,
    filters: NativeBridgeFilters,
) -> Result<Vec<NativeForwarder>> {
    let (a_options, b_options) = (XdpSideOptions::from(a_options), XdpSideOptions::from(b_options));
    check_two(&a, a_options.xdp.namespace.as_deref(), &b, b_options.xdp.namespace.as_deref()).map_err(to_js)?;
    let a = share(open_side(&a, &a_options).map_err(to_js)?);
    let b = share(open_side(&b, &b_options).map_err(to_js)?);
    Ok(vec![NativeForwarder::of(a.clone(), b.clone(), filters.a_to_b)?, NativeForwarder::of(b, a, filters.b_to_a)?])
}

#[napi]
impl NativeForwarder {
    /// The batches of this direction, one at a time: decide() takes each back. Callable once.
    #[napi]
    pub fn source(&mut self) -> Result<NativeSource> {
        self.source.take().ok_or_else(|| closed(NAME))
    }

    /// The filter that packets have to match before JavaScript decides about them, if there is one. Once.
    #[napi]
    pub fn filter(&mut self) -> Option<NativeFilter> {
        self.filter.take()
    }

    /// Decides about a batch: a verdict per packet, and a frame of `replacements` for each 'replace'; packets without a
    /// verdict are dropped. The batch's views are empty from now on, and push() sends it.
    #[napi]
    pub fn decide(
        &self,
        id: u32,
        #[napi(ts_arg_type = "Uint8Array")] verdicts: JsArray<u8>,
        #[napi(ts_arg_type = "Uint8Array[]")] replacements: Array<'_>,
    ) -> Result<()> {
        let verdicts: Vec<_> = verdicts.copy(usize::MAX).into_iter().map(verdict).collect();
        let mut frames = Replacements::default();
        for index in 0..replacements.len() {
            if let Some(frame) = replacements.get::<JsArray<u8>>(index)? {
                frames.add(frame.bytes());
            }
        }
        let views = self.views.upgrade().ok_or_else(|| closed(NAME))?;
        let mut views = views.borrow_mut();
        let memory = views.batch_bytes(id).ok_or_else(|| released("batch"))?;
        if views.detach(id)? {
            self.direction.decide(id, memory, false, &verdicts, frames);
        } else {
            // JavaScript may still write into the batch, so a copy is sent.
            let copy = Memory::zeroed(memory.len());
            memory.copy_to(0, memory.len(), &copy, 0);
            self.direction.decide(id, copy, true, &verdicts, frames);
        }
        Ok(())
    }

    /// Forwards the decided packets; nativeConstants() has the results.
    #[napi]
    pub fn push(&self) -> Result<u32> {
        self.direction.push()
    }

    /// Blocks this thread, at most so long, until this direction or another has something to do.
    #[napi]
    pub fn wait_with(&self, other: &NativeForwarder, timeout_ms: f64) -> Result<()> {
        let mut waits = WaitSet::default();
        waits.not_after(Instant::now() + milliseconds(timeout_ms));
        self.direction.add_to(&mut waits)?;
        other.direction.add_to(&mut waits)?;
        waits.wait(None).map_err(to_js)
    }

    /// Whether push() has to be called again in a millisecond, without an event.
    #[napi]
    pub fn is_unsettled(&self) -> bool {
        self.direction.is_unsettled()
    }

    #[napi]
    pub fn stats(&self) -> Result<NativeDirectionStats> {
        self.direction.stats().map(Into::into)
    }

    /// Errors of frames that were refused since the last call, as texts for src/errors/native.ts.
    #[napi]
    pub fn take_rejections(&self) -> Vec<String> {
        texts(self.direction.take_rejections())
    }

    /// Takes back unsent packets and ends sending. Call it before close() of both directions' sources: one socket may
    /// send here and receive there.
    #[napi]
    pub fn end_sending(&mut self) {
        self.direction.abandon();
        self.direction.end_sending();
    }
}
