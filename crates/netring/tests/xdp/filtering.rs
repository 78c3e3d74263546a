//! A filter in front of the redirect: what it matches comes, the rest goes on to the network stack.

use std::time::Duration;

use netring::capture::{Capture, CaptureOptions};
use netring::filter::{Expression, Filter};
use netring::source::{Counters, Pollable};
use netring::xdp::{Attach, Mode, OwnProgram, XdpOptions, XdpSocket};
use netring::{ErrorKind, Source};

use crate::support::*;

/// The number of a frame that [`frame`] makes, in tcpdump's language.
fn odd() -> Filter {
    Expression::new("ether proto 0x88b5 and ether[17] & 1 = 1").into()
}

fn even() -> Filter {
    Expression::new("ether proto 0x88b5 and ether[17] & 1 = 0").into()
}

fn numbers(frames: &[Vec<u8>]) -> Vec<u32> {
    frames.iter().filter_map(|bytes| number(bytes)).collect()
}

fn filtered(network: &Network, attach: Attach, filter: Filter) -> XdpSocket {
    network.open("vb", XdpOptions { mode: Mode::Rx, attach, filter: Some(filter), ..network.options() })
}

/// Frames of [`frame`] that the stack of `vb` has seen.
fn passed_on(capture: &mut Capture, count: u64) -> u64 {
    let mut packets = 0;
    until("the stack sees the rest", || {
        packets = capture.cumulative_stats().unwrap().packets;
        packets >= count
    });
    packets
}

fn divides(attach: Attach) {
    let network = Network::new();
    let options = CaptureOptions {
        block_size: 1 << 18,
        block_count: 4,
        namespace: Some(network.name.clone()),
        filter: Some(Expression::new("ether proto 0x88b5 and inbound").into()),
        ..CaptureOptions::default()
    };
    let mut stack = Capture::open("vb", options).unwrap();
    let mut socket = filtered(&network, attach, odd());
    let frames: Vec<_> = (0..400).map(|n| frame(n, 60 + n as usize)).collect();
    inject(&mut network.injector("va"), &frames);
    let expected: Vec<_> = frames.iter().skip(1).step_by(2).cloned().collect();
    assert_eq!(receive(&mut socket, 200), expected);
    assert_eq!(passed_on(&mut stack, 200), 200);
    assert_eq!(socket.cumulative_stats().unwrap().packets, 200, "nothing else came this way");
    socket.set_filter(None).unwrap();
    inject(&mut network.injector("va"), &frames[..10]);
    assert_eq!(receive(&mut socket, 10), frames[..10], "without a filter everything comes");
    assert_eq!(stack.cumulative_stats().unwrap().packets, 200);
}

pub(crate) fn it_divides_packets_in_native_mode() {
    divides(NATIVE);
}

pub(crate) fn it_divides_packets_in_skb_mode() {
    divides(SKB);
}

pub(crate) fn a_new_one_lets_no_stray_packet_through_and_loses_none() {
    let network = Network::new();
    for attach in [NATIVE, SKB] {
        let mut socket = filtered(&network, attach, odd());
        let frames: Vec<_> = (0..3000).map(|n| frame(n, 60)).collect();
        inject(&mut network.injector("va"), &frames);
        let batch = next_within(&mut socket, TIMEOUT).unwrap().unwrap();
        let taken = packets(&socket, &batch);
        assert!(numbers(&taken).iter().all(|number| number % 2 == 1));
        // What has come and was not handed out is judged again: the even ones of it are none, and of these every third stays.
        let third = Expression::new("ether proto 0x88b5 and ether[16:2] % 3 = 0").into();
        socket.set_filter(Some(third)).unwrap();
        socket.release(batch);
        let expected: Vec<_> =
            (0..3000).filter(|n| n % 2 == 1 && n % 3 == 0).skip_while(|n| (*n as usize) < 2 * taken.len()).collect();
        assert_eq!(numbers(&receive(&mut socket, expected.len())), expected, "{attach:?}");
        socket.set_filter(Some(even())).unwrap();
        assert!(next(&mut socket).unwrap().is_none());
        inject(&mut network.injector("va"), &frames[..10]);
        assert_eq!(numbers(&receive(&mut socket, 5)), [0, 2, 4, 6, 8]);
        assert!(socket.poll().is_ok(), "the program is still the socket's own");
        std::thread::sleep(Duration::from_millis(1100));
        assert!(next(&mut socket).is_ok(), "and is not taken for somebody else's a second later");
        socket.close().unwrap();
    }
}

pub(crate) fn what_xdp_cannot_run_is_refused_and_changes_nothing() {
    let network = Network::new();
    let mut socket = filtered(&network, NATIVE, odd());
    for text in ["inbound", "ip protochain 6", "tcp port"] {
        let refused = socket.set_filter(Some(Expression::new(text).into())).unwrap_err();
        assert_eq!((refused.kind, refused.interface.as_deref()), (ErrorKind::Filter, Some("vb")), "{refused}");
    }
    let refused = socket.set_filter(Some(Filter::Ebpf(3))).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Filter, "{refused}");
    let endless = netring::filter::Instruction { code: 5, jt: 0, jf: 0, k: u32::MAX };
    let refused = socket.set_filter(Some(Filter::Classic(vec![endless]))).unwrap_err();
    assert!(refused.message.contains("instruction 0"), "{refused}");
    let frames: Vec<_> = (0..4).map(|n| frame(n, 60)).collect();
    inject(&mut network.injector("va"), &frames);
    assert_eq!(numbers(&receive(&mut socket, 2)), [1, 3]);
    socket.close().unwrap();
    let mut sender = network.open("va", XdpOptions { mode: Mode::Tx, ..network.options() });
    assert_eq!(sender.set_filter(Some(odd())).unwrap_err().kind, ErrorKind::Config);
    let program = Some(OwnProgram { xsk_map: 3, program: None });
    let options = XdpOptions { program, filter: Some(odd()), ..network.options() };
    assert_eq!(XdpSocket::open("vb", &options).unwrap_err().kind, ErrorKind::Config);
}
