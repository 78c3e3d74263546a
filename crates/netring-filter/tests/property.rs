//! Random expressions over random frames: our optimised program against libpcap's unoptimised one.

mod common;

use common::{Answer, Frame, ask, frames};
use netring_filter::{FilterErrorKind, Options, System, compile};
use proptest::collection::vec;
use proptest::prelude::*;

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("10.0.0.1".into()),
        Just("192.168.1.20".into()),
        (0u8..4, 0u8..4).prop_map(|(a, b)| format!("10.{a}.0.{b}")),
        Just("fe80::1".into()),
        Just("2001:db8:1:2:3:4:5:6".into()),
    ]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0u32..70, 1 => prop_oneof![Just(0x0800), Just(1500), Just(0xffff_ffff), Just(0x8000_0000), any::<u32>()]]
}

fn protocol() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "sctp", "ether", "igmp", "link"])
}

/// Sums without parentheses too, so that the binding of operators is tried.
fn arithmetic() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => (protocol(), 0u32..60, prop::sample::select(vec![1, 2, 4])).prop_map(|(p, at, size)| format!("{p}[{at}:{size}]")),
        2 => number().prop_map(|number| number.to_string()),
        1 => Just("len".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"]);
        prop_oneof![
            4 => (inner.clone(), operator.clone(), inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            2 => (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => inner.clone().prop_map(|a| format!("- {a}")),
            1 => (protocol(), inner).prop_map(|(p, a)| format!("{p}[{a}]")),
        ]
    })
}

fn primitive() -> impl Strategy<Value = String> {
    let dir = || prop::sample::select(vec!["", "src ", "dst ", "src or dst ", "src and dst "]);
    let word = prop::sample::select(vec![
        "ip",
        "ip6",
        "arp",
        "rarp",
        "tcp",
        "udp",
        "sctp",
        "icmp",
        "icmp6",
        "igmp",
        "pim",
        "vrrp",
        "ah",
        "esp",
        "iso",
        "isis",
        "clnp",
        "stp",
        "ipx",
        "netbeui",
        "atalk",
        "aarp",
        "l1",
        "iih",
        "snp",
        "llc",
        "llc u",
        "llc rr",
        "multicast",
        "broadcast",
        "ip multicast",
        "ip broadcast",
        "ip6 multicast",
        "vlan",
        "mpls",
        "pppoes",
        "pppoed",
        "ip protochain 6",
        "ip6 protochain 17",
        "protochain 6",
    ]);
    prop_oneof![
        4 => word.prop_map(str::to_owned),
        2 => (dir(), address()).prop_map(|(dir, address)| format!("{dir}host {address}")),
        1 => (dir(), 0u32..33).prop_map(|(dir, bits)| {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            format!("{dir}net {}/{bits}", std::net::Ipv4Addr::from(0x0a14_1e28 & mask))
        }),
        1 => (dir(), 0u32..129).prop_map(|(dir, bits)| {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            let address = u128::from("2001:db8:1:2:3:4:5:6".parse::<std::net::Ipv6Addr>().unwrap()) & mask;
            format!("{dir}net {}/{bits}", std::net::Ipv6Addr::from(address))
        }),
        2 => (prop::sample::select(vec!["", "tcp ", "udp ", "sctp "]), dir(), prop::sample::select(vec![80, 53, 443, 22, 5060]))
            .prop_map(|(proto, dir, port)| format!("{proto}{dir}port {port}")),
        1 => (dir(), 0u32..1000, 0u32..1000).prop_map(|(dir, a, b)| format!("{dir}portrange {a}-{b}")),
        1 => (prop::sample::select(vec!["", "ip ", "ip6 ", "ether "]), number()).prop_map(|(p, n)| format!("{p}proto {n}")),
        1 => (prop::sample::select(vec!["less", "greater"]), 0u32..200).prop_map(|(word, n)| format!("{word} {n}")),
        1 => (0u32..80, prop::sample::select(vec!["=", "<", ">"]), 0u32..256).prop_map(|(at, op, n)| format!("byte {at} {op} {n}")),
        1 => prop::sample::select(vec!["vlan 5", "vlan 100", "mpls 1024", "pppoes 39"]).prop_map(str::to_owned),
        4 => (arithmetic(), prop::sample::select(vec![">", "<", ">=", "<=", "=", "==", "!="]), arithmetic())
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    primitive().prop_recursive(5, 24, 3, |inner| {
        let join = || prop::sample::select(vec!["and", "or", "&&", "||"]);
        prop_oneof![
            3 => (inner.clone(), join(), inner.clone()).prop_map(|(a, join, b)| format!("{a} {join} {b}")),
            2 => (inner.clone(), join(), inner.clone()).prop_map(|(a, join, b)| format!("({a} {join} {b})")),
            1 => inner.clone().prop_map(|a| format!("not {a}")),
            1 => inner.clone().prop_map(|a| format!("not ({a})")),
            1 => (address(), address(), join()).prop_map(|(a, b, join)| format!("host {a} {join} {b}")),
            1 => (address(), address(), join()).prop_map(|(a, b, join)| format!("host ({a} {join} not {b})")),
        ]
    })
}

/// One of the made frames, cut or with other bytes.
fn frame() -> impl Strategy<Value = Frame> {
    let made = frames::ethernet();
    let count = made.len();
    (
        0..count,
        vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        prop::option::weighted(0.3, any::<prop::sample::Index>()),
    )
        .prop_map(move |(at, changes, cut)| {
            let mut frame = made[at].clone();
            for (place, byte) in changes {
                if !frame.bytes.is_empty() {
                    let place = place.index(frame.bytes.len());
                    frame.bytes[place] = byte;
                }
            }
            if let Some(cut) = cut {
                let length = cut.index(frame.bytes.len() + 1);
                frame.bytes.truncate(length);
            }
            frame
        })
}

/// What libpcap refuses for want of registers, or as it takes the first number of a sum for the whole.
fn of_libpcap_only(message: &str) -> bool {
    ["registers", "division by zero", "modulus by zero", "shift by more"].iter().any(|part| message.contains(part))
}

fn check(expressions: &[String], frames: &[Frame]) -> Result<(), String> {
    let mut options = Options::default();
    options.netmask = Some([255, 255, 255, 0].into());
    let resolver = System::read();
    for (expression, answer) in expressions.iter().zip(ask(1, expressions, frames)) {
        match (compile(expression, &options, &resolver), answer) {
            (Err(_), Answer::Refused(_)) => {}
            (Ok(_), Answer::Refused(message)) if of_libpcap_only(&message) => {}
            (Ok(_), Answer::Refused(message)) => return Err(format!("{expression}: libpcap refuses: {message}")),
            (Err(error), Answer::Program { verdicts, .. }) => {
                if error.kind != FilterErrorKind::RejectsAll || verdicts.contains(&true) {
                    return Err(format!("{expression}: we refuse: {error}"));
                }
            }
            (Ok(filter), Answer::Program { verdicts, .. }) => {
                for (frame, verdict) in frames.iter().zip(verdicts) {
                    if filter.matches(&frame.bytes, frame.length) != verdict {
                        return Err(format!("{expression}: {frame:02x?}: libpcap says {verdict}\n{filter}"));
                    }
                }
            }
        }
    }
    Ok(())
}

/// How many times 50 expressions; NETRING_FILTER_CASES makes it more.
fn cases() -> u32 {
    std::env::var("NETRING_FILTER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_expressions_agree(expressions in vec(expression(), 50), frames in vec(frame(), 60)) {
        if let Err(message) = check(&expressions, &frames) {
            return Err(TestCaseError::fail(message));
        }
    }
}
