//! A capture and the blocks of it that JavaScript holds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::capture::Capture;
use netring::readiness::Wait;
use netring::ring::columns::{BYTES_PER_PACKET, CopyFailure};
use netring::ring::layout::{block, status};
use netring::ring::{ColumnSet, Columns, Lease, Malformed};
use netring::{Error as CoreError, ErrorKind};

use crate::error::{closed, released, to_js};
use crate::options::{NativeCaptureOptions, NativeProgram, milliseconds};
use crate::signal::{Message, Signal};
use crate::view::{Ended, View, with_memory};

/// Column arenas kept for the next batches.
const POOLED_ARENAS: usize = 4;

#[napi(object)]
pub struct NativeBatch {
    /// Index of the block, the batch's name until it is released.
    pub block: u32,
    pub seq_num: f64,
    pub length: u32,
    pub timed_out: bool,
    pub losing: bool,
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

/// A block that JavaScript holds.
struct Loan {
    lease: Lease,
    walked: bool,
    bytes: Option<View>,
    columns: Option<(Columns, View)>,
}

struct Inner {
    capture: Capture,
    loans: Vec<Option<Loan>>,
    /// Blocks that were released while bytes of theirs could still be reached.
    withheld: Vec<(Lease, Rc<Cell<bool>>)>,
    arenas: Vec<Columns>,
}

impl Inner {
    /// Gives back the withheld blocks whose finalizers have run.
    fn sweep(&mut self) {
        let mut at = 0;
        while at < self.withheld.len() {
            if self.withheld[at].1.get() {
                let (lease, _) = self.withheld.swap_remove(at);
                self.capture.release(lease);
            } else {
                at += 1;
            }
        }
    }

    fn lend(&mut self, lease: Lease) -> NativeBatch {
        let index = lease.index();
        let view = self.capture.ring().block(&lease);
        let bits = view.status();
        let batch = NativeBatch {
            block: index,
            seq_num: view.sequence() as f64,
            length: view.packet_count(),
            timed_out: bits & status::BLOCK_TIMEOUT != 0,
            losing: lease.losing(),
        };
        drop(view);
        self.loans[index as usize] = Some(Loan { lease, walked: false, bytes: None, columns: None });
        batch
    }

    fn loan(&mut self, block: u32) -> Result<(&Capture, &mut Loan)> {
        match self.loans.get_mut(block as usize) {
            Some(Some(loan)) => Ok((&self.capture, loan)),
            _ => Err(released("batch")),
        }
    }

    /// Makes everything that shows the block's bytes empty.
    fn end_views(&mut self, loan: &mut Loan) -> Result<Ended> {
        if let Some((columns, view)) = loan.columns.take()
            && matches!(view.end()?, Ended::Now)
            && self.arenas.len() < POOLED_ARENAS
        {
            self.arenas.push(columns);
        }
        loan.bytes.take().map_or(Ok(Ended::Now), View::end)
    }

    fn release(&mut self, block: u32) -> Result<()> {
        let Some(mut loan) = self.loans.get_mut(block as usize).and_then(Option::take) else {
            return Err(released("batch"));
        };
        match self.end_views(&mut loan)? {
            Ended::Now => self.capture.release(loan.lease),
            Ended::Later(finalized) => self.withheld.push((loan.lease, finalized)),
        }
        Ok(())
    }

    fn arena(&mut self, packets: u32) -> Columns {
        match self.arenas.iter().position(|arena| arena.capacity() >= packets) {
            Some(at) => self.arenas.swap_remove(at),
            // Rounded up, so that batches of about the same size share arenas.
            None => {
                self.arenas.pop();
                Columns::for_packets(packets.max(64).next_power_of_two())
            }
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
        format!("packet {} of the block contradicts it ({}): were its headers overwritten?", error.index, error.reason),
    ))
}

#[napi]
pub struct NativeCapture {
    inner: Option<Rc<RefCell<Inner>>>,
    signal: Option<Signal>,
    wait: Option<Wait>,
    /// What else a wait waits for while the interface is down.
    removal: Option<Wait>,
    watch: Option<Wait>,
}

#[napi]
impl NativeCapture {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeCaptureOptions) -> Result<Self> {
        let capture = Capture::open(&interface, options.into()).map_err(to_js)?;
        let loans = (0..capture.geometry().block_count()).map(|_| None).collect();
        let inner = Inner { capture, loans, withheld: Vec::new(), arenas: Vec::new() };
        Ok(Self { inner: Some(Rc::new(RefCell::new(inner))), signal: None, wait: None, removal: None, watch: None })
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

    #[napi]
    pub fn next(&self) -> Result<Option<NativeBatch>> {
        let mut inner = self.inner()?;
        inner.sweep();
        let lease = inner.capture.next_block().map_err(to_js)?;
        Ok(lease.map(|lease| inner.lend(lease)))
    }

    #[napi]
    pub fn next_blocking(&self, timeout_ms: f64) -> Result<Option<NativeBatch>> {
        let mut inner = self.inner()?;
        inner.sweep();
        let timeout = milliseconds(timeout_ms);
        let lease = inner.capture.next_block_within(timeout).map_err(to_js)?;
        Ok(lease.map(|lease| inner.lend(lease)))
    }

    /// True when next() would give a batch; otherwise the waker is called once something changes.
    #[napi]
    pub fn poll_or_wait(&mut self, waker: Function<'_, u32, ()>) -> Result<bool> {
        let readiness = {
            let mut inner = self.inner()?;
            inner.sweep();
            if inner.capture.poll().map_err(to_js)? {
                return Ok(true);
            }
            std::sync::Arc::clone(inner.capture.readiness())
        };
        let wake = self.signal(&waker)?.sender();
        let wait = readiness.wait(move |_| wake(Message::Wake)).map_err(|error| {
            to_js(CoreError::os(ErrorKind::Io, "epoll_wait", &error, "cannot wait on the packet socket"))
        })?;
        self.wait = Some(wait);
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
        self.wait = None;
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

    /// The block's packets, headers between them; `offset` columns count from its first byte.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn bytes<'env>(&self, env: &'env Env, block: u32) -> Result<Unknown<'env>> {
        let weak = self.inner.as_ref().map(Rc::downgrade);
        let mut inner = self.inner()?;
        let (capture, loan) = inner.loan(block)?;
        if loan.bytes.is_some() {
            return Err(twice());
        }
        let view = capture.ring().block(&loan.lease);
        if !loan.walked {
            let walked = view.walk(capture.walk_options(true), |_, _| ());
            loan.walked = true;
            walked.map_err(malformed)?;
        }
        // Not the block's head: who can write its status word can give the block back.
        let len = (view.end() as usize).saturating_sub(block::SIZE);
        let memory = view.memory().slice(block::SIZE, len).ok_or_else(|| released("batch"))?;
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

    /// Memory of the columns, those of `set` filled.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn columns<'env>(&self, env: &'env Env, block: u32, set: u32) -> Result<Unknown<'env>> {
        let mut inner = self.inner()?;
        let (capture, loan) = inner.loan(block)?;
        if loan.columns.is_some() {
            return Err(twice());
        }
        let packets = capture.ring().block(&loan.lease).packet_count();
        let columns = inner.arena(packets);
        let (view, value) = View::create(env, columns.memory().clone(), || ())?;
        let (_, loan) = inner.loan(block)?;
        loan.columns = Some((columns, view));
        fill(&mut inner, block, set)?;
        Ok(value)
    }

    /// Fills more columns of a batch whose columns() has been asked for.
    #[napi]
    pub fn fill(&self, block: u32, set: u32) -> Result<()> {
        fill(&mut *self.inner()?, block, set)
    }

    /// Copies all packets end to end into `data` and their columns into `columns`.
    #[napi]
    pub fn copy(&self, block: u32, mut data: Uint8Array, mut columns: Uint8Array) -> Result<()> {
        let mut inner = self.inner()?;
        let (capture, loan) = inner.loan(block)?;
        let view = capture.ring().block(&loan.lease);
        let options = capture.walk_options(!loan.walked);
        let capacity = (columns.len() / BYTES_PER_PACKET) as u32;
        let copied = with_memory(&mut data, |data| {
            with_memory(&mut columns, |columns| match Columns::in_memory(columns.clone(), capacity) {
                Some(columns) => columns.copy(&view, options, 0, u32::MAX, data).inspect(|()| {
                    if loan.lease.losing() {
                        columns.mark_losing();
                    }
                }),
                None => Err(CopyFailure::TargetTooSmall),
            })
        });
        loan.walked = true;
        copied.map_err(|failure| match failure {
            CopyFailure::Malformed(error) => malformed(error),
            CopyFailure::TargetTooSmall => to_js(CoreError::new(ErrorKind::Io, "the copy's target is too small")),
        })
    }

    #[napi]
    pub fn release(&self, block: u32) -> Result<()> {
        self.inner()?.release(block)
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
        self.wait = None;
        self.removal = None;
        self.watch = None;
        self.signal = None;
        // Finalizers hold weak references only, so this is the last strong one.
        self.inner = None;
        Ok(())
    }
}

fn fill(inner: &mut Inner, block: u32, set: u32) -> Result<()> {
    let (capture, loan) = inner.loan(block)?;
    let Some((columns, _)) = &loan.columns else { return Err(released("batch")) };
    let view = capture.ring().block(&loan.lease);
    let filled = columns.fill(&view, capture.walk_options(!loan.walked), ColumnSet(set));
    // Even if it failed half-way: no tag is put back twice.
    loan.walked = true;
    filled.map_err(malformed)?;
    if loan.lease.losing() {
        columns.mark_losing();
    }
    Ok(())
}
