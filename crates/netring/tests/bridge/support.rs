//! A network with a bridge in the middle, and its two ends.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use netring::bridge::packet::{open_capture, open_tx};
use netring::bridge::{Bridge, DirectionStats, PacketPort, PacketTx, Runner, SideOptions};
use netring::capture::{Capture, CaptureOptions};
use netring::injector::{InjectorOptions, OnMalformed};
use netring::ring::{Column, ColumnSet, Columns, vnet};
use netring::source::{Pollable, Source};

/// Long enough for a machine that is busy; a test that passes never waits for it.
const DEADLINE: Duration = Duration::from_secs(20);

/// `va`, the bridge's `vb` and `wa`, and `wb`, in a namespace that is gone when dropped.
pub(crate) struct Network {
    name: String,
}

/// A frame and the virtio-net header before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) header: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl Network {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("netring-bridge-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run("ip", &["netns", "add", &name]);
        let network = Self { name };
        // No IPv6: its own packets would be among the test's.
        network.exec("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
        for (one, other) in [("va", "vb"), ("wa", "wb")] {
            network.exec(&format!("ip link add {one} type veth peer name {other}"));
        }
        for link in ["lo", "va", "vb", "wa", "wb"] {
            network.exec(&format!("ip link set {link} up"));
        }
        network.wait_until_operating();
        network
    }

    pub(crate) fn exec(&self, command: &str) {
        let mut all = vec!["netns", "exec", &self.name];
        all.extend(command.split(' '));
        run("ip", &all);
    }

    /// Until then the queueing discipline is noop, which drops frames and says that they are sent.
    fn wait_until_operating(&self) {
        until(|| {
            let output = Command::new("ip").args(["-n", &self.name, "link", "show"]).output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            shown.matches("state UP").count() == 4 && !shown.contains("qdisc noop ")
        });
    }

    fn capture_options(&self) -> CaptureOptions {
        CaptureOptions {
            block_size: 1 << 18,
            block_count: 16,
            block_timeout_ms: 1,
            fill_rxhash: false,
            promiscuous: true,
            ignore_outgoing: true,
            namespace: Some(self.name.clone()),
            ..CaptureOptions::default()
        }
    }

    fn injector_options(&self) -> InjectorOptions {
        InjectorOptions {
            frame_size: 2048,
            frame_count: 1024,
            qdisc_bypass: false,
            on_malformed: OnMalformed::Skip,
            namespace: Some(self.name.clone()),
        }
    }

    pub(crate) fn tx(&self, interface: &str) -> PacketTx {
        open_tx(interface, &self.injector_options()).unwrap()
    }

    pub(crate) fn capture(&self, interface: &str) -> Capture {
        open_capture(interface, self.capture_options()).unwrap()
    }

    pub(crate) fn side(&self) -> SideOptions {
        SideOptions { capture: self.capture_options(), injector: self.injector_options() }
    }

    /// A bridge in the middle, running.
    pub(crate) fn bridge(&self) -> Runner<PacketPort> {
        let mut runner = Runner::new(Bridge::open("vb", "wa", self.side(), self.side()).unwrap()).unwrap();
        runner.start(|_| ()).unwrap();
        runner
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.name]);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success() || std::thread::panicking(), "{program} {arguments:?}");
}

pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "it never was so");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The next so many frames.
pub(crate) fn receive(capture: &mut Capture, count: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let start = Instant::now();
    while seen.len() < count {
        assert!(start.elapsed() < DEADLINE, "{} of {count} frames came", seen.len());
        if !capture.wait_within(Duration::from_millis(100)).unwrap() {
            continue;
        }
        let mut target = |packets| Some((Columns::for_packets(packets), ColumnSet::PLACE));
        let Some((batch, columns)) = capture.next(&mut target).unwrap() else { continue };
        let (columns, memory) = (columns.unwrap(), capture.bytes(&batch).unwrap());
        let row = |column: Column, index: u32| {
            let at = column.start() * columns.capacity() as usize + index as usize * 4;
            columns.memory().u32(at).unwrap() as usize
        };
        for index in 0..Capture::header(&batch).length {
            let (offset, length) = (row(Column::Offset, index), row(Column::CapturedLength, index));
            let header = memory.read(offset - vnet::BYTES as usize, vnet::BYTES as usize).unwrap();
            seen.push(Seen { header, bytes: memory.read(offset, length).unwrap() });
        }
        capture.release(batch);
    }
    seen
}

/// The counters from a to b, once they say so.
pub(crate) fn counted(runner: &Runner<PacketPort>, holds: impl Fn(&DirectionStats) -> bool) -> DirectionStats {
    let stats = || runner.with(|bridge| bridge.stats()).unwrap()[0];
    until(|| holds(&stats()));
    stats()
}
