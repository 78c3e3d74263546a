//! Addresses of hosts and networks (gen_host, gen_host6, gen_ehostop, gen_dnhostop).

use std::net::Ipv6Addr;

use super::layer::ether;
use super::{Gen, Link};
use crate::error::FilterError;
use crate::ir::CondId;
use crate::keywords::Proto;
use crate::tree::Dir;

impl Gen<'_> {
    /// A test of the source, of the destination, or of both, in this order.
    pub(super) fn directed(
        &mut self,
        dir: Dir,
        mut one: impl FnMut(&mut Self, bool) -> Result<CondId, FilterError>,
    ) -> Result<CondId, FilterError> {
        Ok(match dir {
            Dir::Src => one(self, false)?,
            Dir::Dst => one(self, true)?,
            Dir::SrcAndDst => {
                let (src, dst) = (one(self, false)?, one(self, true)?);
                self.and(src, dst)
            }
            Dir::Default | Dir::SrcOrDst => {
                let (src, dst) = (one(self, false)?, one(self, true)?);
                self.or(src, dst)
            }
        })
    }

    pub(super) fn host4(
        &mut self,
        address: u32,
        mask: u32,
        proto: Option<Proto>,
        dir: Dir,
    ) -> Result<CondId, FilterError> {
        let (ethertype, src, dst) = match proto {
            None => {
                let mut any = self.host4(address, mask, Some(Proto::Ip), dir)?;
                if self.offsets.labels == 0 {
                    for arp in [Proto::Arp, Proto::Rarp] {
                        let next = self.host4(address, mask, Some(arp), dir)?;
                        any = self.or(any, next);
                    }
                }
                return Ok(any);
            }
            Some(Proto::Ip) => (ether::IP, 12, 16),
            Some(Proto::Arp) => (ether::ARP, 14, 24),
            Some(Proto::Rarp) => (ether::RARP, 14, 24),
            Some(Proto::Decnet) => return self.decnet_host(address, dir),
            Some(_) => return self.fail("this protocol has no IPv4 addresses"),
        };
        self.directed(dir, |r#gen, to| {
            let carries = r#gen.link_type(ethertype)?;
            let field = r#gen.load_network(if to { dst } else { src }, 4);
            let same = r#gen.masked(field, mask, address);
            Ok(r#gen.and(carries, same))
        })
    }

    pub(super) fn host6(
        &mut self,
        address: Ipv6Addr,
        prefix: u32,
        proto: Option<Proto>,
        dir: Dir,
    ) -> Result<CondId, FilterError> {
        if !matches!(proto, None | Some(Proto::Ip6)) {
            return self.fail("this protocol has no IPv6 addresses");
        }
        let address = u128::from(address);
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        self.directed(dir, |r#gen, to| {
            let start = if to { 24 } else { 8 };
            let mut all = r#gen.link_type(ether::IP6)?;
            for word in 0..4 {
                let part = |bits: u128| (bits >> (96 - 32 * word)) as u32;
                let field = r#gen.load_network(start + 4 * word, 4);
                let same = r#gen.masked(field, part(mask), part(address));
                all = r#gen.and(all, same);
            }
            Ok(all)
        })
    }

    /// A MAC address, where there is an Ethernet header.
    pub(super) fn ethernet_host(&mut self, mac: [u8; 6], dir: Dir) -> Result<CondId, FilterError> {
        if self.offsets.link != Link::Ethernet {
            return self.fail_link("only Ethernet has MAC addresses");
        }
        let high = u32::from(u16::from_be_bytes([mac[0], mac[1]]));
        let low = u32::from_be_bytes([mac[2], mac[3], mac[4], mac[5]]);
        let condition = self.directed(dir, |r#gen, to| {
            let start = if to { 0 } else { 6 };
            let field = r#gen.load_link(start + 2, 4);
            let end = r#gen.equal(field, low);
            let field = r#gen.load_link(start, 2);
            let begin = r#gen.equal(field, high);
            Ok(r#gen.and(end, begin))
        })?;
        Ok(self.link_check(condition))
    }

    /// DECnet addresses are little-endian, behind a short or a long header, with or without a byte of padding before it.
    fn decnet_host(&mut self, address: u32, dir: Dir) -> Result<CondId, FilterError> {
        let address = u32::from((address as u16).swap_bytes());
        self.directed(dir, |r#gen, to| {
            let (short, long) = if to { (1, 7) } else { (3, 15) };
            let carries = r#gen.link_type(ether::DECNET)?;
            let mut any = r#gen.never();
            for (padded, flags, at) in
                [(false, 0x02, short), (true, 0x02, short), (false, 0x06, long), (true, 0x06, long)]
            {
                let format = if padded {
                    let field = r#gen.load_network(2, 2);
                    r#gen.masked(field, 0xff07, 0x8100 | flags)
                } else {
                    let field = r#gen.load_network(2, 1);
                    r#gen.masked(field, 0x07, flags)
                };
                let field = r#gen.load_network(2 + u32::from(padded) + at, 2);
                let same = r#gen.equal(field, address);
                let this = r#gen.and(format, same);
                any = r#gen.or(any, this);
            }
            Ok(r#gen.and(carries, any))
        })
    }
}
