//! What parsing a packet costs: etherparse alone, netring's layers, and columns from shared memory.
//!
//! `cargo run --release -p netring --example parse`. Frames of several kinds and lengths take turns, in cache.

use std::hint::black_box;
use std::time::Instant;

use etherparse::{LaxNetSlice, LaxSlicedPacket, PacketBuilder, TcpOptionElement, TransportSlice};
use netring::parse::{Layers, Network, ParsedColumns, Place, Transport};
use netring::ring::Memory;

const ROUNDS: usize = 200_000;
const TRIALS: usize = 7;

fn frames() -> Vec<Vec<u8>> {
    let timestamps = [TcpOptionElement::Noop, TcpOptionElement::Noop, TcpOptionElement::Timestamp(1, 2)];
    let link = || PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let mut frames = Vec::new();
    for payload in [0, 64, 512, 1400].map(|length| vec![7; length]) {
        let mut write = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut frame = Vec::new();
            write(&mut frame);
            frames.push(frame);
        };
        write(&|frame| {
            let tcp = link().ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(50_000, 443, 1, 1000);
            tcp.options(&timestamps).expect("they fit").write(frame, &payload).expect("a Vec takes all");
        });
        write(&|frame| {
            let udp = link().ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(50_000, 53);
            udp.write(frame, &payload).expect("a Vec takes all");
        });
        write(&|frame| {
            let tcp = link().ipv6([1; 16], [2; 16], 64).tcp(50_000, 443, 1, 1000);
            tcp.write(frame, &payload).expect("a Vec takes all");
        });
        write(&|frame| {
            let udp = link().single_vlan(5.try_into().expect("12 bits")).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
            udp.udp(50_000, 53).write(frame, &payload).expect("a Vec takes all");
        });
    }
    frames
}

/// The least of several trials, in nanoseconds a packet.
fn measure(name: &str, packets: usize, mut round: impl FnMut() -> u32) {
    let nanoseconds = (0..TRIALS).map(|_| {
        let start = Instant::now();
        for _ in 0..ROUNDS / packets {
            black_box(round());
        }
        start.elapsed().as_nanos() as f64 / (ROUNDS / packets * packets) as f64
    });
    println!("{name}: {:.1} ns/packet", nanoseconds.fold(f64::INFINITY, f64::min));
}

/// Something of each layer, so that nothing can be left out.
fn lax(frame: &[u8]) -> u32 {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(frame) else { return 0 };
    let network = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => u32::from_be_bytes(ip.header().source()),
        Some(LaxNetSlice::Ipv6(ip)) => ip.header().source()[0].into(),
        _ => 0,
    };
    let transport = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => tcp.source_port() + tcp.destination_port(),
        Some(TransportSlice::Udp(udp)) => udp.source_port() + udp.destination_port(),
        _ => 0,
    };
    network.wrapping_add(transport.into())
}

fn layers(frame: &[u8]) -> u32 {
    let length = frame.len() as u32;
    let packet = Layers::of(frame, Place { offset: 0, captured: length, original: length });
    let network = match &packet.network {
        Network::Ipv4(ip) => u32::from_be_bytes(ip.source()),
        Network::Ipv6(ip, _) => ip.source()[0].into(),
        _ => 0,
    };
    let transport = match &packet.transport {
        Transport::Tcp(tcp) => tcp.source_port() + tcp.destination_port(),
        Transport::Udp(udp) => udp.source_port() + udp.destination_port(),
        _ => 0,
    };
    network.wrapping_add(transport.into())
}

fn main() {
    let frames = frames();
    let count = frames.len();
    let each = |parse: fn(&[u8]) -> u32| {
        let frames = &frames;
        move || frames.iter().fold(0u32, |sum, frame| sum.wrapping_add(parse(black_box(frame))))
    };
    measure("etherparse alone, LaxSlicedPacket", count, each(lax));
    measure("etherparse header by header (Layers)", count, each(layers));

    let memory = Memory::zeroed(frames.iter().map(Vec::len).sum());
    let mut places = Vec::new();
    let mut offset = 0;
    for frame in &frames {
        let length = frame.len() as u32;
        places.push(Place { offset, captured: length, original: length });
        memory.write(offset as usize, frame);
        offset += length;
    }
    let target = Memory::zeroed(count * ParsedColumns::BYTES_PER_PACKET);
    let columns = ParsedColumns::in_memory(&target, count as u32).expect("large enough");
    measure("copied from shared memory into columns", count, || {
        for (row, place) in places.iter().enumerate() {
            columns.parse(row as u32, &memory, *black_box(place));
        }
        0
    });
}
