//! Batches that JavaScript holds, and the ArrayBuffers that show their bytes and columns.

use std::rc::{Rc, Weak};

use napi::Env;
use napi::bindgen_prelude::*;
use netring::ring::columns::{BYTES_PER_PACKET, CopyFailure};
use netring::ring::{ColumnSet, Columns, Malformed, Memory};
use netring::source::BatchHeader;
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::erased::{Batches, Shared};
use crate::error::{released, to_js};
use crate::parse::{ParsedPool, ParsedView};
use crate::view::{DetachOutcome, Quarantined, View};

/// Column arenas kept for the next batches.
const POOLED_ARENAS: usize = 4;

/// The metadata of the batch that next() handed out last, 32-bit words in one piece of memory:
/// an object with as many properties costs as much as all the rest of handing a batch out.
pub(crate) struct HeaderWords(Memory);

impl HeaderWords {
    pub(crate) const LENGTH: usize = 0;
    pub(crate) const FLAGS: usize = 1;
    /// 64 bits.
    pub(crate) const SEQUENCE: usize = 2;
    const WORDS: usize = 4;
    pub(crate) const TIMED_OUT: u32 = 1;
    pub(crate) const LOSING: u32 = 2;
    pub(crate) const MORE: u32 = 4;

    fn set(&self, header: BatchHeader) {
        let flags = [(header.timed_out, Self::TIMED_OUT), (header.losing, Self::LOSING), (header.more, Self::MORE)];
        self.0.set_u32(Self::LENGTH * 4, header.length);
        self.0.set_u32(Self::FLAGS * 4, flags.iter().map(|(set, bit)| if *set { *bit } else { 0 }).sum());
        self.0.set_u64(Self::SEQUENCE * 4, header.sequence);
    }
}

/// The views of a batch that JavaScript holds.
#[derive(Default)]
struct BatchViews {
    length: u32,
    bytes: Option<View>,
    columns: Option<Columns>,
    columns_view: Option<View>,
    parsed: Option<ParsedView>,
}

/// A source's batches in JavaScript's hands, by number.
pub(crate) struct Views {
    // In the order in which they end: views first (V1).
    held: Vec<Option<BatchViews>>,
    batches: Shared<dyn Batches>,
    /// Batches that were released while JavaScript could still reach their bytes.
    quarantined: Vec<(u32, Quarantined)>,
    arenas: Vec<Columns>,
    parsed: ParsedPool,
    header: HeaderWords,
}

impl Drop for Views {
    /// Closed, collected or the environment ends: views end before the memory does (V1), and what
    /// escaped keeps its mapping through its finalizer (V2).
    fn drop(&mut self) {
        for held in self.held.drain(..).flatten() {
            let parsed = held.parsed.map(ParsedView::into_view);
            for view in [held.columns_view, parsed, held.bytes].into_iter().flatten() {
                // There is no caller to report to; the mapping's owner is in the finalizer anyway.
                let _ = view.end();
            }
        }
    }
}

impl Views {
    pub(crate) fn new(batches: Shared<dyn Batches>) -> Self {
        let header = HeaderWords(Memory::zeroed(HeaderWords::WORDS * size_of::<u32>()));
        Self {
            held: Vec::new(),
            batches,
            quarantined: Vec::new(),
            arenas: Vec::new(),
            parsed: ParsedPool::default(),
            header,
        }
    }

    fn get(&mut self, id: u32) -> Result<&mut BatchViews> {
        self.held.get_mut(id as usize).and_then(Option::as_mut).ok_or_else(|| released("batch"))
    }

    /// Gives back the quarantined batches whose finalizers have run.
    pub(crate) fn sweep(&mut self) {
        if self.quarantined.is_empty() {
            return;
        }
        // The source may be borrowed while a finalizer runs; the next call sweeps again.
        let Ok(mut batches) = self.batches.try_borrow_mut() else { return };
        for (id, _) in self.quarantined.extract_if(.., |(_, quarantined)| quarantined.is_unreachable()) {
            batches.release(id);
        }
    }

    /// The words that describe the batch that was handed out last.
    pub(crate) fn header<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        View::create(env, self.header.0.clone(), || ()).map(|(_, value)| value)
    }

    /// The number of the next batch, with the columns of `set` filled; -1 where there is none.
    pub(crate) fn next(&mut self, set: u32) -> Result<i32> {
        let Self { batches, arenas, .. } = self;
        let mut target = |packets| (set != 0).then(|| (arena(arenas, packets), ColumnSet(set)));
        let Some(taken) = batches.borrow_mut().next(&mut target).map_err(to_js)? else { return Ok(-1) };
        self.header.set(taken.header);
        let at = taken.id as usize;
        if at >= self.held.len() {
            self.held.resize_with(at + 1, || None);
        }
        let views = BatchViews { length: taken.header.length, columns: taken.columns, ..BatchViews::default() };
        self.held[at] = Some(views);
        Ok(taken.id as i32)
    }

    /// The batch's bytes; `offset` columns count from the first. `this` is where these views are.
    pub(crate) fn bytes<'env>(
        &mut self,
        env: &'env Env,
        id: u32,
        this: Weak<std::cell::RefCell<Self>>,
    ) -> Result<Unknown<'env>> {
        if self.get(id)?.bytes.is_some() {
            return Err(twice());
        }
        let memory = self.batches.borrow().bytes(id).ok_or_else(|| released("batch"))?;
        let (view, value) = View::create(env, memory, move || {
            // Gives a quarantined batch back as soon as nothing can reach it; where the source is
            // borrowed just now, the next call does.
            if let Some(views) = this.upgrade()
                && let Ok(mut views) = views.try_borrow_mut()
            {
                views.sweep();
            }
        })?;
        self.get(id)?.bytes = Some(view);
        Ok(value)
    }

    /// The bytes of a batch that JavaScript holds.
    pub(crate) fn batch_bytes(&self, id: u32) -> Option<Memory> {
        self.held.get(id as usize)?.as_ref()?;
        self.batches.borrow().bytes(id)
    }

    /// Memory of the columns, those filled that next() or fill() was asked for.
    pub(crate) fn columns<'env>(&mut self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        let Self { held, arenas, .. } = self;
        let views = held.get_mut(id as usize).and_then(Option::as_mut).ok_or_else(|| released("batch"))?;
        if views.columns_view.is_some() {
            return Err(twice());
        }
        let columns = views.columns.get_or_insert_with(|| arena(arenas, views.length));
        let (view, value) = View::create(env, columns.memory().clone(), || ())?;
        views.columns_view = Some(view);
        Ok(value)
    }

    /// Fills more columns of a batch whose columns() has been asked for.
    pub(crate) fn fill(&mut self, id: u32, set: u32) -> Result<()> {
        let Some(columns) = self.get(id)?.columns.clone() else { return Err(released("batch")) };
        let filled = self.batches.borrow().fill(id, &columns, ColumnSet(set));
        filled.ok_or_else(|| released("batch"))?.map_err(malformed)
    }

    /// Parsed columns of a batch, whose columns() hold its packets' offsets and lengths.
    pub(crate) fn parse<'env>(&mut self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        let bytes = self.batches.borrow().bytes(id);
        let Self { held, parsed, .. } = self;
        let views = held.get_mut(id as usize).and_then(Option::as_mut).ok_or_else(|| released("batch"))?;
        if views.parsed.is_some() {
            return Err(twice());
        }
        let (Some(places), Some(bytes)) = (&views.columns, bytes) else { return Err(released("batch")) };
        let (view, value) = parsed.parse(env, views.length, &bytes, places)?;
        views.parsed = Some(view);
        Ok(value)
    }

    /// Copies all packets end to end into `data` and their columns into `columns`.
    pub(crate) fn copy(&mut self, id: u32, data: &JsArray<u8>, columns: &JsArray<u8>) -> Result<()> {
        self.get(id)?;
        let batches = self.batches.borrow();
        let capacity = (columns.bytes().len() / BYTES_PER_PACKET) as u32;
        let copied = data.with_memory(|data| {
            columns.with_memory(|columns| match Columns::in_memory(columns.clone(), capacity) {
                Some(columns) => batches.copy(id, &columns, data),
                None => Some(Err(CopyFailure::TargetTooSmall)),
            })
        });
        copied.ok_or_else(|| released("batch"))?.map_err(|failure| match failure {
            CopyFailure::Malformed(error) => malformed(error),
            CopyFailure::TargetTooSmall => to_js(CoreError::new(ErrorKind::Io, "the copy's target is too small")),
        })
    }

    /// Ends the batch's views and gives it back.
    pub(crate) fn release(&mut self, id: u32) -> Result<()> {
        if self.detach(id)? {
            self.batches.borrow_mut().release(id);
        }
        Ok(())
    }

    /// Ends the batch's views, and leaves it with the source. Where the bytes can still be reached the batch is
    /// quarantined; false then.
    pub(crate) fn detach(&mut self, id: u32) -> Result<bool> {
        let mut views = self.held.get_mut(id as usize).and_then(Option::take).ok_or_else(|| released("batch"))?;
        match self.end_views(&mut views) {
            Ok(DetachOutcome::Now) => Ok(true),
            Ok(DetachOutcome::Later(quarantined)) => {
                self.quarantined.push((id, quarantined));
                Ok(false)
            }
            Err(error) => {
                // JavaScript may still reach it, so it never goes back to the kernel.
                self.quarantined.push((id, Quarantined::never()));
                Err(error)
            }
        }
    }

    /// Makes everything that shows the batch's bytes empty.
    fn end_views(&mut self, views: &mut BatchViews) -> Result<DetachOutcome> {
        let unseen = match views.columns_view.take() {
            Some(view) => matches!(view.end()?, DetachOutcome::Now),
            None => true,
        };
        if let Some(columns) = views.columns.take()
            && unseen
            && self.arenas.len() < POOLED_ARENAS
        {
            self.arenas.push(columns);
        }
        if let Some(parsed) = views.parsed.take() {
            self.parsed.end(parsed)?;
        }
        views.bytes.take().map_or(Ok(DetachOutcome::Now), View::end)
    }

    /// Ends every view, then the source.
    pub(crate) fn close(this: Shared<Self>) -> netring::Result<()> {
        let batches = Rc::clone(&this.borrow().batches);
        // Finalizers hold weak references only: with the last strong one the views end.
        drop(this);
        batches.borrow_mut().close()
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
