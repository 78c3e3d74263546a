//! Which programs may run: the rules of the kernel's bpf_check_classic and check_load_and_stores (net/core/filter.c).

use std::fmt;

use crate::bpf::{ANCILLARY, Instruction, MEMORY_WORDS, code};
use crate::interpret::Step;

/// BPF_MAXINSNS: how many instructions a socket takes.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// How many the interpreter takes.
const MAX_MEMORY_INSTRUCTIONS: usize = 1 << 20;

/// Whose rules a program keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The kernel's.
    Kernel,
    /// The interpreter's: `ja` may also jump backwards, as `protochain` needs it, and the program may be longer.
    Interpreter,
}

/// A program that keeps the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<Instruction>,
    steps: Vec<Step>,
}

/// Which rule an instruction breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramError {
    /// The instruction's place; the length of the program where that is wrong.
    pub at: usize,
    /// What is wrong with it.
    pub message: &'static str,
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "instruction {}: {}", self.at, self.message)
    }
}

impl std::error::Error for ProgramError {}

impl Program {
    /// Checks the instructions.
    ///
    /// # Errors
    ///
    /// The first instruction that breaks a rule.
    pub fn new(instructions: Vec<Instruction>, rules: Rules) -> Result<Self, ProgramError> {
        check(&instructions, rules)?;
        let steps = instructions.iter().map(|&instruction| Step::new(instruction)).collect();
        Ok(Self { instructions, steps })
    }

    /// The instructions.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The same for the interpreter.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The instructions, taken out.
    pub fn into_instructions(self) -> Vec<Instruction> {
        self.instructions
    }
}

fn check(program: &[Instruction], rules: Rules) -> Result<(), ProgramError> {
    let limit = if rules == Rules::Kernel { MAX_INSTRUCTIONS } else { MAX_MEMORY_INSTRUCTIONS };
    let wrong = |at, message| Err(ProgramError { at, message });
    if program.is_empty() {
        return wrong(0, "the program is empty");
    }
    if program.len() > limit {
        return wrong(program.len(), "the program is too long");
    }
    for (at, step) in program.iter().enumerate() {
        one(program.len(), at, *step, rules).map_err(|message| ProgramError { at, message })?;
    }
    if !matches!(program[program.len() - 1].code, code::RET_K | code::RET_A) {
        return wrong(program.len() - 1, "the last instruction is no return");
    }
    // Where jumps go backwards, words that were not written are zero: the interpreter sees to it.
    if rules == Rules::Kernel { written_before_read(program) } else { Ok(()) }
}

fn one(len: usize, at: usize, step: Instruction, rules: Rules) -> Result<(), &'static str> {
    let inside = |by: usize| at + 1 + by < len;
    match step.code {
        code::DIV | code::MOD if step.k == 0 => Err("it divides by zero"),
        code::LSH | code::RSH if step.k >= 32 => Err("it shifts by more than 31 bits"),
        code::LD_MEM | code::LDX_MEM | code::ST | code::STX if step.k as usize >= MEMORY_WORDS => {
            Err("there are 16 memory words")
        }
        code::JA if inside(step.k as usize) => Ok(()),
        code::JA if rules == Rules::Interpreter => {
            let target = at as i64 + 1 + i64::from(step.k as i32);
            if (0..len as i64).contains(&target) { Ok(()) } else { Err("it jumps out of the program") }
        }
        code::JA => Err("it jumps out of the program or backwards"),
        code if code & code::CLASS == code::JMP => {
            if !is_jump(code) {
                Err("there is no such instruction")
            } else if inside(step.jt.into()) && inside(step.jf.into()) {
                Ok(())
            } else {
                Err("it jumps out of the program")
            }
        }
        code::LD_W_ABS | code::LD_H_ABS | code::LD_B_ABS
            if step.k >= ANCILLARY && !is_ancillary(step.k - ANCILLARY) =>
        {
            Err("there is no such metadata")
        }
        code if is_known(code) => Ok(()),
        _ => Err("there is no such instruction"),
    }
}

fn is_jump(code: u16) -> bool {
    matches!(code & !code::X, code::JEQ | code::JGT | code::JGE | code::JSET)
}

fn is_known(code: u16) -> bool {
    use code::*;
    match code & CLASS {
        LD => {
            matches!(code, LD_IMM | LD_W_ABS | LD_H_ABS | LD_B_ABS | LD_W_IND | LD_H_IND | LD_B_IND | LD_MEM | LD_LEN)
        }
        LDX => matches!(code, LDX_IMM | LDX_MEM | LDX_LEN | LDX_MSH),
        ALU => code == NEG || matches!(code & !X, ADD | SUB | MUL | DIV | OR | AND | LSH | RSH | MOD | XOR),
        RET => matches!(code, RET_K | RET_A),
        _ => matches!(code, ST | STX | TAX | TXA),
    }
}

/// Offsets of SKF_AD_*, include/uapi/linux/filter.h: every fourth up to SKF_AD_VLAN_TPID.
fn is_ancillary(offset: u32) -> bool {
    offset.is_multiple_of(4) && offset <= 60
}

fn written_before_read(program: &[Instruction]) -> Result<(), ProgramError> {
    // At each instruction: the words that every way to it has written.
    let mut written = vec![u16::MAX; program.len()];
    let mut here: u16 = 0;
    for (at, step) in program.iter().enumerate() {
        here &= written[at];
        match step.code {
            code::ST | code::STX => here |= 1 << step.k,
            code::LD_MEM | code::LDX_MEM if here & 1 << step.k == 0 => {
                return Err(ProgramError { at, message: "it reads a memory word that was not written" });
            }
            code::JA => {
                written[at + 1 + step.k as usize] &= here;
                here = u16::MAX;
            }
            code::RET_K | code::RET_A => here = u16::MAX,
            code if code & code::CLASS == code::JMP => {
                written[at + 1 + usize::from(step.jt)] &= here;
                written[at + 1 + usize::from(step.jf)] &= here;
                here = u16::MAX;
            }
            _ => {}
        }
    }
    Ok(())
}
