//! The class behind PacketFilter: a compiled expression.

use std::net::{IpAddr, Ipv4Addr};

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::filter::{CompiledFilter, Expression, Matcher, Place};
use netring::link_type::LinkType;

use crate::array::JsArray;
use crate::error::to_js;
use crate::options::NativeInstruction;
use crate::parse::outside;

/// The addresses of a host name.
#[napi(object)]
pub struct NativeHost {
    pub name: String,
    /// IPv4 and IPv6 addresses as text.
    pub addresses: Vec<String>,
}

#[napi(object)]
pub struct NativeExpression {
    pub text: String,
    pub snap_len: u32,
    /// In dotted notation.
    pub netmask: Option<String>,
    pub hosts: Vec<NativeHost>,
}

impl From<NativeExpression> for Expression {
    fn from(from: NativeExpression) -> Self {
        let addresses = |host: NativeHost| -> (String, Vec<IpAddr>) {
            (host.name, host.addresses.iter().filter_map(|address| address.parse().ok()).collect())
        };
        Self {
            text: from.text,
            snaplen: from.snap_len,
            netmask: from.netmask.and_then(|mask| mask.parse::<Ipv4Addr>().ok()),
            known_hosts: from.hosts.into_iter().map(addresses).collect(),
        }
    }
}

fn place(name: &str, link_type: u32) -> Place {
    let link_type = LinkType(link_type);
    match name {
        "socket" => Place::Socket(link_type),
        "xdp" => Place::Xdp(link_type),
        _ => Place::Memory(link_type),
    }
}

/// The host names in an expression that have no addresses in `hosts`.
#[napi]
pub fn native_unknown_hosts(
    expression: NativeExpression,
    link_type: u32,
    #[napi(ts_arg_type = "'socket' | 'xdp' | 'memory'")] target: String,
) -> Result<Vec<String>> {
    Expression::from(expression).unknown_hosts(place(&target, link_type)).map_err(to_js)
}

#[napi]
pub struct NativeFilter {
    filter: CompiledFilter,
    matcher: Matcher,
}

#[napi]
impl NativeFilter {
    /// Compiles an expression for packets with this LINKTYPE_ number.
    #[napi(factory)]
    pub fn compile(
        expression: NativeExpression,
        link_type: u32,
        #[napi(ts_arg_type = "'socket' | 'xdp' | 'memory'")] target: String,
    ) -> Result<Self> {
        Self::of(expression, place(&target, link_type))
    }

    pub(crate) fn of(expression: NativeExpression, place: Place) -> Result<Self> {
        let filter = Expression::from(expression).compile(place).map_err(to_js)?;
        let matcher = Matcher::of(filter.program().clone());
        Ok(Self { filter, matcher })
    }

    #[napi]
    pub fn instructions(&self) -> Vec<NativeInstruction> {
        self.filter.program().instructions().iter().copied().map(Into::into).collect()
    }

    /// As `tcpdump -d` prints it.
    #[napi]
    pub fn listing(&self) -> String {
        self.filter.to_string()
    }

    /// Whether a packet matches. `original` is its length on the wire.
    #[napi]
    pub fn matches(&mut self, #[napi(ts_arg_type = "Uint8Array")] packet: JsArray<u8>, original: u32) -> bool {
        self.matcher.matches(packet.bytes(), original)
    }

    /// Writes the indices of the matching packets into `indices`, which has room for all, and returns their number. The columns
    /// give each packet's place in `bytes`.
    #[napi]
    pub fn select(
        &mut self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: JsArray<u8>,
        #[napi(ts_arg_type = "Uint32Array")] offset: JsArray<u32>,
        #[napi(ts_arg_type = "Uint32Array")] captured: JsArray<u32>,
        #[napi(ts_arg_type = "Uint32Array")] original: JsArray<u32>,
        #[napi(ts_arg_type = "Uint32Array")] mut indices: JsArray<u32>,
    ) -> Result<u32> {
        let (bytes, mut found) = (bytes.bytes(), 0);
        for index in 0..indices.len() {
            let place = (|| {
                let packet = bytes.slice(offset.get(index)? as usize, captured.get(index)? as usize)?;
                Some((packet, original.get(index)?))
            })();
            let (packet, original) = place.ok_or_else(outside)?;
            if self.matcher.matches(packet, original) {
                indices.set(found as usize, index as u32);
                found += 1;
            }
        }
        Ok(found)
    }
}
