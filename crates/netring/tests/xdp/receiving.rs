//! Packets in: their bytes, in order, none lost without being counted.

use netring::ring::{Column, ColumnSet, Columns, Memory};
use netring::source::Counters;
use netring::xdp::{Attach, Attached, BusyPoll, Mode, Queues, XdpOptions, XdpSocket};
use netring::{ErrorKind, Sink, Source};

use crate::support::*;

const LENGTHS: [usize; 7] = [60, 61, 64, 128, 590, 1400, 1514];

fn equal_bytes(attach: Attach, expected: Attached) {
    let network = Network::new();
    let mut socket = network.receiver(attach);
    assert_eq!(socket.attached(), expected);
    assert!(!socket.zero_copy());
    let frames: Vec<_> = LENGTHS.iter().cycle().take(700).zip(0..).map(|(length, n)| frame(n, *length)).collect();
    inject(&mut network.injector("va"), &frames);
    assert_eq!(receive(&mut socket, frames.len()), frames);
    let stats = socket.cumulative_stats().unwrap();
    assert_eq!((stats.packets, stats.drops), (700, 0));
    socket.close().unwrap();
}

pub(crate) fn native_mode_gives_the_bytes_that_were_sent() {
    equal_bytes(NATIVE, Attached::Native);
}

pub(crate) fn skb_mode_gives_the_bytes_that_were_sent() {
    equal_bytes(SKB, Attached::Skb);
}

pub(crate) fn auto_takes_native_mode_where_there_is_one() {
    equal_bytes(Attach::Auto, Attached::Native);
}

pub(crate) fn loopback_has_skb_mode_only() {
    let network = Network::new();
    let refused = XdpSocket::open("lo", &XdpOptions { attach: NATIVE, ..network.options() }).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::XdpProgram, "{refused}");
    assert!(refused.message.contains("attach 'skb'"), "{refused}");
    let mut socket = network.open("lo", network.options());
    assert_eq!(socket.attached(), Attached::Skb);
    let frames: Vec<_> = LENGTHS.iter().zip(0..).map(|(length, n)| frame(n, *length)).collect();
    for bytes in &frames {
        assert!(socket.send(bytes.as_slice().into()).unwrap());
    }
    assert!(socket.wait_drained(TIMEOUT).unwrap());
    assert_eq!(receive(&mut socket, frames.len()), frames, "what it sends comes back");
}

pub(crate) fn large_frames_need_a_large_frame_size() {
    let network = Network::new();
    network.run("link set va mtu 3490");
    network.run("link set vb mtu 3490");
    let mut socket = network.open("vb", XdpOptions { mode: Mode::Rx, frame_size: 4096, ..network.options() });
    let frames: Vec<_> = [2048, 2049, 3000, 3500].iter().zip(0..).map(|(length, n)| frame(n, *length)).collect();
    inject(&mut network.injector("va"), &frames);
    assert_eq!(receive(&mut socket, frames.len()), frames);
    socket.close().unwrap();
    let mut socket = network.receiver(SKB);
    inject(&mut network.injector("va"), &[frame(0, 3500), frame(1, 60)]);
    assert_eq!(receive(&mut socket, 1), [frame(1, 60)]);
    assert_eq!(socket.cumulative_stats().unwrap().drops, 1, "what fits no frame is counted");
}

pub(crate) fn a_burst_while_the_reader_sleeps_is_lost_only_beyond_the_frames() {
    let network = Network::new();
    for attach in [NATIVE, SKB] {
        let mut socket = network.receiver(attach);
        let frames: Vec<_> = (0..4096).map(|n| frame(n, 60)).collect();
        inject(&mut network.injector("va"), &frames);
        // The socket has not been read so far; every frame of the UMEM is in use.
        assert_eq!(socket.stats().unwrap().packets, 4096, "{attach:?}");
        inject(&mut network.injector("va"), &frames[..100]);
        let stats = socket.stats().unwrap();
        assert_eq!((stats.packets, stats.drops), (0, 100), "{attach:?}");
        assert_eq!(socket.xdp_stats().unwrap().rx_dropped, 100);
        let first = next(&mut socket).unwrap().unwrap();
        assert!(XdpSocket::header(&first).losing, "{attach:?}: the batch after a loss says so");
        let mut all = packets(&socket, &first);
        socket.release(first);
        all.extend(receive(&mut socket, 4096 - all.len()));
        assert!(all == frames, "{attach:?}: in order, nothing written over");
        inject(&mut network.injector("va"), &frames[..100]);
        let batch = next_within(&mut socket, TIMEOUT).unwrap().unwrap();
        assert!(!XdpSocket::header(&batch).losing, "{attach:?}: and the ones after it do not");
        let mut all = packets(&socket, &batch);
        socket.release(batch);
        all.extend(receive(&mut socket, 100 - all.len()));
        assert_eq!(all, frames[..100], "{attach:?}: and on it goes");
        let total = socket.cumulative_stats().unwrap();
        assert_eq!((total.packets, total.drops), (4196, 100), "{attach:?}");
        socket.close().unwrap();
    }
}

pub(crate) fn smaller_rings_lose_more_and_count_it() {
    let network = Network::new();
    for (fill_size, rx_size) in [(Some(256), None), (None, Some(256))] {
        let options = XdpOptions { mode: Mode::Rx, fill_size, rx_size, ..network.options() };
        let mut socket = network.open("vb", options);
        let frames: Vec<_> = (0..1000).map(|n| frame(n, 60)).collect();
        inject(&mut network.injector("va"), &frames);
        let stats = socket.stats().unwrap();
        assert_eq!((stats.packets, stats.drops), (256, 744));
        let raw = socket.xdp_stats().unwrap();
        assert_eq!(raw.rx_dropped + raw.rx_ring_full, 744, "{raw:?}");
        assert_eq!(receive(&mut socket, 256), frames[..256]);
        socket.close().unwrap();
    }
}

pub(crate) fn held_batches_stay_as_they_are_and_come_back_in_any_order() {
    let network = Network::new();
    let mut socket = network.receiver(Attach::Auto);
    let mut injector = network.injector("va");
    let mut held = Vec::new();
    for round in 0..8 {
        let frames: Vec<_> = (0..100).map(|n| frame(round * 100 + n, 60 + n as usize)).collect();
        inject(&mut injector, &frames);
        let mut got = 0;
        until("a hundred packets", || {
            if let Some(batch) = next(&mut socket).unwrap() {
                got += XdpSocket::header(&batch).length;
                held.push(batch);
            }
            got == 100
        });
    }
    let all: Vec<_> = held.iter().flat_map(|batch| packets(&socket, batch)).collect();
    let expected: Vec<_> = (0..800).map(|n| frame(n, 60 + n as usize % 100)).collect();
    assert_eq!(all, expected, "nothing was written over");
    let spans: Vec<_> = held.iter().map(|batch| socket.bytes(batch).unwrap().len()).collect();
    assert_eq!(spans.iter().sum::<usize>(), 800 * 2048, "the buffers span the batches' own frames");
    // Out of order: every third, then the others from the end.
    let (third, others): (Vec<_>, Vec<_>) = held.into_iter().enumerate().partition(|(index, _)| index % 3 == 0);
    for (_, batch) in third.into_iter().chain(others.into_iter().rev()) {
        socket.release(batch);
    }
    let frames: Vec<_> = (0..4096).map(|n| frame(n, 90)).collect();
    inject(&mut injector, &frames);
    assert_eq!(receive(&mut socket, 4096), frames, "all frames are in use again");
    assert_eq!(socket.cumulative_stats().unwrap().drops, 0);
}

pub(crate) fn every_queue_is_received_by_one_object() {
    let network = Network::with_queues(4);
    for attach in [NATIVE, SKB] {
        let options = XdpOptions { queues: Queues::All, mode: Mode::Rx, attach, ..network.options() };
        let mut socket = network.open("vb", options);
        assert_eq!(socket.queues(), [0, 1, 2, 3]);
        assert_eq!(network.read("-o link show vb").matches("prog/xdp").count(), 1, "one program");
        // A packet socket's frames take the transmit queue of the CPU they are sent on; an AF_XDP
        // socket's take its own, which veth makes the peer's receive queue.
        let mut expected = Vec::new();
        for queue in 0..4 {
            let options = XdpOptions { queues: Queues::List(vec![queue]), mode: Mode::Tx, ..network.options() };
            let mut sender = network.open("va", options);
            for n in 0..500 {
                expected.push(frame(queue * 1000 + n, 64));
                assert!(sender.send(expected.last().unwrap().as_slice().into()).unwrap());
            }
            assert!(sender.wait_drained(TIMEOUT).unwrap());
            sender.close().unwrap();
        }
        let mut got = receive(&mut socket, expected.len());
        got.sort_by_key(|bytes| number(bytes));
        assert!(got == expected, "{attach:?}: {} of {}", got.len(), expected.len());
        let stats = socket.cumulative_stats().unwrap();
        assert_eq!((stats.packets, stats.drops), (2000, 0), "{attach:?}");
        socket.close().unwrap();
    }
}

pub(crate) fn columns_say_what_is_known() {
    let network = Network::new();
    let mut socket = network.receiver(Attach::Auto);
    // A VLAN tag stays where it is.
    let mut tagged = frame(7, 100);
    tagged.splice(12..12, [0x81, 0x00, 0x00, 0x2a]);
    inject(&mut network.injector("va"), &[frame(5, 80), tagged.clone()]);
    let mut batch = None;
    until("both packets", || {
        if let Some(old) = batch.take() {
            socket.release(old);
        }
        batch = next(&mut socket).unwrap();
        batch.as_ref().is_some_and(|batch| XdpSocket::header(batch).length == 2) || {
            inject(&mut network.injector("va"), &[frame(5, 80), tagged.clone()]);
            false
        }
    });
    let batch = batch.unwrap();
    let columns = Columns::for_packets(2);
    socket.fill(&batch, &columns, ColumnSet::ALL).unwrap();
    let at = |column: Column, row: usize| column.start() * columns.capacity() as usize + row * column.width();
    let word = |column, row| columns.memory().u32(at(column, row)).unwrap();
    assert_eq!((word(Column::CapturedLength, 1), word(Column::OriginalLength, 1)), (104, 104));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now - u64::from(word(Column::Seconds, 0)) < 60);
    assert_eq!(word(Column::Nanoseconds, 0), word(Column::Nanoseconds, 1), "one time for all");
    let protocol = |row| columns.memory().u16(at(Column::Protocol, row)).unwrap();
    assert_eq!((protocol(0), protocol(1)), (0x88b5, 0x8100));
    assert_eq!(columns.memory().read(at(Column::SourceAddress, 0), 6).unwrap(), [2, 0, 0, 0, 0, 1]);

    let target = Memory::zeroed(80 + 104);
    socket.copy(&batch, &columns, &target).unwrap();
    assert_eq!(target.read(80, 104).unwrap(), tagged);
    assert_eq!((word(Column::Offset, 0), word(Column::Offset, 1)), (0, 80));
    assert!(socket.copy(&batch, &columns, &Memory::zeroed(183)).is_err(), "the target is too small");
    socket.release(batch);
}

pub(crate) fn huge_pages_hold_frames_or_say_how_they_would() {
    let network = Network::new();
    let options = XdpOptions { huge_pages: true, ..network.options() };
    let information = std::fs::read_to_string("/proc/meminfo").unwrap();
    let free = information.lines().find_map(|line| line.strip_prefix("HugePages_Free:")).unwrap();
    if free.trim().parse::<u32>().unwrap() < 4 {
        let error = XdpSocket::open("vb", &options).unwrap_err();
        assert!(error.kind == ErrorKind::Mmap && error.message.contains("vm.nr_hugepages"), "{error}");
        return;
    }
    let mut socket = network.open("vb", options.clone());
    inject(&mut network.injector("va"), &[frame(1, 60)]);
    let batch = next_within(&mut socket, TIMEOUT).unwrap().unwrap();
    let memory = socket.bytes(&batch).unwrap();
    assert_eq!(packets(&socket, &batch), [frame(1, 60)]);
    socket.close().unwrap();
    assert_eq!(memory.read(256, 60).unwrap(), frame(1, 60), "held memory stays unchanged");
    drop((batch, memory));
    network.open("vb", options).close().unwrap();
}

pub(crate) fn busy_polling_receives_as_well() {
    let network = Network::new();
    let busy_poll = Some(BusyPoll { us: 20, budget: Some(64), prefer: true });
    let mut socket = network.open("vb", XdpOptions { busy_poll, ..network.options() });
    let frames: Vec<_> = (0..100).map(|n| frame(n, 60)).collect();
    inject(&mut network.injector("va"), &frames);
    assert_eq!(receive(&mut socket, 100), frames);
}
