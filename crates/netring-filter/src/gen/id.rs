//! Ids and the qualifiers before them (gen_scode, gen_ncode, gen_mcode, gen_mcode6, gen_ecode, gen_acode).

use std::net::IpAddr;

use super::port::{SCTP, TCP, UDP};
use super::{Gen, Link};
use crate::error::FilterError;
use crate::ir::CondId;
use crate::keywords::Proto;
use crate::names::Transport;
use crate::tree::{Dir, Id, IdKind, Qualifiers};

impl Gen<'_> {
    pub(super) fn id(&mut self, id: &Id, qualifiers: Option<Qualifiers>) -> Result<CondId, FilterError> {
        let Some(qualifiers) = qualifiers else {
            return self.fail("nothing says what this id is: put host, net, port or another qualifier before it");
        };
        let Qualifiers { proto, dir, kind } = qualifiers;
        match id {
            Id::Number(number) => self.number_id(*number, qualifiers),
            Id::Name(name) => self.name_id(name, qualifiers),
            Id::Dotted(text) => self.dotted(text, qualifiers),
            Id::DottedPrefix(text, prefix) => {
                if *prefix > 32 {
                    return self.fail("mask length must be <= 32");
                }
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                self.network(text, mask, qualifiers)
            }
            Id::DottedMask(text, mask) => {
                let (mask, bits) = self.dotted_number(mask)?;
                self.network(text, mask << (32 - bits), qualifiers)
            }
            Id::Ip6(address, prefix) => {
                let prefix = prefix.unwrap_or(128);
                if prefix > 128 {
                    return self.fail("mask length must be <= 128");
                }
                if u128::from(*address) & !u128::MAX.checked_shl(128 - prefix).unwrap_or(0) != 0 {
                    return self.fail("the address has bits set outside its mask");
                }
                match kind {
                    IdKind::Default | IdKind::Host if prefix != 128 => self.fail("only networks have a mask"),
                    IdKind::Default | IdKind::Host | IdKind::Net => self.host6(*address, prefix, proto, dir),
                    _ => self.fail("this qualifier takes no IPv6 address"),
                }
            }
            Id::Mac(mac) => match (kind, proto) {
                (IdKind::Default | IdKind::Host, Some(Proto::Link)) => self.ethernet_host(*mac, dir),
                _ => self.fail("a MAC address needs 'ether' before it"),
            },
            Id::Arcnet => self.fail_link("this address is of ARCnet only, which has no link type here"),
        }
    }

    /// One to four numbers below 256 with dots, as a number and its count of bits (__pcap_atoin).
    fn dotted_number(&self, text: &str) -> Result<(u32, u32), FilterError> {
        let (mut number, mut bits) = (0u32, 0);
        for part in text.split('.') {
            // Decimal, also with leading zeros.
            match part.parse::<u8>() {
                Ok(byte) if part.bytes().all(|digit| digit.is_ascii_digit()) => number = number << 8 | u32::from(byte),
                _ => return self.fail(format!("invalid IPv4 address '{text}'")),
            }
            bits += 8;
        }
        Ok((number, bits))
    }

    fn network(&mut self, text: &str, mask: u32, qualifiers: Qualifiers) -> Result<CondId, FilterError> {
        let (number, bits) = self.dotted_number(text)?;
        let number = number << (32 - bits);
        if number & !mask != 0 {
            return self.fail("the address has bits set outside its mask");
        }
        if qualifiers.kind != IdKind::Net {
            return self.fail("only networks have a mask");
        }
        self.host4(number, mask, qualifiers.proto, qualifiers.dir)
    }

    fn dotted(&mut self, text: &str, qualifiers: Qualifiers) -> Result<CondId, FilterError> {
        match qualifiers.kind {
            IdKind::Default | IdKind::Host | IdKind::Net => {}
            IdKind::Gateway => return self.fail("'gateway' requires a name"),
            _ => return self.fail("this qualifier takes no IPv4 address"),
        }
        if qualifiers.proto == Some(Proto::Decnet) {
            let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
            let (area, node) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
            let address = (area << 10) & 0xfc00 | node & 0x03ff;
            return self.host4(address, 0, qualifiers.proto, qualifiers.dir);
        }
        if qualifiers.proto == Some(Proto::Link) {
            return self.fail("this is no address of the link layer");
        }
        let (number, bits) = self.dotted_number(text)?;
        let shift = 32 - bits;
        self.host4(number << shift, u32::MAX << shift, qualifiers.proto, qualifiers.dir)
    }

    fn number_id(&mut self, number: u32, qualifiers: Qualifiers) -> Result<CondId, FilterError> {
        let Qualifiers { proto, dir, kind } = qualifiers;
        match kind {
            IdKind::Default | IdKind::Host | IdKind::Net if proto == Some(Proto::Link) => {
                self.fail("this is no address of the link layer")
            }
            IdKind::Net if proto != Some(Proto::Decnet) => {
                let (address, mask) = promoted(number);
                self.host4(address, mask, proto, dir)
            }
            IdKind::Default | IdKind::Host | IdKind::Net => self.host4(number, u32::MAX, proto, dir),
            IdKind::Port | IdKind::PortRange => {
                let transport = self.transport(proto)?;
                if number > 65535 {
                    return self.fail(format!("illegal port number {number} > 65535"));
                }
                self.ports(number, number, transport, dir)
            }
            IdKind::Gateway => self.fail("'gateway' requires a name"),
            IdKind::Proto => self.proto_id(number, proto, dir),
            IdKind::ProtoChain => self.protochain(number, proto),
        }
    }

    fn transport(&self, proto: Option<Proto>) -> Result<Option<u32>, FilterError> {
        match proto {
            None => Ok(None),
            Some(Proto::Tcp) => Ok(Some(TCP)),
            Some(Proto::Udp) => Ok(Some(UDP)),
            Some(Proto::Sctp) => Ok(Some(SCTP)),
            Some(_) => self.fail("only tcp, udp and sctp have ports"),
        }
    }

    fn name_id(&mut self, name: &str, qualifiers: Qualifiers) -> Result<CondId, FilterError> {
        let Qualifiers { proto, dir, kind } = qualifiers;
        match kind {
            IdKind::Net => {
                let Some(number) = self.resolver.network(name).filter(|&number| number != 0) else {
                    return self.fail_name(name, format!("unknown network '{}'", name.escape_default()));
                };
                let (address, mask) = promoted(number);
                self.host4(address, mask, proto, dir)
            }
            IdKind::Default | IdKind::Host => self.host_name(name, qualifiers),
            IdKind::Port => {
                let wanted = self.transport(proto)?;
                let (port, listed) = self.service(name)?;
                let transport = self.agree(name, wanted, listed)?;
                self.ports(port, port, transport, dir)
            }
            IdKind::PortRange => {
                let wanted = self.transport(proto)?;
                let (low, high, listed) = self.service_range(name)?;
                let transport = self.agree(name, wanted, listed)?;
                for port in [low, high] {
                    if port > 65535 {
                        return self.fail(format!("illegal port number {port} > 65535"));
                    }
                }
                self.ports(low.min(high), low.max(high), transport, dir)
            }
            IdKind::Gateway => self.gateway(name, proto),
            IdKind::Proto => {
                let number = self.proto_number(name, proto)?;
                self.proto_id(number, proto, dir)
            }
            IdKind::ProtoChain => {
                let number = self.proto_number(name, proto)?;
                self.protochain(number, proto)
            }
        }
    }

    /// A service's port, and its transport where it is listed for one only.
    fn service(&self, name: &str) -> Result<(u32, Option<u32>), FilterError> {
        if let Ok(port) = name.parse::<u16>() {
            return Ok((port.into(), None));
        }
        let tcp = self.resolver.service(name, Transport::Tcp).map(u32::from);
        let udp = self.resolver.service(name, Transport::Udp).map(u32::from);
        match (tcp, udp) {
            (Some(tcp), Some(udp)) if tcp == udp => Ok((tcp, None)),
            (Some(tcp), _) => Ok((tcp, Some(TCP))),
            (None, Some(udp)) => Ok((udp, Some(UDP))),
            (None, None) => self.fail_name(name, format!("unknown port '{}'", name.escape_default())),
        }
    }

    fn service_range(&self, name: &str) -> Result<(u32, u32, Option<u32>), FilterError> {
        let Some((from, to)) = name.split_once('-') else {
            return self.fail_name(name, format!("unknown port range '{}'", name.escape_default()));
        };
        let leading = |text: &str| {
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            text[..digits].parse::<u32>().ok()
        };
        let whole = from.bytes().all(|digit| digit.is_ascii_digit());
        if let (true, Some(low), Some(high)) = (whole, leading(from), leading(to)) {
            return Ok((low, high, None));
        }
        let (low, one) = self.service(from)?;
        let (high, other) = self.service(to)?;
        Ok((low, high, if one == other { one } else { None }))
    }

    /// The transport to look at, if what the qualifier says and what the service is listed for agree.
    fn agree(&self, name: &str, wanted: Option<u32>, listed: Option<u32>) -> Result<Option<u32>, FilterError> {
        match (wanted, listed) {
            (None, listed) => Ok(listed),
            (wanted, None) => Ok(wanted),
            (wanted, listed) if wanted == listed => Ok(wanted),
            (_, listed) => {
                let listed = if listed == Some(TCP) { "tcp" } else { "udp" };
                self.fail(format!("port '{}' is {listed}", name.escape_default()))
            }
        }
    }

    /// The addresses of a host; an unknown name is remembered, so that the error at the end has all of them.
    fn addresses(&mut self, name: &str) -> Result<Option<Vec<IpAddr>>, FilterError> {
        match self.resolver.host(name) {
            Some(addresses) if addresses.is_empty() => {
                self.fail_name(name, format!("unknown host '{}'", name.escape_default()))
            }
            Some(addresses) => Ok(Some(addresses)),
            None => {
                if self.unresolved.is_empty() {
                    self.unresolved_span = self.span.clone();
                }
                if !self.unresolved.iter().any(|known| known == name) {
                    if self.unresolved.len() >= 1000 {
                        return self.fail("there are more than a thousand host names");
                    }
                    self.unresolved.push(name.to_owned());
                }
                Ok(None)
            }
        }
    }

    fn host_name(&mut self, name: &str, qualifiers: Qualifiers) -> Result<CondId, FilterError> {
        let Qualifiers { proto, dir, .. } = qualifiers;
        if proto == Some(Proto::Link) {
            if self.offsets.link != Link::Ethernet {
                return self.fail_link("only Ethernet has hosts of the link layer");
            }
            return match self.resolver.ethernet(name) {
                Some(mac) => self.ethernet_host(mac, dir),
                None => self.fail_name(name, format!("unknown ether host '{}'", name.escape_default())),
            };
        }
        if proto == Some(Proto::Decnet) {
            return self.fail_name(name, format!("unknown decnet host '{}'", name.escape_default()));
        }
        let Some(addresses) = self.addresses(name)? else { return Ok(self.never()) };
        // Raw packets have no ARP.
        let raw = matches!(self.offsets.link, Link::Raw | Link::Ip4 | Link::Ip6);
        let mut any = None;
        for address in addresses {
            let this = match address {
                IpAddr::V4(_) if proto == Some(Proto::Ip6) => continue,
                IpAddr::V6(_) if proto == Some(Proto::Ip) => continue,
                IpAddr::V4(address) => {
                    let proto = if raw { proto.or(Some(Proto::Ip)) } else { proto };
                    self.host4(address.into(), u32::MAX, proto, dir)?
                }
                IpAddr::V6(address) => self.host6(address, 128, proto, dir)?,
            };
            any = Some(any.map_or(this, |any| self.conds.or(any, this)));
        }
        match any {
            Some(any) => Ok(any),
            None => self.fail_name(name, format!("host '{}' has no address of this family", name.escape_default())),
        }
    }

    /// From or to the host's MAC address, but not from or to its IPv4 addresses.
    fn gateway(&mut self, name: &str, proto: Option<Proto>) -> Result<CondId, FilterError> {
        if !matches!(proto, None | Some(Proto::Ip | Proto::Arp | Proto::Rarp)) {
            return self.fail("illegal modifier of 'gateway'");
        }
        if self.offsets.link != Link::Ethernet {
            return self.fail_link("only Ethernet has gateways");
        }
        let Some(mac) = self.resolver.ethernet(name) else {
            return self.fail_name(name, format!("unknown ether host '{}'", name.escape_default()));
        };
        let Some(addresses) = self.addresses(name)? else { return Ok(self.never()) };
        let through = self.ethernet_host(mac, Dir::SrcOrDst)?;
        let mut own = None;
        for address in addresses {
            let IpAddr::V4(address) = address else { continue };
            let this = self.host4(address.into(), u32::MAX, proto, Dir::SrcOrDst)?;
            own = Some(own.map_or(this, |own| self.conds.or(own, this)));
        }
        let Some(own) = own else {
            return self.fail_name(name, format!("host '{}' has no IPv4 address", name.escape_default()));
        };
        let other = self.not(own);
        Ok(self.and(through, other))
    }
}

/// `net 10` is 10.0.0.0/8: the first byte that is not zero goes to the front.
fn promoted(mut number: u32) -> (u32, u32) {
    let mut mask = u32::MAX;
    while number != 0 && number & 0xff00_0000 == 0 {
        number <<= 8;
        mask <<= 8;
    }
    (number, mask)
}
