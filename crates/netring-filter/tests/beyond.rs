//! What Debian's libpcap cannot be asked: vxlan and gateway, host names, and where ours is meant to differ from it.

mod common;

use std::net::IpAddr;

use common::frames;
use netring_filter::{BuiltIn, Filter, FilterErrorKind, Options, Resolved, Resolver, Transport, compile};

fn filter(expression: &str) -> Filter {
    compile(expression, &Options::default(), &BuiltIn).unwrap()
}

fn count(expression: &str) -> usize {
    let filter = filter(expression);
    let whole = |frame: &&common::Frame| frame.bytes.len() == frame.length as usize;
    frames::ethernet().iter().filter(whole).filter(|frame| filter.matches(&frame.bytes, frame.length)).count()
}

/// A frame in VXLAN: inside it is what `inner` says.
fn vxlan(flags: u8, inner: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0x30, 0x39, 0x12, 0xb5, 0, 0, 0, 0]);
    frame.extend([flags, 0, 0, 0, 0, 0, 5, 0]);
    frame.extend(inner);
    frame
}

fn inner_tcp(port: u16) -> Vec<u8> {
    let mut frame = vec![2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x08, 0x00];
    frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 168, 1, 1, 192, 168, 1, 2]);
    frame.extend([0x10, 0x00]);
    frame.extend(port.to_be_bytes());
    frame.extend([0; 16]);
    frame
}

#[test]
fn vxlan_moves_into_the_tunnel() {
    let frame = vxlan(8, &inner_tcp(80));
    let says = |expression: &str| filter(expression).matches(&frame, frame.len() as u32);
    for expression in [
        "vxlan",
        "vxlan 5",
        "vxlan (5) and ip",
        "vxlan and tcp port 80",
        "vxlan and host 192.168.1.2",
        "vxlan and ether src 04:04:04:04:04:04",
        "vxlan and ether[12:2] = 0x800",
        "vxlan 5 and ip[9] = 6 and tcp[2:2] = 80",
        "udp and vxlan and tcp",
    ] {
        assert!(says(expression), "{expression}");
    }
    for expression in
        ["vxlan 6", "vxlan and udp", "vxlan and host 10.0.0.1", "vxlan and port 81", "vxlan and vlan", "not vxlan"]
    {
        assert!(!says(expression), "{expression}");
    }
    let other_flags = vxlan(0, &inner_tcp(80));
    assert!(!filter("vxlan").matches(&other_flags, other_flags.len() as u32));
}

#[test]
fn byte_operators_load_the_byte() {
    let mut frame = [0u8; 20];
    frame[5] = 4;
    assert!(filter("byte 5 & 4").matches(&frame, 20));
    assert!(!filter("byte 5 & 3").matches(&frame, 20));
    assert!(filter("byte 5 | 0").matches(&frame, 20));
    assert!(!filter("byte 6 | 0").matches(&frame, 20));
    assert!(!filter("byte 20 | 1").matches(&frame, 20));
}

/// The optimizer of libpcap makes this true of every frame.
#[test]
fn a_mask_of_all_bits_masks_nothing() {
    let filter = filter("link[0:1] & 0xffffffff != 0");
    assert!(!filter.matches(&[0; 20], 20));
    assert!(filter.matches(&[1; 20], 20));
}

struct Ethers;

impl Resolver for Ethers {
    fn service(&self, _: &str, _: Transport) -> Option<u16> {
        None
    }

    fn protocol(&self, _: &str) -> Option<u16> {
        None
    }

    fn ethernet(&self, name: &str) -> Option<[u8; 6]> {
        (name == "router").then_some([0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff])
    }

    fn host(&self, name: &str) -> Option<Vec<IpAddr>> {
        let none = name == "nowhere";
        Some(if none { Vec::new() } else { vec!["10.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()] })
    }
}

#[test]
fn names_of_hosts_are_all_their_addresses() {
    let by_name = |expression: &str| compile(expression, &Options::default(), &Ethers).unwrap();
    let pairs = [
        ("host router", "host 10.0.0.1 or host fe80::1"),
        ("ip host router", "ip host 10.0.0.1"),
        ("ip6 src router", "ip6 src host fe80::1"),
        ("ether host router", "ether host aa:bb:cc:dd:ee:ff"),
        ("gateway router", "ether host aa:bb:cc:dd:ee:ff and not host 10.0.0.1"),
        ("ip gateway router", "ether host aa:bb:cc:dd:ee:ff and not ip host 10.0.0.1"),
    ];
    for (named, plain) in pairs {
        assert_eq!(by_name(named).program(), filter(plain).program(), "{named}");
    }
    for expression in ["host nowhere", "ether host other", "gateway other", "port web", "net home"] {
        let error = compile(expression, &Options::default(), &Ethers).unwrap_err();
        assert!(matches!(error.kind, FilterErrorKind::UnknownName(_)), "{expression}: {error}");
    }
}

#[test]
fn hosts_are_looked_up_by_the_caller() {
    let mut resolver = Resolved { inner: BuiltIn, ..Resolved::default() };
    let error = compile("host a.example and not b.example", &Options::default(), &resolver).unwrap_err();
    assert_eq!(error.span, 0..14);
    let FilterErrorKind::UnresolvedHosts(names) = error.kind else { panic!("{error}") };
    assert_eq!(names, ["a.example", "b.example"]);
    resolver.hosts.insert("a.example".into(), vec!["10.0.0.1".parse().unwrap()]);
    resolver.hosts.insert("b.example".into(), vec!["192.168.1.20".parse().unwrap()]);
    let named = compile("host a.example and not b.example", &Options::default(), &resolver).unwrap();
    assert_eq!(named.program(), filter("host 10.0.0.1 and not 192.168.1.20").program());
}

/// The tables in this crate must make expressions match at all.
#[test]
fn the_made_frames_hold_what_the_tests_look_for() {
    for expression in
        ["vlan and vlan", "mpls 100000", "pppoes 39", "geneve 5", "vxlan 5", "isis", "llc xid", "decnet host 1.2"]
    {
        assert!(count(expression) > 0, "{expression}");
    }
}
