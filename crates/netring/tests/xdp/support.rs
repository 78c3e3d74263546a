//! Networks of their own, and frames to send through them.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use netring::injector::{Injector, InjectorOptions, OnMalformed};
use netring::ring::{ColumnSet, Columns, Memory};
use netring::sink::Sink;
use netring::source::{Pollable, Source};
use netring::xdp::{Attach, Batch, Mode, XdpMode, XdpOptions, XdpSocket};

/// A network namespace with a veth pair `va` - `vb` in it, gone when dropped.
pub(crate) struct Network {
    pub(crate) name: String,
}

impl Network {
    pub(crate) fn new() -> Self {
        Self::with_queues(1)
    }

    /// With so many queues at both ends.
    pub(crate) fn with_queues(queues: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("netring-xdp-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run("ip", &["netns", "add", &name]);
        let network = Self { name };
        let count = queues.to_string();
        // No IPv6: its own packets would be among the test's.
        network.exec("sysctl", "-qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
        network.run(&format!(
            "link add name va numrxqueues {count} numtxqueues {count} type veth peer name vb numrxqueues {count} numtxqueues {count}"
        ));
        for link in ["lo", "va", "vb"] {
            network.run(&format!("link set {link} up"));
        }
        network
    }

    /// `ip -n NAME ...`
    pub(crate) fn run(&self, arguments: &str) {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments.split(' '));
        run("ip", &all);
    }

    /// `ip netns exec NAME program ...`
    pub(crate) fn exec(&self, program: &str, arguments: &str) {
        let mut all = vec!["netns", "exec", &self.name, program];
        all.extend(arguments.split(' '));
        run("ip", &all);
    }

    /// What `ip -n NAME ...` prints.
    pub(crate) fn read(&self, arguments: &str) -> String {
        let output = Command::new("ip").args(["-n", &self.name]).args(arguments.split(' ')).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn options(&self) -> XdpOptions {
        XdpOptions { namespace: Some(self.name.clone()), ..XdpOptions::default() }
    }

    pub(crate) fn open(&self, interface: &str, options: XdpOptions) -> XdpSocket {
        XdpSocket::open(interface, &options).unwrap()
    }

    /// A receiver on `vb`, attached like this.
    pub(crate) fn receiver(&self, attach: Attach) -> XdpSocket {
        self.open("vb", XdpOptions { mode: Mode::Rx, attach, ..self.options() })
    }

    /// A plain sender.
    pub(crate) fn injector(&self, interface: &str) -> Injector {
        let options = InjectorOptions {
            frame_size: 4096,
            frame_count: 4096,
            qdisc_bypass: true,
            on_malformed: OnMalformed::Stop,
            namespace: Some(self.name.clone()),
        };
        Injector::open(interface, &options).unwrap()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.name]);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status().unwrap();
    assert!(status.success() || std::thread::panicking(), "{program} {arguments:?}");
}

pub(crate) const NATIVE: Attach = Attach::Only(XdpMode::Native);
pub(crate) const SKB: Attach = Attach::Only(XdpMode::Skb);
/// Long enough for a machine that is busy; a test that passes never waits for it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// A frame of an unused ethertype, with a number and bytes that depend on it.
pub(crate) fn frame(number: u32, length: usize) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
    bytes.extend(number.to_be_bytes());
    bytes.extend((bytes.len()..length).map(|at| (at as u32 ^ number.wrapping_mul(31)) as u8));
    assert_eq!(bytes.len(), length);
    bytes
}

/// The number in a frame of [`frame`], or `None` for other frames.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    (bytes.len() >= 18 && bytes[12..14] == [0x88, 0xb5]).then(|| u32::from_be_bytes(bytes[14..18].try_into().unwrap()))
}

/// Sends all of them, in order, whatever the kernel's buffers hold.
pub(crate) fn inject(injector: &mut Injector, frames: &[Vec<u8>]) {
    for frame in frames {
        while !injector.send(frame.as_slice().into()).unwrap() {
            assert!(injector.wait_drained(TIMEOUT).unwrap());
        }
    }
    assert!(injector.wait_drained(TIMEOUT).unwrap());
}

/// The next batch, waiting for it up to `timeout`.
pub(crate) fn next_within(socket: &mut XdpSocket, timeout: Duration) -> netring::Result<Option<Batch>> {
    if socket.wait_within(timeout)? { next(socket) } else { Ok(None) }
}

/// The next batch.
pub(crate) fn next(socket: &mut XdpSocket) -> netring::Result<Option<Batch>> {
    Ok(socket.next(&mut |_| None)?.map(|(batch, _)| batch))
}

/// The bytes of a batch's packets, by its columns.
pub(crate) fn packets(socket: &XdpSocket, batch: &Batch) -> Vec<Vec<u8>> {
    let length = XdpSocket::header(batch).length;
    let columns = Columns::for_packets(length);
    socket.fill(batch, &columns, ColumnSet::PLACE).unwrap();
    let bytes = socket.bytes(batch).unwrap();
    let word = |memory: &Memory, at: usize| memory.u32(at).unwrap() as usize;
    (0..length as usize)
        .map(|index| {
            let offset = word(columns.memory(), index * 4);
            let length = word(columns.memory(), (columns.capacity() as usize + index) * 4);
            bytes.read(offset, length).unwrap()
        })
        .collect()
}

/// Reads until `count` frames of [`frame`] have come or the timeout passes.
pub(crate) fn receive(socket: &mut XdpSocket, count: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let deadline = Instant::now() + TIMEOUT;
    while all.len() < count && Instant::now() < deadline {
        let Some(batch) = next_within(socket, Duration::from_millis(100)).unwrap() else { continue };
        all.extend(packets(socket, &batch).into_iter().filter(|bytes| number(bytes).is_some()));
        socket.release(batch);
    }
    all
}

/// Waits until something is true, which it must become.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
