//! Interfaces and sockets leave no programs, queues or memory behind.

use std::os::fd::RawFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use netring::sink::Sink;
use netring::source::Pollable;
use netring::test_support::bpf::{XdpLink, XdpMode, XdpProgram, XskMap, loaded};
use netring::test_support::netlink::LinkSocket;
use netring::test_support::netns::{path_of, within};
use netring::xdp::{Attach, Attached, Mode, OwnProgram, Queues, SharedProgram, XdpOptions, XdpSocket};
use netring::{ErrorKind, Source};

use crate::support::*;

/// Set in the child that [`a_killed_process_leaves_nothing`] starts and kills.
pub(crate) const CHILD: &str = "NETRING_XDP_TEST_CHILD";

/// Opens a socket, says so and waits to be killed.
pub(crate) fn child(namespace: &str) -> ! {
    let options = XdpOptions { namespace: Some(namespace.to_owned()), ..XdpOptions::default() };
    let _socket = XdpSocket::open("vb", &options).unwrap();
    println!("open");
    loop {
        std::thread::sleep(TIMEOUT);
    }
}

/// Does something with the index of `vb` on a thread that is in the network.
fn in_network<T: Send>(network: &Network, call: impl FnOnce(u32) -> std::io::Result<T> + Send) -> T {
    let index = netring::interface::info("vb", Some(&network.name)).unwrap().index;
    within(Some(&path_of(&network.name)), || call(index)).unwrap()
}

fn program_on(network: &Network, interface: &str) -> bool {
    network.read(&format!("-o link show {interface}")).contains("xdp")
}

/// Number of the program on `vb`.
fn program_id(network: &Network) -> u32 {
    let line = network.read("-o link show vb");
    let after = line.split_once("prog/xdp id ").expect("there is a program").1;
    after.split(' ').next().unwrap().parse().unwrap()
}

pub(crate) fn closing_detaches_the_program_at_once() {
    let network = Network::new();
    for attach in [NATIVE, SKB] {
        let socket = network.receiver(attach);
        assert!(program_on(&network, "vb"));
        socket.close().unwrap();
        assert!(!program_on(&network, "vb"));
    }
    drop(network.receiver(Attach::Auto));
    assert!(!program_on(&network, "vb"), "dropping does too");
}

pub(crate) fn a_killed_process_leaves_nothing() {
    let network = Network::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(CHILD, &network.name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line, "open\n");
    let id = program_id(&network);
    let links = || in_network(&network, |index| XdpLink::find(index, id)).len();
    assert_eq!((loaded(id).unwrap().name.as_str(), links()), ("netring", 1));
    child.kill().unwrap();
    child.wait().unwrap();
    until("the program goes from the interface", || !program_on(&network, "vb"));
    // The program object itself is gone, and the map that only it and the process referred to.
    until("the program is freed", || loaded(id).is_err());
    assert_eq!(links(), 0);
    // The queue is still busy for some milliseconds: opening waits for it.
    let mut socket = network.receiver(Attach::Auto);
    inject(&mut network.injector("va"), &[frame(1, 60)]);
    assert_eq!(receive(&mut socket, 1), [frame(1, 60)]);
}

pub(crate) fn a_queue_can_be_opened_again_at_once_and_is_busy_otherwise() {
    let network = Network::new();
    for _ in 0..5 {
        network.receiver(Attach::Auto).close().unwrap();
    }
    let _first = network.receiver(Attach::Auto);
    let error = XdpSocket::open("vb", &XdpOptions { mode: Mode::Tx, ..network.options() }).unwrap_err();
    assert_eq!((error.kind, error.errno), (ErrorKind::Bind, Some(libc::EBUSY)), "{error}");
    assert!(error.message.contains("queue 0"), "{error}");
    let missing = Queues::List(vec![7]);
    let error = XdpSocket::open("va", &XdpOptions { queues: missing, ..network.options() }).unwrap_err();
    assert!(error.kind == ErrorKind::Bind && error.message.contains("no such queue"), "{error}");
    assert!(!program_on(&network, "va"), "a failure leaves no program");
}

pub(crate) fn a_foreign_program_is_named_and_replaced_only_when_asked() {
    let network = Network::with_queues(2);
    let first = network.receiver(Attach::Auto);
    let refused = || XdpSocket::open("vb", &XdpOptions { mode: Mode::Rx, ..network.options() }).unwrap_err();
    let error = refused();
    assert_eq!(error.kind, ErrorKind::XdpProgram, "{error}");
    assert!(error.message.contains("\"netring\", native"), "{error}");
    let replacing = XdpOptions { replace: true, mode: Mode::Rx, ..network.options() };
    // The queue is the other socket's until that is closed, and its program stays.
    let error = XdpSocket::open("vb", &replacing).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Bind, "{error}");
    first.close().unwrap();

    // One that netlink attached, as `ip link` does, which no process holds.
    let program = XdpProgram::redirect(&XskMap::new(1).unwrap()).unwrap();
    in_network(&network, |index| {
        LinkSocket::open(None, false).unwrap().set_xdp(index, program.fd(), XdpMode::Skb.flag())
    });
    drop(program);
    let error = refused();
    assert!(error.kind == ErrorKind::XdpProgram && error.message.contains("skb"), "{error}");
    // It is put back where the new one cannot be attached, and not touched where that can be known before.
    let id = program_id(&network);
    network.run("link set va mtu 9000");
    let native = XdpOptions { attach: NATIVE, ..replacing.clone() };
    let error = XdpSocket::open("vb", &native).unwrap_err();
    assert!(error.message.contains("not with this MTU") && !error.message.contains("put back"), "{error}");
    assert_eq!(program_id(&network), id);
    network.run("link set va mtu 1500");
    let (small, map) = (XskMap::new(1).unwrap(), XskMap::new(4).unwrap());
    let useful = XdpProgram::redirect(&map).unwrap();
    for (own, words) in [
        (OwnProgram { xsk_map: map.fd(), program: Some(map.fd()) }, "is no descriptor of a program"),
        (OwnProgram { xsk_map: small.fd(), program: Some(useful.fd()) }, "it has no place of that number"),
    ] {
        let queues = Queues::List(vec![1]);
        let options = XdpOptions { program: Some(own), queues, ..replacing.clone() };
        let error = XdpSocket::open("vb", &options).unwrap_err();
        assert!(error.message.contains(words), "{error}");
        assert_eq!(program_id(&network), id);
    }
    let mut socket = network.open("vb", replacing);
    send_through(&network, 0);
    assert_eq!(receive(&mut socket, 1), [frame(1, 60)]);
}

/// Sends frame 1 through this queue of `va`: it comes on the same one of `vb`.
fn send_through(network: &Network, queue: u32) {
    let options = XdpOptions { queues: Queues::List(vec![queue]), mode: Mode::Tx, ..network.options() };
    let mut sender = network.open("va", options);
    assert!(sender.send(frame(1, 60).as_slice().into()).unwrap());
    assert!(sender.wait_drained(TIMEOUT).unwrap());
}

/// Both the socket's own and one that the caller has attached.
pub(crate) fn a_program_that_another_process_detaches_is_reported() {
    let network = Network::with_queues(2);
    let reported = |socket: &mut XdpSocket| {
        assert_eq!(socket.attached(), Attached::None);
        let error = next_within(socket, TIMEOUT).unwrap_err();
        assert!(error.kind == ErrorKind::XdpProgram && error.message.contains("somebody has detached"), "{error}");
        assert!(next(socket).is_err_and(|error| error.kind == ErrorKind::XdpProgram));
    };
    let mut first = network.receiver(Attach::Auto);
    assert_eq!(first.attached(), Attached::Native);
    // What had arrived comes first.
    send_through(&network, 0);
    until("the packet", || first.poll().unwrap());
    let other = XdpOptions { queues: Queues::List(vec![1]), replace: true, mode: Mode::Rx, ..network.options() };
    let second = network.open("vb", other);
    assert_eq!(receive(&mut first, 1), [frame(1, 60)]);
    reported(&mut first);
    assert_eq!(second.attached(), Attached::Native);
    first.close().unwrap();
    assert!(program_on(&network, "vb"), "the other's stays");
    second.close().unwrap();

    let map = XskMap::new(1).unwrap();
    let program = XdpProgram::redirect(&map).unwrap();
    let link = in_network(&network, |index| program.attach(index, XdpMode::Skb));
    let own = OwnProgram { xsk_map: map.fd(), program: None };
    let mut third = network.open("vb", XdpOptions { mode: Mode::Rx, program: Some(own), ..network.options() });
    assert_eq!(third.attached(), Attached::Skb);
    link.detach().unwrap();
    reported(&mut third);
}

/// Of a pool: nothing happens to the interface before all sockets are bound.
pub(crate) fn a_shared_program_is_attached_on_request() {
    let network = Network::with_queues(2);
    let options = XdpOptions { queues: Queues::List(vec![1]), mode: Mode::Rx, ..network.options() };
    let mut shared = SharedProgram::prepare("vb", &options).unwrap();
    let own = OwnProgram { xsk_map: shared.map_fd(), program: None };
    let mut member = network.open("vb", XdpOptions { program: Some(own), paused: true, ..options.clone() });
    assert_eq!((member.attached(), program_on(&network, "vb")), (Attached::None, false));
    // Nothing to be in the map of, yet.
    let error = network.open("va", XdpOptions { program: Some(own), paused: true, ..options }).start().unwrap_err();
    assert_eq!(error.kind, ErrorKind::XdpProgram, "{error}");
    shared.attach().unwrap();
    shared.attach().unwrap();
    member.start().unwrap();
    member.start().unwrap();
    assert_eq!(member.attached(), Attached::Native);
    send_through(&network, 1);
    assert_eq!(receive(&mut member, 1), [frame(1, 60)]);
    drop(shared);
    assert_eq!((member.attached(), program_on(&network, "vb")), (Attached::None, false));
}

pub(crate) fn a_program_of_the_callers_is_used() {
    let network = Network::new();
    let map = XskMap::new(4).unwrap();
    let program = XdpProgram::redirect(&map).unwrap();
    let own = OwnProgram { xsk_map: map.fd(), program: Some(program.fd()) };
    let options = XdpOptions { mode: Mode::Rx, program: Some(own), ..network.options() };
    let mut socket = network.open("vb", options.clone());
    inject(&mut network.injector("va"), &[frame(1, 60)]);
    assert_eq!(receive(&mut socket, 1), [frame(1, 60)]);
    socket.close().unwrap();
    assert!(!program_on(&network, "vb"));

    let attached = XdpOptions { program: Some(OwnProgram { program: None, ..own }), ..options };
    let error = XdpSocket::open("vb", &attached).unwrap_err();
    assert!(error.kind == ErrorKind::XdpProgram && error.message.contains("attach yours first"), "{error}");
    let link = in_network(&network, |index| program.attach(index, XdpMode::Native));
    let mut socket = network.open("vb", attached);
    inject(&mut network.injector("va"), &[frame(2, 60)]);
    assert_eq!(receive(&mut socket, 1), [frame(2, 60)]);
    socket.close().unwrap();
    assert!(program_on(&network, "vb"), "what the caller attached stays");
    drop(link);
}

pub(crate) fn bytes_outlive_the_socket_as_zeros() {
    let network = Network::new();
    let mut socket = network.receiver(Attach::Auto);
    inject(&mut network.injector("va"), &[frame(1, 60)]);
    let mut batch = None;
    until("a packet", || {
        batch = next(&mut socket).unwrap();
        batch.is_some()
    });
    let batch = batch.unwrap();
    let memory = socket.bytes(&batch).unwrap();
    assert_eq!(packets(&socket, &batch), [frame(1, 60)]);
    socket.close().unwrap();
    assert!(memory.read(0, memory.len()).unwrap().iter().all(|byte| *byte == 0));
    assert!(memory.write(0, b"still there"));
    // The queue is free although a view holds the bytes.
    network.receiver(Attach::Auto).close().unwrap();
}

fn counts() -> (usize, usize) {
    let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
    (std::fs::read_dir("/proc/self/fd").unwrap().count(), lines("/proc/self/maps"))
}

pub(crate) fn a_thousand_sockets_leave_nothing_behind() {
    // The kernel waits for RCU grace periods in each, some 60 ms: eight interfaces at a time.
    let networks: [Network; 4] = std::array::from_fn(|_| Network::new());
    let open_and_close = |times: usize| {
        std::thread::scope(|scope| {
            for (network, interface) in networks.iter().flat_map(|network| [(network, "va"), (network, "vb")]) {
                scope.spawn(move || {
                    // Small, or zeroing the frames would be most of the test.
                    let options = XdpOptions { frame_count: 64, ..network.options() };
                    for _ in 0..times {
                        XdpSocket::open(interface, &options).unwrap().close().unwrap();
                    }
                });
            }
        });
    };
    open_and_close(2);
    let before = counts();
    open_and_close(1000 / 8);
    let after = counts();
    assert!(after.0 <= before.0 + 2 && after.1 <= before.1 + 10, "{before:?} {after:?}");
}

pub(crate) fn down_and_up_and_gone_are_reported() {
    let network = Network::new();
    let mut socket = network.receiver(Attach::Auto);
    network.run("link set vb down");
    let error = next_within(&mut socket, TIMEOUT).unwrap_err();
    assert_eq!((error.kind, error.errno), (ErrorKind::LinkDown, Some(libc::ENETDOWN)), "{error}");
    assert!(next_within(&mut socket, Duration::from_millis(1)).unwrap().is_none(), "reported once");
    network.run("link set vb up");
    until("the carrier", || network.read("-o link show va").contains("LOWER_UP"));
    inject(&mut network.injector("va"), &[frame(1, 60)]);
    assert_eq!(receive(&mut socket, 1), [frame(1, 60)]);

    // What had arrived comes first.
    inject(&mut network.injector("va"), &[frame(2, 60)]);
    network.run("link del va");
    assert_eq!(receive(&mut socket, 1), [frame(2, 60)]);
    let error = next_within(&mut socket, TIMEOUT).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InterfaceRemoved, "{error}");
    assert!(socket.poll().is_err_and(|error| error.kind == ErrorKind::InterfaceRemoved));
    socket.close().unwrap();
}

pub(crate) fn a_wait_ends_when_the_interface_goes() {
    let network = Network::new();
    let mut socket = network.receiver(Attach::Auto);
    assert!(!socket.poll().unwrap());
    let (sender, woken) = std::sync::mpsc::channel();
    let watch = socket.readiness().watch(move |outcome| sender.send(outcome.is_ok()).unwrap()).unwrap();
    watch.arm();
    network.run("link del vb");
    assert_eq!(woken.recv_timeout(TIMEOUT), Ok(true));
    until("removal is known", || socket.poll().is_err());
}

/// A descriptor that no file has.
pub(crate) fn invalid_descriptors_are_refused_by_name() {
    let network = Network::new();
    let none: RawFd = 9999;
    let program = Some(OwnProgram { xsk_map: none, program: None });
    let error = XdpSocket::open("vb", &XdpOptions { program, ..network.options() }).unwrap_err();
    assert!(error.kind == ErrorKind::Config && error.message.contains("9999"), "{error}");
}
