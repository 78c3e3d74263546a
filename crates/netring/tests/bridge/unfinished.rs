//! Frames with work left for the hardware.

use netring::bridge::FrameTx;
use netring::bridge::TrySend;
use netring::ring::VolatileSlice;

use crate::support::{Network, counted, receive};

const PAYLOAD: usize = 4000;
const SEGMENT: u16 = 1000;
/// Ethernet, the tag, IPv4, TCP.
const HEADERS: usize = 14 + 4 + 20 + 20;

/// The sum of 16-bit words, folded.
fn sum(bytes: &[u8], start: u32) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).copied().map_or(0, u32::from));
    let mut sum = words.sum::<u32>() + start;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// A TCP segment of four, in VLAN 7, its checksum that of the pseudo-header only.
fn unfinished() -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7, 8, 0];
    let total = (20 + 20 + PAYLOAD) as u16;
    let mut ip = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2];
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    let check = !sum(&ip, 0);
    ip[10..12].copy_from_slice(&check.to_be_bytes());
    let mut tcp = vec![0x13, 0x88, 0x13, 0x89, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0];
    let pseudo = sum(&ip[12..20], 6 + u32::from(total - 20));
    tcp[16..18].copy_from_slice(&pseudo.to_be_bytes());
    frame.extend(ip);
    frame.extend(tcp);
    frame.extend((0..PAYLOAD).map(|at| (at * 7 + at / 256) as u8));
    frame
}

/// NEEDS_CSUM, TCPv4, and where they start.
fn header() -> Vec<u8> {
    let mut bytes = vec![1, 1];
    for value in [HEADERS as u16, SEGMENT, 38, 16] {
        bytes.extend(value.to_ne_bytes());
    }
    bytes
}

fn send(network: &Network, messages: &[Vec<u8>]) {
    let mut tx = network.tx("va");
    let mut left = messages;
    while !left.is_empty() {
        match tx.try_send(left.iter().map(|message| VolatileSlice::from(message.as_slice()))).unwrap() {
            TrySend::Taken(count) => left = &left[count..],
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn stay_so_in_a_vlan() {
    let network = Network::new();
    let (mut far, runner) = (network.capture("wb"), network.bridge());
    send(&network, &[[header(), unfinished()].concat()]);
    let seen = receive(&mut far, 1);
    assert_eq!(seen[0].bytes, unfinished());
    // gso_type, gso_size, csum_start, csum_offset; hdr_len is the kernel's own guess.
    assert_eq!(seen[0].header[..2], header()[..2]);
    assert_eq!(seen[0].header[4..], header()[4..]);
    let stats = counted(&runner, |stats| stats.forwarded == 1);
    assert_eq!((stats.received, stats.too_large), (1, 0), "larger than the MTU, and one frame");
}

pub(crate) fn are_done_where_the_far_side_cannot() {
    let network = Network::new();
    network.exec("ethtool -K wa tx off tso off gso off");
    let (mut far, runner) = (network.capture("wb"), network.bridge());
    send(&network, &[[header(), unfinished()].concat()]);
    let seen = receive(&mut far, PAYLOAD / usize::from(SEGMENT));
    let sent = unfinished();
    for (index, segment) in seen.iter().enumerate() {
        assert_eq!(segment.bytes.len(), HEADERS + usize::from(SEGMENT));
        assert_eq!(segment.bytes[..18], sent[..18], "addresses, tag and type");
        let payload = HEADERS + index * usize::from(SEGMENT);
        assert_eq!(segment.bytes[HEADERS..], sent[payload..payload + usize::from(SEGMENT)]);
        let (ip, tcp) = segment.bytes[18..].split_at(20);
        assert_eq!(sum(ip, 0), 0xffff, "the checksum of segment {index}'s IP header");
        assert_eq!(sum(tcp, u32::from(sum(&ip[12..20], 6 + tcp.len() as u32))), 0xffff, "and of its TCP");
        assert_eq!(segment.header[..2], [0, 0], "nothing is left to do");
    }
    assert_eq!(counted(&runner, |stats| stats.forwarded == 1).received, 1);
}

/// What the kernel refuses to send it refuses to the sender already; so a bridge without a far side that agrees.
pub(crate) fn nonsense_is_rejected() {
    let network = Network::new();
    let (mut tx, mut far) = (network.tx("va"), network.capture("vb"));
    let mut nonsense = header();
    nonsense[6..8].copy_from_slice(&60_000u16.to_ne_bytes());
    let bad = [nonsense, unfinished()].concat();
    let good = [header(), unfinished()].concat();
    let outcome =
        tx.try_send([&bad, &good].into_iter().map(|message| VolatileSlice::from(message.as_slice()))).unwrap();
    let TrySend::Refused(refused) = outcome else { panic!("{outcome:?}") };
    let error = tx.explain(&refused, unfinished().len() as u32);
    assert_eq!(error.kind, netring::ErrorKind::Frame);
    assert!(error.message.contains("4058 bytes"), "{error}");
    let outcome = tx.try_send(std::iter::once(VolatileSlice::from(good.as_slice()))).unwrap();
    assert!(matches!(outcome, TrySend::Taken(1)), "{outcome:?}");
    assert_eq!(receive(&mut far, 1)[0].bytes, unfinished());
}
