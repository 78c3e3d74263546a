//! Protocols by number and by abbreviation (gen_proto, gen_proto_abbrev, gen_protochain).

use super::Gen;
use super::layer::{ether, sap};
use super::port::{SCTP, TCP, UDP};
use crate::error::FilterError;
use crate::ir::{CondId, Value};
use crate::keywords::Proto;
use crate::tree::Dir;

const FRAGMENT: u32 = 44;

/// Network layer protocols of ISO, libpcap's nlpid.h.
mod iso {
    pub(super) const CLNP: u32 = 0x81;
    pub(super) const ESIS: u32 = 0x82;
    pub(super) const ISIS: u32 = 0x83;
}

/// Types of PDU of IS-IS.
mod isis {
    pub(super) const L1_LAN_IIH: u32 = 15;
    pub(super) const L2_LAN_IIH: u32 = 16;
    pub(super) const PTP_IIH: u32 = 17;
    pub(super) const L1_LSP: u32 = 18;
    pub(super) const L2_LSP: u32 = 20;
    pub(super) const L1_CSNP: u32 = 24;
    pub(super) const L2_CSNP: u32 = 25;
    pub(super) const L1_PSNP: u32 = 26;
    pub(super) const L2_PSNP: u32 = 27;
}

impl Gen<'_> {
    pub(super) fn abbreviation(&mut self, proto: Proto) -> Result<CondId, FilterError> {
        use isis::*;
        match proto {
            Proto::Ip => self.link_type(ether::IP),
            Proto::Ip6 => self.link_type(ether::IP6),
            Proto::Arp => self.link_type(ether::ARP),
            Proto::Rarp => self.link_type(ether::RARP),
            Proto::Atalk => self.link_type(ether::ATALK),
            Proto::Aarp => self.link_type(ether::AARP),
            Proto::Decnet => self.link_type(ether::DECNET),
            Proto::Sca => self.link_type(ether::SCA),
            Proto::Lat => self.link_type(ether::LAT),
            Proto::Mopdl => self.link_type(ether::MOPDL),
            Proto::Moprc => self.link_type(ether::MOPRC),
            Proto::Iso => self.link_type(sap::ISO),
            Proto::Stp => self.link_type(sap::STP),
            Proto::Ipx => self.link_type(sap::IPX),
            Proto::Netbeui => self.link_type(sap::NETBEUI),
            Proto::Sctp => self.proto(SCTP, None),
            Proto::Tcp => self.proto(TCP, None),
            Proto::Udp => self.proto(UDP, None),
            Proto::Pim => self.proto(103, None),
            Proto::Ah => self.proto(51, None),
            Proto::Esp => self.proto(50, None),
            Proto::Icmp => self.proto(1, Some(Proto::Ip)),
            Proto::Igmp => self.proto(2, Some(Proto::Ip)),
            Proto::Igrp => self.proto(9, Some(Proto::Ip)),
            Proto::Vrrp | Proto::Carp => self.proto(112, Some(Proto::Ip)),
            Proto::Icmp6 => self.proto(58, Some(Proto::Ip6)),
            Proto::Esis => self.proto(iso::ESIS, Some(Proto::Iso)),
            Proto::Isis => self.proto(iso::ISIS, Some(Proto::Iso)),
            Proto::Clnp => self.proto(iso::CLNP, Some(Proto::Iso)),
            Proto::IsisL1 => self.isis(&[L1_PSNP, L1_CSNP, L1_LSP, L1_LAN_IIH, PTP_IIH]),
            Proto::IsisL2 => self.isis(&[L2_PSNP, L2_CSNP, L2_LSP, L2_LAN_IIH, PTP_IIH]),
            Proto::IsisIih => self.isis(&[PTP_IIH, L1_LAN_IIH, L2_LAN_IIH]),
            Proto::IsisLsp => self.isis(&[L1_LSP, L2_LSP]),
            Proto::IsisSnp => self.isis(&[L2_PSNP, L1_PSNP, L1_CSNP, L2_CSNP]),
            Proto::IsisCsnp => self.isis(&[L1_CSNP, L2_CSNP]),
            Proto::IsisPsnp => self.isis(&[L1_PSNP, L2_PSNP]),
            Proto::Link => self.fail("the link layer alone is no condition"),
            Proto::Radio => self.fail_link("'radio' is of 802.11 only, which has no link type here"),
        }
    }

    fn isis(&mut self, types: &[u32]) -> Result<CondId, FilterError> {
        let mut any = self.never();
        for &kind in types {
            let this = self.proto(kind, Some(Proto::Isis))?;
            any = self.or(any, this);
        }
        Ok(any)
    }

    /// Protocol number `number` inside `proto`, or inside IPv4 or IPv6.
    pub(super) fn proto(&mut self, number: u32, proto: Option<Proto>) -> Result<CondId, FilterError> {
        match proto {
            None => {
                let ip4 = self.proto(number, Some(Proto::Ip))?;
                let ip6 = self.proto(number, Some(Proto::Ip6))?;
                Ok(self.or(ip4, ip6))
            }
            Some(Proto::Link) => self.link_type(number),
            Some(Proto::Ip) => {
                let carries = self.link_type(ether::IP)?;
                let field = self.load_network(9, 1);
                let same = self.equal(field, number);
                Ok(self.and(carries, same))
            }
            Some(Proto::Ip6) => {
                let carries = self.link_type(ether::IP6)?;
                let next = self.load_network(6, 1);
                let direct = self.equal(next, number);
                let fragment = self.equal(next, FRAGMENT);
                let behind = self.load_network(40, 1);
                let behind = self.equal(behind, number);
                let behind = self.and(fragment, behind);
                let either = self.or(direct, behind);
                Ok(self.and(carries, either))
            }
            Some(Proto::Iso) => {
                let carries = self.link_type(sap::ISO)?;
                let field = self.load_nosnap(0, 1);
                let same = self.equal(field, number);
                Ok(self.and(carries, same))
            }
            Some(Proto::Isis) => {
                let carries = self.proto(iso::ISIS, Some(Proto::Iso))?;
                let field = self.load_nosnap(4, 1);
                let same = self.equal(field, number);
                Ok(self.and(carries, same))
            }
            Some(_) => self.fail("this protocol carries no others that could be told apart"),
        }
    }

    pub(super) fn proto_id(&mut self, number: u32, proto: Option<Proto>, dir: Dir) -> Result<CondId, FilterError> {
        if dir != Dir::Default {
            return self.fail("'proto' takes no direction");
        }
        self.proto(number, proto)
    }

    pub(super) fn protochain(&mut self, number: u32, proto: Option<Proto>) -> Result<CondId, FilterError> {
        let ip6 = match proto {
            None => {
                let ip4 = self.protochain(number, Some(Proto::Ip))?;
                let ip6 = self.protochain(number, Some(Proto::Ip6))?;
                return Ok(self.or(ip4, ip6));
            }
            Some(Proto::Ip) => false,
            Some(Proto::Ip6) => true,
            Some(_) => return self.fail("'protochain' is of ip and ip6 only"),
        };
        if self.offsets.payload.base.is_some() {
            return self.fail("'protochain' is not possible behind headers of variable length");
        }
        self.chain = Some(self.span.clone());
        let carries = self.link_type(if ip6 { ether::IP6 } else { ether::IP })?;
        let network = self.offsets.payload.constant.wrapping_add(self.offsets.network);
        let last = self.values.make(Value::Chain { ip6, network, want: number });
        let same = self.equal(last, number);
        Ok(self.and(carries, same))
    }

    /// The number behind a name after `proto` or `protochain`.
    pub(super) fn proto_number(&mut self, name: &str, proto: Option<Proto>) -> Result<u32, FilterError> {
        let number = match proto {
            None | Some(Proto::Ip | Proto::Ip6) => self.resolver.protocol(name).map(u32::from),
            Some(Proto::Link) => ethertype(name),
            Some(Proto::Iso) => match name {
                "esis" => Some(iso::ESIS),
                "isis" => Some(iso::ISIS),
                "clnp" => Some(iso::CLNP),
                _ => None,
            },
            Some(_) => None,
        };
        match number {
            Some(number) => Ok(number),
            None => self.fail_name(name, format!("unknown protocol '{}'", name.escape_default())),
        }
    }
}

/// Names after `ether proto`.
fn ethertype(name: &str) -> Option<u32> {
    Some(match name {
        "aarp" => ether::AARP,
        "arp" => ether::ARP,
        "atalk" => ether::ATALK,
        "decnet" => ether::DECNET,
        "ip" => ether::IP,
        "ip6" => ether::IP6,
        "lat" => ether::LAT,
        "loopback" => ether::LOOPBACK,
        "mopdl" => ether::MOPDL,
        "moprc" => ether::MOPRC,
        "rarp" => ether::RARP,
        "sca" => ether::SCA,
        "iso" => sap::ISO,
        "stp" => sap::STP,
        "ipx" => sap::IPX,
        "netbeui" => sap::NETBEUI,
        _ => return None,
    })
}
