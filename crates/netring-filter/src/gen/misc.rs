//! The primitives that are neither addresses, nor ports, nor protocols.

use super::layer::ether;
use super::{Gen, Link};
use crate::error::FilterError;
use crate::ir::cond::{IFINDEX, PACKET_TYPE};
use crate::ir::{CondId, Test, Value};
use crate::keywords::Proto;
use crate::tree::{Arithmetic, ByteOp, Dir, Llc, NodeKind};

/// PACKET_OUTGOING, include/uapi/linux/if_packet.h; LINUX_SLL_OUTGOING is the same number.
const OUTGOING: u32 = 4;

impl Gen<'_> {
    pub(super) fn primitive(&mut self, kind: &NodeKind) -> Result<CondId, FilterError> {
        match *kind {
            NodeKind::Broadcast(proto) => self.broadcast(proto),
            NodeKind::Multicast(proto) => self.multicast(proto),
            NodeKind::Less(number) => {
                let len = self.values.make(Value::Len);
                let above = self.test(len, Test::Greater, number);
                Ok(self.not(above))
            }
            NodeKind::Greater(number) => {
                let len = self.values.make(Value::Len);
                Ok(self.test(len, Test::GreaterEqual, number))
            }
            NodeKind::Byte { index, op, value } => Ok(self.byte(index, op, value)),
            NodeKind::Direction { outbound } => self.direction(outbound),
            NodeKind::Ifindex(index) => self.ifindex(index),
            NodeKind::Vlan(id) => self.vlan(id),
            NodeKind::Mpls(label) => self.mpls(label),
            NodeKind::Pppoed => self.link_type(ether::PPPOED),
            NodeKind::Pppoes(session) => self.pppoes(session),
            NodeKind::Geneve(vni) => self.geneve(vni),
            NodeKind::Vxlan(vni) => self.vxlan(vni),
            NodeKind::Llc(kind) => self.llc(kind),
            _ => self.fail("this is no primitive"),
        }
    }

    fn broadcast(&mut self, proto: Option<Proto>) -> Result<CondId, FilterError> {
        match proto {
            None | Some(Proto::Link) if self.offsets.link == Link::Ethernet => self.ethernet_host([0xff; 6], Dir::Dst),
            None | Some(Proto::Link) => self.fail_link("this link type has no broadcast address"),
            Some(Proto::Ip) => {
                let Some(netmask) = self.options.netmask else {
                    return self.fail("'ip broadcast' needs the netmask, which is not known");
                };
                let host = !u32::from(netmask);
                let carries = self.link_type(ether::IP)?;
                let field = self.load_network(16, 4);
                let zeros = self.masked(field, host, 0);
                let ones = self.masked(field, host, host);
                let either = self.or(zeros, ones);
                Ok(self.and(carries, either))
            }
            Some(_) => self.fail("only the link layer and ip have broadcasts"),
        }
    }

    fn multicast(&mut self, proto: Option<Proto>) -> Result<CondId, FilterError> {
        match proto {
            None | Some(Proto::Link) if self.offsets.link == Link::Ethernet => {
                let first = self.load_link(0, 1);
                let group = self.test(first, Test::Set, 1);
                Ok(self.link_check(group))
            }
            None | Some(Proto::Link) => self.fail_link("this link type has no multicast addresses"),
            Some(Proto::Ip) => {
                let carries = self.link_type(ether::IP)?;
                let first = self.load_network(16, 1);
                let group = self.test(first, Test::GreaterEqual, 224);
                Ok(self.and(carries, group))
            }
            Some(Proto::Ip6) => {
                let carries = self.link_type(ether::IP6)?;
                let first = self.load_network(24, 1);
                let group = self.equal(first, 255);
                Ok(self.and(carries, group))
            }
            Some(_) => self.fail("only the link layer, ip and ip6 have multicasts"),
        }
    }

    /// `byte N op V`. libpcap forgets to load the byte for `&` and `|` and so tests what the accumulator happens to hold; here the byte
    /// is loaded.
    fn byte(&mut self, index: u32, op: ByteOp, right: u32) -> CondId {
        let byte = self.load_link(index, 1);
        let combine = |r#gen: &mut Self, op| {
            let right = r#gen.values.constant(right);
            let value = r#gen.values.alu(op, byte, right);
            let zero = r#gen.equal(value, 0);
            r#gen.not(zero)
        };
        match op {
            ByteOp::Equal => self.equal(byte, right),
            ByteOp::Greater => self.test(byte, Test::Greater, right),
            ByteOp::Less => {
                let reaches = self.test(byte, Test::GreaterEqual, right);
                self.not(reaches)
            }
            ByteOp::And => combine(self, Arithmetic::And),
            ByteOp::Or => combine(self, Arithmetic::Or),
        }
    }

    fn direction(&mut self, outbound: bool) -> Result<CondId, FilterError> {
        let value = match self.offsets.link {
            Link::Sll => self.load_link(0, 2),
            Link::Sll2 => self.load_link(10, 1),
            _ if self.live() => self.values.make(Value::Ancillary(PACKET_TYPE)),
            _ => {
                return self.fail_target(
                    "inbound and outbound ask the kernel, which only a live AF_PACKET socket can do: not files, memory or XDP",
                );
            }
        };
        let out = self.equal(value, OUTGOING);
        Ok(if outbound { out } else { self.not(out) })
    }

    fn ifindex(&mut self, index: u32) -> Result<CondId, FilterError> {
        let value = match self.offsets.link {
            Link::Sll2 => self.load_link(4, 4),
            _ if self.live() => self.values.make(Value::Ancillary(IFINDEX)),
            _ => {
                return self.fail_target(
                    "ifindex asks the kernel, which only a live AF_PACKET socket can do: not files, memory or XDP",
                );
            }
        };
        Ok(self.equal(value, index))
    }

    fn llc(&mut self, kind: Llc) -> Result<CondId, FilterError> {
        if self.offsets.link != Link::Ethernet {
            return self.fail_link("only Ethernet has LLC headers here");
        }
        let field = self.load_link_type(0, 2);
        let above = self.test(field, Test::Greater, ether::MTU);
        let length = self.not(above);
        let start = self.load_llc(0, 2);
        let raw = self.equal(start, 0xffff);
        let framed = self.not(raw);
        let any = self.and(length, framed);
        if kind == Llc::Any {
            return Ok(any);
        }
        let control = self.load_llc(2, 1);
        let same = match kind {
            Llc::Any | Llc::Information => {
                let other = self.test(control, Test::Set, 0x01);
                self.not(other)
            }
            Llc::Supervisory => self.masked(control, 0x03, 0x01),
            Llc::Unnumbered => self.masked(control, 0x03, 0x03),
            Llc::SupervisoryType(kind) => self.masked(control, 0x0f, kind.into()),
            Llc::UnnumberedType(kind) => self.masked(control, 0xef, kind.into()),
        };
        Ok(self.and(any, same))
    }
}
