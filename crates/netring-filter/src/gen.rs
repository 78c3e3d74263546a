//! From the tree to conditions: what libpcap's gencode.c generates, primitive by primitive and in the same order of loads.
//!
//! `vlan`, `mpls`, `pppoes`, `geneve` and `vxlan` move the offsets for everything to their right, whatever the operators, so the
//! tree is walked in the order of the text with one [`Offsets`] that they change.

mod arithmetic;
mod encap;
mod host;
mod id;
mod layer;
mod misc;
mod port;
mod proto;

use std::ops::Range;

use crate::error::{FilterError, FilterErrorKind};
use crate::ir::{Cond, CondId, Conds, Right, Test, ValueId, Values};
use crate::names::Resolver;
use crate::tree::{Node, NodeId, NodeKind};
use crate::{LinkType, LoopbackFamily, Options, Vlan};

/// An offset: a constant and, where it depends on the packet, a memory word.
#[derive(Clone, Copy, Debug)]
struct Offset {
    base: Option<ValueId>,
    constant: u32,
}

impl Offset {
    const fn fixed(constant: u32) -> Self {
        Self { base: None, constant }
    }
}

/// The link layers, and that of PPP inside PPPoE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Ethernet,
    Raw,
    Ip4,
    Ip6,
    Loopback,
    Sll,
    Sll2,
    Ppp,
}

/// Where the headers are.
struct Offsets {
    link: Link,
    link_header: Offset,
    link_type: Offset,
    payload: Offset,
    /// The network header behind the link layer's payload, and the same with an LLC header without SNAP.
    network: u32,
    network_nosnap: u32,
    /// Inside Geneve or VXLAN, where it is not certain that there is an Ethernet header.
    encapsulated: bool,
    labels: u32,
    tags: u32,
}

/// What a node of the tree became.
#[derive(Clone, Copy)]
enum Made {
    Condition(CondId),
    /// A number, and the condition under which it can be looked at.
    Number(ValueId, Option<CondId>),
}

pub(crate) struct Gen<'a> {
    pub(crate) values: Values,
    pub(crate) conds: Conds,
    options: &'a Options,
    resolver: &'a dyn Resolver,
    offsets: Offsets,
    /// Where the primitive being translated stands.
    span: Range<usize>,
    unresolved: Vec<String>,
    unresolved_span: Range<usize>,
    /// The memory word that is 4 where a VLAN tag was found in the bytes, and else 0.
    pub(crate) tag_slot: Option<u8>,
    /// Whether there is a loop.
    pub(crate) chain: Option<Range<usize>>,
}

impl<'a> Gen<'a> {
    pub(crate) fn new(options: &'a Options, resolver: &'a dyn Resolver) -> Self {
        Self {
            values: Values::default(),
            conds: Conds::default(),
            options,
            resolver,
            offsets: Offsets::of(options.link_type),
            span: 0..0,
            unresolved: Vec::new(),
            unresolved_span: 0..0,
            tag_slot: None,
            chain: None,
        }
    }

    pub(crate) fn run(&mut self, nodes: &[Node], root: NodeId) -> Result<CondId, FilterError> {
        let mut made = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.span = node.span.clone();
            let result = self.node(&node.kind, nodes, &made)?;
            made.push(result);
        }
        if !self.unresolved.is_empty() {
            let names = std::mem::take(&mut self.unresolved);
            let message = format!("host names are to be looked up first: {}", names.join(", "));
            let span = self.unresolved_span.clone();
            return Err(FilterError::new(FilterErrorKind::UnresolvedHosts(names), span, message));
        }
        self.condition(&made, root)
    }

    fn node(&mut self, kind: &NodeKind, nodes: &[Node], made: &[Made]) -> Result<Made, FilterError> {
        let condition = match *kind {
            NodeKind::And(a, b) => {
                let (a, b) = (self.condition(made, a)?, self.condition(made, b)?);
                self.conds.and(a, b)
            }
            NodeKind::Or(a, b) => {
                let (a, b) = (self.condition(made, a)?, self.condition(made, b)?);
                self.conds.or(a, b)
            }
            NodeKind::Not(a) => {
                let a = self.condition(made, a)?;
                self.conds.not(a)
            }
            NodeKind::Number(_)
            | NodeKind::Len
            | NodeKind::Load { .. }
            | NodeKind::Binary { .. }
            | NodeKind::Negate(_) => return self.number(kind, nodes, made),
            NodeKind::Relation { a, op, b } => self.relation(made, a, op, b)?,
            NodeKind::Id { ref id, qualifiers } => self.id(id, qualifiers)?,
            NodeKind::Abbreviation(proto) => self.abbreviation(proto)?,
            _ => self.primitive(kind)?,
        };
        Ok(Made::Condition(condition))
    }

    fn condition(&self, made: &[Made], id: NodeId) -> Result<CondId, FilterError> {
        match made[id] {
            Made::Condition(condition) => Ok(condition),
            Made::Number(..) => self.fail("a number is no condition"),
        }
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError::syntax(self.span.clone(), message))
    }

    fn fail_link<T>(&self, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError::new(FilterErrorKind::LinkType, self.span.clone(), message))
    }

    fn fail_target<T>(&self, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError::new(FilterErrorKind::Target, self.span.clone(), message))
    }

    fn fail_name<T>(&self, name: &str, message: String) -> Result<T, FilterError> {
        Err(FilterError::new(FilterErrorKind::UnknownName(name.to_owned()), self.span.clone(), message))
    }

    fn and(&mut self, a: CondId, b: CondId) -> CondId {
        self.conds.and(a, b)
    }

    fn or(&mut self, a: CondId, b: CondId) -> CondId {
        self.conds.or(a, b)
    }

    fn not(&mut self, a: CondId) -> CondId {
        self.conds.not(a)
    }

    fn never(&mut self) -> CondId {
        self.conds.always(false)
    }

    fn load_at(&mut self, offset: Offset, more: u32, size: u8) -> ValueId {
        self.values.load(size, offset.base, offset.constant.wrapping_add(more))
    }

    /// A load behind the beginning of the link layer's header.
    fn load_link(&mut self, at: u32, size: u8) -> ValueId {
        self.load_at(self.offsets.link_header, at, size)
    }

    fn load_link_type(&mut self, at: u32, size: u8) -> ValueId {
        self.load_at(self.offsets.link_type, at, size)
    }

    /// A load in the link layer's payload, where an LLC header would be.
    fn load_llc(&mut self, at: u32, size: u8) -> ValueId {
        self.load_at(self.offsets.payload, at, size)
    }

    /// A load in the network header.
    fn load_network(&mut self, at: u32, size: u8) -> ValueId {
        self.load_at(self.offsets.payload, self.offsets.network.wrapping_add(at), size)
    }

    fn load_nosnap(&mut self, at: u32, size: u8) -> ValueId {
        self.load_at(self.offsets.payload, self.offsets.network_nosnap.wrapping_add(at), size)
    }

    /// Where the network header's payload begins behind the constant part of its offset: the length of an IPv4 header, and the
    /// variable part.
    fn ip4_header_end(&mut self) -> ValueId {
        use crate::tree::Arithmetic::{Add, And, ShiftLeft};
        let payload = self.offsets.payload;
        let at = payload.constant.wrapping_add(self.offsets.network);
        let Some(base) = payload.base else { return self.values.make(crate::ir::Value::HeaderLength(at)) };
        let byte = self.values.load(1, Some(base), at);
        let (low, two) = (self.values.constant(0xf), self.values.constant(2));
        let words = self.values.alu(And, byte, low);
        let length = self.values.alu(ShiftLeft, words, two);
        self.values.alu(Add, length, base)
    }

    /// A load behind an IPv4 header.
    fn load_ip4_payload(&mut self, at: u32, size: u8) -> ValueId {
        let end = self.ip4_header_end();
        let constant = self.offsets.payload.constant.wrapping_add(self.offsets.network);
        self.values.load(size, Some(end), constant.wrapping_add(at))
    }

    fn equal(&mut self, value: ValueId, right: u32) -> CondId {
        self.conds.equal(value, right)
    }

    /// Compares what the mask leaves.
    fn masked(&mut self, value: ValueId, mask: u32, right: u32) -> CondId {
        let mask = self.values.constant(mask);
        let value = self.values.alu(crate::tree::Arithmetic::And, value, mask);
        self.guarded(&[value], value, Test::Equal, Right::Constant(right))
    }

    fn test(&mut self, value: ValueId, test: Test, right: u32) -> CondId {
        self.conds.test(value, test, right)
    }

    /// A test, with guards before it for loads that could have an offset which means something else to the kernel.
    fn guarded(&mut self, roots: &[ValueId], value: ValueId, test: Test, right: Right) -> CondId {
        let mut condition = self.conds.push(Cond::Test { value, test, right });
        for (value, limit) in self.guards(roots) {
            let guard = self.conds.push(Cond::Guard { value, limit });
            condition = self.and(guard, condition);
        }
        condition
    }
}

impl Offsets {
    fn of(link_type: LinkType) -> Self {
        let (link, link_type, payload, nosnap) = match link_type {
            LinkType::Ethernet => (Link::Ethernet, 12, 14, 3),
            LinkType::Raw => (Link::Raw, 0, 0, 0),
            LinkType::Ipv4 => (Link::Ip4, 0, 0, 0),
            LinkType::Ipv6 => (Link::Ip6, 0, 0, 0),
            LinkType::Null | LinkType::Loop => (Link::Loopback, 0, 4, 0),
            LinkType::LinuxSll => (Link::Sll, 14, 16, 0),
            LinkType::LinuxSll2 => (Link::Sll2, 0, 20, 0),
        };
        Self {
            link,
            link_header: Offset::fixed(0),
            link_type: Offset::fixed(link_type),
            payload: Offset::fixed(payload),
            network: 0,
            network_nosnap: nosnap,
            encapsulated: false,
            labels: 0,
            tags: 0,
        }
    }
}

impl Gen<'_> {
    fn live(&self) -> bool {
        self.options.vlan == Vlan::Metadata
    }

    fn loopback_family(&self) -> LoopbackFamily {
        self.options.loopback
    }
}
