//! The parsed expression: a list in which the parts of a node stand before it, so that nothing that walks it needs a stack.

use std::net::Ipv6Addr;
use std::ops::Range;

use crate::keywords::Proto;

/// The place of a node in the list.
pub(crate) type NodeId = usize;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    // Numbers.
    Number(u32),
    Len,
    Load { proto: Proto, index: NodeId, size: u32 },
    Binary { op: Arithmetic, a: NodeId, b: NodeId },
    Negate(NodeId),
    // Conditions.
    Relation { a: NodeId, op: Compare, b: NodeId },
    Abbreviation(Proto),
    Id { id: Id, qualifiers: Option<Qualifiers> },
    Broadcast(Option<Proto>),
    Multicast(Option<Proto>),
    Less(u32),
    Greater(u32),
    Byte { index: u32, op: ByteOp, value: u32 },
    Direction { outbound: bool },
    Ifindex(u32),
    Vlan(Option<u32>),
    Mpls(Option<u32>),
    Pppoed,
    Pppoes(Option<u32>),
    Geneve(Option<u32>),
    Vxlan(Option<u32>),
    Llc(Llc),
    And(NodeId, NodeId),
    Or(NodeId, NodeId),
    Not(NodeId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Equal,
    NotEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOp {
    And,
    Or,
    Less,
    Greater,
    Equal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Llc {
    Any,
    Information,
    Supervisory,
    Unnumbered,
    SupervisoryType(u8),
    UnnumberedType(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Number(u32),
    Name(String),
    Dotted(String),
    DottedPrefix(String, u32),
    DottedMask(String, String),
    Ip6(Ipv6Addr, Option<u32>),
    Mac([u8; 6]),
    Arcnet,
}

/// What stands before an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Qualifiers {
    pub(crate) proto: Option<Proto>,
    pub(crate) dir: Dir,
    pub(crate) kind: IdKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dir {
    Default,
    Src,
    Dst,
    SrcOrDst,
    SrcAndDst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdKind {
    Default,
    Host,
    Net,
    Port,
    PortRange,
    Gateway,
    Proto,
    ProtoChain,
}
