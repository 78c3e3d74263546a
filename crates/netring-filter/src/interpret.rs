//! Runs a program on bytes.

use crate::bpf::{ANCILLARY, Instruction, MEMORY_WORDS, code};
use crate::verify::Program;

/// What a live socket's program can ask about a packet beside its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ancillary {
    /// The EtherType (SKF_AD_PROTOCOL).
    pub protocol: u16,
    /// PACKET_HOST, PACKET_OUTGOING and so on (SKF_AD_PKTTYPE).
    pub packet_type: u8,
    /// The interface (SKF_AD_IFINDEX).
    pub ifindex: u32,
    /// SO_MARK's number (SKF_AD_MARK).
    pub mark: u32,
    /// The receive queue (SKF_AD_QUEUE).
    pub queue: u16,
    /// ARPHRD_ of the interface (SKF_AD_HATYPE).
    pub hardware_type: u16,
    /// The receive hash (SKF_AD_RXHASH).
    pub hash: u32,
    /// The tag with priority and identifier (SKF_AD_VLAN_TAG), if the frame has one that is not in the bytes.
    pub vlan_tag: Option<u16>,
    /// The tag's protocol (SKF_AD_VLAN_TPID).
    pub vlan_tpid: u16,
}

impl Ancillary {
    /// What a load from this offset behind SKF_AD_OFF gives, `None` where there is nothing.
    fn load(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0 => self.protocol.into(),
            4 => self.packet_type.into(),
            8 => self.ifindex,
            20 => self.mark,
            24 => self.queue.into(),
            28 => self.hardware_type.into(),
            32 => self.hash,
            44 => self.vlan_tag.unwrap_or(0).into(),
            48 => self.vlan_tag.is_some().into(),
            60 => self.vlan_tpid.into(),
            _ => return None,
        })
    }
}

/// What a program says of a packet: how many bytes of it to keep; zero is no match.
pub type Verdict = u32;

/// How many backward jumps are followed. A chain of extension headers is not longer: each has at least eight bytes, and a packet
/// less than 256 KiB.
const MAX_TURNS: u32 = 32_768;

/// What an instruction does, numbered without gaps, so that the interpreter finds it by one jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Word,
    Half,
    Byte,
    Metadata,
    WordAtX,
    HalfAtX,
    ByteAtX,
    HeaderLength,
    Equal,
    Greater,
    GreaterEqual,
    Set,
    EqualX,
    GreaterX,
    GreaterEqualX,
    SetX,
    Jump,
    JumpBack,
    Return,
    ReturnA,
    Constant,
    Length,
    Memory,
    ConstantX,
    LengthX,
    MemoryX,
    Store,
    StoreX,
    AToX,
    XToA,
    Compute,
    ComputeX,
}

/// An instruction for the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    op: Op,
    /// The operation of the two last.
    alu: u8,
    jt: u8,
    jf: u8,
    k: u32,
}

impl Step {
    pub(crate) fn new(from: Instruction) -> Self {
        let op = match from.code {
            code::LD_W_ABS | code::LD_H_ABS | code::LD_B_ABS if from.k >= ANCILLARY => Op::Metadata,
            code::LD_W_ABS => Op::Word,
            code::LD_H_ABS => Op::Half,
            code::LD_B_ABS => Op::Byte,
            code::LD_W_IND => Op::WordAtX,
            code::LD_H_IND => Op::HalfAtX,
            code::LD_B_IND => Op::ByteAtX,
            code::LDX_MSH => Op::HeaderLength,
            code::JA if (from.k as i32) < 0 => Op::JumpBack,
            code::JA => Op::Jump,
            code::RET_K => Op::Return,
            code::RET_A => Op::ReturnA,
            code::LD_IMM => Op::Constant,
            code::LD_LEN => Op::Length,
            code::LD_MEM => Op::Memory,
            code::LDX_IMM => Op::ConstantX,
            code::LDX_LEN => Op::LengthX,
            code::LDX_MEM => Op::MemoryX,
            code::ST => Op::Store,
            code::STX => Op::StoreX,
            code::TAX => Op::AToX,
            code::TXA => Op::XToA,
            other => Self::operation(other),
        };
        Self { op, alu: from.code as u8 & 0xf7, jt: from.jt, jf: from.jf, k: from.k }
    }

    fn operation(code: u16) -> Op {
        let by_x = code & code::X != 0;
        if code & code::CLASS != code::JMP {
            return if by_x { Op::ComputeX } else { Op::Compute };
        }
        match (code & !code::X, by_x) {
            (code::JEQ, false) => Op::Equal,
            (code::JGT, false) => Op::Greater,
            (code::JGE, false) => Op::GreaterEqual,
            (_, false) => Op::Set,
            (code::JEQ, true) => Op::EqualX,
            (code::JGT, true) => Op::GreaterX,
            (code::JGE, true) => Op::GreaterEqualX,
            (_, true) => Op::SetX,
        }
    }
}

/// Runs the program. `length` is what `len` sees: the packet's length on the wire. Without metadata a program that asks for it gets no
/// match.
pub fn run(program: &Program, packet: &[u8], length: u32, ancillary: Option<&Ancillary>) -> Verdict {
    execute(program.steps(), packet, length, ancillary).unwrap_or(0)
}

/// `None` where a load is past the end, a divisor is zero, or a loop does not end.
fn execute(program: &[Step], packet: &[u8], length: u32, ancillary: Option<&Ancillary>) -> Option<Verdict> {
    let (mut a, mut x) = (0u32, 0u32);
    let mut memory = [0u32; MEMORY_WORDS];
    let mut turns = 0;
    let mut at = 0usize;
    loop {
        let step = program.get(at)?;
        let k = step.k;
        let branch = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
        let word_of = k as usize % MEMORY_WORDS;
        at += 1;
        match step.op {
            Op::Word => a = word(packet, k as usize)?,
            Op::Half => a = half(packet, k as usize)?,
            Op::Byte => a = byte(packet, k as usize)?,
            Op::Metadata => a = ancillary?.load(k - ANCILLARY)?,
            Op::WordAtX => a = word(packet, x as usize + k as usize)?,
            Op::HalfAtX => a = half(packet, x as usize + k as usize)?,
            Op::ByteAtX => a = byte(packet, x as usize + k as usize)?,
            Op::HeaderLength => x = (byte(packet, k as usize)? & 0xf) << 2,
            Op::Equal => at += branch(a == k),
            Op::Greater => at += branch(a > k),
            Op::GreaterEqual => at += branch(a >= k),
            Op::Set => at += branch(a & k != 0),
            Op::EqualX => at += branch(a == x),
            Op::GreaterX => at += branch(a > x),
            Op::GreaterEqualX => at += branch(a >= x),
            Op::SetX => at += branch(a & x != 0),
            Op::Jump => at += k as usize,
            Op::JumpBack => {
                turns += 1;
                if turns > MAX_TURNS {
                    return None;
                }
                at = at.checked_add_signed(k as i32 as isize)?;
            }
            Op::Return => return Some(k),
            Op::ReturnA => return Some(a),
            Op::Constant => a = k,
            Op::Length => a = length,
            Op::Memory => a = memory[word_of],
            Op::ConstantX => x = k,
            Op::LengthX => x = length,
            Op::MemoryX => x = memory[word_of],
            Op::Store => memory[word_of] = a,
            Op::StoreX => memory[word_of] = x,
            Op::AToX => x = a,
            Op::XToA => a = x,
            Op::Compute => a = compute(step.alu, a, k)?,
            Op::ComputeX => a = compute(step.alu, a, x)?,
        }
    }
}

fn byte(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at).map(|&byte| byte.into())
}

fn half(packet: &[u8], at: usize) -> Option<u32> {
    let bytes = packet.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes).into())
}

fn word(packet: &[u8], at: usize) -> Option<u32> {
    let bytes = packet.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

fn compute(alu: u8, a: u32, b: u32) -> Option<u32> {
    Some(match u16::from(alu) {
        code::ADD => a.wrapping_add(b),
        code::SUB => a.wrapping_sub(b),
        code::MUL => a.wrapping_mul(b),
        code::DIV => a.checked_div(b)?,
        code::MOD => a.checked_rem(b)?,
        code::OR => a | b,
        code::AND => a & b,
        code::XOR => a ^ b,
        code::LSH => a.checked_shl(b).unwrap_or(0),
        code::RSH => a.checked_shr(b).unwrap_or(0),
        code::NEG => a.wrapping_neg(),
        _ => return None,
    })
}
