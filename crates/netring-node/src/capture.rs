//! The class behind Capture.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::capture::Capture;
use netring::ring::columns::BYTES_PER_PACKET;
use netring::source::Source;
use netring::stats::CaptureStats;

use crate::array::JsArray;
use crate::error::to_js;
use crate::events::SourceEvents;
use crate::options::{NativeCaptureOptions, NativeProgram, milliseconds};
use crate::shared::share;
use crate::source::SourceHandle;

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

/// Opens the gates of captures of any thread. They are to call start() themselves, too.
#[napi]
pub fn native_start_all(ids: Vec<u32>) -> Result<()> {
    netring::capture::start_all(&ids).map_err(to_js)
}

/// Shuts the gates of captures of any thread, for good.
#[napi]
pub fn native_stop_all(ids: Vec<u32>) -> Result<()> {
    netring::capture::stop_all(&ids).map_err(to_js)
}

#[napi]
pub struct NativeCapture {
    // Dropped in this order: nobody is called about a capture that is gone.
    events: SourceEvents,
    source: SourceHandle<Capture>,
}

#[napi]
impl NativeCapture {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeCaptureOptions) -> Result<Self> {
        let capture = Capture::open(&interface, options.into()).map_err(to_js)?;
        Ok(Self { events: SourceEvents::default(), source: SourceHandle::new("capture", share(capture)) })
    }

    #[napi]
    pub fn ring(&self) -> Result<NativeRing> {
        self.source.with(|capture| Ok(NativeRing::of(capture)))
    }

    /// Where the head of the batch is that next() has handed out last.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn head<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.source.head(env)
    }

    /// The id of the next batch, with the columns of `set` filled on the way; -1 where there is none.
    #[napi]
    pub fn next(&self, set: u32) -> Result<i32> {
        self.source.next(set)
    }

    #[napi]
    pub fn next_blocking(&self, set: u32, timeout_ms: f64) -> Result<i32> {
        self.source.next_within(set, milliseconds(timeout_ms))
    }

    /// True when next() would give a batch; otherwise the waker is called once something changes.
    #[napi]
    pub fn poll_or_wait(&mut self, waker: Function<'_, u32, ()>) -> Result<bool> {
        self.events.poll_or_wait(&self.source, &waker)
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

    /// From now on the waker is called with every change of the link.
    #[napi]
    pub fn watch_link(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        self.events.watch_link(&self.source, &waker)
    }

    /// After watching has failed: the next watch_link() tries again.
    #[napi]
    pub fn unwatch_link(&mut self) {
        self.events.unwatch_link();
    }

    /// The batch's packets, headers between them; `offset` columns count from its first byte.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn bytes<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.source.bytes(env, id)
    }

    /// Memory of the columns, those filled that next() or fill() was asked for.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn columns<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.source.columns(env, id)
    }

    /// Fills more columns of a batch whose columns() has been asked for.
    #[napi]
    pub fn fill(&self, id: u32, set: u32) -> Result<()> {
        self.source.fill(id, set)
    }

    /// Parsed columns of a batch, whose columns offset, capturedLength and originalLength have been filled.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn parse<'env>(&self, env: &'env Env, id: u32) -> Result<Unknown<'env>> {
        self.source.parse(env, id)
    }

    /// Copies all packets end to end into `data` and their columns into `columns`.
    #[napi]
    pub fn copy(
        &self,
        id: u32,
        #[napi(ts_arg_type = "Uint8Array")] data: JsArray<u8>,
        #[napi(ts_arg_type = "Uint8Array")] columns: JsArray<u8>,
    ) -> Result<()> {
        self.source.copy(id, &data, &columns)
    }

    #[napi]
    pub fn release(&self, id: u32) -> Result<()> {
        self.source.release(id)
    }

    /// Of a paused capture: joins its group by this id, or a new one, and gives the id.
    #[napi]
    pub fn join_group(&self, id: Option<u16>) -> Result<u32> {
        self.source.with(|capture| capture.join_group(id)).map(u32::from)
    }

    /// Of a paused capture: what native_start_all() and native_stop_all() know it by.
    #[napi]
    pub fn barrier_id(&self) -> Result<Option<u32>> {
        self.source.with(|capture| Ok(capture.barrier_id()))
    }

    /// Of a paused capture: from now on its filter decides.
    #[napi]
    pub fn start(&self) -> Result<()> {
        self.source.with(Capture::start)
    }

    #[napi]
    pub fn set_filter(&self, filter: Option<NativeProgram>) -> Result<()> {
        self.source.with(|capture| capture.set_filter(filter.map(Into::into)))
    }

    #[napi]
    pub fn set_fanout_program(&self, program: NativeProgram) -> Result<()> {
        self.source.with(|capture| capture.set_fanout_program(&program.into()))
    }

    #[napi]
    pub fn stats(&self, cumulative: bool) -> Result<NativeStats> {
        self.source
            .with(|capture| if cumulative { capture.cumulative_stats() } else { capture.stats() })
            .map(Into::into)
    }

    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.events = SourceEvents::default();
        self.source.close()
    }
}
