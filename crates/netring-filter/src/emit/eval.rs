//! Computes values into A and X.

use crate::bpf::{ANCILLARY, Instruction, MEMORY_WORDS, code};
use crate::ir::{Value, ValueId, Values};
use crate::tree::Arithmetic;

/// Which values A and X hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    pub(super) a: Option<ValueId>,
    pub(super) x: Option<ValueId>,
}

impl State {
    /// What holds on both ways.
    pub(super) fn meet(self, other: Self) -> Self {
        Self { a: self.a.filter(|_| self.a == other.a), x: self.x.filter(|_| self.x == other.x) }
    }
}

pub(super) struct Eval<'a> {
    values: &'a Values,
    pub(super) state: State,
    pub(super) code: Vec<Instruction>,
    /// The next memory word that is free for what is between two operands.
    word: u32,
}

impl<'a> Eval<'a> {
    pub(super) fn new(values: &'a Values, state: State) -> Self {
        Self { values, state, code: Vec::new(), word: values.slot_count() as u32 }
    }

    pub(super) fn push(&mut self, code: u16, k: u32) {
        self.code.push(Instruction::new(code, k));
    }

    fn take_word(&mut self) -> Option<u32> {
        let word = self.word;
        self.word += 1;
        ((word as usize) < MEMORY_WORDS).then_some(word)
    }

    /// Whether X can be loaded with it and A be left alone.
    fn is_direct(&self, value: ValueId) -> bool {
        matches!(self.values.get(value), Value::Constant(_) | Value::HeaderLength(_) | Value::Len | Value::Slot(_))
    }

    /// Whether computing it into A changes X.
    fn uses_x(&self, value: ValueId) -> bool {
        if self.state.a == Some(value) {
            return false;
        }
        match self.values.get(value) {
            Value::Load { base, .. } => base.is_some(),
            Value::HeaderLength(_) => self.state.x != Some(value),
            Value::Chain { .. } => true,
            Value::Negate(a) => self.uses_x(a),
            Value::Alu(_, a, b) => self.values.as_constant(b).is_none() || self.uses_x(a),
            _ => false,
        }
    }

    /// Into A or X, whichever is shorter, for the sake of its loads.
    pub(super) fn put_any(&mut self, value: ValueId) -> Option<()> {
        if self.is_direct(value) { self.put_x(value) } else { self.put_a(value) }
    }

    pub(super) fn put_x(&mut self, value: ValueId) -> Option<()> {
        if self.state.x == Some(value) {
            return Some(());
        }
        match self.values.get(value) {
            Value::Constant(k) => self.push(code::LDX_IMM, k),
            Value::HeaderLength(at) => self.push(code::LDX_MSH, at),
            Value::Len => self.push(code::LDX_LEN, 0),
            Value::Slot(slot) => self.push(code::LDX_MEM, slot.into()),
            _ => {
                self.put_a(value)?;
                self.push(code::TAX, 0);
            }
        }
        self.state.x = Some(value);
        Some(())
    }

    pub(super) fn put_a(&mut self, value: ValueId) -> Option<()> {
        if self.state.a == Some(value) {
            return Some(());
        }
        if self.state.x == Some(value) {
            self.push(code::TXA, 0);
            self.state.a = Some(value);
            return Some(());
        }
        match self.values.get(value) {
            Value::Constant(k) => self.push(code::LD_IMM, k),
            Value::Load { size, base: None, offset } => self.push(absolute(size), offset),
            Value::Load { size, base: Some(base), offset } => {
                self.put_x(base)?;
                self.push(indirect(size), offset);
            }
            Value::HeaderLength(_) => {
                self.put_x(value)?;
                self.push(code::TXA, 0);
            }
            Value::Len => self.push(code::LD_LEN, 0),
            Value::Ancillary(offset) => self.push(code::LD_W_ABS, ANCILLARY + offset),
            Value::Slot(slot) => self.push(code::LD_MEM, slot.into()),
            Value::Negate(a) => {
                self.put_a(a)?;
                self.push(code::NEG, 0);
            }
            Value::Alu(op, a, b) => match self.values.as_constant(b) {
                Some(k) => {
                    self.put_a(a)?;
                    self.push(operation(op), k);
                }
                None => {
                    self.pair(a, b, commutes(op))?;
                    self.push(operation(op) | code::X, 0);
                }
            },
            Value::Chain { ip6, network, want } => self.chain(ip6, network, want)?,
            // The graph has no such value: its tests are the exit already.
            Value::Fault => return None,
        }
        self.state.a = Some(value);
        Some(())
    }

    /// One operand into A and the other into X; if they may change places, either way.
    pub(super) fn pair(&mut self, a: ValueId, b: ValueId, commutes: bool) -> Option<()> {
        if self.state.x == Some(b) && !self.uses_x(a) {
            return self.put_a(a);
        }
        if commutes && self.state.x == Some(a) && !self.uses_x(b) {
            return self.put_a(b);
        }
        if self.is_direct(b) {
            self.put_a(a)?;
            return self.put_x(b);
        }
        if commutes && self.is_direct(a) {
            self.put_a(b)?;
            return self.put_x(a);
        }
        if !self.uses_x(a) && self.state.a != Some(a) {
            self.put_x(b)?;
            return self.put_a(a);
        }
        if commutes && !self.uses_x(b) {
            self.put_x(a)?;
            return self.put_a(b);
        }
        self.over_memory(a, b)
    }

    /// The deeper operand first, by way of a memory word.
    fn over_memory(&mut self, a: ValueId, b: ValueId) -> Option<()> {
        let word = self.take_word()?;
        if self.values.depth(a) > self.values.depth(b) {
            self.put_a(a)?;
            self.push(code::ST, word);
            self.put_x(b)?;
            self.push(code::LD_MEM, word);
            self.state.a = Some(a);
        } else {
            self.put_a(b)?;
            self.push(code::ST, word);
            self.put_a(a)?;
            self.push(code::LDX_MEM, word);
            self.state.x = Some(b);
        }
        self.word -= 1;
        Some(())
    }

    /// `protochain`, instruction for instruction libpcap's loop (gen_protochain), of which the length of an authentication header is added
    /// to nothing.
    fn chain(&mut self, ip6: bool, network: u32, want: u32) -> Option<()> {
        const NONE: u32 = 59;
        const AUTHENTICATION: u32 = 51;
        let word = self.take_word()?;
        self.push(code::LD_B_ABS, network + if ip6 { 6 } else { 9 });
        if ip6 {
            self.push(code::LDX_IMM, 40);
        } else {
            self.push(code::LDX_MSH, network);
        }
        let again = self.code.len();
        // The tests below jump to the end of the loop; where that is, is known when all is written.
        let mut ends = vec![self.jump(want), self.jump(NONE)];
        if ip6 {
            for (header, skip) in [(0, 3), (60, 2), (43, 1), (44, 0)] {
                let at = self.jump(header);
                self.code[at].jt = skip;
                self.code[at].jf = if skip == 0 { 9 } else { 0 };
            }
            for (code, k) in [
                (code::LD_B_IND, network),
                (code::ST, word),
                (code::LD_B_IND, network + 1),
                (code::ADD, 1),
                (code::MUL, 8),
                (code::ADD | code::X, 0),
                (code::TAX, 0),
                (code::LD_MEM, word),
            ] {
                self.push(code, k);
            }
            self.back(again);
        }
        let authentication = self.jump(AUTHENTICATION);
        for (code, k) in [
            (code::TXA, 0),
            (code::LD_B_IND, network),
            (code::ST, word),
            (code::TXA, 0),
            (code::ADD, 1),
            (code::TAX, 0),
            (code::LD_B_IND, network),
            (code::ADD, 2),
            (code::MUL, 4),
            (code::TAX, 0),
            (code::LD_MEM, word),
        ] {
            self.push(code, k);
        }
        self.back(again);
        let end = self.code.len();
        for at in ends.drain(..) {
            self.code[at].jt = (end - at - 1) as u8;
        }
        self.code[authentication].jf = (end - authentication - 1) as u8;
        self.state = State::default();
        self.word -= 1;
        Some(())
    }

    fn jump(&mut self, k: u32) -> usize {
        self.push(code::JEQ, k);
        self.code.len() - 1
    }

    fn back(&mut self, to: usize) {
        let distance = to as i32 - self.code.len() as i32 - 1;
        self.push(code::JA, distance as u32);
    }
}

fn absolute(size: u8) -> u16 {
    match size {
        1 => code::LD_B_ABS,
        2 => code::LD_H_ABS,
        _ => code::LD_W_ABS,
    }
}

fn indirect(size: u8) -> u16 {
    match size {
        1 => code::LD_B_IND,
        2 => code::LD_H_IND,
        _ => code::LD_W_IND,
    }
}

fn operation(op: Arithmetic) -> u16 {
    match op {
        Arithmetic::Add => code::ADD,
        Arithmetic::Sub => code::SUB,
        Arithmetic::Mul => code::MUL,
        Arithmetic::Div => code::DIV,
        Arithmetic::Mod => code::MOD,
        Arithmetic::And => code::AND,
        Arithmetic::Or => code::OR,
        Arithmetic::Xor => code::XOR,
        Arithmetic::ShiftLeft => code::LSH,
        Arithmetic::ShiftRight => code::RSH,
    }
}

fn commutes(op: Arithmetic) -> bool {
    matches!(op, Arithmetic::Add | Arithmetic::Mul | Arithmetic::And | Arithmetic::Or | Arithmetic::Xor)
}
