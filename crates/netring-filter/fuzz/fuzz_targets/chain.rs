//! Two bytes for the options, an expression up to a zero byte, and a packet. What compiles keeps the rules, says the same optimized and not, and
//! can be translated wherever its own check says so.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netring_filter::{Ancillary, BuiltIn, FilterErrorKind, LinkType, Options, Program, Rules, Target, Vlan, XdpError, compile};

const LINK_TYPES: [u32; 8] = [1, 101, 228, 229, 0, 108, 113, 276];

fuzz_target!(|input: &[u8]| {
    let [kind, flags, rest @ ..] = input else { return };
    let (expression, packet) = match rest.iter().position(|&byte| byte == 0) {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, &[][..]),
    };
    let Ok(expression) = std::str::from_utf8(expression) else { return };
    let mut options = Options::default();
    options.link_type = LinkType::from_number(LINK_TYPES[usize::from(kind % 8)]).unwrap_or_default();
    options.netmask = Some([255, 255, 255, 0].into());
    if flags & 1 != 0 {
        options.vlan = Vlan::Metadata;
    }
    let mut ancillary = Ancillary::default();
    ancillary.packet_type = flags >> 5;
    ancillary.ifindex = 3;
    ancillary.vlan_tag = (flags & 2 != 0).then_some(5);
    let length = packet.len() as u32 + u32::from(flags & 4);

    let mut plain = options.clone();
    plain.optimize = false;
    let (short, long) = (compile(expression, &options, &BuiltIn), compile(expression, &plain, &BuiltIn));
    let short = match (short, &long) {
        (Ok(short), Ok(_)) => short,
        (Err(error), _) => {
            assert!(error.span.start <= error.span.end && error.span.end <= expression.len(), "{error}");
            if let (FilterErrorKind::RejectsAll, Ok(long)) = (error.kind, &long) {
                assert_eq!(long.run(packet, length, Some(&ancillary)), 0);
            }
            return;
        }
        // What is left out can make it simple enough.
        (Ok(_), Err(_)) => return,
    };
    let Ok(long) = long else { return };
    assert_eq!(short.run(packet, length, Some(&ancillary)), long.run(packet, length, Some(&ancillary)), "{short}{long}");
    let instructions = short.program().instructions().to_vec();
    if short.check(Target::Socket).is_ok() {
        assert!(Program::new(instructions, Rules::Kernel).is_ok());
    }
    match (short.check(Target::Xdp), short.to_xdp(&[])) {
        (Ok(()), Err(error)) => assert_eq!(error, XdpError::TooLong),
        (Err(_), _) | (Ok(()), Ok(_)) => {}
    }
});
