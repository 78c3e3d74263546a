//! Rings on kernels with pages of 4, 16 and 64 KiB. The page size is a property of the kernel that
//! runs, not of the build: one binary for arm64 serves all three.

use netring::ring::Geometry;
use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::status;
use proptest::prelude::*;

use crate::support::next;

const PAGES: [u32; 3] = [4096, 16384, 65536];

/// Blocks of the profiles in src/options/capture.ts.
const PROFILES: [(u32, u32); 5] =
    [(4 << 20, 2048), (4 << 20, 2048), (256 << 10, 2048), (1 << 20, 2048), (4 << 20, 65536)];

/// Fills a ring twice with packets up to the longest that fits into a block, and reads all of it.
fn fill_and_read(geometry: Geometry) {
    let (mut kernel, mut ring) = FakeKernel::of(geometry);
    assert_eq!(ring.memory().len(), geometry.ring_bytes());
    let (mut sent, mut seen) = (0u32, 0u32);
    for _ in 0..2 * geometry.block_count() {
        let size = |number: u32| 60 + (number * 7919 % (geometry.block_size() / 3)) as usize;
        for _ in 0..3 {
            assert!(kernel.receive(&FakePacket::new(&vec![sent as u8; size(sent)])), "packet {sent}");
            sent += 1;
        }
        kernel.retire(status::BLOCK_TIMEOUT);
        while let Some(packets) = next(&mut ring) {
            for packet in packets {
                assert!(packet == vec![seen as u8; size(seen)], "packet {seen} of {} bytes", packet.len());
                seen += 1;
            }
        }
    }
    assert_eq!(seen, sent);
}

#[test]
fn a_ring_whose_blocks_are_one_page_works_on_every_page_size() {
    for page in PAGES {
        fill_and_read(Geometry::new(page, 4, 2048, page).unwrap());
    }
}

#[test]
fn every_profile_works_on_every_page_size() {
    for page in PAGES {
        for (block_size, frame_size) in PROFILES {
            fill_and_read(Geometry::new(block_size, 2, frame_size, page).unwrap());
        }
    }
}

proptest! {
    /// What `packet_set_ring` (net/packet/af_packet.c) asks, and mmap(2) of a length.
    #[test]
    fn a_geometry_is_accepted_just_when_the_kernel_would(
        page in prop::sample::select(&PAGES[..]),
        block in prop_oneof![0u32..1 << 20, (0u32..64).prop_map(|count| count * 4096)],
        count in 0u32..128,
        frame in prop_oneof![0u32..1 << 17, (0u32..64).prop_map(|count| count * 1024)],
    ) {
        let kernel = block > 0 && block % page == 0 && count > 0 && frame >= 128 && frame % 16 == 0 && frame <= block;
        let geometry = Geometry::new(block, count, frame, page);
        prop_assert_eq!(geometry.is_ok(), kernel);
        if let Ok(geometry) = geometry {
            prop_assert_eq!(geometry.ring_bytes() % page as usize, 0);
            prop_assert_eq!(geometry.frame_count(), block / frame * count);
            prop_assert_eq!(geometry.with_block_count(count / 2).ring_bytes() % page as usize, 0);
        } else if block > 0 && block % page != 0 {
            let page_size = format!("page size, {page} bytes");
            prop_assert!(geometry.unwrap_err().message.contains(&page_size));
        }
    }
}
