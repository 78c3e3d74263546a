//! Filters: which packets a source takes, and how much of each.

mod expression;
mod matcher;

use std::os::fd::RawFd;

pub use netring_filter::{Filter as CompiledFilter, Instruction, Program};
use netring_filter::{ProgramError, Rules};

pub use self::expression::{Expression, Place};
pub use self::matcher::Matcher;
use crate::error::{Error, ErrorKind, Result};
use crate::link_type::LinkType;

/// A filter, in one of three forms.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Classic BPF.
    Classic(Vec<Instruction>),
    /// The descriptor of a loaded eBPF program of type BPF_PROG_TYPE_SOCKET_FILTER.
    Ebpf(RawFd),
    /// An expression in tcpdump's filter language, compiled for the interface that it is used on.
    Expression(Expression),
}

impl From<Expression> for Filter {
    fn from(expression: Expression) -> Self {
        Self::Expression(expression)
    }
}

impl Filter {
    /// The program for a packet socket on an interface of this link type.
    pub(crate) fn for_socket(&self, link_type: LinkType) -> Result<SocketProgram> {
        Ok(match self {
            Self::Classic(code) => SocketProgram::Classic(code.clone()),
            Self::Ebpf(fd) => SocketProgram::Ebpf(*fd),
            Self::Expression(expression) => {
                let filter = expression.compile(Place::Socket(link_type))?;
                SocketProgram::Classic(filter.program().instructions().to_vec())
            }
        })
    }

    /// The filter for packets of this link type in memory.
    pub fn for_memory(&self, link_type: LinkType) -> Result<Matcher> {
        let program = match self {
            Self::Classic(code) => Program::new(code.clone(), Rules::Kernel).map_err(|error| {
                Error::new(ErrorKind::Filter, format!("the classic BPF program is not valid: {error}"))
            })?,
            Self::Ebpf(fd) => {
                let message = format!(
                    "fd {fd} is a program that only the kernel runs: give an expression or classic instructions"
                );
                return Err(Error::new(ErrorKind::Filter, message));
            }
            Self::Expression(expression) => expression.compile(Place::Memory(link_type))?.program().clone(),
        };
        Ok(Matcher::of(program))
    }

    /// The instructions for XDP on an interface of this link type.
    #[cfg(feature = "xdp")]
    pub(crate) fn for_xdp(&self, link_type: LinkType) -> Result<Vec<Instruction>> {
        match self {
            Self::Classic(code) => Ok(code.clone()),
            Self::Ebpf(fd) => {
                let message = format!(
                    "fd {fd} is a program for sockets, which XDP cannot run: `filter` of an AF_XDP socket is an expression or \
                     classic instructions; an XDP program of your own goes into `program`"
                );
                Err(Error::new(ErrorKind::Filter, message))
            }
            Self::Expression(expression) => {
                Ok(expression.compile(Place::Xdp(link_type))?.program().instructions().to_vec())
            }
        }
    }
}

/// An argument of SO_ATTACH_FILTER or SO_ATTACH_BPF.
#[derive(Clone, Debug)]
pub(crate) enum SocketProgram {
    /// Classic BPF.
    Classic(Vec<Instruction>),
    /// The descriptor of a loaded eBPF program.
    Ebpf(RawFd),
}

/// The snap length that cuts no packet: tcpdump's "whole packet".
pub const WHOLE_PACKET: u32 = 262_144;

/// Class and operand bits of the instructions that matter here, include/uapi/linux/bpf_common.h.
mod code {
    pub(super) const CLASS: u16 = 0x07;
    pub(super) const JUMP: u16 = 0x05;
    pub(super) const RET: u16 = 0x06;
    pub(super) const RET_A: u16 = RET | 0x10;
    pub(super) const JA: u16 = 0x05;
    pub(super) const JGT: u16 = 0x25;
}

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// A filter that drops every packet.
pub(crate) fn nothing() -> SocketProgram {
    SocketProgram::Classic(vec![instruction(code::RET, 0, 0, 0)])
}

/// The program to attach for a filter and a snap length, or `None` where none is needed. The kernel cuts a packet to
/// its filter's return value; frame size and block size do not cut.
pub(crate) fn with_snaplen(filter: Option<&SocketProgram>, snaplen: u32) -> Option<SocketProgram> {
    let cuts = snaplen < WHOLE_PACKET;
    match filter {
        None if cuts => Some(SocketProgram::Classic(vec![instruction(code::RET, 0, 0, snaplen)])),
        None => None,
        Some(SocketProgram::Classic(program)) if cuts => Some(SocketProgram::Classic(cut(program, snaplen))),
        // An eBPF program's return value cannot be changed; the block walker cuts the packets instead.
        Some(filter) => Some(filter.clone()),
    }
}

/// Caps every return value. `ret #k` is rewritten in place; `ret a` becomes a jump to an epilogue
/// that compares, so that no other jump changes.
///
/// A program that does not end with a return or that jumps outside stays unchanged, so that the kernel refuses it: the
/// epilogue would make it valid.
fn cut(program: &[Instruction], snaplen: u32) -> Vec<Instruction> {
    let mut out = program.to_vec();
    if !is_closed(program) {
        return out;
    }
    let epilogue = program.len();
    let mut compares = false;
    for (at, step) in out.iter_mut().enumerate() {
        match step.code {
            code::RET => step.k = step.k.min(snaplen),
            code::RET_A => {
                compares = true;
                *step = instruction(code::JA, 0, 0, (epilogue - at - 1) as u32);
            }
            _ => {}
        }
    }
    if compares {
        out.push(instruction(code::JGT, 0, 1, snaplen));
        out.push(instruction(code::RET, 0, 0, snaplen));
        out.push(instruction(code::RET_A, 0, 0, 0));
    }
    out
}

/// Whether every jump stays inside and the last instruction returns.
fn is_closed(program: &[Instruction]) -> bool {
    let inside = |at: usize, by: u32| by as usize <= program.len().saturating_sub(at + 2);
    let jumps_stay = program.iter().enumerate().all(|(at, step)| match step.code {
        code::JA => inside(at, step.k),
        other if other & code::CLASS == code::JUMP => inside(at, step.jt.into()) && inside(at, step.jf.into()),
        _ => true,
    });
    jumps_stay && program.last().is_some_and(|step| step.code & code::CLASS == code::RET)
}

/// The kernel's rule that a classic program breaks.
pub(crate) fn broken_rule(code: &[Instruction]) -> Option<ProgramError> {
    Program::new(code.to_vec(), Rules::Kernel).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interprets the programs below; gives the return value.
    fn run(program: &[Instruction], mut a: u32) -> u32 {
        let mut at = 0;
        loop {
            let step = program[at];
            at += 1;
            match step.code {
                code::RET => return step.k,
                code::RET_A => return a,
                code::JA => at += step.k as usize,
                code::JGT => at += usize::from(if a > step.k { step.jt } else { step.jf }),
                0x00 => a = step.k, // ld #k
                other => panic!("code {other:#x}"),
            }
        }
    }

    #[test]
    fn a_constant_return_is_capped_but_a_refusal_stays_one() {
        let program =
            [instruction(code::JGT, 0, 1, 5), instruction(code::RET, 0, 0, 0), instruction(code::RET, 0, 0, u32::MAX)];
        let Some(SocketProgram::Classic(cut)) = with_snaplen(Some(&SocketProgram::Classic(program.to_vec())), 96)
        else {
            panic!()
        };
        assert_eq!(run(&cut, 9), 0);
        assert_eq!(run(&cut, 1), 96);
    }

    #[test]
    fn a_computed_return_is_capped_in_an_epilogue() {
        for (value, expected) in [(0, 0), (95, 95), (96, 96), (97, 96), (u32::MAX, 96)] {
            let program = vec![instruction(0, 0, 0, value), instruction(code::RET_A, 0, 0, 0)];
            let Some(SocketProgram::Classic(cut)) = with_snaplen(Some(&SocketProgram::Classic(program)), 96) else {
                panic!()
            };
            assert_eq!(run(&cut, 7), expected);
        }
    }

    #[test]
    fn an_invalid_program_is_not_made_valid() {
        let (ret_a, ja) = (instruction(code::RET_A, 0, 0, 0), |by| instruction(code::JA, 0, 0, by));
        let invalid = [
            vec![ja(1), ret_a],
            vec![ja(u32::MAX), ret_a],
            vec![instruction(code::JGT, 1, 0, 0), ret_a],
            vec![instruction(code::JGT, 0, 1, 0), ret_a],
            vec![ret_a, instruction(0, 0, 0, 5)],
            vec![ja(0)],
            vec![],
        ];
        for program in invalid {
            assert_eq!(cut(&program, 96), program);
        }
        let valid = [ja(1), ret_a, instruction(code::JGT, 0, 1, 7), ret_a, ret_a];
        assert_eq!(cut(&valid, 96).len(), valid.len() + 3);
    }

    #[test]
    fn without_a_cut_nothing_is_attached_or_changed() {
        assert!(with_snaplen(None, WHOLE_PACKET).is_none());
        let Some(SocketProgram::Ebpf(7)) = with_snaplen(Some(&SocketProgram::Ebpf(7)), 64) else { panic!() };
    }
}
