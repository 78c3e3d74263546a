//! From the graph to instructions: what stands in A and X is followed from node to node, so that a load that is there already is not
//! done again, and jumps that are too far for eight bits get a step in between.

mod assemble;
mod eval;

use crate::bpf::{Instruction, code};
use crate::ir::{ACCEPT, Graph, Node, NodeId, REJECT, Right, Test, Value, ValueId, Values};

use assemble::{Block, Exit};
use eval::{Eval, State};

/// The program, or `None` where it needs more memory words than there are.
pub(crate) fn emit(values: &Values, graph: &Graph, root: NodeId, snap_len: u32) -> Option<Vec<Instruction>> {
    let order = order(graph, root);
    let mut states: Vec<Option<State>> = vec![None; graph.len()];
    let mut blocks = Vec::with_capacity(order.len() + 1);
    let mut start = State::default();
    if let Some(block) = first_words(values, graph, &order, root, &mut start) {
        blocks.push(block);
    }
    states[root as usize] = Some(start);
    for (place, &id) in order.iter().enumerate() {
        let state = states[id as usize].take().unwrap_or_default();
        let mut eval = Eval::new(values, state);
        let exit = node(graph, id, &mut eval)?;
        let after = eval.state;
        for target in exit.targets() {
            let slot = &mut states[target as usize];
            *slot = Some(slot.map_or(after, |there| there.meet(after)));
        }
        let next = order.get(place + 1).copied();
        blocks.push(Block { id: Some(id), code: eval.code, exit, next });
    }
    Some(assemble::assemble(blocks, snap_len.max(1)))
}

/// The nodes that are reached, each before its exits: the ends last.
fn order(graph: &Graph, root: NodeId) -> Vec<NodeId> {
    let mut reached = vec![false; graph.len()];
    reached[root as usize] = true;
    let mut out = Vec::new();
    for id in (2..=root).rev() {
        if !reached[id as usize] {
            continue;
        }
        out.push(id);
        match graph.get(id) {
            Node::Test { yes, no, .. } => {
                reached[yes as usize] = true;
                reached[no as usize] = true;
            }
            Node::Touch { next, .. } | Node::Store { next, .. } => reached[next as usize] = true,
            Node::Accept | Node::Reject => {}
        }
    }
    for end in [ACCEPT, REJECT] {
        if reached[end as usize] {
            out.push(end);
        }
    }
    out
}

/// Zeroes the memory words that some way through the program reads before it writes them.
fn first_words(values: &Values, graph: &Graph, order: &[NodeId], root: NodeId, state: &mut State) -> Option<Block> {
    let mut written: Vec<u32> = vec![u32::MAX; graph.len()];
    written[root as usize] = 0;
    let mut needed = 0;
    for &id in order {
        let here = written[id as usize];
        let (reads, exits, writes): ([Option<ValueId>; 2], _, _) = match graph.get(id) {
            Node::Test { value, right, yes, no, .. } => {
                let right = match right {
                    Right::Value(right) => Some(right),
                    Right::Constant(_) => None,
                };
                ([Some(value), right], [yes, no], 0)
            }
            Node::Touch { value, next } => ([Some(value), None], [next, next], 0),
            Node::Store { slot, value, next } => ([Some(value), None], [next, next], 1 << slot),
            Node::Accept | Node::Reject => continue,
        };
        needed |= reads.into_iter().flatten().fold(0, |words, value| words | words_of(values, value)) & !here;
        for exit in exits {
            written[exit as usize] &= here | writes;
        }
    }
    if needed == 0 {
        return None;
    }
    let mut code = vec![Instruction::new(code::LD_IMM, 0)];
    code.extend((0..32).filter(|word| needed & 1 << word != 0).map(|word| Instruction::new(code::ST, word)));
    state.a = None;
    Some(Block { id: None, code, exit: Exit::Next(root), next: order.first().copied() })
}

/// The memory words that a value is computed from.
fn words_of(values: &Values, value: ValueId) -> u32 {
    match values.get(value) {
        Value::Slot(slot) => 1u32.checked_shl(slot.into()).unwrap_or(0),
        Value::Load { base: Some(base), .. } => words_of(values, base),
        Value::Negate(a) => words_of(values, a),
        Value::Alu(_, a, b) => words_of(values, a) | words_of(values, b),
        _ => 0,
    }
}

/// The instructions of one node, and how it ends.
fn node(graph: &Graph, id: NodeId, eval: &mut Eval<'_>) -> Option<Exit> {
    Some(match graph.get(id) {
        Node::Accept => Exit::Accept,
        Node::Reject => Exit::Reject,
        Node::Touch { value, next } => {
            eval.put_any(value)?;
            Exit::Next(next)
        }
        Node::Store { slot, value, next } => {
            eval.put_a(value)?;
            eval.push(code::ST, slot.into());
            Exit::Next(next)
        }
        Node::Test { value, test, right, yes, no } => {
            let operation = match test {
                Test::Equal => code::JEQ,
                Test::Greater => code::JGT,
                Test::GreaterEqual => code::JGE,
                Test::Set => code::JSET,
            };
            match right {
                Right::Constant(k) => {
                    eval.put_a(value)?;
                    Exit::Jump { code: operation, k, yes, no }
                }
                Right::Value(other) => {
                    let commutes = matches!(test, Test::Equal | Test::Set);
                    eval.pair(value, other, commutes)?;
                    Exit::Jump { code: operation | code::X, k: 0, yes, no }
                }
            }
        }
    })
}
