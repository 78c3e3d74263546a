//! The class behind every source of batches.

use std::rc::Rc;

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::source::{Counters, LiveSource, Source};
use netring::stats::CaptureStats;
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::erased::{Batches, HeldBatches, Live, Shared, share};
use crate::error::{closed, to_js};
use crate::events::SourceEvents;
use crate::options::milliseconds;
use crate::views::Views;

#[napi(object)]
pub struct NativeStats {
    pub packets: f64,
    pub drops: f64,
    pub freeze_count: f64,
}

impl From<CaptureStats> for NativeStats {
    fn from(from: CaptureStats) -> Self {
        Self { packets: from.packets as f64, drops: from.drops as f64, freeze_count: from.freezes as f64 }
    }
}

/// A source of batches, until it is closed.
#[napi]
pub struct NativeSource {
    name: &'static str,
    // Dropped in this order: no callback refers to a source that is gone, and views end before their memory does.
    events: SourceEvents,
    views: Option<Shared<Views>>,
    batches: Shared<dyn Batches>,
    /// Set for a source that receives from an interface.
    live: Option<Shared<dyn Live>>,
}

impl NativeSource {
    /// Set for a source that receives from an interface.
    pub(crate) fn live<S: LiveSource + 'static>(name: &'static str, held: Shared<HeldBatches<S>>) -> Self {
        Self { live: Some(Rc::clone(&held) as Shared<dyn Live>), ..Self::of(name, held) }
    }

    /// Wraps any source. `name` is its name in errors.
    pub(crate) fn of<S: Source + Counters + 'static>(name: &'static str, held: Shared<HeldBatches<S>>) -> Self {
        let batches: Shared<dyn Batches> = held;
        let views = share(Views::new(Rc::clone(&batches)));
        Self { name, events: SourceEvents::default(), views: Some(views), batches, live: None }
    }

    /// The views of its batches.
    pub(crate) fn views(&self) -> Result<&Shared<Views>> {
        self.views.as_ref().ok_or_else(|| closed(self.name))
    }

    fn link(&self) -> Result<&Shared<dyn Live>> {
        self.live.as_ref().ok_or_else(|| {
            let message = format!("a {} has no link that could be watched", self.name);
            to_js(CoreError::new(ErrorKind::Unsupported, message))
        })
    }
}

#[napi]
impl NativeSource {
    /// The words that describe the batch that next() handed out last; nativeConstants() has their places.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn header<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.views()?.borrow().header(env)
    }

    /// The LINKTYPE_ number of all packets; 0xffff_ffff where the registry has none.
    #[napi]
    pub fn link_type(&self) -> Result<u32> {
        self.batches.borrow().link_type().map(|link_type| link_type.0).map_err(to_js)
    }

    /// The id of the next batch, with the columns of `set` filled; -1 where there is none.
    #[napi]
    pub fn next(&self, set: u32) -> Result<i32> {
        let mut views = self.views()?.borrow_mut();
        views.sweep();
        views.next(set)
    }

    /// As next(), blocking this thread for it.
    #[napi]
    pub fn next_blocking(&self, set: u32, timeout_ms: f64) -> Result<i32> {
        let mut views = self.views()?.borrow_mut();
        views.sweep();
        if let Some(live) = &self.live
            && !live.borrow_mut().wait_within(milliseconds(timeout_ms)).map_err(to_js)?
        {
            return Ok(-1);
        }
        views.next(set)
    }

    /// True when next() would return a batch; otherwise the waker is called once something changes.
    #[napi]
    pub fn poll_or_wait(&mut self, waker: Function<'_, u32, ()>) -> Result<bool> {
        self.views()?.borrow_mut().sweep();
        match &self.live {
            Some(live) => self.events.poll_or_wait(live, &waker),
            None => Ok(true),
        }
    }

    #[napi]
    pub fn stop_waiting(&mut self) {
        self.events.stop_waiting();
    }

    /// Whether a wait keeps the process alive.
    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.events.keep_alive(env, keep)
    }

    /// Whether it receives from an interface, whose link can be watched.
    #[napi]
    pub fn has_link(&self) -> bool {
        self.live.is_some()
    }

    /// Calls the waker with every link event from now on.
    #[napi]
    pub fn watch_link(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        let live = Rc::clone(self.link()?);
        self.events.watch_link(&live, &waker)
    }

    /// After watching has failed: the next watchLink() tries again.
    #[napi]
    pub fn unwatch_link(&mut self) {
        self.events.unwatch_link();
    }

    /// The batch's packets, headers between them; `offset` columns count from its first byte.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn bytes<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        let views = self.views()?;
        views.borrow_mut().bytes(env, id, Rc::downgrade(views))
    }

    /// Memory of the columns, those filled that next() or fill() was asked for.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn columns<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.views()?.borrow_mut().columns(env, id)
    }

    /// Fills more columns of a batch whose columns() has been asked for.
    #[napi]
    pub fn fill(&self, id: u32, set: u32) -> Result<()> {
        self.views()?.borrow_mut().fill(id, set)
    }

    /// Parsed columns of a batch, whose columns offset, capturedLength and originalLength have been filled.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn parse<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.views()?.borrow_mut().parse(env, id)
    }

    /// Copies all packets end to end into `data` and their columns into `columns`.
    #[napi]
    pub fn copy(
        &self,
        id: u32,
        #[napi(ts_arg_type = "Uint8Array")] data: JsArray<u8>,
        #[napi(ts_arg_type = "Uint8Array")] columns: JsArray<u8>,
    ) -> Result<()> {
        self.views()?.borrow_mut().copy(id, &data, &columns)
    }

    #[napi]
    pub fn release(&self, id: u32) -> Result<()> {
        self.views()?.borrow_mut().release(id)
    }

    #[napi]
    pub fn stats(&self, cumulative: bool) -> Result<NativeStats> {
        self.batches.borrow_mut().stats(cumulative).map(Into::into).map_err(to_js)
    }

    /// Ends every view, then the source. Closing twice is harmless.
    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.events = SourceEvents::default();
        self.views.take().map_or(Ok(()), |views| Views::close(views).map_err(to_js))
    }
}
