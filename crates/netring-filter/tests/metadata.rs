//! VLAN tags in metadata: libpcap's program of a live handle against ours, both in the interpreter with the same metadata.
//!
//! Needs a network namespace for the handle (root, or user namespaces); without one it is skipped by name.

mod common;

use common::{Frame, expressions, frames, oracle, scratch};
use netring_filter::{
    Ancillary, FilterErrorKind, Instruction, Options, Program, Rules, System, Target, Vlan, compile, run,
};

/// A frame as a live socket has it: bytes without the outer tag, which is beside them.
fn strip(frame: &Frame) -> Option<(Frame, Ancillary)> {
    let kind = frame.bytes.get(12..14)?;
    let mut ancillary = Ancillary::default();
    ancillary.ifindex = 3;
    if !matches!(kind, [0x81, 0x00] | [0x88, 0xa8]) || frame.bytes.len() < 18 {
        return None;
    }
    ancillary.vlan_tpid = u16::from_be_bytes([kind[0], kind[1]]);
    ancillary.vlan_tag = Some(u16::from_be_bytes([frame.bytes[14], frame.bytes[15]]));
    let bytes = [&frame.bytes[..12], &frame.bytes[16..]].concat();
    Some((Frame { length: frame.length - 4, bytes }, ancillary))
}

/// Each frame as it is, and if it has a tag also with that in metadata; incoming and outgoing.
fn live_frames() -> Vec<(Frame, Ancillary)> {
    let mut out = Vec::new();
    for (at, frame) in frames::ethernet().into_iter().enumerate() {
        let mut plain = Ancillary::default();
        plain.packet_type = if at % 3 == 0 { 4 } else { 0 };
        plain.ifindex = 3 + at as u32 % 2;
        out.extend(strip(&frame));
        out.push((frame, plain));
    }
    out
}

#[test]
fn live_programs_agree() {
    let mut all = expressions::all();
    all.extend(
        ["inbound", "outbound", "ifindex 3", "inbound and vlan 5", "not outbound and tcp", "vlan and inbound"]
            .map(String::from),
    );
    let list = scratch("live", all.join("\n").as_bytes());
    let output = std::process::Command::new(oracle()).args(["live", list.to_str().unwrap()]).output().unwrap();
    if output.status.code() == Some(3) {
        eprintln!("skipped: a live handle needs a network namespace: {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let frames = live_frames();
    let mut options = Options::default();
    options.vlan = Vlan::Metadata;
    options.netmask = Some([255, 255, 255, 0].into());
    let resolver = System::read();
    let (mut accepted, mut shorter, mut wrong) = (0, 0, Vec::new());
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.lines().count(), all.len());
    for (expression, answer) in all.iter().zip(answers.lines()) {
        if registers_collide(expression) {
            continue;
        }
        let ours = compile(expression, &options, &resolver);
        let Some((optimised, theirs)) = program(answer) else {
            if ours.is_ok() {
                wrong.push(format!("{expression}: libpcap refuses: {answer}"));
            }
            continue;
        };
        let says =
            |(frame, ancillary): &(Frame, Ancillary)| run(&theirs, &frame.bytes, frame.length, Some(ancillary)) != 0;
        let filter = match ours {
            Ok(filter) => filter,
            Err(error) if error.kind == FilterErrorKind::RejectsAll && !frames.iter().any(says) => continue,
            Err(error) => {
                wrong.push(format!("{expression}: {error}"));
                continue;
            }
        };
        accepted += 1;
        let length = filter.program().instructions().len();
        if length <= optimised {
            shorter += 1;
        } else if std::env::var_os("NETRING_FILTER_COUNTS").is_some() && optimised > 0 {
            eprintln!("{length} instructions, libpcap {optimised}: {expression}");
        }
        let bad = frames
            .iter()
            .find(|frame| (filter.run(&frame.0.bytes, frame.0.length, Some(&frame.1)) != 0) != says(frame));
        if let Some(frame) = bad {
            wrong.push(format!("{expression}: {frame:02x?}: libpcap says {}\n{filter}", says(frame)));
        }
        if filter.check(Target::Xdp).is_ok() {
            wrong.push(format!("{expression}: XDP has no metadata"));
        }
    }
    eprintln!("{accepted} expressions, {} frames, not longer than libpcap's: {shorter}", frames.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// libpcap zeroes the words for the tag's offset at the beginning of the program, but lets sums before `vlan` use the same words after it;
/// then what follows is looked for at an offset that is left over.
fn registers_collide(expression: &str) -> bool {
    expression.find("vlan").is_some_and(|at| expression[..at].contains('['))
}

/// The optimised length and the unoptimised program.
fn program(answer: &str) -> Option<(usize, Program)> {
    if answer.starts_with('!') {
        return None;
    }
    let numbers: Vec<u32> = answer.split(' ').map(|number| number.parse().unwrap()).collect();
    let instructions = numbers[2..]
        .chunks(4)
        .map(|part| Instruction { code: part[0] as u16, jt: part[1] as u8, jf: part[2] as u8, k: part[3] })
        .collect();
    Some((numbers[0] as usize, Program::new(instructions, Rules::Interpreter).unwrap()))
}

/// `vlan 5 and udp port 53` is true of the same frame wherever its tag is.
#[test]
fn a_tag_is_found_in_both_places() {
    let resolver = System::read();
    let mut live = Options::default();
    live.vlan = Vlan::Metadata;
    for expression in
        ["vlan", "vlan 5", "vlan 5 and udp port 53", "vlan and vlan 200 and ip", "vlan 100 and vlan 5 and ip6"]
    {
        let (live, file) = (
            compile(expression, &live, &resolver).unwrap(),
            compile(expression, &Options::default(), &resolver).unwrap(),
        );
        for frame in frames::ethernet() {
            // A cut frame can lose what only one of the programs looks at.
            if frame.bytes.len() != frame.length as usize {
                continue;
            }
            let Some((stripped, ancillary)) = strip(&frame) else { continue };
            let here = file.matches(&frame.bytes, frame.length);
            assert_eq!(
                live.run(&stripped.bytes, stripped.length, Some(&ancillary)) != 0,
                here,
                "{expression} {frame:02x?}"
            );
            assert_eq!(
                live.run(&frame.bytes, frame.length, Some(&Ancillary::default())) != 0,
                here,
                "{expression} {frame:02x?}"
            );
        }
    }
}
