//! What the compiler thinks in: values, conditions over them, and a graph of tests.
//!
//! Equal values are one value, and equal tests with equal exits are one node. So what two primitives have in common is there once
//! from the beginning, and the optimizer has less to find.

pub(crate) mod cond;
pub(crate) mod graph;
pub(crate) mod hash;
pub(crate) mod value;

pub(crate) use cond::{Cond, CondId, Conds};
pub(crate) use graph::{ACCEPT, Graph, Node, NodeId, REJECT};
pub(crate) use value::{Value, ValueId, Values};

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Equal,
    Greater,
    GreaterEqual,
    /// Whether any bit of the right side is set in the left one.
    Set,
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Right {
    Constant(u32),
    Value(ValueId),
}

impl Test {
    pub(crate) fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Greater => a > b,
            Self::GreaterEqual => a >= b,
            Self::Set => a & b != 0,
        }
    }
}
