//! The seeds of the fuzz target: made here, from blocks of the fake kernel, and replayed here, so that
//! they are tried without a nightly compiler too.
//!
//! `NETRING_WRITE_SEEDS=1 cargo test -p netring --test ring seeds` writes them anew.

use std::path::PathBuf;

use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::{block, packet, status};

use crate::fuzz::{BLOCK_SIZE, Plan, run};
use crate::support::{deliver, payload};

const PLAN: Plan =
    Plan { reinsert_vlan: true, snaplen: u16::MAX, skip: 0, first: 0, count: 255, capacity: 16, target: 64 };

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fuzz", "seeds", "block_walker"].iter().collect()
}

/// A block with these packets, as far as it is used, and then corrupted by `corrupt`.
fn seed(plan: Plan, packets: &[FakePacket], corrupt: impl FnOnce(&FakeKernel)) -> Vec<u8> {
    let (mut kernel, _ring) = FakeKernel::with_ring(BLOCK_SIZE, 1);
    deliver(&mut kernel, packets);
    let used = kernel.memory().u32(block::LENGTH).unwrap() as usize;
    corrupt(&kernel);
    plan.input(&kernel.memory().read(0, used).unwrap())
}

fn plain(length: usize) -> FakePacket {
    FakePacket::new(&payload(1, length))
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let honest = |_: &FakeKernel| ();
    let mut untyped = plain(20).tagged(0, 5);
    untyped.status &= !status::VLAN_TPID_VALID;
    let mut cut = plain(14);
    cut.original = 1500;
    let mut bare = plain(20).tagged(0x8100, 1);
    bare.hardware_type = libc::ARPHRD_NONE;
    vec![
        ("one", seed(PLAN, &[plain(14)], honest)),
        ("several", seed(PLAN, &[plain(14), plain(0), cut, plain(33)], honest)),
        ("tagged", seed(PLAN, &[plain(20).tagged(0x8100, 0xefff), plain(1).tagged(0x88a8, 2), bare], honest)),
        ("untyped_tag", seed(Plan { snaplen: 16, ..PLAN }, &[plain(14), untyped], honest)),
        ("stale", seed(Plan { skip: 1, first: 1, count: 1, ..PLAN }, &[plain(1), plain(2), plain(3)], honest)),
        ("target_too_small", seed(Plan { target: 1, ..PLAN }, &[plain(20)], honest)),
        ("next_offset_zero", {
            seed(PLAN, &[plain(1), plain(2)], |kernel| {
                kernel.memory().set_u32(kernel.header(0, 0) + packet::NEXT, 0);
            })
        }),
        ("oversize_snaplen", {
            seed(PLAN, &[plain(1), plain(2)], |kernel| {
                kernel.memory().set_u32(kernel.header(0, 1) + packet::SNAPLEN, BLOCK_SIZE);
            })
        }),
    ]
}

#[test]
fn seeds_are_those_of_the_fake_kernel() {
    let write = std::env::var_os("NETRING_WRITE_SEEDS").is_some();
    for (name, bytes) in seeds() {
        let path = directory().join(name);
        if write {
            std::fs::create_dir_all(directory()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}: see the top of this file");
    }
    assert_eq!(std::fs::read_dir(directory()).unwrap().count(), seeds().len(), "no seed without a maker");
}

#[test]
fn seeds_break_no_promise() {
    for (_, bytes) in seeds() {
        run(&bytes);
    }
}
