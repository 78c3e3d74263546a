//! From classic BPF to eBPF for XDP.
//!
//! An XDP program may look at a byte only after it has compared its place with the end of the packet, so each load comes with that
//! comparison, and one that fails ends in no match, as a load past the end does in classic BPF. Registers: r1 and r6 hold the
//! context, r2 and r3 the packet's beginning and end, r7 is A, r8 is X, and the memory words are on the stack.

use std::fmt;

use crate::bpf::{ANCILLARY, Instruction, MEMORY_WORDS, code};
use crate::verify::{Program, ProgramError, Rules};

/// One instruction of eBPF, as `struct bpf_insn` has it on a little-endian machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct EbpfInstruction {
    /// What to do.
    pub code: u8,
    /// The destination register in the low half, the source register in the high half.
    pub registers: u8,
    /// The offset of a jump or of an access.
    pub offset: i16,
    /// The constant.
    pub immediate: i32,
}

impl EbpfInstruction {
    /// An instruction from its parts.
    pub const fn new(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Self {
        Self { code, registers: destination | source << 4, offset, immediate }
    }
}

/// Why XDP cannot run a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XdpError {
    /// It is no program that the kernel would run at all: a jump backwards is `protochain`'s.
    Program(ProgramError),
    /// The instruction at this place asks for metadata, which XDP has none of.
    Metadata(usize),
    /// A jump is too far for eBPF's 16 bits.
    TooLong,
}

impl fmt::Display for XdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(error) => error.fmt(f),
            Self::Metadata(at) => write!(f, "instruction {at}: it asks for metadata, which XDP does not have"),
            Self::TooLong => write!(f, "the program is too long for XDP"),
        }
    }
}

impl std::error::Error for XdpError {}

const XDP_PASS: i32 = 2;

const CTX: u8 = 1;
const DATA: u8 = 2;
const END: u8 = 3;
const T1: u8 = 4;
const T2: u8 = 5;
const KEPT_CTX: u8 = 6;
const A: u8 = 7;
const X: u8 = 8;
const STACK: u8 = 10;

// include/uapi/linux/bpf.h and bpf_common.h: class, operation and operand in one byte.
const MOV32_K: u8 = 0xb4;
const MOV32_X: u8 = 0xbc;
const MOV64_X: u8 = 0xbf;
const ADD64_K: u8 = 0x07;
const ADD64_X: u8 = 0x0f;
const SUB64_X: u8 = 0x1f;
const TO_BIG_ENDIAN: u8 = 0xdc;
const LOAD_WORD: u8 = 0x61;
const LOAD_HALF: u8 = 0x69;
const LOAD_BYTE: u8 = 0x71;
const STORE_WORD: u8 = 0x63;
const STORE_WORD_K: u8 = 0x62;
const JA: u8 = 0x05;
const JGT64_K: u8 = 0x25;
const JGT64_X: u8 = 0x2d;
const EXIT: u8 = 0x95;
/// Comparisons of the low 32 bits (5.1 and later); the operation is in the high half.
const JMP32: u8 = 0x06;
const JNE: u8 = 0x50;
const JLT: u8 = 0xa0;
const JLE: u8 = 0xb0;
const SOURCE_X: u8 = 0x08;

/// The verifier lets no access reach farther from a packet's beginning (MAX_PACKET_OFF, kernel/bpf/verifier.c).
const FARTHEST: u32 = 0xffff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Classic(usize),
    Match,
    NoMatch,
}

/// Translates a program. What it matches goes on to `tail`, which finds the context in r1 and r6 and has to end with an exit; the rest
/// ends with XDP_PASS.
///
/// The result is little-endian and needs Linux 5.1 or later and CAP_BPF or CAP_SYS_ADMIN. `len` is what the first buffer of the packet
/// holds.
///
/// # Errors
///
/// [`XdpError`] where the program loops, asks for metadata, or is too long.
pub fn translate(program: &[Instruction], tail: &[EbpfInstruction]) -> Result<Vec<EbpfInstruction>, XdpError> {
    let checked = Program::new(program.to_vec(), Rules::Kernel).map_err(XdpError::Program)?;
    let mut out = Translator { program: checked.instructions(), out: Vec::new(), jumps: Vec::new() };
    let reached = out.reached();
    out.begin(&reached);
    let mut places = vec![0; program.len()];
    for (at, step) in program.iter().enumerate() {
        places[at] = out.out.len();
        if reached[at] {
            out.step(at, *step)?;
        }
    }
    out.finish(&places, tail)
}

struct Translator<'a> {
    program: &'a [Instruction],
    out: Vec<EbpfInstruction>,
    jumps: Vec<(usize, Label)>,
}

impl Translator<'_> {
    /// Which instructions can run: the verifier refuses those that cannot.
    fn reached(&self) -> Vec<bool> {
        let mut reached = vec![false; self.program.len()];
        reached[0] = true;
        for (at, step) in self.program.iter().enumerate() {
            if !reached[at] {
                continue;
            }
            match step.code {
                code::RET_K | code::RET_A => {}
                code::JA => reached[at + 1 + step.k as usize] = true,
                code if code & code::CLASS == code::JMP => {
                    for by in [step.jt, step.jf] {
                        let to = at + 1 + usize::from(by);
                        reached[to] |= self.label(to) == Label::Classic(to);
                    }
                }
                _ if self.never_loads(*step) => {}
                _ => reached[at + 1] = true,
            }
        }
        reached
    }

    /// A load that is beyond all packets.
    fn never_loads(&self, step: Instruction) -> bool {
        let size = match step.code {
            code::LD_W_ABS | code::LD_W_IND => 4,
            code::LD_H_ABS | code::LD_H_IND => 2,
            code::LD_B_ABS | code::LD_B_IND | code::LDX_MSH => 1,
            _ => return false,
        };
        step.k < ANCILLARY && u64::from(step.k) + size > u64::from(FARTHEST)
    }

    fn begin(&mut self, reached: &[bool]) {
        self.push(MOV64_X, KEPT_CTX, CTX, 0, 0);
        // data and data_end, the first two of struct xdp_md.
        self.push(LOAD_WORD, DATA, CTX, 0, 0);
        self.push(LOAD_WORD, END, CTX, 4, 0);
        self.push(MOV32_K, A, 0, 0, 0);
        self.push(MOV32_K, X, 0, 0, 0);
        let mut words = [false; MEMORY_WORDS];
        for (step, reached) in self.program.iter().zip(reached) {
            if *reached && matches!(step.code, code::LD_MEM | code::LDX_MEM | code::ST | code::STX) {
                words[step.k as usize] = true;
            }
        }
        for word in (0..MEMORY_WORDS as u32).filter(|&word| words[word as usize]) {
            self.push(STORE_WORD_K, STACK, 0, place(word), 0);
        }
    }

    fn push(&mut self, code: u8, destination: u8, source: u8, offset: i16, immediate: i32) {
        self.out.push(EbpfInstruction::new(code, destination, source, offset, immediate));
    }

    fn jump(&mut self, code: u8, destination: u8, source: u8, immediate: i32, to: Label) {
        self.jumps.push((self.out.len(), to));
        self.push(code, destination, source, 0, immediate);
    }

    /// Where an instruction leads: one that returns a constant is an end itself.
    fn label(&self, at: usize) -> Label {
        match self.program[at] {
            Instruction { code: code::RET_K, k: 0, .. } => Label::NoMatch,
            Instruction { code: code::RET_K, .. } => Label::Match,
            _ => Label::Classic(at),
        }
    }

    fn step(&mut self, at: usize, step: Instruction) -> Result<(), XdpError> {
        let k = step.k;
        match step.code {
            code::LD_W_ABS | code::LD_H_ABS | code::LD_B_ABS if k >= ANCILLARY => return Err(XdpError::Metadata(at)),
            _ if self.never_loads(step) => self.jump(JA, 0, 0, 0, Label::NoMatch),
            code::LD_W_ABS => self.absolute(A, LOAD_WORD, 4, k),
            code::LD_H_ABS => self.absolute(A, LOAD_HALF, 2, k),
            code::LD_B_ABS => self.absolute(A, LOAD_BYTE, 1, k),
            code::LD_W_IND => self.indirect(LOAD_WORD, 4, k),
            code::LD_H_IND => self.indirect(LOAD_HALF, 2, k),
            code::LD_B_IND => self.indirect(LOAD_BYTE, 1, k),
            code::LDX_MSH => {
                self.absolute(X, LOAD_BYTE, 1, k);
                self.push(code::AND as u8, X, 0, 0, 0xf);
                self.push(code::LSH as u8, X, 0, 0, 2);
            }
            code::LD_IMM => self.push(MOV32_K, A, 0, 0, k as i32),
            code::LDX_IMM => self.push(MOV32_K, X, 0, 0, k as i32),
            code::LD_LEN => self.length(A),
            code::LDX_LEN => self.length(X),
            code::LD_MEM => self.push(LOAD_WORD, A, STACK, place(k), 0),
            code::LDX_MEM => self.push(LOAD_WORD, X, STACK, place(k), 0),
            code::ST => self.push(STORE_WORD, STACK, A, place(k), 0),
            code::STX => self.push(STORE_WORD, STACK, X, place(k), 0),
            code::TAX => self.push(MOV32_X, X, A, 0, 0),
            code::TXA => self.push(MOV32_X, A, X, 0, 0),
            code::RET_K => self.jump(JA, 0, 0, 0, self.label(at)),
            code::RET_A => {
                self.jump(JMP32 | code::JEQ as u8 & 0xf0, A, 0, 0, Label::NoMatch);
                self.jump(JA, 0, 0, 0, Label::Match);
            }
            code::JA => self.jump(JA, 0, 0, 0, self.label(at + 1 + k as usize)),
            other if other & code::CLASS == code::JMP => self.conditional(at, step),
            other => self.compute(other, k),
        }
        Ok(())
    }

    fn compute(&mut self, code: u16, k: u32) {
        let by_x = code & code::X != 0;
        if by_x && matches!(code & !code::X, code::DIV | code::MOD) {
            self.jump(JMP32 | code::JEQ as u8 & 0xf0, X, 0, 0, Label::NoMatch);
        }
        // Classic BPF's operations are eBPF's on the low 32 bits, by the same numbers.
        if by_x {
            self.push(code as u8, A, X, 0, 0);
        } else {
            self.push(code as u8, A, 0, 0, if code == code::NEG { 0 } else { k as i32 });
        }
    }

    fn length(&mut self, register: u8) {
        self.push(MOV64_X, register, END, 0, 0);
        self.push(SUB64_X, register, DATA, 0, 0);
        self.push(MOV32_X, register, register, 0, 0);
    }

    fn absolute(&mut self, register: u8, load: u8, size: u8, k: u32) {
        self.push(MOV64_X, T1, DATA, 0, 0);
        match i16::try_from(k) {
            Ok(offset) => {
                self.push(ADD64_K, T1, 0, 0, k as i32 + i32::from(size));
                self.jump(JGT64_X, T1, END, 0, Label::NoMatch);
                self.push(load, register, DATA, offset, 0);
            }
            Err(_) => {
                self.push(ADD64_K, T1, 0, 0, k as i32);
                self.bounded(register, T1, T2, load, size);
            }
        }
        self.swap(register, size);
    }

    fn indirect(&mut self, load: u8, size: u8, k: u32) {
        self.push(MOV32_X, T1, X, 0, 0);
        // What is added to the packet's beginning counts as a whole, also what a constant adds.
        let most = FARTHEST - k - u32::from(size);
        self.jump(JGT64_K, T1, 0, most as i32, Label::NoMatch);
        self.push(ADD64_K, T1, 0, 0, k as i32);
        self.push(MOV64_X, T2, DATA, 0, 0);
        self.push(ADD64_X, T2, T1, 0, 0);
        self.bounded(A, T2, T1, load, size);
        self.swap(A, size);
    }

    /// A load through a register, if the packet reaches so far.
    fn bounded(&mut self, register: u8, pointer: u8, scratch: u8, load: u8, size: u8) {
        self.push(MOV64_X, scratch, pointer, 0, 0);
        self.push(ADD64_K, scratch, 0, 0, size.into());
        self.jump(JGT64_X, scratch, END, 0, Label::NoMatch);
        self.push(load, register, pointer, 0, 0);
    }

    fn swap(&mut self, register: u8, size: u8) {
        if size > 1 {
            self.push(TO_BIG_ENDIAN, register, 0, 0, i32::from(size) * 8);
        }
    }

    fn conditional(&mut self, at: usize, step: Instruction) {
        let operation = step.code as u8 & 0xf0;
        let by_x = step.code & code::X != 0;
        let source = if by_x { X } else { 0 };
        let extra = JMP32 | if by_x { SOURCE_X } else { 0 };
        let immediate = if by_x { 0 } else { step.k as i32 };
        let (yes, no) = (self.label(at + 1 + usize::from(step.jt)), self.label(at + 1 + usize::from(step.jf)));
        let next = Label::Classic(at + 1);
        if yes == no {
            if yes != next {
                self.jump(JA, 0, 0, 0, yes);
            }
        } else if yes != next {
            self.jump(operation | extra, A, source, immediate, yes);
            if no != next {
                self.jump(JA, 0, 0, 0, no);
            }
        } else if let Some(opposite) = opposite(operation) {
            self.jump(opposite | extra, A, source, immediate, no);
        } else {
            self.push(operation | extra, A, source, 1, immediate);
            self.jump(JA, 0, 0, 0, no);
        }
    }

    fn finish(mut self, places: &[usize], tail: &[EbpfInstruction]) -> Result<Vec<EbpfInstruction>, XdpError> {
        let leads = |label| self.jumps.iter().any(|&(_, to)| to == label);
        let (passes, matches) = (leads(Label::NoMatch), leads(Label::Match));
        let no_match = self.out.len();
        if passes {
            self.push(MOV32_K, 0, 0, 0, XDP_PASS);
            self.push(EXIT, 0, 0, 0, 0);
        }
        let is_match = self.out.len();
        if matches {
            self.out.extend_from_slice(tail);
        }
        for (at, to) in std::mem::take(&mut self.jumps) {
            let target = match to {
                Label::Classic(classic) => places[classic],
                Label::Match => is_match,
                Label::NoMatch => no_match,
            };
            self.out[at].offset = i16::try_from(target - at - 1).map_err(|_| XdpError::TooLong)?;
        }
        Ok(self.out)
    }
}

/// Where a memory word is on the stack.
fn place(word: u32) -> i16 {
    -4 * (word as i16 + 1)
}

fn opposite(operation: u8) -> Option<u8> {
    match u16::from(operation) {
        0x10 => Some(JNE),
        0x20 => Some(JLE),
        0x30 => Some(JLT),
        _ => None,
    }
}
