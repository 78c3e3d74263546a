//! The virtio-net header before a packet, when a tag is put back into it.

use netring::ring::block::WalkOptions;
use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::packet;
use netring::ring::vnet;

use crate::support::{REINSERT, deliver, frames, payload};

const WITH_HEADER: WalkOptions = WalkOptions { vnet_header: true, ..REINSERT };

/// flags, gso_type, hdr_len, gso_size, csum_start, csum_offset.
fn header(flags: u8, gso: u8, length: u16, size: u16, start: u16, offset: u16) -> [u8; 10] {
    let mut bytes = [flags, gso, 0, 0, 0, 0, 0, 0, 0, 0];
    for (index, value) in [length, size, start, offset].into_iter().enumerate() {
        bytes[2 + 2 * index..][..2].copy_from_slice(&value.to_ne_bytes());
    }
    bytes
}

/// What lies before the packet and what is the packet, after a walk.
fn walked(before: [u8; 10], tagged: bool, gap: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut kernel, mut ring) = FakeKernel::with_ring(4096, 1);
    kernel.gap = gap;
    let mut sent = FakePacket::new(&payload(1, 70));
    if tagged {
        sent = sent.tagged(0x8100, 7);
    }
    deliver(&mut kernel, &[sent]);
    let at = kernel.header(0, 0) + packet::SIZE + gap - before.len();
    assert!(kernel.memory().write(at, &before));
    let lease = ring.acquire().unwrap();
    let seen = frames(&ring, &lease, WITH_HEADER);
    let memory = ring.block(&lease).memory().clone();
    (memory.read((seen[0].data - vnet::BYTES) as usize, 10).unwrap(), seen[0].bytes.clone())
}

#[test]
fn it_moves_with_the_packet_and_what_it_points_at_stays_right() {
    for (before, after) in [
        // Nothing left to do.
        (header(0, 0, 0, 0, 0, 0), header(0, 0, 0, 0, 0, 0)),
        // Checked by the hardware (DATA_VALID).
        (header(2, 0, 0, 0, 0, 0), header(2, 0, 0, 0, 0, 0)),
        // A checksum to be computed (NEEDS_CSUM).
        (header(1, 0, 0, 0, 34, 6), header(1, 0, 0, 0, 38, 6)),
        // Segments to be cut (TCPv4), too.
        (header(1, 1, 54, 1448, 34, 16), header(1, 1, 58, 1448, 38, 16)),
        // Segments whose checksums were checked.
        (header(2, 4, 74, 1428, 0, 0), header(2, 4, 78, 1428, 0, 0)),
        // As long as a header can say.
        (header(1, 1, u16::MAX, 1448, 34, 16), header(1, 1, u16::MAX, 1448, 38, 16)),
    ] {
        let (found, bytes) = walked(before, true, 28);
        assert_eq!(found, after);
        assert_eq!(&bytes[12..16], &[0x81, 0x00, 0, 7]);
        assert_eq!(bytes.len(), 74);
    }
}

#[test]
fn without_a_tag_it_stays_as_it_came() {
    let before = header(1, 1, 54, 1448, 34, 16);
    let (found, bytes) = walked(before, false, 28);
    assert_eq!((found, bytes), (before.to_vec(), payload(1, 70)));
}

#[test]
fn where_there_is_room_for_the_tag_but_not_for_both_nothing_is_moved() {
    let before = header(1, 0, 0, 0, 34, 6);
    let (found, bytes) = walked(before, true, 12);
    assert_eq!((found, bytes), (before.to_vec(), payload(1, 70)));
    let (found, bytes) = walked(before, true, 14);
    assert_eq!((found, bytes.len()), (header(1, 0, 0, 0, 38, 6).to_vec(), 74));
}
