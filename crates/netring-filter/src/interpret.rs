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

/// Runs the program. `length` is what `len` sees: the packet's length on the wire. Without metadata a program that asks for it gets no
/// match.
pub fn run(program: &Program, packet: &[u8], length: u32, ancillary: Option<&Ancillary>) -> Verdict {
    execute(program.instructions(), packet, length, ancillary).unwrap_or(0)
}

/// `None` where a load is past the end, a divisor is zero, or a loop does not end.
fn execute(program: &[Instruction], packet: &[u8], length: u32, ancillary: Option<&Ancillary>) -> Option<Verdict> {
    let (mut a, mut x) = (0u32, 0u32);
    let mut memory = [0u32; MEMORY_WORDS];
    let mut turns = 0;
    let mut at = 0usize;
    loop {
        let step = program.get(at)?;
        let k = step.k;
        at += 1;
        match step.code {
            code::LD_W_ABS if k < ANCILLARY => a = word(packet, k)?,
            code::LD_H_ABS if k < ANCILLARY => a = half(packet, k)?,
            code::LD_B_ABS if k < ANCILLARY => a = byte(packet, k)?,
            code::LD_W_ABS | code::LD_H_ABS | code::LD_B_ABS => a = ancillary?.load(k - ANCILLARY)?,
            code::JEQ => at += usize::from(if a == k { step.jt } else { step.jf }),
            code::JGT => at += usize::from(if a > k { step.jt } else { step.jf }),
            code::JGE => at += usize::from(if a >= k { step.jt } else { step.jf }),
            code::JSET => at += usize::from(if a & k != 0 { step.jt } else { step.jf }),
            code::RET_K => return Some(k),
            code::LDX_MSH => x = (byte(packet, k)? & 0xf) << 2,
            code::LD_W_IND => a = word(packet, x.checked_add(k)?)?,
            code::LD_H_IND => a = half(packet, x.checked_add(k)?)?,
            code::LD_B_IND => a = byte(packet, x.checked_add(k)?)?,
            code::LD_IMM => a = k,
            code::LD_LEN => a = length,
            code::LD_MEM => a = memory[k as usize & (MEMORY_WORDS - 1)],
            code::LDX_IMM => x = k,
            code::LDX_LEN => x = length,
            code::LDX_MEM => x = memory[k as usize & (MEMORY_WORDS - 1)],
            code::ST => memory[k as usize & (MEMORY_WORDS - 1)] = a,
            code::STX => memory[k as usize & (MEMORY_WORDS - 1)] = x,
            code::TAX => x = a,
            code::TXA => a = x,
            code::JA if (k as i32) < 0 => {
                turns += 1;
                if turns > MAX_TURNS {
                    return None;
                }
                at = at.checked_add_signed(k as i32 as isize)?;
            }
            code::JA => at += k as usize,
            code::RET_A => return Some(a),
            other if other & code::CLASS == code::JMP => {
                at += usize::from(if jumps(other, a, x) { step.jt } else { step.jf });
            }
            other => a = compute(other, a, if other & code::X != 0 { x } else { k })?,
        }
    }
}

fn byte(packet: &[u8], at: u32) -> Option<u32> {
    packet.get(at as usize).map(|&byte| byte.into())
}

fn half(packet: &[u8], at: u32) -> Option<u32> {
    let bytes = packet.get(at as usize..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes).into())
}

fn word(packet: &[u8], at: u32) -> Option<u32> {
    let bytes = packet.get(at as usize..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

/// A comparison with X.
fn jumps(code: u16, a: u32, x: u32) -> bool {
    match code & !code::X {
        code::JEQ => a == x,
        code::JGT => a > x,
        code::JGE => a >= x,
        _ => a & x != 0,
    }
}

fn compute(code: u16, a: u32, b: u32) -> Option<u32> {
    Some(match code & !code::X {
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
