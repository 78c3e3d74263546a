//! The class behind XdpSocket: a source and a sink over one object of the core.

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::sink::Sink;
use netring::source::Source;
use netring::xdp::{
    Attach, Attached, BusyPoll, Mode, OwnProgram, Queues, SharedProgram, XdpMode, XdpOptions, XdpSocket, XdpStats,
    ZeroCopy,
};

use crate::array::JsArray;
use crate::capture::NativeStats;
use crate::error::to_js;
use crate::events::SourceEvents;
use crate::options::milliseconds;
use crate::shared::share;
use crate::slots::{NativeFlush, NativeTxStats, Slots};
use crate::source::SourceHandle;

/// What errors call it.
const NAME: &str = "XDP socket";

#[napi(object)]
pub struct NativeBusyPoll {
    pub us: u32,
    pub budget: Option<u32>,
    pub prefer: bool,
}

#[napi(object)]
pub struct NativeXdpProgram {
    pub xsk_map_fd: i32,
    pub fd: Option<i32>,
}

#[napi(object)]
pub struct NativeXdpOptions {
    /// Absent: all.
    pub queues: Option<Vec<u32>>,
    #[napi(ts_type = "'rx' | 'tx' | 'rxtx' | 'prefill'")]
    pub mode: String,
    /// Frames that receive, for 'prefill'.
    pub prefill: u32,
    pub frame_size: u32,
    pub frame_count: u32,
    pub fill_size: Option<u32>,
    pub completion_size: Option<u32>,
    pub rx_size: Option<u32>,
    pub tx_size: Option<u32>,
    pub need_wakeup: bool,
    #[napi(ts_type = "'auto' | 'native' | 'skb'")]
    pub attach: String,
    #[napi(ts_type = "'auto' | 'require' | 'never'")]
    pub zero_copy: String,
    pub busy_poll: Option<NativeBusyPoll>,
    pub huge_pages: bool,
    pub coalesce_us: u32,
    pub replace: bool,
    pub program: Option<NativeXdpProgram>,
    pub netns: Option<String>,
    /// Out of the map until start(). Absent: no.
    pub paused: Option<bool>,
}

impl From<NativeXdpOptions> for XdpOptions {
    fn from(from: NativeXdpOptions) -> Self {
        Self {
            queues: from.queues.map_or(Queues::All, Queues::List),
            mode: match from.mode.as_str() {
                "rx" => Mode::Rx,
                "tx" => Mode::Tx,
                "prefill" => Mode::Prefill(from.prefill),
                _ => Mode::RxTx,
            },
            frame_size: from.frame_size,
            frame_count: from.frame_count,
            fill_size: from.fill_size,
            completion_size: from.completion_size,
            rx_size: from.rx_size,
            tx_size: from.tx_size,
            need_wakeup: from.need_wakeup,
            attach: match from.attach.as_str() {
                "native" => Attach::Only(XdpMode::Native),
                "skb" => Attach::Only(XdpMode::Skb),
                _ => Attach::Auto,
            },
            zero_copy: match from.zero_copy.as_str() {
                "require" => ZeroCopy::Require,
                "never" => ZeroCopy::Never,
                _ => ZeroCopy::Auto,
            },
            busy_poll: from.busy_poll.map(|poll| BusyPoll { us: poll.us, budget: poll.budget, prefer: poll.prefer }),
            huge_pages: from.huge_pages,
            coalesce_us: from.coalesce_us,
            replace: from.replace,
            program: from.program.map(|own| OwnProgram { xsk_map: own.xsk_map_fd, program: own.fd }),
            namespace: from.netns,
            paused: from.paused.unwrap_or(false),
        }
    }
}

#[napi(object, object_from_js = false)]
pub struct NativeXdpShape {
    pub queues: Vec<u32>,
    pub zero_copy: bool,
    pub frame_capacity: u32,
    /// Frames that send.
    pub tx_frames: u32,
}

#[napi(object)]
pub struct NativeXdpStats {
    pub rx_dropped: f64,
    pub rx_invalid_descriptors: f64,
    pub tx_invalid_descriptors: f64,
    pub rx_ring_full: f64,
    pub rx_fill_ring_empty: f64,
    pub tx_ring_empty: f64,
}

impl From<XdpStats> for NativeXdpStats {
    fn from(from: XdpStats) -> Self {
        Self {
            rx_dropped: from.rx_dropped as f64,
            rx_invalid_descriptors: from.rx_invalid_descriptors as f64,
            tx_invalid_descriptors: from.tx_invalid_descriptors as f64,
            rx_ring_full: from.rx_ring_full as f64,
            rx_fill_ring_empty: from.rx_fill_ring_empty as f64,
            tx_ring_empty: from.tx_ring_empty as f64,
        }
    }
}

/// A program that leads packets to the sockets of several threads, until it is closed.
#[napi]
pub struct NativeSharedProgram {
    program: Option<SharedProgram>,
}

#[napi]
impl NativeSharedProgram {
    #[napi(factory)]
    pub fn prepare(interface: String, options: NativeXdpOptions) -> Result<Self> {
        let program = SharedProgram::prepare(&interface, &options.into()).map_err(to_js)?;
        Ok(Self { program: Some(program) })
    }

    /// Attaches it, in the place of one that is to be replaced.
    #[napi]
    pub fn attach(&mut self) -> Result<()> {
        self.program.as_mut().map_or(Ok(()), SharedProgram::attach).map_err(to_js)
    }

    /// Leads packets to no socket any more, and stays attached.
    #[napi]
    pub fn shut(&self) -> Result<()> {
        self.program.as_ref().map_or(Ok(()), SharedProgram::shut).map_err(to_js)
    }

    /// The descriptor of its map, as long as it is not closed.
    #[napi]
    pub fn map_fd(&self) -> i32 {
        self.program.as_ref().map_or(-1, SharedProgram::map_fd)
    }

    #[napi]
    pub fn queues(&self) -> Vec<u32> {
        self.program.as_ref().map_or_else(Vec::new, |program| program.queues().to_vec())
    }

    /// Detaches it.
    #[napi]
    pub fn close(&mut self) {
        self.program = None;
    }
}

#[napi]
pub struct NativeXdpSocket {
    // Dropped in this order: nobody is called about a socket that is gone, views end before the memory does.
    events: SourceEvents,
    slots: Slots<XdpSocket>,
    source: SourceHandle<XdpSocket>,
}

#[napi]
impl NativeXdpSocket {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeXdpOptions) -> Result<Self> {
        let socket = share(XdpSocket::open(&interface, &options.into()).map_err(to_js)?);
        Ok(Self {
            events: SourceEvents::default(),
            slots: Slots::new(NAME, socket.clone()),
            source: SourceHandle::new(NAME, socket),
        })
    }

    /// Of a paused socket: from now on packets come.
    #[napi]
    pub fn start(&self) -> Result<()> {
        self.source.with(XdpSocket::start)
    }

    #[napi]
    pub fn shape(&self) -> Result<NativeXdpShape> {
        self.source.with(|socket| {
            Ok(NativeXdpShape {
                queues: socket.queues().to_vec(),
                zero_copy: socket.zero_copy(),
                frame_capacity: socket.frame_capacity(),
                tx_frames: socket.shape().tx_frames,
            })
        })
    }

    /// How packets get here now.
    #[napi(ts_return_type = "'native' | 'skb' | 'none'")]
    pub fn attached(&self) -> Result<&'static str> {
        self.source.with(|socket| {
            Ok(match socket.attached() {
                Attached::Native => "native",
                Attached::Skb => "skb",
                Attached::None => "none",
            })
        })
    }

    /// The kernel's counters.
    #[napi]
    pub fn xdp_stats(&self) -> Result<NativeXdpStats> {
        self.source.with(|socket| socket.xdp_stats()).map(Into::into)
    }

    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.events = SourceEvents::default();
        self.slots.close();
        self.source.close()
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

    #[napi]
    pub fn stats(&self, cumulative: bool) -> Result<NativeStats> {
        self.source.with(|socket| if cumulative { socket.cumulative_stats() } else { socket.stats() }).map(Into::into)
    }

    #[napi]
    pub fn available(&self) -> Result<u32> {
        self.slots.with(XdpSocket::available)
    }

    /// A free slot's number, or -1.
    #[napi]
    pub fn allocate(&self) -> Result<i32> {
        self.slots.allocate()
    }

    /// All bytes of a slot.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn slot_bytes<'env>(&self, env: &'env Env, slot: u32) -> Result<Unknown<'env>> {
        self.slots.bytes(env, slot)
    }

    #[napi]
    pub fn queue(&self, slot: u32, length: u32) -> Result<()> {
        self.slots.queue(slot, length)
    }

    #[napi]
    pub fn discard(&self, slot: u32) -> Result<()> {
        self.slots.discard(slot)
    }

    /// False when no slot is free.
    #[napi]
    pub fn send(&self, #[napi(ts_arg_type = "Uint8Array")] frame: JsArray<u8>) -> Result<bool> {
        self.slots.with(|socket| socket.send(frame.bytes()))
    }

    /// How many were queued: as many as there are slots for, or none where one of them cannot be
    /// sent; the error counts from `first`.
    #[napi]
    pub fn send_many(&self, frames: Array<'_>, first: u32) -> Result<u32> {
        self.slots.send_many(&frames, first)
    }

    /// As sendMany, for frames that lie `stride` bytes apart.
    #[napi]
    pub fn send_strided(
        &self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: JsArray<u8>,
        #[napi(ts_arg_type = "Uint32Array")] lengths: JsArray<u32>,
        stride: u32,
    ) -> Result<u32> {
        self.slots.send_strided(&bytes, &lengths, stride)
    }

    #[napi]
    pub fn flush(&self) -> Result<NativeFlush> {
        self.slots.flush()
    }

    /// Errors of the frames that were refused since the last call, as texts for src/errors.ts.
    #[napi]
    pub fn take_rejections(&self) -> Result<Vec<String>> {
        self.slots.take_rejections()
    }

    #[napi]
    pub fn tx_stats(&self) -> Result<NativeTxStats> {
        self.slots.with(XdpSocket::tx_stats).map(Into::into)
    }

    #[napi]
    pub fn wait_drained(&self, timeout_ms: f64) -> Result<bool> {
        self.slots.wait_drained(timeout_ms)
    }
}
