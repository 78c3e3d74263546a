//! XDP sockets on real interfaces, in network namespaces of their own.
//!
//! They need root of the first user namespace, because bpf(2) does. Where this process may not
//! make a BPF map each of them is reported as ignored, which `#[ignore]` cannot do at run time:
//! hence a harness that can.

mod filtering;
mod lifetime;
mod receiving;
mod sending;
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

macro_rules! tests {
    ($($module:ident { $($name:ident,)+ })+) => {
        [$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name as fn()),)+)+]
    };
}

fn main() -> ExitCode {
    if let Ok(namespace) = std::env::var(lifetime::CHILD) {
        lifetime::child(&namespace);
    }
    let missing = netring::xdp::is_permitted().err();
    if let Some(error) = &missing {
        eprintln!("ignored, all of them: {error}");
    }
    let tests = tests! {
        receiving {
            native_mode_gives_the_bytes_that_were_sent,
            skb_mode_gives_the_bytes_that_were_sent,
            auto_takes_native_mode_where_there_is_one,
            loopback_has_skb_mode_only,
            large_frames_need_a_large_frame_size,
            a_burst_while_the_reader_sleeps_is_lost_only_beyond_the_frames,
            smaller_rings_lose_more_and_count_it,
            held_batches_stay_as_they_are_and_come_back_in_any_order,
            every_queue_is_received_by_one_object,
            columns_say_what_is_known,
            huge_pages_hold_frames_or_say_how_they_would,
            busy_polling_receives_as_well,
        }
        filtering {
            it_divides_packets_in_native_mode,
            it_divides_packets_in_skb_mode,
            a_new_one_lets_no_stray_packet_through_and_loses_none,
            what_xdp_cannot_run_is_refused_and_changes_nothing,
        }
        sending {
            a_burst_leaves_whole_and_in_order,
            slots_are_sent_in_the_order_of_queueing,
            frames_of_no_length_are_refused_by_name,
            frames_wait_while_the_interface_is_down,
            one_object_does_both,
            a_flush_reports_taken_frames_before_a_failure,
        }
        lifetime {
            closing_detaches_the_program_at_once,
            a_killed_process_leaves_nothing,
            a_queue_can_be_opened_again_at_once_and_is_busy_otherwise,
            a_foreign_program_is_named_and_replaced_only_when_asked,
            a_program_that_another_process_detaches_is_reported,
            a_shared_program_is_attached_on_request,
            a_program_of_the_callers_is_used,
            bytes_outlive_the_socket_as_zeros,
            a_thousand_sockets_leave_nothing_behind,
            down_and_up_and_gone_are_reported,
            a_wait_ends_when_the_interface_goes,
            invalid_descriptors_are_refused_by_name,
        }
    };
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
        .with_ignored_flag(missing.is_some())
        .with_kind(if missing.is_some() { "needs CAP_BPF" } else { "" })
    });
    // One at a time: some of them count this process's descriptors.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}
