//! VLAN tags that the kernel stripped: put back, or reported beside the packet.

use netring::ring::block::WalkOptions;
use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::{packet, status};
use netring::ring::{ColumnSet, Columns, Lease, RxRing};

use crate::support::{REINSERT, Row, WHOLE, deliver, frames, payload};

const DOT1Q: u16 = 0x8100;
const DOT1AD: u16 = 0x88a8;

/// Both addresses, the tag, and the rest.
fn with_tag(data: &[u8], tpid: u16, tci: u16) -> Vec<u8> {
    [&data[..12], &tpid.to_be_bytes(), &tci.to_be_bytes(), &data[12..]].concat()
}

fn held(packets: &[FakePacket], gap: usize) -> (RxRing, Lease) {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
    kernel.gap = gap;
    deliver(&mut kernel, packets);
    let lease = ring.acquire().unwrap();
    (ring, lease)
}

#[test]
fn a_stripped_tag_is_put_back_behind_the_addresses() {
    for (tpid, tci) in [(DOT1Q, 0x2abc), (DOT1AD, 0xefff), (DOT1Q, 0), (0x9100, 1)] {
        let data = payload(1, 70);
        let (ring, lease) = held(&[FakePacket::new(&data).tagged(tpid, tci)], 18);
        let seen = frames(&ring, &lease, REINSERT);
        assert_eq!(seen[0].bytes, with_tag(&data, tpid, tci));
        assert_eq!((seen[0].original, seen[0].truncated()), (74, false));
    }
}

#[test]
fn a_tag_without_a_valid_tpid_is_8100() {
    let data = payload(1, 70);
    let mut packet = FakePacket::new(&data).tagged(0x1234, 42);
    packet.status &= !status::VLAN_TPID_VALID;
    let (ring, lease) = held(&[packet], 18);
    assert_eq!(frames(&ring, &lease, REINSERT)[0].bytes, with_tag(&data, DOT1Q, 42));
    let columns = Columns::for_packets(1);
    columns.fill(&ring.block(&lease), WHOLE, ColumnSet::ALL).unwrap();
    let row = Row::read(&columns, 0);
    assert_eq!((row.vlan_tci, row.vlan_tpid), (42, DOT1Q));
}

#[test]
fn a_tpid_without_a_valid_tag_is_no_tag() {
    let data = payload(1, 70);
    let mut packet = FakePacket::new(&data).tagged(DOT1Q, 42);
    packet.status &= !status::VLAN_VALID;
    let (ring, lease) = held(&[packet], 18);
    assert_eq!(frames(&ring, &lease, REINSERT)[0].bytes, data);
    let columns = Columns::for_packets(1);
    columns.fill(&ring.block(&lease), WHOLE, ColumnSet::ALL).unwrap();
    let row = Row::read(&columns, 0);
    assert_eq!((row.vlan_tci, row.vlan_tpid), (0, 0));
}

#[test]
fn a_tag_put_back_on_the_first_walk_is_there_once_on_all_later_ones() {
    let data = payload(1, 70);
    let packets = [FakePacket::new(&payload(0, 61)), FakePacket::new(&data).tagged(DOT1AD, 7)];
    let (ring, lease) = held(&packets, 18);
    let first = frames(&ring, &lease, REINSERT);
    assert_eq!(first[1].bytes, with_tag(&data, DOT1AD, 7));
    for _ in 0..3 {
        assert_eq!(frames(&ring, &lease, WHOLE), first);
    }
}

#[test]
fn the_columns_tell_of_a_tag_that_was_put_back() {
    let data = payload(1, 70);
    let (ring, lease) = held(&[FakePacket::new(&data).tagged(DOT1AD, 7)], 18);
    let block = ring.block(&lease);
    let columns = Columns::for_packets(1);
    columns.fill(&block, REINSERT, ColumnSet::PLACE).unwrap();
    columns.fill(&block, WHOLE, ColumnSet::ALL).unwrap();
    let row = Row::read(&columns, 0);
    assert_eq!((row.captured_length, row.original_length), (74, 74));
    assert_eq!((row.vlan_tci, row.vlan_tpid), (7, DOT1AD));
    assert_ne!(row.status & status::VLAN_VALID, 0);
    assert_eq!(row.source_address, [2, 0, 0, 0, 0, 1, 0, 0], "the tag overwrote nothing of the header");
}

#[test]
fn in_metadata_mode_the_packet_stays_as_it_came() {
    let data = payload(1, 70);
    let (ring, lease) = held(&[FakePacket::new(&data).tagged(DOT1AD, 0xe007)], 18);
    assert_eq!(frames(&ring, &lease, WHOLE)[0].bytes, data);
    let columns = Columns::for_packets(1);
    columns.fill(&ring.block(&lease), WHOLE, ColumnSet::ALL).unwrap();
    let row = Row::read(&columns, 0);
    assert_eq!((row.captured_length, row.vlan_tci, row.vlan_tpid), (70, 0xe007, DOT1AD));
}

#[test]
fn hardware_without_ethernet_headers_gets_no_tag() {
    let data = payload(1, 70);
    for (hardware, tagged) in [
        (libc::ARPHRD_ETHER, true),
        (libc::ARPHRD_LOOPBACK, true),
        (libc::ARPHRD_NONE, false),
        (libc::ARPHRD_PPP, false),
        (libc::ARPHRD_IEEE80211_RADIOTAP, false),
        (libc::ARPHRD_INFINIBAND, false),
    ] {
        let mut packet = FakePacket::new(&data).tagged(DOT1Q, 5);
        packet.hardware_type = hardware;
        let (ring, lease) = held(&[packet], 18);
        let expected = if tagged { with_tag(&data, DOT1Q, 5) } else { data.clone() };
        assert_eq!(frames(&ring, &lease, REINSERT)[0].bytes, expected, "hardware type {hardware}");
    }
}

#[test]
fn a_tag_needs_room_before_the_packet_and_two_addresses_in_it() {
    for (gap, length, tagged) in [(4, 12, true), (3, 12, false), (0, 60, false), (18, 12, true), (18, 11, false)] {
        let data = payload(1, length);
        let (ring, lease) = held(&[FakePacket::new(&data).tagged(DOT1Q, 5)], gap);
        let before = ring.block(&lease).memory().read(0, 4096).unwrap();
        let seen = frames(&ring, &lease, REINSERT);
        if tagged {
            assert_eq!(seen[0].bytes, with_tag(&data, DOT1Q, 5), "gap {gap}, {length} bytes");
            assert!(seen[0].data as usize >= seen[0].header as usize + packet::SIZE);
        } else {
            assert_eq!(seen[0].bytes, data, "gap {gap}, {length} bytes");
            assert_eq!(ring.block(&lease).memory().read(0, 4096).unwrap(), before, "nothing was written");
        }
    }
}

#[test]
fn the_snaplen_cuts_after_the_tag_was_put_back() {
    let data = payload(1, 70);
    for (snaplen, captured, truncated) in [(74, 74, false), (73, 73, true), (64, 64, true), (14, 14, true)] {
        let (ring, lease) = held(&[FakePacket::new(&data).tagged(DOT1Q, 5)], 18);
        let seen = frames(&ring, &lease, WalkOptions { snaplen, ..REINSERT });
        assert_eq!(seen[0].bytes, with_tag(&data, DOT1Q, 5)[..captured], "snaplen {snaplen}");
        assert_eq!((seen[0].original, seen[0].truncated()), (74, truncated));
    }
}

#[test]
fn packets_around_a_tagged_one_are_untouched() {
    let packets: Vec<_> = (0..9)
        .map(|number| {
            let packet = FakePacket::new(&payload(number, 60 + number as usize));
            if number % 3 == 1 { packet.tagged(DOT1Q, number as u16) } else { packet }
        })
        .collect();
    let (ring, lease) = held(&packets, 18);
    for (number, seen) in frames(&ring, &lease, REINSERT).into_iter().enumerate() {
        let data = &packets[number].data;
        let expected = if number % 3 == 1 { with_tag(data, DOT1Q, number as u16) } else { data.clone() };
        assert_eq!(seen.bytes, expected, "packet {number}");
    }
}
