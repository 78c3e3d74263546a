//! The parser on every kind of frame, on what is cut or wrong, and on anything at all.

mod frames;
#[expect(unreachable_pub, reason = "a module of the fuzz crate")]
#[path = "../../fuzz/src/parse.rs"]
mod fuzz;

mod faults;
mod random;
mod seeds;

use netring::parse::{Layers, ParseError, Place};

use crate::frames::{PAYLOAD, sound};

fn parse(frame: &[u8]) -> Layers<'_> {
    let captured = frame.len() as u32;
    Layers::of(frame, Place { offset: 0, captured, original: captured })
}

fn payload<'a>(frame: &'a [u8], layers: &Layers<'_>) -> &'a [u8] {
    &frame[layers.payload_offset as usize..][..layers.payload_length as usize]
}

#[test]
fn sound_frames_have_no_error_and_the_payload_they_carry() {
    for (name, frame) in sound() {
        let layers = parse(&frame);
        assert_eq!(layers.error, None, "{name}");
        fuzz::check(&frame, 0);
        let own = match name {
            "arp" | "tcp6" | "timestamp" | "padded" | "nine tags" | "first fragment" => continue,
            "sctp" => &[0; 12][..],
            "gre" => &[0, 0, 8, 0],
            "igmp" => &[0x16, 0, 0, 0, 224, 0, 0, 9],
            "no next header" => &[],
            "llc" => &[0x42, 0x42, 3],
            "mpls" => &[0, 1, 1, 64, 0x45],
            _ => PAYLOAD,
        };
        assert_eq!(payload(&frame, &layers), own, "{name}");
    }
}

#[test]
fn what_follows_a_fragment_header_is_not_taken_for_a_header() {
    for (name, protocol) in [("fragment6", 60), ("first fragment", 17), ("last fragment", 51)] {
        let frame = sound().into_iter().find(|(other, _)| *other == name).unwrap().1;
        let layers = parse(&frame);
        assert!(layers.fragment, "{name}");
        assert_eq!(layers.ip_protocol, protocol, "{name}");
    }
}

#[test]
fn tags_deeper_than_eight_are_payload() {
    let frame = sound().into_iter().find(|(name, _)| *name == "nine tags").unwrap().1;
    let layers = parse(&frame);
    assert_eq!((layers.vlans, layers.ether_type), (8, 0x8100));
    assert_eq!(payload(&frame, &layers)[..4], [0, 1, 8, 0]);
}

#[test]
fn a_cut_anywhere_gives_an_error_or_less_payload() {
    for (name, frame) in sound() {
        let whole = parse(&frame);
        for length in 0..frame.len() {
            let (cut, missing) = (&frame[..length], (frame.len() - length) as u32);
            fuzz::check(cut, 0);
            fuzz::check(cut, missing);
            let place = Place { offset: 0, captured: length as u32, original: frame.len() as u32 };
            let layers = Layers::of(cut, place);
            if layers.error.is_none() {
                assert_eq!(layers.payload_offset, whole.payload_offset, "{name}, {length} bytes of it");
                assert!(layers.payload_length <= whole.payload_length, "{name}, {length} bytes of it");
                assert_eq!(layers.transport_offset, whole.transport_offset, "{name}, {length} bytes of it");
            } else {
                assert!(layers.error.is_some_and(ParseError::is_truncated), "{name}, {length} bytes of it");
            }
        }
    }
}
