//! The methods that only an AF_XDP socket has; packets come and go through its NativeSource and its NativeSink.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::sink::Sink;
use netring::xdp::{
    Attach, Attached, BusyPoll, Mode, OwnProgram, Queues, SharedProgram, XdpMode, XdpOptions, XdpSocket, XdpStats,
    ZeroCopy,
};

use crate::erased::{HeldBatches, Shared, share};
use crate::error::{closed, to_js};
use crate::options::NativeFilterOption;
use crate::sink::NativeSink;
use crate::source::NativeSource;

/// Its name in errors.
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
    /// An expression or instructions.
    pub filter: Option<NativeFilterOption>,
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
            filter: from.filter.map(Into::into),
            namespace: from.netns,
            paused: from.paused.unwrap_or(false),
        }
    }
}

#[napi(object, object_from_js = false)]
pub struct NativeXdpLayout {
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

/// A program that redirects packets to the sockets of several threads, until it is closed.
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

    /// Attaches it, replacing another program if asked to.
    #[napi]
    pub fn attach(&mut self) -> Result<()> {
        self.program.as_mut().map_or(Ok(()), SharedProgram::attach).map_err(to_js)
    }

    /// Stops redirecting packets, and stays attached.
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

impl NativeXdpLayout {
    pub(crate) fn of(socket: &XdpSocket) -> Self {
        Self {
            queues: socket.queues().to_vec(),
            zero_copy: socket.zero_copy(),
            frame_capacity: socket.frame_capacity(),
            tx_frames: socket.layout().tx_frames,
        }
    }
}

/// A socket, until its source and its sink are closed.
#[napi]
pub struct NativeXdpSocket {
    socket: Weak<RefCell<XdpSocket>>,
    /// `Some` until source() and sink() take them.
    source: Option<NativeSource>,
    sink: Option<NativeSink>,
}

#[napi]
impl NativeXdpSocket {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeXdpOptions) -> Result<Self> {
        let socket = XdpSocket::open(&interface, &options.into()).map_err(to_js)?;
        let (fd, capacity, count) = (socket.fd(), socket.frame_capacity(), socket.layout().tx_frames);
        let socket = share(socket);
        let sink = NativeSink::of(NAME, Rc::clone(&socket) as Shared<dyn Sink>, fd, capacity, count);
        let weak = Rc::downgrade(&socket);
        let held = share(HeldBatches::new(NAME, socket, None));
        Ok(Self { socket: weak, source: Some(NativeSource::live(NAME, held)), sink: Some(sink) })
    }

    /// Its source of packets; callable once.
    #[napi]
    pub fn source(&mut self) -> Result<NativeSource> {
        self.source.take().ok_or_else(|| closed(NAME))
    }

    /// Its sink of frames; callable once. Close it before the source, which ends the socket.
    #[napi]
    pub fn sink(&mut self) -> Result<NativeSink> {
        self.sink.take().ok_or_else(|| closed(NAME))
    }

    fn socket(&self) -> Result<Shared<XdpSocket>> {
        self.socket.upgrade().ok_or_else(|| closed(NAME))
    }

    /// Paused sockets: starts receiving.
    #[napi]
    pub fn start(&self) -> Result<()> {
        self.socket()?.borrow_mut().start().map_err(to_js)
    }

    #[napi]
    pub fn set_filter(&self, filter: Option<NativeFilterOption>) -> Result<()> {
        self.socket()?.borrow_mut().set_filter(filter.map(Into::into)).map_err(to_js)
    }

    #[napi]
    pub fn layout(&self) -> Result<NativeXdpLayout> {
        Ok(NativeXdpLayout::of(&self.socket()?.borrow()))
    }

    /// How the program is attached now.
    #[napi(ts_return_type = "'native' | 'skb' | 'none'")]
    pub fn attached(&self) -> Result<&'static str> {
        Ok(match self.socket()?.borrow().attached() {
            Attached::Native => "native",
            Attached::Skb => "skb",
            Attached::None => "none",
        })
    }

    /// The kernel's counters.
    #[napi]
    pub fn xdp_stats(&self) -> Result<NativeXdpStats> {
        self.socket()?.borrow().xdp_stats().map(Into::into).map_err(to_js)
    }
}
