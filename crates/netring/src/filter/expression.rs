//! Expressions in tcpdump's filter language, and the places that they are compiled for.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use netring_filter::{FilterErrorKind, LinkType as KnownLinkType, Options, Resolver, System, Target, Transport, Vlan};

use super::{CompiledFilter, WHOLE_PACKET};
use crate::error::{Error, ErrorKind, Result};
use crate::link_type::LinkType;

/// An expression and its names. Its program depends on the [`Place`] where it runs: on the link type, and on where the outermost
/// VLAN tag is.
///
/// ```
/// use netring::LinkType;
/// use netring::filter::{Expression, Matcher, Place};
///
/// # fn main() -> netring::Result<()> {
/// let filter = Expression::new("ip proto 17").compile(Place::Memory(LinkType::RAW))?;
/// let mut packet = [0u8; 28];
/// (packet[0], packet[9]) = (0x45, 17);
/// assert!(Matcher::of(filter.program().clone()).matches(packet[..].into(), 28));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The expression, as pcap-filter(7) has it.
    pub text: String,
    /// Bytes that the program keeps of a matching packet.
    pub snaplen: u32,
    /// The network's mask, which `ip broadcast` needs.
    pub netmask: Option<Ipv4Addr>,
    /// The addresses of the host names in the expression. The compiler asks no name server: a name that is missing here is an
    /// error.
    pub known_hosts: HashMap<String, Vec<IpAddr>>,
}

/// Where a program runs, and the link type of the packets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A packet socket: the outermost VLAN tag is in the packet's metadata, and the program can read direction and interface.
    Socket(LinkType),
    /// XDP: the program reads the packet's bytes only.
    Xdp(LinkType),
    /// This process, on bytes in memory.
    Memory(LinkType),
}

impl Place {
    /// The link type.
    pub fn link_type(self) -> LinkType {
        match self {
            Self::Socket(link) | Self::Xdp(link) | Self::Memory(link) => link,
        }
    }
}

impl Expression {
    /// An expression without host names.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), snaplen: WHOLE_PACKET, netmask: None, known_hosts: HashMap::new() }
    }

    /// Compiles the expression. Names of services and protocols come from /etc and from a built-in table.
    pub fn compile(&self, place: Place) -> Result<CompiledFilter> {
        self.try_compile(place).map_err(|failure| match failure {
            Failure::Link(error) => error,
            Failure::Filter(error) => Error::new(ErrorKind::Filter, self.describe(&error)),
        })
    }

    /// The host names in the expression whose addresses [`known_hosts`](Self::known_hosts) lacks.
    pub fn unknown_hosts(&self, place: Place) -> Result<Vec<String>> {
        match self.try_compile(place) {
            Err(Failure::Filter(error)) => match error.kind {
                FilterErrorKind::UnresolvedHosts(names) => Ok(names),
                _ => Err(Error::new(ErrorKind::Filter, self.describe(&error))),
            },
            Err(Failure::Link(error)) => Err(error),
            Ok(_) => Ok(Vec::new()),
        }
    }

    fn try_compile(&self, place: Place) -> std::result::Result<CompiledFilter, Failure> {
        let link_type = KnownLinkType::from_number(place.link_type().0).ok_or_else(|| {
            let message = format!(
                "filter expressions know no packets of link type {}: only ethernet, raw, ipv4, ipv6, null, loop, linuxSll and \
                 linuxSll2",
                place.link_type()
            );
            Failure::Link(Error::new(ErrorKind::Filter, message))
        })?;
        let mut options = Options::default();
        options.link_type = link_type;
        options.snap_len = self.snaplen;
        options.netmask = self.netmask;
        (options.target, options.vlan) = match place {
            Place::Socket(_) => (Target::Socket, Vlan::Metadata),
            Place::Xdp(_) => (Target::Xdp, Vlan::Bytes),
            Place::Memory(_) => (Target::Memory, Vlan::Bytes),
        };
        let names = Names { hosts: &self.known_hosts, system: OnceCell::new() };
        netring_filter::compile(&self.text, &options, &names).map_err(Failure::Filter)
    }

    /// The message with the place in the expression. Characters count from 1.
    fn describe(&self, error: &netring_filter::FilterError) -> String {
        let before = |at: usize| self.text.get(..at).map_or(at, |text| text.chars().count());
        let (start, end) = (before(error.span.start), before(error.span.end));
        let place = match end.saturating_sub(start) {
            _ if self.text.is_empty() => String::new(),
            0 | 1 => format!(" (character {})", start + 1),
            _ => format!(" (characters {} to {end})", start + 1),
        };
        let advice = match error.kind {
            FilterErrorKind::UnresolvedHosts(_) => {
                "; no name server is asked at this point: their addresses come from `known_hosts`"
            }
            _ => "",
        };
        format!("filter {}: {}{place}{advice}", excerpt(&self.text), error.message)
    }
}

enum Failure {
    Link(Error),
    Filter(netring_filter::FilterError),
}

/// The expression in quotes; of a long one, the beginning.
fn excerpt(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The names of this system. The first name that the compiler asks for reads the files in /etc.
struct Names<'a> {
    hosts: &'a HashMap<String, Vec<IpAddr>>,
    system: OnceCell<System>,
}

impl Names<'_> {
    fn system(&self) -> &System {
        self.system.get_or_init(System::read)
    }
}

impl Resolver for Names<'_> {
    fn service(&self, name: &str, transport: Transport) -> Option<u16> {
        self.system().service(name, transport)
    }

    fn protocol(&self, name: &str) -> Option<u16> {
        self.system().protocol(name)
    }

    fn network(&self, name: &str) -> Option<u32> {
        self.system().network(name)
    }

    fn ethernet(&self, name: &str) -> Option<[u8; 6]> {
        self.system().ethernet(name)
    }

    fn host(&self, name: &str) -> Option<Vec<IpAddr>> {
        self.hosts.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str, place: Place) -> String {
        let error = Expression::new(text).compile(place).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Filter);
        error.message
    }

    #[test]
    fn the_place_decides_what_an_expression_means() {
        let lengths: Vec<_> =
            [Place::Socket(LinkType::ETHERNET), Place::Xdp(LinkType::ETHERNET), Place::Memory(LinkType::RAW)]
                .into_iter()
                .map(|place| Expression::new("vlan or ip").compile(place).map(|filter| filter.to_string()))
                .collect();
        let (socket, xdp) = (lengths[0].as_ref().unwrap(), lengths[1].as_ref().unwrap());
        assert_ne!(socket, xdp, "the tag is in metadata on a socket");
        assert!(lengths[2].is_err(), "raw IP has no tags");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let ethernet = Place::Memory(LinkType::ETHERNET);
        let message = error("tcp port 80 and port nonsuch", ethernet);
        assert!(message.starts_with("filter \"tcp port 80 and port nonsuch\": "), "{message}");
        assert!(message.contains("(characters 17 to 28)"), "{message}");
        assert!(error("host a.example or host b.example", ethernet).contains("`known_hosts`"));
        let long = "ip or ".repeat(100);
        assert!(error(&long, ethernet).contains('…'));
        assert!(error("ip", Place::Memory(LinkType(147))).contains("link type 147"));
    }

    #[test]
    fn what_cannot_run_somewhere_is_refused_with_the_reason() {
        let (socket, xdp) = (Place::Socket(LinkType::ETHERNET), Place::Xdp(LinkType::ETHERNET));
        assert!(error("ip protochain 6", socket).contains("loop"));
        for text in ["inbound", "ifindex 3", "ip6 protochain 6"] {
            error(text, xdp);
        }
        assert!(Expression::new("inbound").compile(socket).is_ok());
        assert!(Expression::new("ip protochain 6").compile(Place::Memory(LinkType::ETHERNET)).is_ok());
    }

    #[test]
    fn hosts_are_those_that_were_looked_up() {
        let place = Place::Memory(LinkType::ETHERNET);
        let mut expression = Expression::new("host a.example or b.example");
        assert_eq!(expression.unknown_hosts(place).unwrap(), ["a.example", "b.example"]);
        expression.known_hosts.insert("a.example".into(), vec!["192.0.2.1".parse().unwrap()]);
        expression.known_hosts.insert("b.example".into(), vec!["2001:db8::1".parse().unwrap()]);
        assert!(expression.unknown_hosts(place).unwrap().is_empty());
        assert!(expression.compile(place).is_ok());
    }
}
