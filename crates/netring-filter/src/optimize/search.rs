//! Rows of comparisons with constants: `host a or host b or …` asks for one address after the other. Where nothing in the row can end the
//! program any more, its order is free, so comparisons of one value come together, neighbours become ranges, and long rows a search
//! tree.

use std::collections::{HashMap, HashSet};

use super::facts::Facts;
use crate::ir::{Graph, Node, NodeId, Right, Test, ValueId, Values};

/// How many comparisons stand in a row before the row is split into a tree: few are fast, many are short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf(pub(crate) usize);

/// Rows shorter than this stay as they are.
const ROW: usize = 4;

/// The graph with its rows in order.
pub(crate) fn search(values: &mut Values, graph: &Graph, root: NodeId, leaf: Leaf) -> (Graph, NodeId) {
    let (computed, enters) = survey(values, graph, root);
    let mut out = Graph::new();
    let mut new: Vec<NodeId> = (0..graph.len() as NodeId).collect();
    let mut interior = vec![false; graph.len()];
    // Rows are found from their heads, which stand above what follows in them.
    let mut rows: Vec<Option<Vec<NodeId>>> = vec![None; graph.len()];
    for id in (2..=root).rev() {
        if enters[id as usize] > 0 && !interior[id as usize] {
            let row = row(graph, id, &enters);
            if row.len() >= ROW {
                row[1..].iter().for_each(|&id| interior[id as usize] = true);
                rows[id as usize] = Some(row);
            }
        }
    }
    for id in 2..=root {
        let at = id as usize;
        if enters[at] == 0 || interior[at] {
            continue;
        }
        new[at] = match rows[at].take() {
            Some(row) => build(values, graph, &mut out, &row, &computed[at], &new, leaf),
            None => copy(values, graph, &mut out, id, &new),
        };
    }
    (out, new[root as usize])
}

fn copy(values: &mut Values, graph: &Graph, out: &mut Graph, id: NodeId, new: &[NodeId]) -> NodeId {
    match graph.get(id) {
        Node::Test { value, test, right, yes, no } => {
            out.test(values, value, test, right, new[yes as usize], new[no as usize])
        }
        Node::Touch { value, next } => out.touch(values, value, new[next as usize]),
        Node::Store { slot, value, next } => out.store(values, slot, value, new[next as usize]),
        Node::Accept | Node::Reject => id,
    }
}

/// What is known at each node, and how many edges lead to it.
fn survey(values: &Values, graph: &Graph, root: NodeId) -> (Vec<Facts>, Vec<u32>) {
    let mut known: Vec<Option<Facts>> = vec![None; graph.len()];
    let mut enters = vec![0; graph.len()];
    known[root as usize] = Some(Facts::default());
    enters[root as usize] = 1;
    for id in (2..=root).rev() {
        let Some(facts) = known[id as usize].clone() else { continue };
        let (value, exits) = match graph.get(id) {
            Node::Test { value, yes, no, .. } => (value, vec![yes, no]),
            Node::Touch { value, next } | Node::Store { value, next, .. } => (value, vec![next]),
            Node::Accept | Node::Reject => continue,
        };
        let mut facts = facts;
        facts.learn(values, value, u32::MAX - id, None);
        for exit in exits {
            enters[exit as usize] += 1;
            match &mut known[exit as usize] {
                Some(there) => there.meet(&facts),
                there => *there = Some(facts.clone()),
            }
        }
    }
    (known.into_iter().map(Option::unwrap_or_default).collect(), enters)
}

/// The comparisons for equality from this one on that have the same exit and no other way in.
fn row(graph: &Graph, head: NodeId, enters: &[u32]) -> Vec<NodeId> {
    let mut row = Vec::new();
    let mut at = head;
    let Node::Test { yes: exit, .. } = graph.get(head) else { return row };
    while let Node::Test { test: Test::Equal, right: Right::Constant(_), yes, no, .. } = graph.get(at) {
        if yes != exit || (at != head && enters[at as usize] != 1) {
            break;
        }
        row.push(at);
        at = no;
    }
    row
}

fn parts(graph: &Graph, id: NodeId) -> Option<(ValueId, u32, NodeId, NodeId)> {
    match graph.get(id) {
        Node::Test { value, right: Right::Constant(k), yes, no, .. } => Some((value, k, yes, no)),
        _ => None,
    }
}

fn build(
    values: &mut Values,
    graph: &Graph,
    out: &mut Graph,
    row: &[NodeId],
    computed: &Facts,
    new: &[NodeId],
    leaf: Leaf,
) -> NodeId {
    let parts: Vec<_> = row.iter().filter_map(|&id| parts(graph, id)).collect();
    let (Some(&(.., yes, _)), Some(&(.., last))) = (parts.first(), parts.last()) else { return row[0] };
    let (yes, mut no) = (new[yes as usize], new[last as usize]);
    let groups = groups(values, &parts, computed, out, yes);
    if !pays(&parts, &groups, leaf) {
        return parts
            .iter()
            .rev()
            .fold(no, |no, &(value, k, ..)| out.test(values, value, Test::Equal, Right::Constant(k), yes, no));
    }
    for group in groups.into_iter().rev() {
        let ranges = ranges(group.constants);
        no = tree(values, out, group.value, &ranges, group.yes, no, leaf);
    }
    no
}

/// Comparisons of one value with one exit.
struct Group {
    value: ValueId,
    constants: Vec<u32>,
    yes: NodeId,
}

/// The row in groups, values in the order in which they come first. A comparison that stood behind the first load of a value whose group
/// now comes later does that load before it leaves the row.
fn groups(
    values: &Values,
    parts: &[(ValueId, u32, NodeId, NodeId)],
    computed: &Facts,
    out: &mut Graph,
    yes: NodeId,
) -> Vec<Group> {
    let mut order: Vec<ValueId> = Vec::new();
    let mut rank: HashMap<ValueId, usize> = HashMap::new();
    let mut found: Vec<Vec<Group>> = Vec::new();
    let mut seen: HashSet<(ValueId, u32)> = HashSet::new();
    // By group and by how many values had been loaded: the exits.
    let mut exits: HashMap<(usize, usize), NodeId> = HashMap::new();
    for &(value, k, ..) in parts {
        let loaded = order.len();
        let at = *rank.entry(value).or_insert_with(|| {
            order.push(value);
            found.push(Vec::new());
            order.len() - 1
        });
        if !seen.insert((value, k)) {
            continue;
        }
        let exit = *exits.entry((at, loaded)).or_insert_with(|| {
            let later = order.get(at + 1..loaded).unwrap_or_default();
            let later = later.iter().rev().filter(|&&later| !computed.computed(values, later));
            later.fold(yes, |exit, &later| out.touch(values, later, exit))
        });
        match found[at].last_mut() {
            Some(group) if group.yes == exit => group.constants.push(k),
            _ => found[at].push(Group { value, constants: vec![k], yes: exit }),
        }
    }
    found.into_iter().flatten().collect()
}

/// Whether the groups need fewer loads than the row, or a group is long.
fn pays(parts: &[(ValueId, u32, NodeId, NodeId)], groups: &[Group], leaf: Leaf) -> bool {
    let changes = parts.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
    let exits: HashSet<NodeId> = groups.iter().map(|group| group.yes).collect();
    let loads = groups.windows(2).filter(|pair| pair[0].value != pair[1].value).count() + exits.len() - 1;
    loads < changes || groups.iter().any(|group| group.constants.len() > leaf.0.min(8))
}

/// Sorted, with neighbours joined where that saves a comparison.
fn ranges(mut constants: Vec<u32>) -> Vec<(u32, u32)> {
    constants.sort_unstable();
    constants.dedup();
    let mut out: Vec<(u32, u32)> = Vec::new();
    let mut at = 0;
    while at < constants.len() {
        let low = constants[at];
        let mut end = at;
        while end + 1 < constants.len() && constants[end + 1] - constants[end] == 1 {
            end += 1;
        }
        if end - at >= 2 {
            out.push((low, constants[end]));
        } else {
            out.extend(constants[at..=end].iter().map(|&k| (k, k)));
        }
        at = end + 1;
    }
    out
}

/// Whether the value is in one of the ranges. It recurses as deeply as the tree is, which is the logarithm of the row.
fn tree(
    values: &mut Values,
    out: &mut Graph,
    value: ValueId,
    ranges: &[(u32, u32)],
    yes: NodeId,
    no: NodeId,
    leaf: Leaf,
) -> NodeId {
    if ranges.len() <= leaf.0.max(1) {
        return ranges.iter().rev().fold(no, |no, &(low, high)| {
            if low == high {
                return out.test(values, value, Test::Equal, Right::Constant(low), yes, no);
            }
            let inside = out.test(values, value, Test::Greater, Right::Constant(high), no, yes);
            out.test(values, value, Test::GreaterEqual, Right::Constant(low), inside, no)
        });
    }
    let (below, above) = ranges.split_at(ranges.len() / 2);
    let pivot = below.last().map_or(0, |&(_, high)| high);
    let above = tree(values, out, value, above, yes, no, leaf);
    let below = tree(values, out, value, below, yes, no, leaf);
    out.test(values, value, Test::Greater, Right::Constant(pivot), above, below)
}
