//! Makes the graph smaller without changing one verdict.
//!
//! Each pass walks the graph once. `thread` leads each edge past the tests whose outcome the way to them has told; `search` puts
//! long rows of comparisons with constants into order. Both work with what is known on *every* way to a node, kept in a list of
//! bounded length, so the time grows with the graph only.

mod facts;
mod search;
mod thread;

use crate::ir::{Graph, NodeId, Values};

pub(crate) use search::Leaf;

pub(crate) use search::search;

/// The graph with its edges led on.
pub(crate) fn shorten(values: &mut Values, graph: Graph, root: NodeId) -> (Graph, NodeId) {
    let (mut graph, mut root) = (graph, root);
    // Each pass can make room for the next; what is left after three is not worth a fourth.
    for _ in 0..3 {
        let before = (graph.len(), root);
        (graph, root) = thread::thread(values, &graph, root);
        if (graph.len(), root) == before {
            break;
        }
    }
    (graph, root)
}
