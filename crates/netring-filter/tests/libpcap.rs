//! Our verdicts against those of libpcap, on every link type: the same expressions are accepted, and the same frames.

mod common;

use common::{Answer, Frame, ask, expressions, frames};
use netring_filter::{FilterErrorKind, LinkType, LoopbackFamily, Options, System, compile};

/// libpcap's Debian version refuses these, later ones do not, or it is wrong; docs/filters.md has the list.
fn ours_alone(expression: &str) -> bool {
    expression.contains("vxlan") || expression.contains("gateway")
}

fn options(link_type: LinkType) -> Options {
    let mut options = Options::default();
    options.link_type = link_type;
    options.netmask = Some([255, 255, 255, 0].into());
    options.loopback = LoopbackFamily::Host;
    options
}

fn compare(link_type: LinkType, expressions: &[String], frames: &[Frame]) {
    let options = options(link_type);
    let resolver = System::read();
    let mut wrong = Vec::new();
    let (mut accepted, mut shorter, mut counted) = (0, 0, 0);
    for (expression, answer) in expressions.iter().zip(ask(link_type.number(), expressions, frames)) {
        if ours_alone(expression) {
            continue;
        }
        match (compile(expression, &options, &resolver), answer) {
            (Err(_), Answer::Refused(_)) => {}
            (Err(error), Answer::Program { verdicts, .. }) => {
                // Unoptimised, libpcap has no opinion on these; no frame may match then.
                if error.kind != FilterErrorKind::RejectsAll || verdicts.iter().any(|&verdict| verdict) {
                    wrong.push(format!("{expression}: we refuse: {error}"));
                }
            }
            (Ok(_), Answer::Refused(message)) => wrong.push(format!("{expression}: libpcap refuses: {message}")),
            (Ok(filter), Answer::Program { verdicts, optimised, .. }) => {
                accepted += 1;
                let bad = verdicts
                    .iter()
                    .zip(frames)
                    .position(|(&verdict, frame)| filter.matches(&frame.bytes, frame.length) != verdict);
                if let Some(at) = bad {
                    wrong.push(format!("{expression}: frame {at} {:02x?}: libpcap says {}", frames[at], verdicts[at]));
                }
                if optimised > 0 {
                    counted += 1;
                    let ours = filter.program().instructions().len();
                    if ours <= optimised {
                        shorter += 1;
                    } else if std::env::var_os("NETRING_FILTER_COUNTS").is_some() {
                        eprintln!("{ours} instructions, libpcap {optimised}: {expression}");
                    }
                }
            }
        }
    }
    eprintln!(
        "{link_type:?}: {accepted} expressions, {} frames; not longer than libpcap's: {shorter} of {counted}",
        frames.len()
    );
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), expressions.len(), wrong.join("\n"));
    assert!(shorter * 100 >= counted * 80, "only {shorter} of {counted} programs are not longer than libpcap's");
}

#[test]
fn ethernet() {
    let expressions = expressions::all();
    assert!(expressions.len() >= 1000);
    compare(LinkType::Ethernet, &expressions, &frames::ethernet());
}

#[test]
fn raw() {
    compare(LinkType::Raw, &expressions::all(), &frames::raw());
}

#[test]
fn ipv4_and_ipv6() {
    compare(LinkType::Ipv4, &expressions::all(), &frames::raw());
    compare(LinkType::Ipv6, &expressions::all(), &frames::raw());
}

#[test]
fn loopback() {
    compare(LinkType::Null, &expressions::all(), &frames::loopback());
    compare(LinkType::Loop, &expressions::all(), &frames::loopback());
}

#[test]
fn cooked() {
    compare(LinkType::LinuxSll, &expressions::all(), &frames::sll());
    compare(LinkType::LinuxSll2, &expressions::all(), &frames::sll2());
}

/// Little-endian pcap files of Ethernet in a directory, for wider runs than the frames made here.
#[test]
fn captures() {
    let Some(directory) = std::env::var_os("NETRING_FILTER_CAPTURES") else {
        eprintln!("skipped: NETRING_FILTER_CAPTURES names no directory of captures");
        return;
    };
    let mut by_type: std::collections::BTreeMap<u32, Vec<Frame>> = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let Ok(data) = std::fs::read(entry.unwrap().path()) else { continue };
        read_capture(&data, &mut by_type);
    }
    for (number, frames) in by_type {
        if let Some(link_type) = LinkType::from_number(number) {
            compare(link_type, &expressions::all(), &frames);
        }
    }
}

fn read_capture(data: &[u8], by_type: &mut std::collections::BTreeMap<u32, Vec<Frame>>) {
    let word = |at: usize| data.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
    if word(0) != Some(0xa1b2_c3d4) {
        return;
    }
    let Some(kind) = word(20) else { return };
    let mut at = 24;
    while let (Some(captured), Some(length)) = (word(at + 8), word(at + 12)) {
        let Some(bytes) = data.get(at + 16..at + 16 + captured as usize) else { return };
        by_type.entry(kind & 0xffff).or_default().push(Frame { bytes: bytes.to_vec(), length });
        at += 16 + captured as usize;
    }
}
