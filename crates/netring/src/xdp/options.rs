//! Options of an AF_XDP socket.

use std::os::fd::RawFd;

use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::sys::bpf::XdpMode;

/// Which queues of the interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queues {
    /// These, each once.
    List(Vec<u32>),
    /// Every receive queue in use.
    All,
}

/// What the frames are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All of them receive.
    Rx,
    /// All of them send; no program is attached.
    Tx,
    /// One half receives, the other sends.
    RxTx,
    /// This many receive, the others send.
    Prefill(u32),
}

/// How to attach the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// In the driver where it can, else behind it.
    Auto,
    /// Like this or not at all.
    Only(XdpMode),
}

/// Whether the driver is to use the UMEM itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroCopy {
    /// Where it can.
    Auto,
    /// Else opening fails.
    Require,
    /// The kernel copies.
    Never,
}

/// Busy polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyPoll {
    /// Microseconds to poll the device when there is nothing to read.
    pub us: u32,
    /// Packets one poll takes at most.
    pub budget: Option<u32>,
    /// Leave the device's interrupts off meanwhile.
    pub prefer: bool,
}

/// A program of the caller's own. Descriptors stay the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnProgram {
    /// The map it redirects through.
    pub xsk_map: RawFd,
    /// The program, to be attached; without it the caller has attached it.
    pub program: Option<RawFd>,
}

/// Options of an AF_XDP socket. A ring's size that is `None` holds all frames that can ever be in it.
#[derive(Clone, Debug)]
pub struct XdpOptions {
    /// Which queues of the interface.
    pub queues: Queues,
    /// Which frames receive and which send.
    pub mode: Mode,
    /// Bytes a frame: 2048 or 4096.
    pub frame_size: u32,
    /// Frames of the UMEM.
    pub frame_count: u32,
    /// Entries of each queue's fill ring, a power of two.
    pub fill_size: Option<u32>,
    /// Entries of the completion ring, a power of two.
    pub completion_size: Option<u32>,
    /// Entries of each queue's receive ring, a power of two.
    pub rx_size: Option<u32>,
    /// Entries of the transmit ring, a power of two.
    pub tx_size: Option<u32>,
    /// `XDP_USE_NEED_WAKEUP`: the kernel says when it wants a system call.
    pub need_wakeup: bool,
    /// How the program is attached.
    pub attach: Attach,
    /// Whether the driver uses the UMEM itself.
    pub zero_copy: ZeroCopy,
    /// Busy polling of the device.
    pub busy_poll: Option<BusyPoll>,
    /// Put the UMEM into huge pages.
    pub huge_pages: bool,
    /// Microseconds between two wake-ups while packets come fast, at most; 0 wakes for each.
    pub coalesce_us: u32,
    /// Put the program in the place of another.
    pub replace: bool,
    /// A program of the caller's own.
    pub program: Option<OwnProgram>,
    /// The program redirects the packets that it matches, and passes the others to the network stack.
    pub filter: Option<Filter>,
    /// Network namespace, a name or a path.
    pub namespace: Option<String>,
    /// Stay out of the map until `XdpSocket::start`.
    pub paused: bool,
}

impl Default for XdpOptions {
    fn default() -> Self {
        Self {
            queues: Queues::List(vec![0]),
            mode: Mode::RxTx,
            frame_size: 2048,
            frame_count: 4096,
            fill_size: None,
            completion_size: None,
            rx_size: None,
            tx_size: None,
            need_wakeup: true,
            attach: Attach::Auto,
            zero_copy: ZeroCopy::Auto,
            busy_poll: None,
            huge_pages: false,
            coalesce_us: 500,
            replace: false,
            program: None,
            filter: None,
            namespace: None,
            paused: false,
        }
    }
}

crate::setters!(XdpOptions {
    /// Which queues of the interface.
    queues: Queues,
    /// Which frames receive and which send.
    mode: Mode,
    /// Bytes a frame: 2048 or 4096.
    frame_size: u32,
    /// Frames of the UMEM.
    frame_count: u32,
    /// Entries of each queue's fill ring, a power of two.
    fill_size: Option<u32>,
    /// Entries of the completion ring, a power of two.
    completion_size: Option<u32>,
    /// Entries of each queue's receive ring, a power of two.
    rx_size: Option<u32>,
    /// Entries of the transmit ring, a power of two.
    tx_size: Option<u32>,
    /// `XDP_USE_NEED_WAKEUP`: the kernel says when it wants a system call.
    need_wakeup: bool,
    /// How the program is attached.
    attach: Attach,
    /// Whether the driver uses the UMEM itself.
    zero_copy: ZeroCopy,
    /// Busy polling of the device.
    busy_poll: Option<BusyPoll>,
    /// Put the UMEM into huge pages.
    huge_pages: bool,
    /// Microseconds between two wake-ups while packets come fast, at most; 0 wakes for each.
    coalesce_us: u32,
    /// Put the program in the place of another.
    replace: bool,
    /// A program of the caller's own.
    program: Option<OwnProgram>,
    /// The program redirects the packets that it matches, and passes the others to the network stack.
    filter: Option<Filter>,
    /// Network namespace, a name or a path.
    namespace: Option<String>,
    /// Stay out of the map until `XdpSocket::start`.
    paused: bool,
});

/// How the UMEM is divided and how large the rings are, checked. The frames that receive come
/// first, `rx_frames` of each queue, then those that send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UmemLayout {
    /// Bytes a frame.
    pub frame_size: u32,
    /// Frames.
    pub frame_count: u32,
    /// Queues.
    pub queues: u32,
    /// Frames of each queue that receive.
    pub rx_frames: u32,
    /// Frames that send.
    pub tx_frames: u32,
    /// Places in the fill ring.
    pub fill_size: u32,
    /// Places in the completion ring.
    pub completion_size: u32,
    /// Places in the receive ring.
    pub rx_size: u32,
    /// Places in the transmit ring.
    pub tx_size: u32,
}

/// Bytes of the largest frame of a UMEM, a page of 4 KiB (`xdp_umem_reg`, net/xdp/xdp_umem.c).
pub(super) const LARGEST_FRAME: u32 = 4096;
/// Bytes that the kernel leaves free before a packet (`XDP_PACKET_HEADROOM`).
pub(super) const HEADROOM: u32 = 256;
/// Places in a ring at most: far more than is of use, far less than the kernel cannot allocate.
const LARGEST_RING: u32 = 1 << 20;

fn refuse<T>(message: String) -> Result<T> {
    Err(Error::new(ErrorKind::Config, message))
}

impl UmemLayout {
    /// Divides the frames among `queues` queues. No system call comes before these checks.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), naming the value that does not fit.
    pub fn of(options: &XdpOptions, queues: u32) -> Result<Self> {
        let XdpOptions { frame_size, frame_count, .. } = *options;
        if frame_size != 2048 && frame_size != LARGEST_FRAME {
            return refuse(format!("`frame_size` {frame_size} must be 2048 or 4096 bytes, as AF_XDP wants it"));
        }
        if frame_count == 0 || u64::from(frame_size) * u64::from(frame_count) > u64::from(u32::MAX) {
            return refuse(format!("`frame_count` {frame_count}: a UMEM has at least one frame and less than 4 GiB"));
        }
        let receiving = match options.mode {
            Mode::Rx => frame_count,
            Mode::Tx => 0,
            Mode::RxTx => frame_count / 2,
            Mode::Prefill(count) if count > 0 && count < frame_count => count,
            Mode::Prefill(count) => {
                return refuse(format!(
                    "prefill {count} leaves no frames to send or to receive of {frame_count}; use mode 'rx' or 'tx'"
                ));
            }
        };
        let rx_frames = receiving / queues.max(1);
        let tx_frames = frame_count - receiving;
        if queues == 0 || (receiving > 0 && rx_frames == 0) || (options.mode == Mode::RxTx && receiving == 0) {
            let (name, count) = match options.mode {
                Mode::Prefill(count) => ("prefill", count),
                Mode::Rx | Mode::Tx | Mode::RxTx => ("`frame_count`", frame_count),
            };
            return refuse(format!("{name} {count} is not enough for {queues} queues"));
        }
        let size = |name: &str, given: Option<u32>, frames: u32| match given {
            Some(size) if size.is_power_of_two() && size <= LARGEST_RING => Ok(size),
            Some(size) => refuse(format!("{name} {size} must be a power of two, at most {LARGEST_RING}")),
            None => Ok(frames.next_power_of_two().clamp(64, LARGEST_RING)),
        };
        Ok(Self {
            frame_size,
            frame_count,
            queues,
            rx_frames,
            tx_frames,
            fill_size: size("`fill_size`", options.fill_size, rx_frames)?,
            completion_size: size("`completion_size`", options.completion_size, tx_frames)?,
            rx_size: size("`rx_size`", options.rx_size, rx_frames)?,
            tx_size: size("`tx_size`", options.tx_size, tx_frames)?,
        })
    }

    /// Bytes of the frames that receive: where those that send begin.
    pub fn rx_bytes(&self) -> u32 {
        self.first_tx_frame() * self.frame_size
    }

    /// Number of the first frame that sends.
    pub fn first_tx_frame(&self) -> u32 {
        self.frame_count - self.tx_frames
    }
}

/// Refuses a filter where this crate has no program to put it into.
pub(super) fn check_filter(mode: Mode, own_program: bool) -> Result<()> {
    if mode == Mode::Tx {
        return refuse("`filter` does not go with mode 'tx', which has no program".into());
    }
    if own_program {
        return refuse("`filter` does not go with `program`: your own program decides what it redirects".into());
    }
    Ok(())
}

/// Refuses options that contradict each other, by name.
pub(super) fn check(options: &XdpOptions) -> Result<()> {
    if let Queues::List(list) = &options.queues {
        let mut sorted = list.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if list.is_empty() || sorted.len() != list.len() {
            return refuse(format!("queues {list:?} must name at least one queue, and each once"));
        }
    }
    if options.zero_copy == ZeroCopy::Require && options.attach == Attach::Only(XdpMode::Skb) {
        return refuse("`zero_copy` 'require' does not go with attach 'skb', which is behind the driver".into());
    }
    if options.mode == Mode::Tx && (options.program.is_some() || options.replace) {
        let name = if options.replace { "replace" } else { "program" };
        return refuse(format!("{name} does not go with mode 'tx', which has no program"));
    }
    if options.filter.is_some() {
        check_filter(options.mode, options.program.is_some())?;
    }
    if options.replace && options.program.is_some_and(|own| own.program.is_none()) {
        return refuse("replace does not go with a program that is already attached (`xsk_map` without fd)".into());
    }
    let too_large = |value: u32| i32::try_from(value).is_err();
    if let Some(poll) = options.busy_poll
        && (poll.us == 0 || too_large(poll.us) || poll.budget.is_some_and(|budget| budget == 0 || budget > 65535))
    {
        return refuse("busyPoll needs us of at least 1 and a budget from 1 to 65535".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_divided_and_rings_hold_them() {
        let options = XdpOptions { frame_count: 1000, ..XdpOptions::default() };
        let layout = UmemLayout::of(&options, 3).unwrap();
        assert_eq!((layout.rx_frames, layout.tx_frames, layout.first_tx_frame()), (166, 500, 500));
        assert_eq!((layout.fill_size, layout.rx_size, layout.tx_size, layout.completion_size), (256, 256, 512, 512));
        let options = XdpOptions { mode: Mode::Rx, ..options };
        let layout = UmemLayout::of(&options, 1).unwrap();
        assert_eq!((layout.rx_frames, layout.tx_frames, layout.rx_bytes()), (1000, 0, 2048 * 1000));
        let options = XdpOptions { mode: Mode::Prefill(10), fill_size: Some(4), ..options };
        let layout = UmemLayout::of(&options, 1).unwrap();
        assert_eq!((layout.rx_frames, layout.tx_frames, layout.fill_size), (10, 990, 4));
    }

    /// `xdp_umem_reg` (net/xdp/xdp_umem.c) takes chunks of 2048 bytes to a page, powers of two; the
    /// last page need not be full.
    #[test]
    fn frames_that_are_accepted_lie_within_a_page_whatever_its_size() {
        for page in [4096, 16384, 65536] {
            for frame_size in [2048, 4096] {
                let options = XdpOptions { frame_size, frame_count: 1001, ..XdpOptions::default() };
                let layout = UmemLayout::of(&options, 1).unwrap();
                for frame in [0, layout.first_tx_frame(), layout.frame_count - 1] {
                    let first = frame * layout.frame_size;
                    assert_eq!(first / page, (first + layout.frame_size - 1) / page, "frame {frame}, page {page}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let good = XdpOptions::default;
        let bad = [
            (XdpOptions { frame_size: 1024, ..good() }, "`frame_size` 1024"),
            (XdpOptions { frame_count: 0, ..good() }, "`frame_count` 0"),
            (XdpOptions { frame_count: 1 << 21, ..good() }, "`frame_count` 2097152"),
            (XdpOptions { frame_count: 1, ..good() }, "not enough"),
            (XdpOptions { mode: Mode::Prefill(4096), ..good() }, "prefill 4096"),
            (XdpOptions { rx_size: Some(3), ..good() }, "`rx_size` 3"),
            (XdpOptions { fill_size: Some(0), ..good() }, "`fill_size` 0"),
            (XdpOptions { queues: Queues::List(vec![]), ..good() }, "queues"),
            (XdpOptions { queues: Queues::List(vec![1, 0, 1]), ..good() }, "queues"),
            (
                XdpOptions { zero_copy: ZeroCopy::Require, attach: Attach::Only(XdpMode::Skb), ..good() },
                "`zero_copy` 'require'",
            ),
            (XdpOptions { mode: Mode::Tx, replace: true, ..good() }, "replace"),
            (
                XdpOptions { mode: Mode::Tx, program: Some(OwnProgram { xsk_map: 3, program: None }), ..good() },
                "program does not",
            ),
            (
                XdpOptions { mode: Mode::Tx, filter: Some(Filter::Classic(vec![])), ..good() },
                "`filter` does not go with mode",
            ),
            (
                XdpOptions {
                    program: Some(OwnProgram { xsk_map: 3, program: None }),
                    filter: Some(Filter::Classic(vec![])),
                    ..good()
                },
                "`filter` does not go with `program`",
            ),
            (XdpOptions { busy_poll: Some(BusyPoll { us: 0, budget: None, prefer: false }), ..good() }, "busyPoll"),
        ];
        for (options, word) in bad {
            let error = check(&options).and_then(|()| UmemLayout::of(&options, 1)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Config);
            assert!(error.message.contains(word), "{error}");
        }
    }
}
