//! Names of services, protocols, networks and hosts.
//!
//! Nothing here asks the network. [`BuiltIn`] knows the usual services and protocols; [`System`] reads the files in /etc that
//! libc reads; [`Resolved`] adds host names that the caller has looked up.

mod protocols;
mod services;

use std::collections::HashMap;
use std::net::IpAddr;

/// The transports that services are listed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP, protocol 6.
    Tcp,
    /// UDP, protocol 17.
    Udp,
}

/// Where the compiler asks what a name means. Each method answers from memory; none may block.
pub trait Resolver {
    /// The port of a service.
    fn service(&self, name: &str, transport: Transport) -> Option<u16>;
    /// The number of an IP protocol.
    fn protocol(&self, name: &str) -> Option<u16>;
    /// The number of a network, as networks(5) lists it.
    fn network(&self, name: &str) -> Option<u32> {
        let _ = name;
        None
    }
    /// The MAC address of a host, as ethers(5) lists it.
    fn ethernet(&self, name: &str) -> Option<[u8; 6]> {
        let _ = name;
        None
    }
    /// The addresses of a host; `None` when nobody has looked it up yet, an empty list when there is none.
    fn host(&self, name: &str) -> Option<Vec<IpAddr>> {
        let _ = name;
        None
    }
}

/// The services and protocols that every system has, from a table in this crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltIn;

impl Resolver for BuiltIn {
    fn service(&self, name: &str, transport: Transport) -> Option<u16> {
        let at = services::SERVICES.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
        let (_, tcp, udp) = services::SERVICES[at];
        let port = if transport == Transport::Tcp { tcp } else { udp };
        (port != 0).then_some(port)
    }

    fn protocol(&self, name: &str) -> Option<u16> {
        let at = protocols::PROTOCOLS.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
        Some(protocols::PROTOCOLS[at].1)
    }
}

/// What /etc/services, /etc/protocols, /etc/networks and /etc/ethers say, and [`BuiltIn`] where they say nothing.
#[derive(Clone, Debug, Default)]
pub struct System {
    services: HashMap<(String, Transport), u16>,
    protocols: HashMap<String, u16>,
    networks: HashMap<String, u32>,
    ethers: HashMap<String, [u8; 6]>,
}

impl System {
    /// Reads the files once; one that is missing or cannot be read counts as empty, as it does for libc.
    pub fn read() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&text("/etc/services"), &text("/etc/protocols"), &text("/etc/networks"), &text("/etc/ethers"))
    }

    /// The same from the files' contents.
    pub fn parse(services: &str, protocols: &str, networks: &str, ethers: &str) -> Self {
        let mut system = Self::default();
        for (name, value, aliases) in entries(services) {
            let Some((port, transport)) = value.split_once('/') else { continue };
            let transport = match transport {
                "tcp" => Transport::Tcp,
                "udp" => Transport::Udp,
                _ => continue,
            };
            let Ok(port) = port.parse() else { continue };
            for name in std::iter::once(name).chain(aliases) {
                system.services.entry((name.to_owned(), transport)).or_insert(port);
            }
        }
        for (name, value, aliases) in entries(protocols) {
            let Ok(number) = value.parse() else { continue };
            for name in std::iter::once(name).chain(aliases) {
                system.protocols.entry(name.to_owned()).or_insert(number);
            }
        }
        for (name, value, aliases) in entries(networks) {
            let Some(number) = network_number(value) else { continue };
            for name in std::iter::once(name).chain(aliases) {
                system.networks.entry(name.to_owned()).or_insert(number);
            }
        }
        for (mac, name, _) in entries(ethers) {
            let Some(mac) = parse_mac(mac) else { continue };
            system.ethers.entry(name.to_owned()).or_insert(mac);
        }
        system
    }
}

impl Resolver for System {
    fn service(&self, name: &str, transport: Transport) -> Option<u16> {
        self.services.get(&(name.to_owned(), transport)).copied().or_else(|| {
            // A name that the file lists for the other transport only is not listed for this one.
            let other = if transport == Transport::Tcp { Transport::Udp } else { Transport::Tcp };
            let listed = self.services.contains_key(&(name.to_owned(), other));
            if listed { None } else { BuiltIn.service(name, transport) }
        })
    }

    fn protocol(&self, name: &str) -> Option<u16> {
        self.protocols.get(name).copied().or_else(|| BuiltIn.protocol(name))
    }

    fn network(&self, name: &str) -> Option<u32> {
        self.networks.get(name).copied()
    }

    fn ethernet(&self, name: &str) -> Option<[u8; 6]> {
        self.ethers.get(name).copied()
    }
}

/// Another resolver, and hosts that were looked up.
#[derive(Clone, Debug, Default)]
pub struct Resolved<R> {
    /// Answers everything but hosts.
    pub inner: R,
    /// The addresses of each name; an empty list says that there is none.
    pub hosts: HashMap<String, Vec<IpAddr>>,
}

impl<R: Resolver> Resolver for Resolved<R> {
    fn service(&self, name: &str, transport: Transport) -> Option<u16> {
        self.inner.service(name, transport)
    }

    fn protocol(&self, name: &str) -> Option<u16> {
        self.inner.protocol(name)
    }

    fn network(&self, name: &str) -> Option<u32> {
        self.inner.network(name)
    }

    fn ethernet(&self, name: &str) -> Option<[u8; 6]> {
        self.inner.ethernet(name)
    }

    fn host(&self, name: &str) -> Option<Vec<IpAddr>> {
        self.hosts.get(name).cloned().or_else(|| self.inner.host(name))
    }
}

/// First word, second word and the rest of each line, without comments.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str, std::str::SplitWhitespace<'_>)> {
    text.lines().filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        Some((words.next()?, words.next()?, words))
    })
}

/// Up to four numbers with dots; those that are missing are zero (glibc's nss_files).
fn network_number(text: &str) -> Option<u32> {
    let mut bytes = [0u8; 4];
    let mut parts = text.split('.');
    for byte in &mut bytes {
        let Some(part) = parts.next() else { break };
        *byte = part.parse().ok()?;
    }
    parts.next().is_none().then_some(u32::from_be_bytes(bytes))
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(services::SERVICES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(protocols::PROTOCOLS.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(BuiltIn.service("domain", Transport::Udp), Some(53));
        assert_eq!(BuiltIn.protocol("tcp"), Some(6));
    }

    #[test]
    fn files_are_read_as_libc_reads_them() {
        let system = System::parse("web 8080/tcp www2 # one\n", "mine 200 MINE\n", "here 10.20\n", "0:1:2:3:4:a box\n");
        assert_eq!(system.service("www2", Transport::Tcp), Some(8080));
        assert_eq!(system.service("www2", Transport::Udp), None);
        assert_eq!(system.protocol("MINE"), Some(200));
        assert_eq!(system.network("here"), Some(0x0a14_0000));
        assert_eq!(system.ethernet("box"), Some([0, 1, 2, 3, 4, 10]));
    }
}
