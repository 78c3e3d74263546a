//! Figures beside libpcap in C: `bench [ORACLE]`, where ORACLE is the program that tests/oracle/oracle.c makes. Prints one line an
//! expression: microseconds to compile and nanoseconds a frame to run, ours and libpcap's.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use netring_filter::{Options, System, compile};

/// Calls in batches for two tenths of a second; nanoseconds a call of the fastest batch, as others use the machine too.
fn measure(mut call: impl FnMut()) -> f64 {
    call();
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    while begin.elapsed() < Duration::from_millis(200) {
        let start = Instant::now();
        let mut rounds = 0u32;
        while rounds < 20 && start.elapsed() < Duration::from_millis(50) {
            call();
            rounds += 1;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(rounds));
    }
    best
}

/// Frames of 64 bytes: TCP and UDP over IPv4 and IPv6, ARP.
fn frames() -> Vec<Vec<u8>> {
    (0..64u16)
        .map(|number| {
            let mut frame = vec![0u8; 64];
            let kind: u16 = [0x0800, 0x0800, 0x86dd, 0x0806][usize::from(number % 4)];
            frame[12..14].copy_from_slice(&kind.to_be_bytes());
            frame[14] = 0x45;
            frame[20] = 6;
            frame[23] = if number % 8 < 4 { 6 } else { 17 };
            if kind == 0x0800 {
                frame[20] = 0;
                frame[26..34].copy_from_slice(&[10, 0, 0, number as u8, 192, 168, 1, 20]);
                let port = if number % 3 == 0 { 80 } else { 1000 + number };
                frame[36..38].copy_from_slice(&port.to_be_bytes());
            }
            frame
        })
        .collect()
}

/// The same from libpcap, if the oracle is there: compile and run.
fn libpcap(oracle: Option<&str>, expression: &str, frames: &[Vec<u8>]) -> Option<String> {
    let directory = std::env::temp_dir();
    let (list, data) = (directory.join("netring-filter-bench-list"), directory.join("netring-filter-bench-frames"));
    let mut bytes = Vec::new();
    for frame in frames {
        let length = (frame.len() as u32).to_ne_bytes();
        bytes.extend([&length[..], &length, frame].concat());
    }
    std::fs::write(&data, bytes).ok()?;
    std::fs::write(&list, expression).ok()?;
    let output = Command::new(oracle?).args(["time", "1"]).arg(data).arg(list).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.split(' ').map(|number| number.trim().parse::<f64>().unwrap_or(f64::NAN));
    let (compile, run, length) = (numbers.next()?, numbers.next()?, numbers.next()?);
    Some(format!("libpcap {:>9.2} us {run:>6.1} ns {length:>5} instructions", compile / 1000.0))
}

fn main() {
    let oracle = std::env::args().nth(1);
    let hosts = |count: u32| {
        (0..count)
            .map(|n| format!("host {}", std::net::Ipv4Addr::from(0x0a00_0000 + n * 7919)))
            .collect::<Vec<_>>()
            .join(" or ")
    };
    let resolver = System::read();
    let options = Options::default();
    let frames = frames();
    let many = [("100 hosts", hosts(100)), ("300 hosts", hosts(300)), ("1000 hosts", hosts(1000))];
    let few = [
        "ip",
        "tcp port 80",
        "host 10.0.0.1",
        "vlan and (net 10.0.0.0/8 or port 443)",
        "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
        "tcp and (port 80 or port 443) and not host 192.168.1.20",
        "not ip6 and not arp and greater 60",
    ];
    let all = few.iter().map(|text| (*text, (*text).to_owned())).chain(many);
    for (name, expression) in all {
        let filter = match compile(&expression, &options, &resolver) {
            Ok(filter) => filter,
            Err(error) => {
                eprintln!("{name}: {error}");
                continue;
            }
        };
        let compiling = measure(|| {
            let _ = black_box(compile(black_box(&expression), &options, &resolver));
        });
        let running = measure(|| {
            for frame in &frames {
                black_box(filter.matches(black_box(frame), 64));
            }
        }) / frames.len() as f64;
        let length = filter.program().instructions().len();
        let theirs = if name == "1000 hosts" { None } else { libpcap(oracle.as_deref(), &expression, &frames) };
        println!(
            "{name}\n  ours    {:>9.2} us {running:>6.1} ns {length:>5} instructions\n  {}",
            compiling / 1000.0,
            theirs.unwrap_or_else(|| "libpcap not asked".into())
        );
    }
}
