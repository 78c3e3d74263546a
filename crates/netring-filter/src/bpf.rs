//! Classic BPF's instruction, and its codes (include/uapi/linux/bpf_common.h).

/// One instruction of classic BPF, as `struct sock_filter` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to skip if the test holds.
    pub jt: u8,
    /// How many instructions to skip if it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

impl Instruction {
    /// An instruction that is no conditional jump.
    pub const fn new(code: u16, k: u32) -> Self {
        Self { code, jt: 0, jf: 0, k }
    }
}

/// SKF_AD_OFF: absolute loads from here on ask for metadata.
pub(crate) const ANCILLARY: u32 = 0xffff_f000;

pub(crate) const MEMORY_WORDS: usize = 16;

pub(crate) mod code {
    pub(crate) const CLASS: u16 = 0x07;
    pub(crate) const LD: u16 = 0x00;
    pub(crate) const LDX: u16 = 0x01;
    pub(crate) const ALU: u16 = 0x04;
    pub(crate) const JMP: u16 = 0x05;
    pub(crate) const RET: u16 = 0x06;

    pub(crate) const LD_IMM: u16 = 0x00;
    pub(crate) const LD_W_ABS: u16 = 0x20;
    pub(crate) const LD_H_ABS: u16 = 0x28;
    pub(crate) const LD_B_ABS: u16 = 0x30;
    pub(crate) const LD_W_IND: u16 = 0x40;
    pub(crate) const LD_H_IND: u16 = 0x48;
    pub(crate) const LD_B_IND: u16 = 0x50;
    pub(crate) const LD_MEM: u16 = 0x60;
    pub(crate) const LD_LEN: u16 = 0x80;
    pub(crate) const LDX_IMM: u16 = 0x01;
    pub(crate) const LDX_MEM: u16 = 0x61;
    pub(crate) const LDX_LEN: u16 = 0x81;
    pub(crate) const LDX_MSH: u16 = 0xb1;
    pub(crate) const ST: u16 = 0x02;
    pub(crate) const STX: u16 = 0x03;

    /// The right operand is X; with the operations below.
    pub(crate) const X: u16 = 0x08;
    pub(crate) const ADD: u16 = 0x04;
    pub(crate) const SUB: u16 = 0x14;
    pub(crate) const MUL: u16 = 0x24;
    pub(crate) const DIV: u16 = 0x34;
    pub(crate) const OR: u16 = 0x44;
    pub(crate) const AND: u16 = 0x54;
    pub(crate) const LSH: u16 = 0x64;
    pub(crate) const RSH: u16 = 0x74;
    pub(crate) const NEG: u16 = 0x84;
    pub(crate) const MOD: u16 = 0x94;
    pub(crate) const XOR: u16 = 0xa4;

    pub(crate) const JA: u16 = 0x05;
    pub(crate) const JEQ: u16 = 0x15;
    pub(crate) const JGT: u16 = 0x25;
    pub(crate) const JGE: u16 = 0x35;
    pub(crate) const JSET: u16 = 0x45;

    pub(crate) const RET_K: u16 = 0x06;
    pub(crate) const RET_A: u16 = 0x16;
    pub(crate) const TAX: u16 = 0x07;
    pub(crate) const TXA: u16 = 0x87;
}
