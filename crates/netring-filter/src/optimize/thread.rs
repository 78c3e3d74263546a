//! Leads edges past tests whose outcome is known, and drops what nothing leads to.

use super::facts::Facts;
use crate::ir::{Graph, Node, NodeId, Right, Test, ValueId, Values};

/// The graph with its edges led on.
pub(super) fn thread(values: &mut Values, graph: &Graph, root: NodeId) -> (Graph, NodeId) {
    let mut walk = Walk { graph, values, budget: 50 * graph.len() as u64 + 10_000 };
    let mut known: Vec<Option<Facts>> = vec![None; graph.len()];
    let mut exits: Vec<[NodeId; 2]> = vec![[0, 0]; graph.len()];
    let start = Facts::default();
    let root = walk.lead(root, &start);
    known[root as usize] = Some(start);
    for id in (2..=root).rev() {
        let Some(facts) = known[id as usize].take() else { continue };
        let targets = walk.edges(id, &facts);
        for (exit, (target, facts)) in exits[id as usize].iter_mut().zip(targets) {
            *exit = target;
            match &mut known[target as usize] {
                Some(there) => there.meet(&facts),
                there => *there = Some(facts),
            }
        }
        known[id as usize] = Some(Facts::default());
    }
    rebuild(values, graph, root, &known, &exits)
}

struct Walk<'a> {
    graph: &'a Graph,
    values: &'a Values,
    /// How many tests may still be looked past.
    budget: u64,
}

impl Walk<'_> {
    /// Where the edges of a node lead, and what is known there.
    fn edges(&mut self, id: NodeId, facts: &Facts) -> Vec<(NodeId, Facts)> {
        let follow = |walk: &mut Self, value, told, target| {
            let mut facts = facts.clone();
            facts.learn(walk.values, value, u32::MAX - id, told);
            (walk.lead(target, &facts), facts)
        };
        match self.graph.get(id) {
            Node::Test { value, test, right, yes, no } => vec![
                follow(self, value, Some((test, right, true)), yes),
                follow(self, value, Some((test, right, false)), no),
            ],
            Node::Touch { value, next } | Node::Store { value, next, .. } => vec![follow(self, value, None, next)],
            Node::Accept | Node::Reject => Vec::new(),
        }
    }

    /// The first node from `target` on that is not passed with a known outcome.
    fn lead(&mut self, mut target: NodeId, facts: &Facts) -> NodeId {
        while self.budget > 0 {
            self.budget -= 1;
            let next = self.step(target, facts).or_else(|| self.together(target, facts));
            match next {
                Some(next) => target = next,
                None => break,
            }
        }
        target
    }

    fn step(&self, target: NodeId, facts: &Facts) -> Option<NodeId> {
        match self.graph.get(target) {
            Node::Test { value, test, right, yes, no } => {
                facts.outcome(self.values, value, test, right).map(|outcome| if outcome { yes } else { no })
            }
            Node::Touch { value, next } if facts.computed(self.values, value) => Some(next),
            _ => None,
        }
    }

    /// Where all the few numbers that a value can be lead to the same node.
    fn together(&mut self, target: NodeId, facts: &Facts) -> Option<NodeId> {
        let Node::Test { value, right: Right::Constant(_), .. } = self.graph.get(target) else { return None };
        let members = facts.members(self.values, value)?;
        let (first, rest) = members.split_first()?;
        let end = self.alone(target, value, *first);
        (end != target && rest.iter().all(|&item| self.alone(target, value, item) == end)).then_some(end)
    }

    /// Where one number leads through tests of its value.
    fn alone(&mut self, mut target: NodeId, value: ValueId, number: u32) -> NodeId {
        while let Node::Test { value: same, test, right: Right::Constant(k), yes, no } = self.graph.get(target) {
            if same != value || self.budget == 0 {
                break;
            }
            self.budget -= 1;
            target = if Test::holds(test, number, k) { yes } else { no };
        }
        target
    }
}

/// Makes the nodes anew that something leads to, exits first.
fn rebuild(
    values: &mut Values,
    graph: &Graph,
    root: NodeId,
    known: &[Option<Facts>],
    exits: &[[NodeId; 2]],
) -> (Graph, NodeId) {
    let mut out = Graph::new();
    let mut new: Vec<NodeId> = (0..graph.len() as NodeId).collect();
    for id in 2..=root {
        let at = id as usize;
        if known[at].is_none() {
            continue;
        }
        let [first, second] = exits[at].map(|exit| new[exit as usize]);
        new[at] = match graph.get(id) {
            Node::Test { value, test, right, .. } => out.test(values, value, test, right, first, second),
            Node::Touch { value, .. } => out.touch(values, value, first),
            Node::Store { slot, value, .. } => out.store(values, slot, value, first),
            Node::Accept | Node::Reject => id,
        };
    }
    (out, new[root as usize])
}
