//! The class behind Capture.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::capture::Capture;
use netring::ring::columns::BYTES_PER_PACKET;
use netring::source::Source;
use netring::stats::CaptureStats;

use crate::error::to_js;
use crate::lending::Lending;
use crate::lent::LentArray;
use crate::options::{NativeCaptureOptions, NativeProgram, milliseconds};
use crate::shared::share;
use crate::waiting::Waiting;

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

#[napi(object)]
pub struct NativeRing {
    pub fd: i32,
    pub fanout_id: Option<u32>,
    pub block_size: u32,
    pub block_count: u32,
    pub frame_size: u32,
    pub locked: bool,
}

impl NativeRing {
    pub(crate) fn of(capture: &Capture) -> Self {
        let shape = capture.geometry();
        Self {
            fd: capture.fd(),
            fanout_id: capture.fanout_id().map(u32::from),
            block_size: shape.block_size(),
            block_count: shape.block_count(),
            frame_size: shape.frame_size(),
            locked: capture.locked(),
        }
    }
}

/// Where a column starts, times the capacity, in the order of `Column::ALL`.
#[napi]
pub fn native_column_starts() -> Vec<u32> {
    let starts = netring::ring::Column::ALL.iter().map(|column| column.start() as u32);
    starts.chain([BYTES_PER_PACKET as u32]).collect()
}

#[napi]
pub struct NativeCapture {
    // Dropped in this order: nobody is called about a capture that is gone.
    waiting: Waiting,
    lending: Lending<Capture>,
}

#[napi]
impl NativeCapture {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeCaptureOptions) -> Result<Self> {
        let capture = Capture::open(&interface, options.into()).map_err(to_js)?;
        Ok(Self { waiting: Waiting::default(), lending: Lending::new("capture", share(capture)) })
    }

    #[napi]
    pub fn ring(&self) -> Result<NativeRing> {
        self.lending.with(|capture| Ok(NativeRing::of(capture)))
    }

    /// Where the head of the batch is that next() has handed out last.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn head<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.lending.head(env)
    }

    /// The id of the next batch, with the columns of `set` filled on the way; -1 where there is none.
    #[napi]
    pub fn next(&self, set: u32) -> Result<i32> {
        self.lending.next(set)
    }

    #[napi]
    pub fn next_blocking(&self, set: u32, timeout_ms: f64) -> Result<i32> {
        self.lending.next_within(set, milliseconds(timeout_ms))
    }

    /// True when next() would give a batch; otherwise the waker is called once something changes.
    #[napi]
    pub fn poll_or_wait(&mut self, waker: Function<'_, u32, ()>) -> Result<bool> {
        self.waiting.poll_or_wait(&self.lending, &waker)
    }

    #[napi]
    pub fn stop_waiting(&mut self) {
        self.waiting.stop_waiting();
    }

    /// Whether a wait keeps the process alive.
    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.waiting.keep_alive(env, keep)
    }

    /// From now on the waker is called with every change of the link.
    #[napi]
    pub fn watch_link(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        self.waiting.watch_link(&self.lending, &waker)
    }

    /// After watching has failed: the next watch_link() tries again.
    #[napi]
    pub fn unwatch_link(&mut self) {
        self.waiting.unwatch_link();
    }

    /// The batch's packets, headers between them; `offset` columns count from its first byte.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn bytes<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.lending.bytes(env, id)
    }

    /// Memory of the columns, those filled that next() or fill() was asked for.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn columns<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.lending.columns(env, id)
    }

    /// Fills more columns of a batch whose columns() has been asked for.
    #[napi]
    pub fn fill(&self, id: u32, set: u32) -> Result<()> {
        self.lending.fill(id, set)
    }

    /// Parsed columns of a batch, whose columns offset, capturedLength and originalLength have been filled.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn parse<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.lending.parse(env, id)
    }

    /// Copies all packets end to end into `data` and their columns into `columns`.
    #[napi]
    pub fn copy(
        &self,
        id: u32,
        #[napi(ts_arg_type = "Uint8Array")] data: LentArray<u8>,
        #[napi(ts_arg_type = "Uint8Array")] columns: LentArray<u8>,
    ) -> Result<()> {
        self.lending.copy(id, &data, &columns)
    }

    #[napi]
    pub fn release(&self, id: u32) -> Result<()> {
        self.lending.release(id)
    }

    #[napi]
    pub fn set_filter(&self, filter: Option<NativeProgram>) -> Result<()> {
        self.lending.with(|capture| capture.set_filter(filter.map(Into::into)))
    }

    #[napi]
    pub fn set_fanout_program(&self, program: NativeProgram) -> Result<()> {
        self.lending.with(|capture| capture.set_fanout_program(&program.into()))
    }

    #[napi]
    pub fn stats(&self, cumulative: bool) -> Result<NativeStats> {
        self.lending
            .with(|capture| if cumulative { capture.cumulative_stats() } else { capture.stats() })
            .map(Into::into)
    }

    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.waiting = Waiting::default();
        self.lending.close()
    }
}
