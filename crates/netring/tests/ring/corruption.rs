//! Valid blocks with wrong bytes in them: nothing outside a block is ever touched or shown.

use netring::ring::fake::{FakeKernel, FakePacket};
use netring::ring::layout::{block, packet};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fuzz::{BLOCK_SIZE, Plan, check, run};
use crate::support::{deliver, payload};

/// A value that is likely to break something, or any.
fn value() -> impl Strategy<Value = u32> {
    prop_oneof![
        3 => any::<u32>(),
        3 => 0..BLOCK_SIZE + 200,
        2 => prop::sample::select(vec![0, 1, 67, 68, 72, 1 << 31, u32::MAX - 7, u32::MAX]),
    ]
}

/// A field of the block's header or of a packet's header, or any bytes, and what to write there.
#[derive(Clone, Debug)]
enum Damage {
    Head(usize, u32),
    Header(u32, usize, u32),
    Bytes(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let head = prop::sample::select(vec![block::PACKETS, block::FIRST, block::LENGTH]);
    let field = prop::sample::select(vec![
        packet::NEXT,
        packet::SNAPLEN,
        packet::LENGTH,
        packet::STATUS,
        packet::MAC,
        packet::VLAN_TCI,
        packet::VLAN_TPID,
        packet::HARDWARE_TYPE,
    ]);
    prop_oneof![
        2 => (head, value()).prop_map(|(field, value)| Damage::Head(field, value)),
        5 => (0u32..8, field, value()).prop_map(|(index, field, value)| Damage::Header(index, field, value)),
        2 => (0..BLOCK_SIZE as usize, vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Damage::Bytes(at, bytes)),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let snaplen = prop_oneof![Just(u16::MAX), 0u16..200];
    (any::<bool>(), snaplen, 0u8..3, 0u8..8, 0u8..8, 0u8..16, any::<u8>()).prop_map(
        |(reinsert_vlan, snaplen, skip, first, count, capacity, target)| Plan {
            reinsert_vlan,
            snaplen,
            skip,
            first,
            count,
            capacity,
            target,
        },
    )
}

fn packets() -> impl Strategy<Value = Vec<FakePacket>> {
    let packet = (0usize..200, any::<bool>(), any::<u16>()).prop_map(|(length, tagged, tci)| {
        let packet = FakePacket::new(&payload(tci.into(), length));
        if tagged { packet.tagged(0x8100, tci) } else { packet }
    });
    vec(packet, 1..8)
}

/// A ring of three blocks, of which the first is held, the second has as many of the packets as fit
/// and suffers the damage, and the third is the kernel's or has the rest.
fn damaged(packets: &[FakePacket], plan: Plan, damage: &[Damage]) {
    let (mut kernel, mut ring) = FakeKernel::with_ring(BLOCK_SIZE, 3);
    deliver(&mut kernel, &[FakePacket::new(&payload(1, 700))]);
    let first = ring.acquire().unwrap();
    let (stale, new) = packets.split_at(packets.len().min(plan.skip.into()));
    for packet in stale {
        kernel.receive(packet);
    }
    ring.mark_stale();
    for packet in new {
        kernel.receive(packet);
    }
    kernel.retire(0);
    let Some(second) = ring.acquire() else { return };
    // The third is what is shown where the second has room for the stale packets only.
    let skip = if second.index() == 1 { stale.len() as u8 } else { 0 };
    let plan = Plan { skip, ..plan };

    let place = second.index() as usize * BLOCK_SIZE as usize;
    let memory = kernel.memory().slice(place, BLOCK_SIZE as usize).unwrap();
    let counted = memory.u32(block::PACKETS).unwrap();
    let headers: Vec<_> = (0..counted).map(|index| kernel.header(second.index(), index) - place).collect();
    let word = memory.load_acquire(block::STATUS).unwrap();
    for damage in damage {
        match damage {
            Damage::Head(field, value) => _ = memory.set_u32(*field, *value),
            Damage::Header(index, field, value) => {
                let header = headers[(*index as usize) % headers.len()];
                memory.set_u32(header + field, *value);
            }
            Damage::Bytes(at, bytes) => {
                let end = (at + bytes.len()).min(BLOCK_SIZE as usize);
                memory.write(*at, &bytes[..end - at]);
            }
        }
    }
    memory.store_release(block::STATUS, word);

    let around = || {
        let whole = kernel.memory().read(0, kernel.memory().len()).unwrap();
        [whole[..place].to_vec(), whole[place + BLOCK_SIZE as usize..].to_vec()]
    };
    let before = around();
    _ = check(&ring, &second, plan);
    assert_eq!(around(), before, "the blocks around it are untouched");
    ring.release(second);
    ring.release(first);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_over_a_damaged_block_stays_inside(
        packets in packets(),
        plan in plan(),
        damage in vec(damage(), 0..6),
    ) {
        damaged(&packets, plan, &damage);
    }

    #[test]
    fn any_bytes_are_a_block(plan in plan(), bytes in vec(any::<u8>(), 0..BLOCK_SIZE as usize)) {
        run(&plan.input(&bytes));
    }
}
