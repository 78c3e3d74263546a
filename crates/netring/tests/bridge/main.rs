//! Bridges between real interfaces, with frames that no ordinary sender makes: unfinished ones in a VLAN.
//!
//! They need CAP_NET_ADMIN and CAP_NET_RAW. Where packet sockets are refused each of them is reported as ignored.

mod filtered;
mod support;
mod unfinished;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use netring::test_support::packet::PacketSocket;

fn main() -> ExitCode {
    let missing = PacketSocket::open(None).is_err();
    let tests: [(&str, fn()); 4] = [
        ("segments_and_checksums_left_to_do_stay_so_in_a_vlan", unfinished::stay_so_in_a_vlan),
        ("segments_and_checksums_are_done_where_the_far_side_cannot", unfinished::are_done_where_the_far_side_cannot),
        ("what_a_filter_does_not_match_is_dropped_and_counted", filtered::what_does_not_match_is_dropped_and_counted),
        ("a_header_that_makes_no_sense_is_rejected_and_the_next_frame_passes", unfinished::nonsense_is_rejected),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
        .with_ignored_flag(missing)
        .with_kind(if missing { "needs CAP_NET_RAW" } else { "" })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}
