//! Runs a program on packets in shared memory.

use netring_filter::{Instruction, Program};

use crate::ring::VolatileSlice;

/// include/uapi/linux/bpf_common.h, and SKF_AD_OFF of include/uapi/linux/filter.h.
mod code {
    pub(super) const CLASS: u16 = 0x07;
    pub(super) const LD: u16 = 0x00;
    pub(super) const LDX: u16 = 0x01;
    pub(super) const MISC: u16 = 0x07;
    pub(super) const TAX: u16 = MISC;
    pub(super) const SIZE: u16 = 0x18;
    pub(super) const HALF: u16 = 0x08;
    pub(super) const BYTE: u16 = 0x10;
    pub(super) const MODE: u16 = 0xe0;
    pub(super) const IMMEDIATE: u16 = 0x00;
    pub(super) const ABSOLUTE: u16 = 0x20;
    pub(super) const INDIRECT: u16 = 0x40;
    pub(super) const MSH: u16 = 0xa0;
    pub(super) const METADATA: u32 = 0xffff_f000;
}

/// A program, and a buffer for the bytes of a packet that it can read. It copies them once and reads the copy (R2).
#[derive(Clone, Debug)]
pub struct Matcher {
    program: Program,
    reach: usize,
    bytes: Vec<u8>,
}

impl Matcher {
    /// Runs a checked program.
    pub fn of(program: Program) -> Self {
        let reach = reach(program.instructions());
        Self { program, reach, bytes: Vec::new() }
    }

    /// Whether a packet matches. `original` is its length on the wire.
    #[inline]
    pub fn matches(&mut self, packet: VolatileSlice<'_>, original: u32) -> bool {
        let length = packet.len().min(self.reach);
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        let copied = packet.copy_to(&mut self.bytes[..length]);
        netring_filter::run(&self.program, &self.bytes[..copied], original, None) != 0
    }
}

/// The number of bytes at a packet's beginning that the program can read. No load ends beyond them.
fn reach(program: &[Instruction]) -> usize {
    let mut absolute: u64 = 0;
    // The largest value of X, and the largest end of a load relative to X.
    let mut most_x: u64 = 0;
    let mut indirect: Option<u64> = None;
    for step in program {
        let size = match step.code & code::SIZE {
            code::BYTE => 1,
            code::HALF => 2,
            _ => 4,
        };
        let end = u64::from(step.k) + size;
        match (step.code & code::CLASS, step.code & code::MODE) {
            (code::LD, code::ABSOLUTE) if step.k < code::METADATA => absolute = absolute.max(end),
            (code::LD, code::INDIRECT) => indirect = indirect.max(Some(end)),
            (code::LDX, code::MSH) => {
                absolute = absolute.max(u64::from(step.k) + 1);
                most_x = most_x.max(4 * 0xf);
            }
            (code::LDX, code::IMMEDIATE) => most_x = most_x.max(step.k.into()),
            (code::LDX, _) => most_x = u64::from(u32::MAX),
            (code::MISC, _) if step.code == code::TAX => most_x = u64::from(u32::MAX),
            _ => {}
        }
    }
    let reach = absolute.max(indirect.map_or(0, |end| end + most_x));
    usize::try_from(reach).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::{Expression, Place};
    use crate::link_type::LinkType;

    fn program(text: &str) -> Program {
        Expression::new(text).compile(Place::Memory(LinkType::ETHERNET)).unwrap().program().clone()
    }

    #[test]
    fn no_more_is_copied_than_a_program_can_look_at() {
        assert_eq!(Matcher::of(program("ip")).reach, 14);
        // The longest IPv4 header before the ports; IPv6's ports are nearer.
        assert_eq!(Matcher::of(program("tcp port 80")).reach, 14 + 60 + 4);
        assert_eq!(Matcher::of(program("greater 100")).reach, 0);
        assert!(Matcher::of(program("ether[len - 1] = 0")).reach > 65_536);
    }

    const EXPRESSIONS: [&str; 7] = [
        "tcp port 80",
        "ip[2:2] > 60",
        "greater 70",
        "vlan 5 and udp",
        "ether[len - 1] = 0",
        "ip protochain 6",
        "tcp[tcpflags] & tcp-syn != 0",
    ];

    proptest! {
        #[test]
        fn the_verdict_is_that_of_the_whole_packet(
            head in prop::sample::select(vec![&[0x08, 0, 0x45][..], &[0x08, 0, 0x4f], &[0x86, 0xdd, 0x60], &[0x81, 0, 0]]),
            rest in prop::collection::vec(prop::sample::select(vec![0, 1, 5, 6, 17, 80, 255]), 0..120),
            which in 0..EXPRESSIONS.len(),
            original in 60u32..80,
        ) {
            let packet: Vec<u8> = [&[0; 12], head, &rest].concat();
            let program = program(EXPRESSIONS[which]);
            let expected = netring_filter::run(&program, &packet, original, None) != 0;
            prop_assert_eq!(Matcher::of(program).matches(packet.as_slice().into(), original), expected);
        }
    }
}
