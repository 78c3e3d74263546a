//! Puts blocks into a row and resolves their jumps. It works from the end to the front, so every target has its place already.

use crate::bpf::{Instruction, code};
use crate::ir::hash::FastMap;
use crate::ir::{ACCEPT, NodeId, REJECT};

pub(super) enum Exit {
    Accept,
    Reject,
    Next(NodeId),
    Jump { code: u16, k: u32, yes: NodeId, no: NodeId },
}

impl Exit {
    pub(super) fn targets(&self) -> Vec<NodeId> {
        match *self {
            Self::Accept | Self::Reject => Vec::new(),
            Self::Next(next) => vec![next],
            Self::Jump { yes, no, .. } => vec![yes, no],
        }
    }
}

pub(super) struct Block {
    pub(super) id: Option<NodeId>,
    pub(super) code: Vec<Instruction>,
    pub(super) exit: Exit,
    /// The block behind this one.
    pub(super) next: Option<NodeId>,
}

/// The farthest that a conditional jump reaches.
const REACH: usize = 255;

struct Assembler {
    /// The program from its end.
    out: Vec<Instruction>,
    /// Where the first instruction of a block is in `out`.
    places: FastMap<NodeId, usize>,
    /// The nearest place from which one gets to a block that is too far away.
    steps: FastMap<NodeId, usize>,
    snap_len: u32,
}

pub(super) fn assemble(blocks: Vec<Block>, snap_len: u32) -> Vec<Instruction> {
    let mut assembler = Assembler { out: Vec::new(), places: FastMap::default(), steps: FastMap::default(), snap_len };
    for block in blocks.into_iter().rev() {
        assembler.block(block);
    }
    assembler.out.reverse();
    assembler.out
}

impl Assembler {
    fn block(&mut self, block: Block) {
        match block.exit {
            Exit::Accept => self.out.push(Instruction::new(code::RET_K, self.snap_len)),
            Exit::Reject => self.out.push(Instruction::new(code::RET_K, 0)),
            Exit::Next(next) if block.next == Some(next) => {}
            Exit::Next(next) => self.go(next),
            Exit::Jump { code, k, yes, no } => self.jump(code, k, yes, no),
        }
        self.out.extend(block.code.into_iter().rev());
        if let Some(id) = block.id {
            // A block without instructions is where the next one is.
            self.places.insert(id, self.out.len() - 1);
        }
    }

    /// An instruction that leads to the block from anywhere.
    fn go(&mut self, target: NodeId) {
        let instruction = match target {
            ACCEPT => Instruction::new(code::RET_K, self.snap_len),
            REJECT => Instruction::new(code::RET_K, 0),
            _ => {
                let place = self.places.get(&target).copied().unwrap_or(0);
                Instruction::new(code::JA, (self.out.len() - place - 1) as u32)
            }
        };
        self.out.push(instruction);
    }

    /// How far it is from an instruction that is put in front now.
    fn distance(&self, target: NodeId) -> usize {
        let from = |place: &usize| self.out.len() - place - 1;
        let direct = self.places.get(&target).map_or(usize::MAX, from);
        direct.min(self.steps.get(&target).map_or(usize::MAX, from))
    }

    fn jump(&mut self, code: u16, k: u32, yes: NodeId, no: NodeId) {
        // A step for one exit can push the other out of reach, but then the second step leaves the first where it is.
        for target in [yes, no, yes, no] {
            if self.distance(target) > REACH {
                self.go(target);
                self.steps.insert(target, self.out.len() - 1);
            }
        }
        let (jt, jf) = (self.distance(yes) as u8, self.distance(no) as u8);
        self.out.push(Instruction { code, jt, jf, k });
    }
}
