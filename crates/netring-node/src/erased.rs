//! Sources of the core behind one type, with batches identified by number.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use netring::Result;
use netring::link_type::LinkType;
use netring::readiness::{Readiness, TaskGuard};
use netring::ring::columns::CopyFailure;
use netring::ring::{ColumnSet, Columns, Malformed, Memory};
use netring::source::{BatchHeader, Counters, LinkCallback, LiveSource, PollState, Source, Target};
use netring::stats::CaptureStats;

use crate::error::core_closed;

/// Shared by the parts of one object, all on JavaScript's thread. Borrowed for the length of one call, never while
/// JavaScript may run.
pub(crate) type Shared<T> = Rc<RefCell<T>>;

/// To be shared from now on.
pub(crate) fn share<T>(value: T) -> Shared<T> {
    Rc::new(RefCell::new(value))
}

/// A batch that was handed out: its number and metadata.
pub(crate) struct Taken {
    pub(crate) id: u32,
    pub(crate) header: BatchHeader,
    pub(crate) link_type: LinkType,
    pub(crate) columns: Option<Columns>,
}

/// Any source's batches.
pub(crate) trait Batches {
    fn link_type(&self) -> Result<LinkType>;
    fn next(&mut self, target: Target<'_>) -> Result<Option<Taken>>;
    fn bytes(&self, id: u32) -> Option<Memory>;
    fn batch_link_type(&self, id: u32) -> Option<LinkType>;
    /// Whether VLAN tags lie beside the packets' bytes.
    fn strips_vlan(&self) -> Result<bool>;
    /// `None`: there is no such batch.
    fn fill(&self, id: u32, columns: &Columns, set: ColumnSet) -> Option<std::result::Result<(), Malformed>>;
    fn copy(&self, id: u32, columns: &Columns, data: &Memory) -> Option<std::result::Result<(), CopyFailure>>;
    fn release(&mut self, id: u32);
    fn stats(&mut self, cumulative: bool) -> Result<CaptureStats>;
    /// Frees everything at once, or with the last owner if the source is shared.
    fn close(&mut self) -> Result<()>;
}

/// Waiting, and the link, of a source that receives from an interface.
pub(crate) trait Live {
    fn readiness(&self) -> Result<Arc<Readiness>>;
    fn poll_coalesced(&mut self) -> Result<PollState>;
    fn wait_within(&mut self, timeout: Duration) -> Result<bool>;
    fn watch_link(&self, changed: LinkCallback) -> Result<TaskGuard>;
    fn watch_removal(&self, removed: Box<dyn Fn() + Send + Sync>) -> Result<Option<TaskGuard>>;
}

/// Called with a batch before JavaScript sees it.
type Inspect<S> = Box<dyn Fn(&S, &<S as Source>::Batch) -> Result<()>>;

/// A source and its batches that were handed out.
pub(crate) struct HeldBatches<S: Source> {
    /// None once it is closed.
    source: Option<Shared<S>>,
    batches: Vec<Option<S::Batch>>,
    inspect: Option<Inspect<S>>,
    name: &'static str,
}

impl<S: Source> HeldBatches<S> {
    /// `name` is the source's name in errors; `inspect` may look at each batch first.
    pub(crate) fn new(name: &'static str, source: Shared<S>, inspect: Option<Inspect<S>>) -> Self {
        Self { source: Some(source), batches: Vec::new(), inspect, name }
    }

    fn source(&self) -> Result<&Shared<S>> {
        self.source.as_ref().ok_or_else(|| core_closed(self.name))
    }

    /// Calls the source itself.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut S) -> Result<T>) -> Result<T> {
        call(&mut self.source()?.borrow_mut())
    }

    /// Takes a batch out: the caller releases it.
    pub(crate) fn take(&mut self, id: u32) -> Option<S::Batch> {
        self.batches.get_mut(id as usize).and_then(Option::take)
    }

    fn batch<T>(&self, id: u32, look: impl FnOnce(&S, &S::Batch) -> T) -> Option<T> {
        let batch = self.batches.get(id as usize)?.as_ref()?;
        Some(look(&self.source.as_ref()?.borrow(), batch))
    }

    fn add(&mut self, batch: S::Batch) -> u32 {
        let id = self.batches.iter().position(Option::is_none).unwrap_or(self.batches.len());
        if id == self.batches.len() {
            self.batches.push(None);
        }
        self.batches[id] = Some(batch);
        id as u32
    }
}

impl<S: Source + Counters> Batches for HeldBatches<S> {
    fn link_type(&self) -> Result<LinkType> {
        self.with(|source| Ok(source.link_type()))
    }

    fn next(&mut self, target: Target<'_>) -> Result<Option<Taken>> {
        let Some((batch, columns)) = self.with(|source| source.next(target))? else { return Ok(None) };
        if let Some(inspect) = &self.inspect
            && let Err(error) = self.with(|source| inspect(source, &batch))
        {
            self.with(|source| {
                source.release(batch);
                Ok(())
            })?;
            return Err(error);
        }
        let header = S::header(&batch);
        let link_type = self.with(|source| Ok(source.batch_link_type(&batch)))?;
        Ok(Some(Taken { id: self.add(batch), header, link_type, columns }))
    }

    fn bytes(&self, id: u32) -> Option<Memory> {
        self.batch(id, S::bytes).flatten()
    }

    fn batch_link_type(&self, id: u32) -> Option<LinkType> {
        self.batch(id, S::batch_link_type)
    }

    fn strips_vlan(&self) -> Result<bool> {
        self.with(|source| Ok(source.strips_vlan()))
    }

    fn fill(&self, id: u32, columns: &Columns, set: ColumnSet) -> Option<std::result::Result<(), Malformed>> {
        self.batch(id, |source, batch| source.fill(batch, columns, set))
    }

    fn copy(&self, id: u32, columns: &Columns, data: &Memory) -> Option<std::result::Result<(), CopyFailure>> {
        self.batch(id, |source, batch| source.copy(batch, columns, data))
    }

    fn release(&mut self, id: u32) {
        if let (Some(batch), Some(source)) = (self.take(id), &self.source) {
            source.borrow_mut().release(batch);
        }
    }

    fn stats(&mut self, cumulative: bool) -> Result<CaptureStats> {
        self.with(|source| if cumulative { source.cumulative_stats() } else { source.stats() })
    }

    fn close(&mut self) -> Result<()> {
        self.batches.clear();
        self.inspect = None;
        match self.source.take().and_then(Rc::into_inner) {
            Some(source) => source.into_inner().close(),
            None => Ok(()),
        }
    }
}

impl<S: LiveSource> Live for HeldBatches<S> {
    fn readiness(&self) -> Result<Arc<Readiness>> {
        self.with(|source| Ok(Arc::clone(source.readiness())))
    }

    fn poll_coalesced(&mut self) -> Result<PollState> {
        self.with(S::poll_coalesced)
    }

    fn wait_within(&mut self, timeout: Duration) -> Result<bool> {
        self.with(|source| source.wait_within(timeout))
    }

    fn watch_link(&self, changed: LinkCallback) -> Result<TaskGuard> {
        self.with(|source| source.watch_link(changed))
    }

    fn watch_removal(&self, removed: Box<dyn Fn() + Send + Sync>) -> Result<Option<TaskGuard>> {
        self.with(|source| source.watch_removal(removed))
    }
}
