//! What a packet costs to read and to write, beside tcpdump and capinfos on the same files:
//!
//! ```sh
//! cargo run --release -p netring-pcap --example pcap_bench -- [PACKETS [FOLDER]]
//! ```
//!
//! The folder should be in memory (default /dev/shm), so that no disk is measured. Each figure is the best of five runs, in
//! time on the processor, user and system, so that other work on the machine is not counted; what others take of its
//! caches is.
#![allow(missing_docs)]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use netring_pcap::{
    Batch, BufferedDecoder, Columns, Decoder, EncodeOptions, Encoder, Event, Interface, LinkType, Next, OutputFormat,
    Room,
};

const BUFFER: usize = 1 << 20;
/// Packets a block of a ring, more or less.
const BATCH: u32 = 4096;
const RUNS: u32 = 5;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let packets: u32 = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "/dev/shm".into()));
    let cases = [
        ("pcapng 64 B", OutputFormat::PcapNg, 64, false, packets),
        ("pcapng 64 B with flags", OutputFormat::PcapNg, 64, true, packets),
        ("pcap 64 B", OutputFormat::PcapNanoseconds, 64, false, packets),
        ("pcapng 800 B", OutputFormat::PcapNg, 800, false, packets / 10),
        ("pcap 800 B", OutputFormat::PcapNanoseconds, 800, false, packets / 10),
    ];
    for (name, format, length, flags, packets) in cases {
        let path = folder.join(format!("netring-pcap-bench-{}", std::process::id()));
        let measured = case(name, format, length, flags, packets, &path);
        std::fs::remove_file(&path)?;
        measured?;
    }
    Ok(())
}

fn case(name: &str, format: OutputFormat, length: u32, flags: bool, packets: u32, path: &Path) -> Outcome<()> {
    let encoder = Encoder::new(
        EncodeOptions { format, ..Default::default() },
        vec![Interface::new(LinkType::ETHERNET, 262_144)],
    )?;
    let ring = Ring::new(length, flags);
    let mut file = Vec::new();
    encoder.begin(&mut file);
    for _ in 0..packets / BATCH {
        encoder.batch(&ring.bytes, &ring.columns(), 0..BATCH, Room::UNLIMITED, &mut file)?;
    }
    std::fs::write(path, &file)?;
    let packets = u64::from(packets / BATCH * BATCH);
    println!("{name}: {packets} packets, {} bytes", file.len());
    let show = |what: &str, took: Duration| {
        let nanos = took.as_nanos() as f64;
        println!("  {what:28} {:7.2} ns a packet  {:6.2} GB/s", nanos / packets as f64, file.len() as f64 / nanos);
    };
    show("decode, from memory", best(|| all(decode(&file)?, packets))?);
    show("decode, read(2) of 1 MiB", best(|| all(decode_file(path)?, packets))?);
    show("read(2) of 1 MiB alone", best(|| read_alone(path))?);
    show("encode, batches into 1 MiB", best(|| encode(&encoder, &ring, packets))?);
    show(
        "tcpdump -r -w /dev/null",
        best(|| run(Command::new("tcpdump").arg("-r").arg(path).args(["-w", "/dev/null"])))?,
    );
    show("capinfos -c", best(|| run(Command::new("capinfos").arg("-c").arg(path)))?);
    Ok(())
}

/// Packets as a capture's block holds them.
struct Ring {
    bytes: Vec<u8>,
    offset: Vec<u32>,
    lengths: Vec<u32>,
    seconds: Vec<u32>,
    nanoseconds: Vec<u32>,
    status: Vec<u32>,
    direction: Vec<u8>,
}

impl Ring {
    fn new(length: u32, flags: bool) -> Self {
        let stride = (length + 82).next_multiple_of(16);
        let packets = 0..BATCH;
        Self {
            bytes: (0..stride * BATCH).map(|i| (i.wrapping_mul(31) >> 3) as u8).collect(),
            offset: packets.clone().map(|i| i * stride + 82).collect(),
            lengths: packets.clone().map(|_| length).collect(),
            seconds: packets.clone().map(|i| 1_700_000_000 + i / 1000).collect(),
            nanoseconds: packets.clone().map(|i| i * 997 % 1_000_000_000).collect(),
            status: if flags { packets.clone().map(|_| 0x81).collect() } else { Vec::new() },
            direction: if flags { packets.map(|i| (i % 5) as u8).collect() } else { Vec::new() },
        }
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            offset: &self.offset,
            captured_len: &self.lengths,
            original_len: &self.lengths,
            seconds: &self.seconds,
            nanoseconds: &self.nanoseconds,
            status: &self.status,
            direction: &self.direction,
            ..Default::default()
        }
    }
}

/// As from a file that is mapped: 1 MiB at a time, in place.
fn decode(file: &[u8]) -> Outcome<u64> {
    let (mut decoder, mut batch) = (Decoder::new(Default::default()), Batch::new());
    let (mut at, mut packets) = (0, 0);
    while at < file.len() {
        let bytes = &file[at..file.len().min(at + BUFFER)];
        let progress = decoder.decode(bytes, &mut batch)?;
        packets += black_box(batch.packets()).len() as u64;
        if progress.consumed == 0 && matches!(progress.next, Next::More { .. }) {
            return Err("the file ends inside of a record".into());
        }
        at += progress.consumed;
    }
    Ok(packets)
}

fn decode_file(path: &Path) -> Outcome<u64> {
    let mut file = File::open(path)?;
    let mut decoder = BufferedDecoder::new(Default::default(), BUFFER);
    let mut packets = 0;
    loop {
        match decoder.next()? {
            Event::NeedMore => drop(decoder.fill(&mut file)?),
            Event::Batch(found) => packets += black_box(found.batch.packets()).len() as u64,
            Event::End { .. } => return Ok(packets),
        }
    }
}

/// The kernel's copy, without which no reader is.
fn read_alone(path: &Path) -> Outcome<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER];
    while file.read(&mut buffer)? > 0 {
        black_box(&buffer);
    }
    Ok(())
}

/// Into one buffer, which a write(2) would empty whenever it holds 1 MiB.
fn encode(encoder: &Encoder, ring: &Ring, packets: u64) -> Outcome<()> {
    let mut out = Vec::with_capacity(2 * BUFFER);
    for _ in 0..packets / u64::from(BATCH) {
        encoder.batch(&ring.bytes, &ring.columns(), 0..BATCH, Room::UNLIMITED, &mut out)?;
        if out.len() >= BUFFER {
            black_box(&out);
            out.clear();
        }
    }
    Ok(())
}

fn all(found: u64, packets: u64) -> Outcome<()> {
    if found == packets { Ok(()) } else { Err(format!("{found} packets of {packets}").into()) }
}

fn run(command: &mut Command) -> Outcome<()> {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(|error| {
        format!("{command:?}: {error}; to have it: apt-get install -y --no-install-recommends tcpdump tshark")
    })?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn best(mut measure: impl FnMut() -> Outcome<()>) -> Outcome<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let begin = on_processor()?;
        measure()?;
        best = best.min(on_processor()? - begin);
    }
    Ok(best)
}

/// Of this thread, and of the programs that it has run: Documentation/scheduler/sched-stats.rst, proc_pid_stat(5).
fn on_processor() -> Outcome<Duration> {
    // The kernel adds up a running thread's time at ticks, and when the thread sleeps.
    std::thread::sleep(Duration::from_micros(1));
    let thread = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: u64 = thread.split(' ').next().unwrap_or_default().parse()?;
    let process = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may have anything in it: the 3rd field; children's times are the 16th and 17th.
    let fields = process.rsplit(')').next().unwrap_or_default().split_whitespace().skip(13).take(2);
    let ticks: u64 = fields.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    // USER_HZ is 100 wherever Linux runs on x86 and ARM.
    Ok(Duration::from_nanos(nanos) + Duration::from_millis(ticks * 10))
}
