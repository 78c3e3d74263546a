//! A capture and the blocks of it that JavaScript holds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::capture::Capture;
use netring::readiness::{Wait, Watch};
use netring::ring::columns::{BYTES_PER_PACKET, CopyFailure};
use netring::ring::{ColumnSet, Columns, Malformed, Memory, Run};
use netring::{Error as CoreError, ErrorKind};

use crate::error::{closed, released, to_js};
use crate::options::{NativeCaptureOptions, NativeProgram, milliseconds};
use crate::signal::{Message, Signal};
use crate::view::{Ended, View, with_memory};

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
    /// The next batch comes from the same block of the ring and is there already.
    const MORE: u32 = 4;

    fn set(&self, run: &Run) {
        let flags = [(run.timed_out(), Self::TIMED_OUT), (run.losing(), Self::LOSING), (!run.ends_block(), Self::MORE)];
        self.0.set_u32(Self::LENGTH, run.length());
        self.0.set_u32(Self::FLAGS, flags.iter().map(|(set, bit)| if *set { *bit } else { 0 }).sum());
        self.0.set_u64(Self::SEQUENCE, run.sequence());
    }
}

#[napi(object)]
pub struct NativeStats {
    pub packets: f64,
    pub drops: f64,
    pub freeze_count: f64,
}

#[napi(object)]
pub struct NativeRing {
    pub fd: i32,
    pub fanout_id: Option<u32>,
    pub block_size: u32,
    pub block_count: u32,
    pub frame_size: u32,
    pub locked: bool,
}

/// Where a column starts, times the capacity, in the order of `Column::ALL`.
#[napi]
pub fn native_column_starts() -> Vec<u32> {
    let starts = netring::ring::Column::ALL.iter().map(|column| column.start() as u32);
    starts.chain([BYTES_PER_PACKET as u32]).collect()
}

/// A run of packets that JavaScript holds.
struct Loan {
    run: Run,
    bytes: Option<View>,
    columns: Option<Columns>,
    columns_view: Option<View>,
}

struct Inner {
    capture: Capture,
    loans: Vec<Option<Loan>>,
    /// Runs that were released while bytes of theirs could still be reached.
    withheld: Vec<(Run, Rc<Cell<bool>>)>,
    arenas: Vec<Columns>,
    head: Head,
}

impl Inner {
    /// Gives back the withheld runs whose finalizers have run.
    fn sweep(&mut self) {
        let mut at = 0;
        while at < self.withheld.len() {
            if self.withheld[at].1.get() {
                let (run, _) = self.withheld.swap_remove(at);
                self.capture.release(run);
            } else {
                at += 1;
            }
        }
    }

    /// The id of the next batch, with the columns of `set` filled; -1 where there is none.
    fn next(&mut self, set: u32) -> Result<i32> {
        let Self { capture, arenas, .. } = self;
        let mut target = |packets| (set != 0).then(|| (arena(arenas, packets), ColumnSet(set)));
        let next = capture.next_run(&mut target).map_err(to_js)?;
        Ok(next.map_or(-1, |(run, columns)| self.lend(run, columns)))
    }

    fn lend(&mut self, run: Run, columns: Option<Columns>) -> i32 {
        let id = self.loans.iter().position(Option::is_none).unwrap_or_else(|| {
            self.loans.push(None);
            self.loans.len() - 1
        });
        self.head.set(&run);
        self.loans[id] = Some(Loan { run, bytes: None, columns, columns_view: None });
        id as i32
    }

    fn loan(&mut self, id: u32) -> Result<(&Capture, &mut Loan)> {
        match self.loans.get_mut(id as usize) {
            Some(Some(loan)) => Ok((&self.capture, loan)),
            _ => Err(released("batch")),
        }
    }

    /// Makes everything that shows the run's bytes empty.
    fn end_views(&mut self, loan: &mut Loan) -> Result<Ended> {
        let unseen = match loan.columns_view.take() {
            Some(view) => matches!(view.end()?, Ended::Now),
            None => true,
        };
        if let Some(columns) = loan.columns.take()
            && unseen
            && self.arenas.len() < POOLED_ARENAS
        {
            self.arenas.push(columns);
        }
        loan.bytes.take().map_or(Ok(Ended::Now), View::end)
    }

    fn release(&mut self, id: u32) -> Result<()> {
        let Some(mut loan) = self.loans.get_mut(id as usize).and_then(Option::take) else {
            return Err(released("batch"));
        };
        match self.end_views(&mut loan)? {
            Ended::Now => self.capture.release(loan.run),
            Ended::Later(finalized) => self.withheld.push((loan.run, finalized)),
        }
        Ok(())
    }

    /// Fills more columns of a run.
    fn fill(&mut self, id: u32, set: u32) -> Result<()> {
        let (capture, loan) = self.loan(id)?;
        let Some(columns) = &loan.columns else { return Err(released("batch")) };
        columns.fill(&capture.block(&loan.run), capture.walk_options(), ColumnSet(set)).map_err(malformed)?;
        if loan.run.losing() {
            columns.mark_losing();
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

impl Drop for Inner {
    /// Closed, collected or the environment ends: views end before the ring does (V1), and what
    /// escaped keeps its mapping through its finalizer (V2).
    fn drop(&mut self) {
        for index in 0..self.loans.len() {
            if let Some(mut loan) = self.loans[index].take() {
                // Nobody is left to be told; the mapping's owner is in the finalizer anyway.
                let _ = self.end_views(&mut loan);
            }
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

#[napi]
pub struct NativeCapture {
    inner: Option<Rc<RefCell<Inner>>>,
    signal: Option<Signal>,
    /// For who waits for a batch.
    edges: Option<Watch>,
    /// What else a wait waits for while the interface is down.
    removal: Option<Wait>,
    watch: Option<Wait>,
}

#[napi]
impl NativeCapture {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeCaptureOptions) -> Result<Self> {
        let capture = Capture::open(&interface, options.into()).map_err(to_js)?;
        let head = Head(Memory::zeroed(Head::BYTES));
        let inner = Inner { capture, loans: Vec::new(), withheld: Vec::new(), arenas: Vec::new(), head };
        Ok(Self { inner: Some(Rc::new(RefCell::new(inner))), signal: None, edges: None, removal: None, watch: None })
    }

    fn inner(&self) -> Result<std::cell::RefMut<'_, Inner>> {
        self.inner.as_ref().map(|inner| inner.borrow_mut()).ok_or_else(|| closed("capture"))
    }

    #[napi]
    pub fn ring(&self) -> Result<NativeRing> {
        let inner = self.inner()?;
        let shape = inner.capture.geometry();
        Ok(NativeRing {
            fd: inner.capture.fd(),
            fanout_id: inner.capture.fanout_id().map(u32::from),
            block_size: shape.block_size(),
            block_count: shape.block_count(),
            frame_size: shape.frame_size(),
            locked: inner.capture.locked(),
        })
    }

    /// Where the head of the batch is that next() has handed out last.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn head<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        let (_, value) = View::create(env, self.inner()?.head.0.clone(), || ())?;
        Ok(value)
    }

    /// The id of the next batch, with the columns of `set` filled on the way; -1 where there is none.
    #[napi]
    pub fn next(&self, set: u32) -> Result<i32> {
        let mut inner = self.inner()?;
        inner.sweep();
        inner.next(set)
    }

    #[napi]
    pub fn next_blocking(&self, set: u32, timeout_ms: f64) -> Result<i32> {
        let mut inner = self.inner()?;
        inner.sweep();
        if inner.capture.wait_within(milliseconds(timeout_ms)).map_err(to_js)? { inner.next(set) } else { Ok(-1) }
    }

    /// True when next() would give a batch; otherwise the waker is called once something changes.
    #[napi]
    pub fn poll_or_wait(&mut self, waker: Function<'_, u32, ()>) -> Result<bool> {
        if self.edges.is_none() {
            let readiness = std::sync::Arc::clone(self.inner()?.capture.readiness());
            let wake = self.signal(&waker)?.sender();
            let watch = readiness.watch(move |_| wake(Message::Wake)).map_err(|error| {
                to_js(CoreError::os(ErrorKind::Io, "epoll_wait", &error, "cannot wait on the packet socket"))
            })?;
            self.edges = Some(watch);
        }
        let edges = self.edges.as_ref();
        edges.inspect(|edges| edges.arm());
        let ready = self.inner().and_then(|mut inner| {
            inner.sweep();
            inner.capture.poll().map_err(to_js)
        });
        if !matches!(ready, Ok(false)) {
            edges.inspect(|edges| edges.disarm());
            return ready;
        }
        if self.removal.is_none() {
            let wake = self.signal(&waker)?.sender();
            // Where it cannot be watched (the namespace has lost its name, say) the next look finds out.
            let watched = self.inner()?.capture.watch_removal(move || wake(Message::Wake));
            self.removal = watched.ok().flatten();
        }
        Ok(false)
    }

    fn signal(&mut self, callback: &Function<'_, u32, ()>) -> Result<&mut Signal> {
        if self.signal.is_none() {
            self.signal = Some(Signal::new(callback)?);
        }
        self.signal.as_mut().ok_or_else(|| closed("capture"))
    }

    #[napi]
    pub fn stop_waiting(&mut self) {
        self.edges.as_ref().inspect(|edges| edges.disarm());
        self.removal = None;
    }

    /// Whether a wait keeps the process alive.
    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.signal.as_mut().map_or(Ok(()), |signal| signal.keep_alive(env, keep))
    }

    /// From now on the callback is called with every change of the link.
    #[napi]
    pub fn watch_link(&mut self, callback: Function<'_, u32, ()>, netns: Option<String>) -> Result<()> {
        if self.watch.is_some() {
            return Ok(());
        }
        let index = self.inner()?.capture.interface_index();
        let tell = self.signal(&callback)?.sender();
        let watch = netring::link::watch(netns.as_deref(), index, move |event| tell(event.into())).map_err(to_js)?;
        self.watch = Some(watch);
        Ok(())
    }

    /// The batch's packets, headers between them; `offset` columns count from its first byte.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn bytes<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        let weak = self.inner.as_ref().map(Rc::downgrade);
        let mut inner = self.inner()?;
        let (capture, loan) = inner.loan(id)?;
        if loan.bytes.is_some() {
            return Err(twice());
        }
        let block = capture.block(&loan.run);
        let range = block.bytes();
        let memory = block.memory().slice(range.start as usize, range.len()).ok_or_else(|| released("batch"))?;
        let (view, value) = View::create(env, memory, move || {
            // Gives a withheld block back as soon as nothing can reach it; if somebody is at work
            // on the capture just now, the next call does.
            if let Some(inner) = weak.as_ref().and_then(std::rc::Weak::upgrade)
                && let Ok(mut inner) = inner.try_borrow_mut()
            {
                inner.sweep();
            }
        })?;
        loan.bytes = Some(view);
        Ok(value)
    }

    /// Memory of the columns, those filled that next() or fill() was asked for.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn columns<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        let mut inner = self.inner()?;
        let Inner { loans, arenas, .. } = &mut *inner;
        let Some(Some(loan)) = loans.get_mut(id as usize) else { return Err(released("batch")) };
        if loan.columns_view.is_some() {
            return Err(twice());
        }
        let columns = loan.columns.get_or_insert_with(|| arena(arenas, loan.run.length()));
        let (view, value) = View::create(env, columns.memory().clone(), || ())?;
        loan.columns_view = Some(view);
        Ok(value)
    }

    /// Fills more columns of a batch whose columns() has been asked for.
    #[napi]
    pub fn fill(&self, id: u32, set: u32) -> Result<()> {
        self.inner()?.fill(id, set)
    }

    /// Copies all packets end to end into `data` and their columns into `columns`.
    #[napi]
    pub fn copy(&self, id: u32, mut data: Uint8Array, mut columns: Uint8Array) -> Result<()> {
        let mut inner = self.inner()?;
        let (capture, loan) = inner.loan(id)?;
        let block = capture.block(&loan.run);
        let options = capture.walk_options();
        let capacity = (columns.len() / BYTES_PER_PACKET) as u32;
        let copied = with_memory(&mut data, |data| {
            with_memory(&mut columns, |columns| match Columns::in_memory(columns.clone(), capacity) {
                Some(columns) => columns.copy(&block, options, 0, u32::MAX, data).inspect(|()| {
                    if loan.run.losing() {
                        columns.mark_losing();
                    }
                }),
                None => Err(CopyFailure::TargetTooSmall),
            })
        });
        copied.map_err(|failure| match failure {
            CopyFailure::Malformed(error) => malformed(error),
            CopyFailure::TargetTooSmall => to_js(CoreError::new(ErrorKind::Io, "the copy's target is too small")),
        })
    }

    #[napi]
    pub fn release(&self, id: u32) -> Result<()> {
        self.inner()?.release(id)
    }

    #[napi]
    pub fn set_filter(&self, filter: Option<NativeProgram>) -> Result<()> {
        self.inner()?.capture.set_filter(filter.map(Into::into)).map_err(to_js)
    }

    #[napi]
    pub fn set_fanout_program(&self, program: NativeProgram) -> Result<()> {
        self.inner()?.capture.set_fanout_program(&program.into()).map_err(to_js)
    }

    #[napi]
    pub fn stats(&self, cumulative: bool) -> Result<NativeStats> {
        let mut inner = self.inner()?;
        let stats = if cumulative { inner.capture.cumulative_stats() } else { inner.capture.stats() };
        let stats = stats.map_err(to_js)?;
        Ok(NativeStats { packets: stats.packets as f64, drops: stats.drops as f64, freeze_count: stats.freezes as f64 })
    }

    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.edges = None;
        self.removal = None;
        self.watch = None;
        self.signal = None;
        // Finalizers hold weak references only, so this is the last strong one.
        self.inner = None;
        Ok(())
    }
}
