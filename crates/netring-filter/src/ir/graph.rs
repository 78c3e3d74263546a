//! The graph of tests. A node stands behind those it leads to, so walking the list from its end visits each before its exits.
//!
//! Rule of the whole crate: a load past the end of the packet ends the program with no match, wherever it stands. So a load may
//! go away only where the same load has succeeded before on every path, and may never move.

use super::hash::FastMap;
use super::{Cond, CondId, Conds, Right, Test, Value, ValueId, Values};
use crate::tree::Arithmetic;

pub(crate) type NodeId = u32;

/// The exits.
pub(crate) const REJECT: NodeId = 0;
pub(crate) const ACCEPT: NodeId = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Reject,
    Accept,
    Test {
        value: ValueId,
        test: Test,
        right: Right,
        yes: NodeId,
        no: NodeId,
    },
    /// Computes a value for the sake of the loads in it.
    Touch {
        value: ValueId,
        next: NodeId,
    },
    Store {
        slot: u8,
        value: ValueId,
        next: NodeId,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    /// How far into the packet every way from a node to a match reaches. A way that ends without a match says nothing: that is what
    /// a load past the end comes to as well.
    reach: Vec<u32>,
    numbers: FastMap<Node, NodeId>,
}

impl Graph {
    pub(crate) fn new() -> Self {
        let nodes = vec![Node::Reject, Node::Accept];
        Self { nodes, reach: vec![u32::MAX, 0], numbers: FastMap::default() }
    }

    pub(crate) fn get(&self, id: NodeId) -> Node {
        self.nodes[id as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    fn make(&mut self, values: &Values, node: Node) -> NodeId {
        if let Some(&id) = self.numbers.get(&node) {
            return id;
        }
        let at = |id: NodeId| self.reach[id as usize];
        let reach = match node {
            Node::Reject => u32::MAX,
            Node::Accept => 0,
            Node::Touch { value, next } | Node::Store { value, next, .. } => values.end(value).max(at(next)),
            Node::Test { value, right, yes, no, .. } => {
                let other = match right {
                    Right::Value(other) => values.end(other),
                    Right::Constant(_) => 0,
                };
                values.end(value).max(other).max(at(yes).min(at(no)))
            }
        };
        self.reach.push(reach);
        self.nodes.push(node);
        let id = (self.nodes.len() - 1) as NodeId;
        self.numbers.insert(node, id);
        id
    }

    pub(crate) fn store(&mut self, values: &Values, slot: u8, value: ValueId, next: NodeId) -> NodeId {
        if next == REJECT { REJECT } else { self.make(values, Node::Store { slot, value, next }) }
    }

    pub(crate) fn touch(&mut self, values: &Values, value: ValueId, next: NodeId) -> NodeId {
        if next == REJECT || values.get(value) == Value::Fault {
            return REJECT;
        }
        if !values.may_fault(value) {
            return next;
        }
        // Whoever computes the same value next does it as well.
        if matches!(self.get(next), Node::Test { value: same, .. } | Node::Touch { value: same, .. } if same == value) {
            return next;
        }
        match values.get(value) {
            // Who comes after reaches as far.
            Value::Load { base: None, .. } | Value::HeaderLength(_)
                if values.end(value) <= self.reach[next as usize] =>
            {
                next
            }
            Value::Negate(a) => self.touch(values, a, next),
            Value::Alu(op, a, b)
                if values.as_constant(b).is_some() || !matches!(op, Arithmetic::Div | Arithmetic::Mod) =>
            {
                let next = self.touch(values, b, next);
                self.touch(values, a, next)
            }
            _ => self.make(values, Node::Touch { value, next }),
        }
    }

    pub(crate) fn test(
        &mut self,
        values: &mut Values,
        value: ValueId,
        test: Test,
        right: Right,
        yes: NodeId,
        no: NodeId,
    ) -> NodeId {
        let Right::Constant(k) = right else { return self.test_values(values, value, test, right, yes, no) };
        if values.get(value) == Value::Fault || (yes == REJECT && no == REJECT) {
            return REJECT;
        }
        if let Some(outcome) = decided(values, value, test, k) {
            return self.touch(values, value, if outcome { yes } else { no });
        }
        match simpler(values, value, test, k) {
            Some((value, test, k, flip)) => {
                let (yes, no) = if flip { (no, yes) } else { (yes, no) };
                self.test(values, value, test, Right::Constant(k), yes, no)
            }
            None => self.test_constant(values, value, test, k, yes, no),
        }
    }

    fn test_constant(
        &mut self,
        values: &mut Values,
        value: ValueId,
        test: Test,
        k: u32,
        yes: NodeId,
        no: NodeId,
    ) -> NodeId {
        let yes = self.skip(value, test, k, true, yes);
        let no = self.skip(value, test, k, false, no);
        if yes == no {
            return self.touch(values, value, yes);
        }
        self.make(values, Node::Test { value, test, right: Right::Constant(k), yes, no })
    }

    /// Past tests of the same value whose outcome this one has told.
    fn skip(&self, value: ValueId, test: Test, k: u32, outcome: bool, mut target: NodeId) -> NodeId {
        loop {
            target = match self.get(target) {
                Node::Test { value: same, test: next, right: Right::Constant(c), yes, no } if same == value => {
                    match implied(test, k, outcome, next, c) {
                        Some(true) => yes,
                        Some(false) => no,
                        None => return target,
                    }
                }
                Node::Touch { value: same, next } if same == value => next,
                _ => return target,
            };
        }
    }

    fn test_values(
        &mut self,
        values: &mut Values,
        a: ValueId,
        test: Test,
        right: Right,
        yes: NodeId,
        no: NodeId,
    ) -> NodeId {
        let Right::Value(b) = right else { return REJECT };
        if values.get(a) == Value::Fault || values.get(b) == Value::Fault {
            return REJECT;
        }
        if let Some(k) = values.as_constant(b) {
            return self.test(values, a, test, Right::Constant(k), yes, no);
        }
        if let Some(k) = values.as_constant(a) {
            return self.turned(values, k, test, b, yes, no);
        }
        if a == b && test != Test::Set {
            return self.touch(values, a, if test == Test::Greater { no } else { yes });
        }
        if yes == no {
            let rest = self.touch(values, b, yes);
            return self.touch(values, a, rest);
        }
        self.make(values, Node::Test { value: a, test, right, yes, no })
    }

    /// A constant on the left.
    fn turned(&mut self, values: &mut Values, k: u32, test: Test, b: ValueId, yes: NodeId, no: NodeId) -> NodeId {
        let right = Right::Constant(k);
        match test {
            Test::Equal | Test::Set => self.test(values, b, test, right, yes, no),
            Test::Greater => self.test(values, b, Test::GreaterEqual, right, no, yes),
            Test::GreaterEqual => self.test(values, b, Test::Greater, right, no, yes),
        }
    }

    /// The nodes of a condition with these exits. The stack is on the heap.
    pub(crate) fn lower(
        &mut self,
        values: &mut Values,
        conds: &Conds,
        root: CondId,
        yes: NodeId,
        no: NodeId,
    ) -> NodeId {
        enum Work {
            Visit(CondId, NodeId, NodeId),
            /// The left part of an `and`, whose right part is done.
            Left {
                left: CondId,
                and: bool,
                exit: NodeId,
            },
        }
        let mut done = REJECT;
        let mut stack = vec![Work::Visit(root, yes, no)];
        while let Some(work) = stack.pop() {
            let (cond, yes, no) = match work {
                Work::Visit(cond, yes, no) => (cond, yes, no),
                Work::Left { left, and: true, exit } => (left, done, exit),
                Work::Left { left, and: false, exit } => (left, exit, done),
            };
            match conds.get(cond) {
                Cond::Always(value) => done = if value { yes } else { no },
                Cond::Test { value, test, right } => done = self.test(values, value, test, right, yes, no),
                Cond::Store { slot, value } => done = self.store(values, slot, value, yes),
                Cond::Guard { value, limit } => {
                    done = self.test(values, value, Test::Greater, Right::Constant(limit), REJECT, yes);
                }
                Cond::Not(inner) => stack.push(Work::Visit(inner, no, yes)),
                Cond::And(left, right) => {
                    stack.push(Work::Left { left, and: true, exit: no });
                    stack.push(Work::Visit(right, yes, no));
                }
                Cond::Or(left, right) => {
                    stack.push(Work::Left { left, and: false, exit: yes });
                    stack.push(Work::Visit(right, yes, no));
                }
            }
        }
        done
    }
}

/// The outcome of a test that the bounds of its value decide.
fn decided(values: &Values, value: ValueId, test: Test, k: u32) -> Option<bool> {
    if let Some(a) = values.as_constant(value) {
        return Some(test.holds(a, k));
    }
    let most = values.most(value);
    match test {
        Test::Equal if k > most => Some(false),
        Test::Greater if k >= most => Some(false),
        Test::GreaterEqual if k == 0 => Some(true),
        Test::GreaterEqual if k > most => Some(false),
        Test::Set if k == 0 => Some(false),
        // Which bits may be set: all up to the highest of `most`.
        Test::Set if most == 0 || k & (u32::MAX >> most.leading_zeros()) == 0 => Some(false),
        Test::Set if k == u32::MAX => None,
        _ => None,
    }
}

/// The same test on a value that is easier to have: what to test, how, with what, and whether the exits change places.
fn simpler(values: &mut Values, value: ValueId, test: Test, k: u32) -> Option<(ValueId, Test, u32, bool)> {
    match (test, values.get(value)) {
        (Test::GreaterEqual, _) if k == 1 => return Some((value, Test::Equal, 0, true)),
        (Test::Greater, _) if k == 0 => return Some((value, Test::Equal, 0, true)),
        (Test::Greater, _) if k == values.most(value).wrapping_sub(1) => {
            return Some((value, Test::Equal, values.most(value), false));
        }
        (Test::Equal, Value::Negate(inner)) => return Some((inner, Test::Equal, k.wrapping_neg(), false)),
        _ => {}
    }
    let Value::Alu(op, x, c) = values.get(value) else { return None };
    let Some(c) = values.as_constant(c) else {
        // a - b = 0 asks whether they are equal; that needs the other form of test.
        return None;
    };
    match (test, op) {
        (Test::Equal, Arithmetic::Add) => Some((x, Test::Equal, k.wrapping_sub(c), false)),
        (Test::Equal, Arithmetic::Xor) => Some((x, Test::Equal, k ^ c, false)),
        (Test::Equal, Arithmetic::And) if k == 0 => Some((x, Test::Set, c, true)),
        (Test::Equal, Arithmetic::And) if k == c && c.is_power_of_two() => Some((x, Test::Set, c, false)),
        (Test::Set, Arithmetic::And) => Some((x, Test::Set, k & c, false)),
        _ => None,
    }
}

/// What the outcome of one test of a value says of another test of it.
pub(crate) fn implied(test: Test, k: u32, outcome: bool, next: Test, c: u32) -> Option<bool> {
    use Test::*;
    if test == next && k == c {
        return Some(outcome);
    }
    if test == Equal && outcome {
        return Some(next.holds(k, c));
    }
    let (low, high) = match (test, outcome) {
        (Greater, true) => (k.checked_add(1)?, u32::MAX),
        (Greater, false) => (0, k),
        (GreaterEqual, true) => (k, u32::MAX),
        (GreaterEqual, false) => (0, k.checked_sub(1)?),
        (Set, false) => {
            return match next {
                // Some bit of c is surely clear.
                Equal if k & c != 0 => Some(false),
                Set if c & !k == 0 => Some(false),
                _ => None,
            };
        }
        (Set, true) => {
            return match next {
                Equal if k & c == 0 => Some(false),
                Set if k & !c == 0 => Some(true),
                _ => None,
            };
        }
        (Equal, _) => return None,
    };
    in_range(low, high, next, c)
}

/// The outcome of a test for all numbers from `low` to `high`, if there is one.
pub(crate) fn in_range(low: u32, high: u32, test: Test, c: u32) -> Option<bool> {
    match test {
        Test::Equal if c < low || c > high => Some(false),
        Test::Equal if low == high => Some(true),
        Test::Greater if low > c => Some(true),
        Test::Greater if high <= c => Some(false),
        Test::GreaterEqual if low >= c => Some(true),
        Test::GreaterEqual if high < c => Some(false),
        Test::Set if high == 0 || c & (u32::MAX >> high.leading_zeros()) == 0 => Some(false),
        _ => None,
    }
}

/// See [`Graph::split`].
pub(crate) fn split(graph: &Graph, values: &mut Values, root: NodeId, slot: u8, stored: u32) -> (Graph, NodeId) {
    let mut out = Graph::new();
    let zero = substitution(values, slot, 0);
    let full = substitution(values, slot, stored);
    let mut new: Vec<[NodeId; 2]> = vec![[REJECT; 2], [ACCEPT; 2]];
    for id in 2..=root {
        let node = graph.get(id);
        let both = [(0, &zero), (1, &full)].map(|(state, substitution)| {
            let exit = |id: NodeId| new[id as usize][state];
            let put = |value: ValueId| substitution[value as usize];
            match node {
                Node::Test { value, test, right, yes, no } => {
                    let right = match right {
                        Right::Value(value) => Right::Value(put(value)),
                        constant => constant,
                    };
                    out.test(values, put(value), test, right, exit(yes), exit(no))
                }
                Node::Touch { value, next } => out.touch(values, put(value), exit(next)),
                Node::Store { slot: this, next, .. } if this == slot => new[next as usize][1],
                Node::Store { slot: this, value, next } => out.store(values, this, put(value), exit(next)),
                Node::Accept => ACCEPT,
                Node::Reject => REJECT,
            }
        });
        new.push(both);
    }
    (out, new[root as usize][0])
}

/// For each value the value with a constant in place of the memory word. Parts of a value have smaller numbers than the whole.
fn substitution(values: &mut Values, slot: u8, constant: u32) -> Vec<ValueId> {
    let mut out: Vec<ValueId> = Vec::with_capacity(values.len());
    for id in 0..values.len() as ValueId {
        let put = |value: ValueId, out: &[ValueId]| out.get(value as usize).copied().unwrap_or(value);
        let new = match values.get(id) {
            Value::Slot(this) if this == slot => values.constant(constant),
            Value::Load { size, base: Some(base), offset } => {
                let base = put(base, &out);
                values.load(size, Some(base), offset)
            }
            Value::Alu(op, a, b) => {
                let (a, b) = (put(a, &out), put(b, &out));
                values.alu(op, a, b)
            }
            Value::Negate(a) => {
                let a = put(a, &out);
                values.negate(a)
            }
            _ => id,
        };
        out.push(new);
    }
    out
}
