//! Sets a socket up, in the order that loses no packet silently: frames, sockets, fill rings, the map, and the
//! program last. Until the program redirects a queue's packets they pass to the network stack; from then on every
//! packet that finds no frame is counted. A program to be replaced stays until all fallible steps have succeeded.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::frames::RxFrames;
use super::options::{self, Attach, BusyPoll, Mode, Queues, UmemLayout, XdpOptions, ZeroCopy};
use super::program::{self, Attached, AttachedProgram, PreparedProgram};
use super::receive::RxQueue;
use super::xsk::{Binding, Frames, XskQueue};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Instruction;
use crate::interface::{entering, index_of, info};
use crate::link_type::LinkType;
use crate::sys::bpf::{XdpMode, XskMap};
use crate::sys::epoll::{EpollSet, Interest};
use crate::sys::netns::{path_of, within};
use crate::sys::packet::PacketSocket;
use crate::sys::{ethtool, xdp};

/// How long a queue may be busy: the kernel frees one some 20 to 50 ms after its socket was closed
/// (`xp_release_deferred`, net/xdp/xsk_buff_pool.c).
const BUSY_FOR: Duration = Duration::from_secs(1);
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// What the kernel charges a frame in copy mode beyond its bytes, roughly twice over.
const SENDING_OVERHEAD: u64 = 2048;
const LARGEST_SEND_BUFFER: u64 = 64 << 20;

/// Sockets on an interface, receiving.
pub(super) struct OpenSocket {
    pub(super) attachment: Option<AttachedProgram>,
    /// The program that start() attaches.
    pub(super) barrier: Option<PreparedProgram>,
    pub(super) queues: Vec<RxQueue<XskQueue>>,
    pub(super) frames: Frames,
    pub(super) epoll: EpollSet,
    /// An unbound packet socket for ioctls on the interface.
    pub(super) control: PacketSocket,
    pub(super) index: u32,
    pub(super) numbers: Vec<u32>,
    pub(super) layout: UmemLayout,
    pub(super) link_type: LinkType,
    pub(super) zero_copy: bool,
}

pub(super) fn open(interface: &str, options: &XdpOptions) -> Result<OpenSocket> {
    options::check(options)?;
    if let Queues::List(list) = &options.queues {
        UmemLayout::of(options, list.len() as u32)?;
    }
    let namespace = options.namespace.as_deref();
    let path = namespace.map(path_of);
    // All of it on one thread: libxdp, bpf and netlink look at the namespace of their caller.
    within(path.as_deref(), || Ok(set_up(interface, options)))
        .map_err(|failure| entering(namespace, failure, "cannot open an AF_XDP socket", "socket"))?
}

/// Prepares a program for sockets that other threads open, and returns its queues.
pub(super) fn prepare(interface: &str, options: &XdpOptions) -> Result<(PreparedProgram, Vec<u32>)> {
    options::check(options)?;
    let namespace = options.namespace.as_deref();
    let path = namespace.map(path_of);
    let prepare = || {
        let control = control()?;
        let index = index_of(&control, interface, namespace)? as u32;
        let numbers = queue_numbers(interface, &control, &options.queues)?;
        let most = numbers.iter().max().expect("there is a queue") + 1;
        let filter = filter(&control, index, options)?.1;
        Ok((program::prepare(interface, index, most, options, filter.as_deref())?, numbers))
    };
    within(path.as_deref(), || Ok(prepare()))
        .map_err(|failure| entering(namespace, failure, "cannot prepare an XDP program", "socket"))?
}

/// Attaches a program from whichever network namespace: its packets pass to the network stack until there are sockets
/// in its map.
pub(super) fn attach(ready: &PreparedProgram) -> Result<AttachedProgram> {
    let namespace = ready.namespace.as_deref();
    let path = namespace.map(path_of);
    within(path.as_deref(), || Ok(ready.attach()))
        .map_err(|failure| entering(namespace, failure, "cannot attach an XDP program", "socket"))?
}

fn control() -> Result<PacketSocket> {
    let failed = |error: io::Error| Error::os(ErrorKind::Socket, "socket", &error, "cannot open a packet socket");
    PacketSocket::open(None).map_err(|failure| match failure {
        crate::sys::netns::Failure::Open(error)
        | crate::sys::netns::Failure::Enter(error)
        | crate::sys::netns::Failure::Call(error) => failed(error),
    })
}

/// The interface's link type, and the filter compiled for it.
fn filter(control: &PacketSocket, index: u32, options: &XdpOptions) -> Result<(LinkType, Option<Vec<Instruction>>)> {
    let hardware = control
        .interface_hardware_type(index as i32)
        .map_err(|error| Error::os(ErrorKind::Io, "ioctl", &error, "cannot read the interface's type"))?;
    let link_type = LinkType::of_arphrd(hardware);
    let filter = options.filter.as_ref().map(|filter| filter.for_xdp(link_type)).transpose()?;
    Ok((link_type, filter))
}

fn set_up(interface: &str, options: &XdpOptions) -> Result<OpenSocket> {
    let control = control()?;
    let index = index_of(&control, interface, options.namespace.as_deref())? as u32;
    let numbers = queue_numbers(interface, &control, &options.queues)?;
    let layout = UmemLayout::of(options, numbers.len() as u32)?;
    let (link_type, filter) = filter(&control, index, options)?;
    let program = match options.mode {
        Mode::Tx => None,
        _ => {
            let most = numbers.iter().max().expect("there is a queue") + 1;
            Some(program::prepare(interface, index, most, options, filter.as_deref())?)
        }
    };
    let binding = Binding { zero_copy: zero_copy(options), need_wakeup: options.need_wakeup };
    let frames = frames_of(layout, options)?;
    let mut queues = Vec::with_capacity(numbers.len());
    for (position, queue) in numbers.iter().enumerate() {
        let socket = bind(interface, &frames, *queue, binding)?;
        if let Some(poll) = options.busy_poll {
            busy_poll(&socket, poll)?;
        }
        let own = RxFrames::new(position as u32 * layout.rx_frames, layout.rx_frames, layout.frame_size);
        let limit = |most| super::max_batch(layout.rx_frames, most);
        queues.push(RxQueue::new(socket, own, limit(super::MAX_BATCH), limit(super::MAX_BURST)));
    }
    if layout.tx_frames > 0 {
        can_send(interface, &control, numbers[0])?;
    }
    let first = queues[0].rings().as_fd();
    let zero_copy = xdp::is_zero_copy(first)
        .map_err(|error| Error::os(ErrorKind::Io, "getsockopt", &error, "cannot read XDP_OPTIONS"))?;
    if layout.tx_frames > 0 && !zero_copy {
        let wanted = u64::from(layout.tx_frames) * (u64::from(layout.frame_size) + SENDING_OVERHEAD);
        xdp::set_send_buffer(first, wanted.min(LARGEST_SEND_BUFFER) as i32)
            .map_err(|error| Error::sockopt("SO_SNDBUF", &error, "the send buffer was refused"))?;
    }
    let waiting = |error: io::Error| Error::os(ErrorKind::Io, "epoll_ctl", &error, "cannot wait on the AF_XDP socket");
    let epoll = EpollSet::none().map_err(waiting)?;
    // Watching a socket costs some 60 ns per sent frame: freeing a frame checks for waiting writers
    // (`sock_def_write_space`, net/core/sock.c).
    if layout.rx_frames > 0 {
        for queue in &queues {
            epoll.add(queue.rings().as_fd(), Interest::Read).map_err(waiting)?;
        }
    }
    let (barrier, program) = if options.paused { (program, None) } else { (None, program) };
    let attachment = match &program {
        Some(ready) => {
            enter(&ready.map, &queues, &numbers)?;
            Some(may_copy(ready.attach()?, zero_copy)?)
        }
        None => None,
    };
    Ok(OpenSocket { attachment, barrier, queues, frames, epoll, control, index, numbers, layout, zero_copy, link_type })
}

/// Enters the sockets into the map: packets come once a program uses it. This happens before attaching, so that a
/// replaced program stays if it fails.
pub(super) fn enter(map: &XskMap, queues: &[RxQueue<XskQueue>], numbers: &[u32]) -> Result<()> {
    for (queue, number) in queues.iter().zip(numbers) {
        map.set(*number, queue.rings().as_fd()).map_err(|error| {
            let advice = match error.raw_os_error() {
                Some(libc::E2BIG) => "; it has no place of that number: make it larger",
                _ => "",
            };
            let what = format!("cannot put the socket of queue {number} into the XSKMAP{advice}");
            Error::os(ErrorKind::XdpProgram, "bpf", &error, what)
        })?;
    }
    Ok(())
}

/// A program behind the driver gets no packets from sockets that share frames with it.
pub(super) fn may_copy(attachment: AttachedProgram, zero_copy: bool) -> Result<AttachedProgram> {
    if attachment.was_attached() == Attached::Skb && zero_copy {
        let message =
            "the driver shares frames but takes no native program, which zero-copy needs: use `zero_copy` 'never'";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(attachment)
}

fn queue_numbers(interface: &str, control: &PacketSocket, queues: &Queues) -> Result<Vec<u32>> {
    match queues {
        Queues::List(list) => Ok(list.clone()),
        Queues::All => {
            let reported = ethtool::receive_queues(control.as_fd(), interface).map_err(|error| {
                Error::os(ErrorKind::Io, "ioctl", &error, format_args!("cannot count the queues of {interface:?}"))
            })?;
            let count = match reported {
                Some(count) => count,
                None => info(interface, None)?.rx_queues,
            };
            Ok((0..count.max(1)).collect())
        }
    }
}

/// The kernel accepts frames for a queue that only receives, and never sends them.
fn can_send(interface: &str, control: &PacketSocket, queue: u32) -> Result<()> {
    let reported = ethtool::transmit_queues(control.as_fd(), interface).map_err(|error| {
        Error::os(ErrorKind::Io, "ioctl", &error, format_args!("cannot count the queues of {interface:?}"))
    })?;
    match reported {
        Some(count) if queue >= count => Err(Error::new(
            ErrorKind::Config,
            format!(
                "queue {queue}, the first of this socket's, sends nothing: {interface:?} has {count} transmit queues \
                 (`ethtool -l`). Name one below that first in `queues`, or use mode 'rx'"
            ),
        )),
        _ => Ok(()),
    }
}

/// Registers the frames, waiting while the kernel still charges this user for some that were freed just now.
fn frames_of(layout: UmemLayout, options: &XdpOptions) -> Result<Frames> {
    let until = Frames::last_retired().map_or_else(Instant::now, |when| when + BUSY_FOR);
    wait_out(libc::ENOBUFS, until, || Frames::new(layout, options.huge_pages))
        .map_err(|error| no_frames(layout, options, &error))
}

/// Retries until a deadline, as long as the call fails with this errno.
fn wait_out<T>(errno: i32, until: Instant, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.raw_os_error() == Some(errno) && Instant::now() < until => {
                std::thread::sleep(BUSY_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// A generic-mode program (behind the driver) always copies.
fn zero_copy(options: &XdpOptions) -> ZeroCopy {
    let skb = options.mode != Mode::Tx && options.attach == Attach::Only(XdpMode::Skb);
    if skb { ZeroCopy::Never } else { options.zero_copy }
}

fn no_frames(layout: UmemLayout, options: &XdpOptions, error: &io::Error) -> Error {
    let bytes = u64::from(layout.frame_size) * u64::from(layout.frame_count);
    let advice = match error.raw_os_error() {
        Some(libc::ENOBUFS) => {
            "; they are locked in memory: raise `ulimit -l` (RLIMIT_MEMLOCK), grant CAP_IPC_LOCK, or lower `frame_count`"
        }
        Some(libc::ENOMEM) if options.huge_pages => {
            "; `huge_pages` needs pages set aside: `sysctl vm.nr_hugepages`, and frames that fill whole ones"
        }
        Some(libc::EAFNOSUPPORT) => "; this kernel was built without CONFIG_XDP_SOCKETS",
        _ => "",
    };
    Error::os(ErrorKind::Mmap, "setsockopt", error, format_args!("cannot register {bytes} bytes of frames{advice}"))
}

/// Binds, waiting while the kernel has not finished with a socket that was closed just now.
fn bind(interface: &str, frames: &Frames, queue: u32, binding: Binding) -> Result<XskQueue> {
    let bound = wait_out(libc::EBUSY, Instant::now() + BUSY_FOR, || frames.bind(interface, queue, binding));
    bound.map_err(|error| {
        let advice = match error.raw_os_error() {
            Some(libc::EBUSY) => "; another AF_XDP socket has it",
            Some(libc::EINVAL) => "; it has no such queue (`ethtool -l` counts them)",
            Some(libc::EOPNOTSUPP) => "; its driver has no zero-copy: use `zero_copy` 'auto'",
            Some(libc::ENETDOWN) => "; it is down",
            _ => "",
        };
        let what = format!("cannot bind to queue {queue} of interface {interface:?}{advice}");
        Error::os(ErrorKind::Bind, "bind", &error, what)
    })
}

fn busy_poll(socket: &XskQueue, poll: BusyPoll) -> Result<()> {
    let refused = |name| move |error: io::Error| Error::sockopt(name, &error, "busyPoll was refused");
    let socket = socket.as_fd();
    if poll.prefer {
        xdp::prefer_busy_poll(socket).map_err(refused("SO_PREFER_BUSY_POLL"))?;
    }
    xdp::set_busy_poll(socket, poll.us as i32).map_err(refused("SO_BUSY_POLL"))?;
    if let Some(budget) = poll.budget {
        xdp::set_busy_poll_budget(socket, budget as i32).map_err(refused("SO_BUSY_POLL_BUDGET"))?;
    }
    Ok(())
}
