//! Batches of a source that JavaScript holds, and what shows their bytes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::*;
use netring::ring::columns::{BYTES_PER_PACKET, CopyFailure};
use netring::ring::{ColumnSet, Columns, Malformed, Memory};
use netring::source::{BatchHeader, PollState, Source};
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::error::{closed, released, to_js};
use crate::parse::{ParsedPool, ParsedView};
use crate::shared::Shared;
use crate::view::{DetachOutcome, Quarantined, View};

/// Column arenas kept for the next batches.
const POOLED_ARENAS: usize = 4;

/// What JavaScript reads of the batch that next() handed out last, 32-bit words in one piece of memory:
/// an object with as many properties costs as much as all the rest of handing a batch out.
/// `src/source/head.ts` has the same places and bits.
struct Head(Memory);

impl Head {
    const LENGTH: usize = 0;
    const FLAGS: usize = 4;
    const SEQUENCE: usize = 8;
    const BYTES: usize = 16;
    const TIMED_OUT: u32 = 1;
    const LOSING: u32 = 2;
    const MORE: u32 = 4;

    fn set(&self, head: BatchHeader) {
        let flags = [(head.timed_out, Self::TIMED_OUT), (head.losing, Self::LOSING), (head.more, Self::MORE)];
        self.0.set_u32(Self::LENGTH, head.length);
        self.0.set_u32(Self::FLAGS, flags.iter().map(|(set, bit)| if *set { *bit } else { 0 }).sum());
        self.0.set_u64(Self::SEQUENCE, head.sequence);
    }
}

/// A batch that JavaScript holds.
struct HeldBatch<B> {
    batch: B,
    bytes: Option<View>,
    columns: Option<Columns>,
    columns_view: Option<View>,
    parsed: Option<ParsedView>,
}

/// Every batch that JavaScript holds, by id.
struct HeldBatches<B>(Vec<Option<HeldBatch<B>>>);

impl<B> HeldBatches<B> {
    fn get(&mut self, id: u32) -> Result<&mut HeldBatch<B>> {
        self.0.get_mut(id as usize).and_then(Option::as_mut).ok_or_else(|| released("batch"))
    }

    fn take(&mut self, id: u32) -> Result<HeldBatch<B>> {
        self.0.get_mut(id as usize).and_then(Option::take).ok_or_else(|| released("batch"))
    }

    fn add(&mut self, held: HeldBatch<B>) -> usize {
        let id = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if id == self.0.len() {
            self.0.push(None);
        }
        self.0[id] = Some(held);
        id
    }
}

impl<B> Drop for HeldBatches<B> {
    /// Closed, collected or the environment ends: views end before the memory does (V1), and what
    /// escaped keeps its mapping through its finalizer (V2).
    fn drop(&mut self) {
        for held in self.0.drain(..).flatten() {
            let parsed = held.parsed.map(ParsedView::into_view);
            for view in [held.columns_view, parsed, held.bytes].into_iter().flatten() {
                // Nobody is left to be told; the mapping's owner is in the finalizer anyway.
                let _ = view.end();
            }
        }
    }
}

/// In the order in which they end: views first.
struct Inner<S: Source> {
    held: HeldBatches<S::Batch>,
    source: Shared<S>,
    /// Batches that were released while bytes of theirs could still be reached.
    quarantined: Vec<(S::Batch, Quarantined)>,
    arenas: Vec<Columns>,
    parsed: ParsedPool,
    head: Head,
}

impl<S: Source> Inner<S> {
    /// Gives back the quarantined batches whose finalizers have run.
    fn sweep(&mut self) {
        // Somebody may be at work on the source where a finalizer runs; the next call sweeps again.
        let Ok(mut source) = self.source.try_borrow_mut() else { return };
        for (batch, _) in self.quarantined.extract_if(.., |(_, quarantined)| quarantined.is_unreachable()) {
            source.release(batch);
        }
    }

    fn next(&mut self, set: u32) -> Result<i32> {
        let Self { source, arenas, .. } = self;
        let mut target = |packets| (set != 0).then(|| (arena(arenas, packets), ColumnSet(set)));
        let Some((batch, columns)) = source.borrow_mut().next(&mut target).map_err(to_js)? else { return Ok(-1) };
        self.head.set(S::head(&batch));
        Ok(self.held.add(HeldBatch { batch, bytes: None, columns, columns_view: None, parsed: None }) as i32)
    }

    /// Makes everything that shows the batch's bytes empty.
    fn end_views(&mut self, held: &mut HeldBatch<S::Batch>) -> Result<DetachOutcome> {
        let unseen = match held.columns_view.take() {
            Some(view) => matches!(view.end()?, DetachOutcome::Now),
            None => true,
        };
        if let Some(columns) = held.columns.take()
            && unseen
            && self.arenas.len() < POOLED_ARENAS
        {
            self.arenas.push(columns);
        }
        if let Some(parsed) = held.parsed.take() {
            self.parsed.end(parsed)?;
        }
        held.bytes.take().map_or(Ok(DetachOutcome::Now), View::end)
    }

    fn release(&mut self, id: u32) -> Result<()> {
        let mut held = self.held.take(id)?;
        match self.end_views(&mut held) {
            Ok(DetachOutcome::Now) => self.source.borrow_mut().release(held.batch),
            Ok(DetachOutcome::Later(quarantined)) => self.quarantined.push((held.batch, quarantined)),
            Err(error) => {
                // Nobody knows what can still be seen of it, so it never goes back to the kernel.
                self.quarantined.push((held.batch, Quarantined::never()));
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Memory for the columns of this many packets.
fn arena(arenas: &mut Vec<Columns>, packets: u32) -> Columns {
    match arenas.iter().position(|arena| arena.capacity() >= packets) {
        Some(at) => arenas.swap_remove(at),
        // Rounded up, so that batches of about the same size share arenas.
        None => {
            arenas.pop();
            Columns::for_packets(packets.max(64).next_power_of_two())
        }
    }
}

/// A view that is replaced by another would not be ended (V1).
fn twice() -> napi::Error {
    to_js(CoreError::new(ErrorKind::Config, "this view has been made already"))
}

fn malformed(error: Malformed) -> napi::Error {
    to_js(CoreError::new(
        ErrorKind::Io,
        format!("packet {} of the block contradicts it ({}): its headers were overwritten", error.index, error.reason),
    ))
}

/// A source whose batches are lent to JavaScript, until it is closed.
pub(crate) struct SourceHandle<S: Source> {
    name: &'static str,
    inner: Option<Rc<RefCell<Inner<S>>>>,
}

impl<S: Source + 'static> SourceHandle<S> {
    /// `name` is what errors call the source.
    pub(crate) fn new(name: &'static str, source: Shared<S>) -> Self {
        let head = Head(Memory::zeroed(Head::BYTES));
        let inner = Inner {
            held: HeldBatches(Vec::new()),
            source,
            quarantined: Vec::new(),
            arenas: Vec::new(),
            parsed: ParsedPool::default(),
            head,
        };
        Self { name, inner: Some(Rc::new(RefCell::new(inner))) }
    }

    fn inner(&self) -> Result<std::cell::RefMut<'_, Inner<S>>> {
        self.inner.as_ref().map(|inner| inner.borrow_mut()).ok_or_else(|| closed(self.name))
    }

    /// Calls the source itself.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut S) -> netring::Result<T>) -> Result<T> {
        call(&mut self.inner()?.source.borrow_mut()).map_err(to_js)
    }

    /// Where the head of the batch is that next() has handed out last.
    pub(crate) fn head<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        View::create(env, self.inner()?.head.0.clone(), || ()).map(|(_, value)| value)
    }

    /// The id of the next batch, with the columns of `set` filled on the way; -1 where there is none.
    pub(crate) fn next(&self, set: u32) -> Result<i32> {
        let mut inner = self.inner()?;
        inner.sweep();
        inner.next(set)
    }

    /// The same, waiting on this thread.
    pub(crate) fn next_within(&self, set: u32, timeout: Duration) -> Result<i32> {
        let mut inner = self.inner()?;
        inner.sweep();
        let ready = inner.source.borrow_mut().wait_within(timeout).map_err(to_js)?;
        if ready { inner.next(set) } else { Ok(-1) }
    }

    /// What to tell who waits for a batch.
    pub(crate) fn poll_coalesced(&self) -> Result<PollState> {
        let mut inner = self.inner()?;
        inner.sweep();
        inner.source.borrow_mut().poll_coalesced().map_err(to_js)
    }

    /// The batch's bytes; `offset` columns count from the first.
    pub(crate) fn bytes<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        let weak = self.inner.as_ref().map(Rc::downgrade);
        let mut inner = self.inner()?;
        let Inner { held, source, .. } = &mut *inner;
        let held = held.get(id)?;
        if held.bytes.is_some() {
            return Err(twice());
        }
        let memory = source.borrow().bytes(&held.batch).ok_or_else(|| released("batch"))?;
        let (view, value) = View::create(env, memory, move || {
            // Gives a quarantined batch back as soon as nothing can reach it; if somebody is at work on
            // the source just now, the next call does.
            if let Some(inner) = weak.as_ref().and_then(std::rc::Weak::upgrade)
                && let Ok(mut inner) = inner.try_borrow_mut()
            {
                inner.sweep();
            }
        })?;
        held.bytes = Some(view);
        Ok(value)
    }

    /// Memory of the columns, those filled that next() or fill() was asked for.
    pub(crate) fn columns<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        let mut inner = self.inner()?;
        let Inner { held, arenas, .. } = &mut *inner;
        let held = held.get(id)?;
        if held.columns_view.is_some() {
            return Err(twice());
        }
        let columns = held.columns.get_or_insert_with(|| arena(arenas, S::head(&held.batch).length));
        let (view, value) = View::create(env, columns.memory().clone(), || ())?;
        held.columns_view = Some(view);
        Ok(value)
    }

    /// Fills more columns of a batch whose columns() has been asked for.
    pub(crate) fn fill(&self, id: u32, set: u32) -> Result<()> {
        let mut inner = self.inner()?;
        let Inner { held, source, .. } = &mut *inner;
        let held = held.get(id)?;
        let Some(columns) = &held.columns else { return Err(released("batch")) };
        source.borrow().fill(&held.batch, columns, ColumnSet(set)).map_err(malformed)
    }

    /// Parsed columns of a batch of which columns() are those of its packets' places.
    pub(crate) fn parse<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        let mut inner = self.inner()?;
        let Inner { held, source, parsed, .. } = &mut *inner;
        let held = held.get(id)?;
        if held.parsed.is_some() {
            return Err(twice());
        }
        let Some(places) = &held.columns else { return Err(released("batch")) };
        let bytes = source.borrow().bytes(&held.batch).ok_or_else(|| released("batch"))?;
        let (view, value) = parsed.parse(env, S::head(&held.batch).length, &bytes, places)?;
        held.parsed = Some(view);
        Ok(value)
    }

    /// Copies all packets end to end into `data` and their columns into `columns`.
    pub(crate) fn copy(&self, id: u32, data: &JsArray<u8>, columns: &JsArray<u8>) -> Result<()> {
        let mut inner = self.inner()?;
        let Inner { held, source, .. } = &mut *inner;
        let held = held.get(id)?;
        let capacity = (columns.bytes().len() / BYTES_PER_PACKET) as u32;
        let copied = data.with_memory(|data| {
            columns.with_memory(|columns| match Columns::in_memory(columns.clone(), capacity) {
                Some(columns) => source.borrow().copy(&held.batch, &columns, data),
                None => Err(CopyFailure::TargetTooSmall),
            })
        });
        copied.map_err(|failure| match failure {
            CopyFailure::Malformed(error) => malformed(error),
            CopyFailure::TargetTooSmall => to_js(CoreError::new(ErrorKind::Io, "the copy's target is too small")),
        })
    }

    /// Ends the batch's views and gives it back.
    pub(crate) fn release(&self, id: u32) -> Result<()> {
        self.inner()?.release(id)
    }

    /// Looks at a batch that JavaScript holds.
    pub(crate) fn inspect<T>(&self, id: u32, inspect: impl FnOnce(&S, &S::Batch) -> T) -> Result<T> {
        let mut inner = self.inner()?;
        let Inner { held, source, .. } = &mut *inner;
        Ok(inspect(&source.borrow(), &held.get(id)?.batch))
    }

    /// Takes a batch back from JavaScript without giving it back to the kernel: its views are empty from now on.
    /// Where that cannot be shown, the batch is quarantined and a copy of its bytes is what there is.
    pub(crate) fn take(&self, id: u32) -> Result<(Option<S::Batch>, Memory)> {
        let mut inner = self.inner()?;
        let mut held = inner.held.take(id)?;
        let memory = inner.source.borrow().bytes(&held.batch).ok_or_else(|| released("batch"))?;
        match inner.end_views(&mut held) {
            Ok(DetachOutcome::Now) => Ok((Some(held.batch), memory)),
            Ok(DetachOutcome::Later(quarantined)) => {
                let copy = Memory::zeroed(memory.len());
                memory.copy_to(0, memory.len(), &copy, 0);
                inner.quarantined.push((held.batch, quarantined));
                Ok((None, copy))
            }
            Err(error) => {
                inner.quarantined.push((held.batch, Quarantined::never()));
                Err(error)
            }
        }
    }

    /// Ends every view, then the source, which nobody else shares any more. Closing twice is harmless.
    pub(crate) fn close(&mut self) -> Result<()> {
        let Some(inner) = self.inner.take() else { return Ok(()) };
        // Finalizers hold weak references only, so this was the last strong one.
        let Inner { held, source, .. } = Rc::into_inner(inner).ok_or_else(|| closed(self.name))?.into_inner();
        drop(held);
        let source = Rc::into_inner(source).ok_or_else(|| closed(self.name))?;
        source.into_inner().close().map_err(to_js)
    }
}
