//! Numbers from packets and relations between them (gen_load, gen_arth, gen_relation).

use super::layer::ether;
use super::{Gen, Made};
use crate::error::{FilterError, FilterErrorKind};
use crate::ir::{CondId, Right, Test, Value, ValueId};
use crate::keywords::Proto;
use crate::tree::{Arithmetic, Compare, Node, NodeId, NodeKind};

/// How deeply a value may nest. The back end recurses as deeply.
const DEPTH: u32 = 250;

impl Gen<'_> {
    pub(super) fn number(&mut self, kind: &NodeKind, nodes: &[Node], made: &[Made]) -> Result<Made, FilterError> {
        let literal = |id: NodeId| match nodes[id].kind {
            NodeKind::Number(k) => Some(k),
            _ => None,
        };
        let (value, checks) = match *kind {
            NodeKind::Number(k) => (self.values.constant(k), None),
            NodeKind::Len => (self.values.make(Value::Len), None),
            NodeKind::Negate(a) => {
                let (a, checks) = self.part(made, a)?;
                (self.values.negate(a), checks)
            }
            NodeKind::Binary { op, a, b } => {
                self.refuse(op, literal(b))?;
                let (a, checks) = self.part(made, a)?;
                // The checks of the right operand are lost, as in gen_arth: `1 + tcp[13]` looks at any packet.
                let (b, _) = self.part(made, b)?;
                (self.values.alu(op, a, b), checks)
            }
            NodeKind::Load { proto, index, size } => self.index(made, proto, index, size as u8)?,
            _ => return self.fail("this is no number"),
        };
        if self.values.depth(value) > DEPTH {
            let message = "the arithmetic is nested too deeply";
            return Err(FilterError::new(FilterErrorKind::TooComplex, self.span.clone(), message));
        }
        Ok(Made::Number(value, checks))
    }

    fn part(&self, made: &[Made], id: NodeId) -> Result<(ValueId, Option<CondId>), FilterError> {
        match made[id] {
            Made::Number(value, checks) => Ok((value, checks)),
            Made::Condition(_) => self.fail("a condition is no number"),
        }
    }

    /// What libpcap refuses when the right operand is a number as such. One that comes out of a computation ends the program when it
    /// runs.
    fn refuse(&self, op: Arithmetic, literal: Option<u32>) -> Result<(), FilterError> {
        let Some(k) = literal else { return Ok(()) };
        match op {
            Arithmetic::Div if k == 0 => self.fail("division by zero"),
            Arithmetic::Mod if k == 0 => self.fail("modulus by zero"),
            Arithmetic::ShiftLeft | Arithmetic::ShiftRight if k > 31 => self.fail("shift by more than 31 bits"),
            _ => Ok(()),
        }
    }

    fn index(
        &mut self,
        made: &[Made],
        proto: Proto,
        index: NodeId,
        size: u8,
    ) -> Result<(ValueId, Option<CondId>), FilterError> {
        let (index, checks) = self.part(made, index)?;
        let payload = self.offsets.payload;
        let network = payload.constant.wrapping_add(self.offsets.network);
        let (base, constant, check) = match proto {
            Proto::Link => {
                let header = self.offsets.link_header;
                (header.base, header.constant, None)
            }
            Proto::Ip
            | Proto::Arp
            | Proto::Rarp
            | Proto::Atalk
            | Proto::Decnet
            | Proto::Sca
            | Proto::Lat
            | Proto::Moprc
            | Proto::Mopdl
            | Proto::Ip6 => (payload.base, network, Some(self.abbreviation(proto)?)),
            Proto::Sctp
            | Proto::Tcp
            | Proto::Udp
            | Proto::Icmp
            | Proto::Igmp
            | Proto::Igrp
            | Proto::Pim
            | Proto::Vrrp
            | Proto::Carp => {
                let end = self.ip4_header_end();
                let carries = self.abbreviation(proto)?;
                let whole = self.first_fragment();
                let here = self.and(carries, whole);
                (Some(end), network, Some(here))
            }
            Proto::Icmp6 => return self.index_icmp6(index, checks, size),
            _ => return self.fail("this protocol cannot be indexed"),
        };
        let place = match base {
            Some(base) => self.values.alu(Arithmetic::Add, index, base),
            None => index,
        };
        let value = self.values.load(size, Some(place), constant);
        let mut all = checks;
        if let Some(check) = check {
            all = Some(all.map_or(check, |inner| self.conds.and(inner, check)));
        }
        // Behind an IPv4 header: that it is IPv4 is asked before all else.
        if base.is_some() && is_transport(proto) {
            let ip = self.link_type(ether::IP)?;
            all = all.map(|inner| self.conds.and(ip, inner));
        }
        Ok((value, all))
    }

    /// ICMPv6 without extension headers.
    fn index_icmp6(
        &mut self,
        index: ValueId,
        checks: Option<CondId>,
        size: u8,
    ) -> Result<(ValueId, Option<CondId>), FilterError> {
        let ip6 = self.link_type(ether::IP6)?;
        let all = checks.map_or(ip6, |inner| self.conds.and(inner, ip6));
        let next = self.load_network(6, 1);
        let next = self.equal(next, 58);
        let all = self.and(all, next);
        let payload = self.offsets.payload;
        let place = match payload.base {
            Some(base) => self.values.alu(Arithmetic::Add, index, base),
            None => index,
        };
        let constant = payload.constant.wrapping_add(self.offsets.network).wrapping_add(40);
        Ok((self.values.load(size, Some(place), constant), Some(all)))
    }

    pub(super) fn relation(&mut self, made: &[Made], a: NodeId, op: Compare, b: NodeId) -> Result<CondId, FilterError> {
        let (a, checks_a) = self.part(made, a)?;
        let (b, checks_b) = self.part(made, b)?;
        let (test, flip) = match op {
            Compare::Greater => (Test::Greater, false),
            Compare::GreaterEqual => (Test::GreaterEqual, false),
            Compare::Equal => (Test::Equal, false),
            Compare::LessEqual => (Test::Greater, true),
            Compare::Less => (Test::GreaterEqual, true),
            Compare::NotEqual => (Test::Equal, true),
        };
        let right = self.values.as_constant(b).map_or(Right::Value(b), Right::Constant);
        let test = self.guarded(&[a, b], a, test, right);
        let test = if flip { self.not(test) } else { test };
        let checks = match (checks_a, checks_b) {
            (Some(a), Some(b)) => Some(self.and(a, b)),
            (one, other) => one.or(other),
        };
        Ok(checks.map_or(test, |checks| self.conds.and(checks, test)))
    }

    /// The guards of all loads in these values, the innermost last.
    pub(super) fn guards(&self, roots: &[ValueId]) -> Vec<(ValueId, u32)> {
        let mut found = Vec::new();
        // Most values are loads from constant offsets.
        if roots.iter().all(|&root| self.values.depth(root) == 0) {
            return found;
        }
        let mut stack = roots.to_vec();
        // Shared parts are visited once more each time; the depth limit and the length of expressions bound that only together
        // with this set.
        let mut seen = std::collections::HashSet::new();
        while let Some(value) = stack.pop() {
            if !seen.insert(value) {
                continue;
            }
            found.extend(self.values.guard(value));
            match self.values.get(value) {
                Value::Load { base: Some(base), .. } => stack.push(base),
                Value::Alu(_, a, b) => stack.extend([a, b]),
                Value::Negate(a) => stack.push(a),
                _ => {}
            }
        }
        found
    }
}

fn is_transport(proto: Proto) -> bool {
    !matches!(
        proto,
        Proto::Link
            | Proto::Ip
            | Proto::Arp
            | Proto::Rarp
            | Proto::Atalk
            | Proto::Decnet
            | Proto::Sca
            | Proto::Lat
            | Proto::Moprc
            | Proto::Mopdl
            | Proto::Ip6
    )
}
