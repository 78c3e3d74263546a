//! Frames out: their bytes, all of them, counted when they have left.

use netring::tx::{FrameTx, TrySend};
use netring::xdp::{Attach, Attached, Mode, XdpOptions, XdpSocket};
use netring::{ErrorKind, Sink, Source};

use crate::support::*;

fn sender(network: &Network) -> XdpSocket {
    network.open("va", XdpOptions { mode: Mode::Tx, ..network.options() })
}

pub(crate) fn a_burst_leaves_whole_and_in_order() {
    let network = Network::new();
    let mut socket = sender(&network);
    assert_eq!(socket.attached(), Attached::None);
    assert_eq!(network.read("-o link show va").matches("xdp").count(), 0, "sending needs no program");
    let mut receiver = network.receiver(Attach::Auto);
    for round in 0..3 {
        let frames: Vec<_> = (0..4096).map(|n| frame(n, 60 + (n + round) as usize % 1400)).collect();
        for bytes in &frames {
            assert!(socket.send(bytes.as_slice().into()).unwrap());
        }
        assert!(!socket.send(frames[0].as_slice().into()).unwrap(), "4096 slots");
        assert!(socket.wait_drained(TIMEOUT).unwrap());
        assert_eq!(receive(&mut receiver, 4096), frames);
    }
    let stats = socket.tx_stats().unwrap();
    assert_eq!((stats.sent, stats.rejected, stats.pending), (3 * 4096, 0, 0));
    assert_eq!(socket.available().unwrap(), 4096);
    assert!(next(&mut socket).is_err_and(|error| error.kind == ErrorKind::Config));
}

pub(crate) fn slots_are_sent_in_the_order_of_queueing() {
    let network = Network::new();
    let mut socket = sender(&network);
    let mut receiver = network.receiver(Attach::Auto);
    let (first, second, third) =
        (socket.allocate().unwrap().unwrap(), socket.allocate().unwrap().unwrap(), socket.allocate().unwrap().unwrap());
    for (token, n) in [(&first, 1), (&second, 2), (&third, 3)] {
        assert!(socket.slot_bytes(token).unwrap().write(0, &frame(n, 70)));
    }
    socket.queue(third, 70).unwrap();
    socket.discard(second);
    socket.queue(first, 70).unwrap();
    assert!(socket.wait_drained(TIMEOUT).unwrap());
    assert_eq!(receive(&mut receiver, 2), [frame(3, 70), frame(1, 70)]);
}

pub(crate) fn frames_of_no_length_are_refused_by_name() {
    let network = Network::new();
    let mut socket = sender(&network);
    for length in [0, 13, 1793] {
        let error = socket.send(vec![0; length].as_slice().into()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Frame);
        assert!(error.message.contains(&length.to_string()), "{error}");
    }
    let token = socket.allocate().unwrap().unwrap();
    assert!(socket.queue(token, 3).is_err());
    assert_eq!(socket.available().unwrap(), 4096, "the slot came back");
    let mut receiving = network.receiver(Attach::Auto);
    assert!(receiving.send(frame(0, 60).as_slice().into()).is_err_and(|error| error.kind == ErrorKind::Config));
}

pub(crate) fn frames_wait_while_the_interface_is_down() {
    let network = Network::new();
    let mut socket = sender(&network);
    network.run("link set va down");
    let frames: Vec<_> = (0..100).map(|n| frame(n, 60)).collect();
    for bytes in &frames {
        assert!(socket.send(bytes.as_slice().into()).unwrap());
    }
    let error = socket.flush().unwrap_err();
    assert_eq!((error.kind, error.errno), (ErrorKind::LinkDown, Some(libc::ENETDOWN)), "{error}");
    assert_eq!(socket.tx_stats().unwrap().pending, 100);
    network.run("link set va up");
    let mut receiver = network.receiver(Attach::Auto);
    assert_eq!(socket.flush().unwrap().0, 100, "the failed flush reported no frames");
    assert!(socket.wait_drained(TIMEOUT).unwrap());
    assert_eq!(receive(&mut receiver, 100), frames);
    assert_eq!(socket.flush().unwrap().0, 0);
}

pub(crate) fn one_object_does_both() {
    let network = Network::new();
    for attach in [NATIVE, SKB] {
        let open = |name| network.open(name, XdpOptions { attach, ..network.options() });
        let (mut a, mut b) = (open("va"), open("vb"));
        assert_eq!(a.layout().tx_frames, 2048);
        let frames: Vec<_> = (0..2048).map(|n| frame(n, 60 + n as usize % 1400)).collect();
        for from in [&mut a, &mut b] {
            for bytes in &frames {
                assert!(from.send(bytes.as_slice().into()).unwrap());
            }
            assert!(from.wait_drained(TIMEOUT).unwrap());
        }
        assert_eq!(receive(&mut a, 2048), frames, "{attach:?}");
        assert_eq!(receive(&mut b, 2048), frames, "{attach:?}");
        a.close().unwrap();
        b.close().unwrap();
    }
}

pub(crate) fn a_flush_reports_taken_frames_before_a_failure() {
    let network = Network::new();
    let mut socket = sender(&network);
    network.run("link del va");
    let frames: Vec<_> = (0..3).map(|n| frame(n, 60)).collect();
    let try_send = |socket: &mut XdpSocket| socket.try_send(frames.iter().map(|bytes| bytes.as_slice().into()));
    let outcome = try_send(&mut socket);
    assert!(matches!(outcome, Ok(TrySend::Taken(3))), "{outcome:?}");
    let error = try_send(&mut socket).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InterfaceRemoved, "{error}");
    assert_eq!(socket.tx_stats().unwrap().pending, 3);
}
