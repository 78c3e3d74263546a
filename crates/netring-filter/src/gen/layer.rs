//! Which protocol a link layer carries (gen_linktype and its parts).

use super::{Gen, Link};
use crate::LoopbackFamily;
use crate::error::FilterError;
use crate::ir::{CondId, Test};

pub(super) mod ether {
    pub(crate) const MTU: u32 = 1500;
    pub(crate) const NS: u32 = 0x0600;
    pub(crate) const IP: u32 = 0x0800;
    pub(crate) const ARP: u32 = 0x0806;
    pub(crate) const MOPDL: u32 = 0x6001;
    pub(crate) const MOPRC: u32 = 0x6002;
    pub(crate) const DECNET: u32 = 0x6003;
    pub(crate) const LAT: u32 = 0x6004;
    pub(crate) const SCA: u32 = 0x6007;
    pub(crate) const TEB: u32 = 0x6558;
    pub(crate) const RARP: u32 = 0x8035;
    pub(crate) const ATALK: u32 = 0x809b;
    pub(crate) const AARP: u32 = 0x80f3;
    pub(crate) const VLAN: u32 = 0x8100;
    pub(crate) const IPX: u32 = 0x8137;
    pub(crate) const IP6: u32 = 0x86dd;
    pub(crate) const MPLS: u32 = 0x8847;
    pub(crate) const PPPOED: u32 = 0x8863;
    pub(crate) const PPPOES: u32 = 0x8864;
    pub(crate) const QINQ: u32 = 0x88a8;
    pub(crate) const LOOPBACK: u32 = 0x9000;
    pub(crate) const QINQ_OLD: u32 = 0x9100;
}

/// Service access points of LLC.
pub(super) mod sap {
    pub(crate) const IP: u32 = 0x06;
    pub(crate) const STP: u32 = 0x42;
    pub(crate) const SNAP: u32 = 0xaa;
    pub(crate) const IPX: u32 = 0xe0;
    pub(crate) const NETBEUI: u32 = 0xf0;
    pub(crate) const ISO: u32 = 0xfe;
}

/// LINUX_SLL_P_802_3 and LINUX_SLL_P_802_2.
const SLL_802_3: u32 = 0x0001;
const SLL_802_2: u32 = 0x0004;

impl Gen<'_> {
    pub(super) fn link_type(&mut self, proto: u32) -> Result<CondId, FilterError> {
        if self.offsets.labels > 0 {
            return self.mpls_type(proto);
        }
        Ok(match self.offsets.link {
            Link::Ethernet => self.ethernet_type(proto),
            Link::Sll => self.sll_type(proto),
            Link::Sll2 | Link::Ppp => {
                let proto = if self.offsets.link == Link::Ppp { ppp_type(proto) } else { proto };
                let field = self.load_link_type(0, 2);
                self.equal(field, proto)
            }
            Link::Raw => match proto {
                ether::IP => self.version(4),
                ether::IP6 => self.version(6),
                _ => self.never(),
            },
            Link::Ip4 => self.conds.always(proto == ether::IP),
            Link::Ip6 => self.conds.always(proto == ether::IP6),
            Link::Loopback => self.loopback_type(proto),
        })
    }

    /// The version in the first byte of a raw packet.
    fn version(&mut self, version: u32) -> CondId {
        let byte = self.load_link(0, 1);
        self.masked(byte, 0xf0, version << 4)
    }

    /// Whether the type field is a length, as in frames of IEEE 802.3.
    fn is_length(&mut self) -> CondId {
        let field = self.load_link_type(0, 2);
        let above = self.test(field, Test::Greater, ether::MTU);
        self.not(above)
    }

    fn type_is(&mut self, proto: u32) -> CondId {
        let field = self.load_link_type(0, 2);
        self.equal(field, proto)
    }

    fn both_saps(&mut self, sap: u32) -> CondId {
        let field = self.load_llc(0, 2);
        self.equal(field, sap << 8 | sap)
    }

    fn ethernet_type(&mut self, proto: u32) -> CondId {
        match proto {
            sap::ISO | sap::IP | sap::NETBEUI => {
                let length = self.is_length();
                let saps = self.both_saps(proto);
                self.and(length, saps)
            }
            sap::IPX => {
                let snap = self.snap(0, ether::IPX);
                let dsap = self.load_llc(0, 1);
                let dsap = self.equal(dsap, sap::IPX);
                let raw = self.load_llc(0, 2);
                let raw = self.equal(raw, 0xffff);
                let either = self.or(dsap, raw);
                let any = self.or(snap, either);
                let length = self.is_length();
                let framed = self.and(length, any);
                let plain = self.type_is(ether::IPX);
                self.or(plain, framed)
            }
            ether::ATALK | ether::AARP => {
                let length = self.is_length();
                let snap = self.snap(if proto == ether::ATALK { 0x080007 } else { 0 }, proto);
                let framed = self.and(length, snap);
                let plain = self.type_is(proto);
                self.or(plain, framed)
            }
            0..=ether::MTU => {
                let length = self.is_length();
                let dsap = self.load_link_type(2, 1);
                let dsap = self.equal(dsap, proto);
                self.and(length, dsap)
            }
            _ => self.type_is(proto),
        }
    }

    fn sll_type(&mut self, proto: u32) -> CondId {
        match proto {
            sap::ISO | sap::IP | sap::NETBEUI => {
                let llc = self.type_is(SLL_802_2);
                let saps = self.both_saps(proto);
                self.and(llc, saps)
            }
            sap::IPX => {
                let dsap = self.load_llc(0, 1);
                let dsap = self.equal(dsap, sap::IPX);
                let snap = self.snap(0, ether::IPX);
                let either = self.or(dsap, snap);
                let llc = self.type_is(SLL_802_2);
                let framed = self.and(llc, either);
                let raw = self.type_is(SLL_802_3);
                let framed = self.or(raw, framed);
                let plain = self.type_is(ether::IPX);
                self.or(plain, framed)
            }
            ether::ATALK | ether::AARP => {
                let llc = self.type_is(SLL_802_2);
                let snap = self.snap(if proto == ether::ATALK { 0x080007 } else { 0 }, proto);
                let framed = self.and(llc, snap);
                let plain = self.type_is(proto);
                self.or(plain, framed)
            }
            0..=ether::MTU => {
                let llc = self.type_is(SLL_802_2);
                let at = self.offsets.payload.constant;
                let dsap = self.load_link(at, 1);
                let dsap = self.equal(dsap, proto);
                self.and(llc, dsap)
            }
            _ => self.type_is(proto),
        }
    }

    /// An LLC header with SNAP, compared from its end as libpcap does.
    fn snap(&mut self, organization: u32, proto: u32) -> CondId {
        let high = self.load_llc(4, 4);
        let high = self.equal(high, (organization & 0xffff) << 16 | proto);
        let low = self.load_llc(0, 4);
        let low = self.equal(low, sap::SNAP << 24 | sap::SNAP << 16 | 0x0300 | organization >> 16);
        self.and(high, low)
    }

    /// The address family before a packet of a loopback device.
    fn loopback_type(&mut self, proto: u32) -> CondId {
        // AF_INET, and AF_INET6 of Linux or of NetBSD and OpenBSD, FreeBSD, Darwin.
        let families: &[u32] = match (proto, self.loopback_family()) {
            (ether::IP, _) => &[2],
            (ether::IP6, LoopbackFamily::Host) => &[10],
            (ether::IP6, _) => &[24, 28, 30],
            _ => return self.never(),
        };
        let field = self.load_link(0, 4);
        let mut any = self.never();
        for &family in families {
            let family = match (self.options.link_type, self.loopback_family()) {
                (crate::LinkType::Loop, _) | (_, LoopbackFamily::FileBigEndian) => family,
                (_, LoopbackFamily::FileLittleEndian) => family.swap_bytes(),
                (_, LoopbackFamily::Host) => family.to_be(),
            };
            let this = self.equal(field, family);
            any = self.or(any, this);
        }
        any
    }

    fn mpls_type(&mut self, proto: u32) -> Result<CondId, FilterError> {
        let version = match proto {
            ether::IP => 0x40,
            ether::IP6 => 0x60,
            _ => return self.fail("unsupported protocol over mpls"),
        };
        let bottom = self.load_network(0u32.wrapping_sub(2), 1);
        let bottom = self.masked(bottom, 0x01, 0x01);
        let first = self.load_network(0, 1);
        let first = self.masked(first, 0xf0, version);
        Ok(self.and(bottom, first))
    }

    /// Inside Geneve: whether there is an Ethernet header at all, which is so where payload and header differ.
    pub(super) fn link_check(&mut self, condition: CondId) -> CondId {
        let (Some(header), Some(payload)) = (self.offsets.link_header.base, self.offsets.payload.base) else {
            return condition;
        };
        if !self.offsets.encapsulated {
            return condition;
        }
        let same = self.guarded(&[], header, Test::Equal, crate::ir::Right::Value(payload));
        let differs = self.not(same);
        self.and(differs, condition)
    }
}

/// From an EtherType to PPP's numbers (ethertype_to_ppptype).
fn ppp_type(proto: u32) -> u32 {
    match proto {
        ether::IP => 0x0021,
        ether::IP6 => 0x0057,
        ether::DECNET => 0x0027,
        ether::ATALK => 0x0029,
        ether::NS => 0x0025,
        sap::ISO => 0x0023,
        sap::STP => 0x0031,
        sap::IPX => 0x002b,
        other => other,
    }
}
