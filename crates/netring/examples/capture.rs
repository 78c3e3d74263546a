//! Counts the packets of an interface for some seconds: `cargo run -p netring --example capture -- eth0 5`.

use std::time::{Duration, Instant};

use netring::SourceExt;
use netring::capture::{Capture, CaptureOptions};
use netring::source::Counters;

fn main() -> netring::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let interface = arguments.next().unwrap_or_else(|| "lo".to_owned());
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let options = CaptureOptions::default().block_size(1 << 20).block_count(16).block_timeout_ms(10);
    let mut capture = Capture::open(&interface, options)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut packets, mut bytes) = (0u64, 0u64);
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let Some(batch) = capture.next_batch_within(left)? else { continue };
        packets += u64::from(batch.header().length);
        bytes += batch.packets().map(|packet| u64::from(packet.original_length())).sum::<u64>();
    }
    let stats = capture.cumulative_stats()?;
    println!("{packets} packets, {bytes} bytes; the kernel dropped {}", stats.drops);
    Ok(())
}
