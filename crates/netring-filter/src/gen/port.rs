//! Ports (gen_port, gen_portrange): IPv6 before IPv4, TCP before UDP before SCTP, and only in first fragments of IPv4.

use super::Gen;
use super::layer::ether;
use crate::error::FilterError;
use crate::ir::{CondId, Test};
use crate::tree::Dir;

pub(super) const TCP: u32 = 6;
pub(super) const UDP: u32 = 17;
pub(super) const SCTP: u32 = 132;

impl Gen<'_> {
    /// Ports from `low` to `high`, of one protocol or of the three that have ports.
    pub(super) fn ports(&mut self, low: u32, high: u32, proto: Option<u32>, dir: Dir) -> Result<CondId, FilterError> {
        let ip6 = self.ports6(low, high, proto, dir)?;
        let ip4 = self.ports4(low, high, proto, dir)?;
        Ok(self.or(ip6, ip4))
    }

    pub(super) fn ports4(&mut self, low: u32, high: u32, proto: Option<u32>, dir: Dir) -> Result<CondId, FilterError> {
        let carries = self.link_type(ether::IP)?;
        let any = self.each_transport(proto, |r#gen, proto| {
            let field = r#gen.load_network(9, 1);
            let transport = r#gen.equal(field, proto);
            let whole = r#gen.first_fragment();
            let here = r#gen.and(transport, whole);
            let ports = r#gen.directed(dir, |r#gen, to| {
                let port = r#gen.load_ip4_payload(if to { 2 } else { 0 }, 2);
                Ok(r#gen.between(port, low, high))
            })?;
            Ok(r#gen.and(here, ports))
        })?;
        Ok(self.and(carries, any))
    }

    pub(super) fn ports6(&mut self, low: u32, high: u32, proto: Option<u32>, dir: Dir) -> Result<CondId, FilterError> {
        let carries = self.link_type(ether::IP6)?;
        let any = self.each_transport(proto, |r#gen, proto| {
            let field = r#gen.load_network(6, 1);
            let transport = r#gen.equal(field, proto);
            let ports = r#gen.directed(dir, |r#gen, to| {
                let port = r#gen.load_network(if to { 42 } else { 40 }, 2);
                Ok(r#gen.between(port, low, high))
            })?;
            Ok(r#gen.and(transport, ports))
        })?;
        Ok(self.and(carries, any))
    }

    fn each_transport(
        &mut self,
        proto: Option<u32>,
        mut one: impl FnMut(&mut Self, u32) -> Result<CondId, FilterError>,
    ) -> Result<CondId, FilterError> {
        if let Some(proto) = proto {
            return one(self, proto);
        }
        // SCTP, TCP, UDP is the order in which libpcap's code asks.
        let sctp = one(self, SCTP)?;
        let tcp = one(self, TCP)?;
        let udp = one(self, UDP)?;
        let either = self.or(tcp, udp);
        Ok(self.or(sctp, either))
    }

    fn between(&mut self, value: crate::ir::ValueId, low: u32, high: u32) -> CondId {
        if low == high {
            return self.equal(value, low);
        }
        let from = self.test(value, Test::GreaterEqual, low);
        let above = self.test(value, Test::Greater, high);
        let to = self.not(above);
        self.and(from, to)
    }

    /// Not a fragment of IPv4 that begins behind the transport header.
    pub(super) fn first_fragment(&mut self) -> CondId {
        let field = self.load_network(6, 2);
        let later = self.test(field, Test::Set, 0x1fff);
        self.not(later)
    }
}
