//! Replays with a clock of their own.

use super::*;

fn at(nanoseconds: u64) -> Timestamp {
    Timestamp { seconds: (nanoseconds / 1_000_000_000) as i64, nanoseconds: (nanoseconds % 1_000_000_000) as u32 }
}

/// Replays to the end; the clock goes on to when the next packet is due, plus `late`. Returns when each packet was given.
fn play(pacer: &mut Pacer, packets: &[(Timestamp, u32)], clock: &mut u64, late: u64) -> Vec<u64> {
    let mut given = Vec::new();
    loop {
        let due = pacer.due(*clock, packets[given.len()..].iter().copied());
        given.extend(std::iter::repeat_n(*clock, due.packets));
        let Some(next) = due.next else { return given };
        assert!(next > *clock, "what is due is given at once");
        *clock = next + late;
    }
}

fn packets(times: &[u64]) -> Vec<(Timestamp, u32)> {
    times.iter().map(|&time| (at(time), 125)).collect()
}

const TIMES: [u64; 5] = [1_999_999_990, 2_000_000_000, 2_000_000_100, 2_000_000_100, 5_000_000_000];

#[test]
fn recorded_distances_are_kept() {
    let mut pacer = Pacer::new(Pace::Recorded).unwrap();
    let given = play(&mut pacer, &packets(&TIMES), &mut 77, 0);
    assert_eq!(given, TIMES.map(|time| time - TIMES[0] + 77));
    let accuracy = pacer.accuracy();
    assert_eq!((accuracy.packets, accuracy.max_late, accuracy.mean_late()), (5, 0, 0.0));
    assert_eq!((accuracy.planned, accuracy.took), (3_000_000_010, 3_000_000_010));
}

#[test]
fn a_factor_divides_them() {
    let mut pacer = Pacer::new(Pace::Factor(2.0)).unwrap();
    let given = play(&mut pacer, &packets(&TIMES), &mut 0, 0);
    assert_eq!(given, [0, 5, 55, 55, 1_500_000_005]);
}

#[test]
fn being_late_makes_nothing_later_and_is_counted() {
    let mut pacer = Pacer::new(Pace::PacketsPerSecond(1e6)).unwrap();
    let given = play(&mut pacer, &packets(&[0; 1001]), &mut 0, 700);
    // Each wake-up is 700 ns late; the last packet is due after 1000 intervals all the same.
    assert_eq!(given[1000], 1_000_700);
    let accuracy = pacer.accuracy();
    assert_eq!((accuracy.max_late, accuracy.planned, accuracy.took), (700, 1_000_000, 1_000_700));
    assert_eq!(accuracy.total_late, 700_000, "the first was in time");
}

#[test]
fn a_late_caller_gets_all_that_is_due_at_once() {
    let mut pacer = Pacer::new(Pace::PacketsPerSecond(1e6)).unwrap();
    let packets = packets(&[0; 100]);
    assert_eq!(pacer.due(0, packets.iter().copied()), Due { packets: 1, next: Some(1000) });
    assert_eq!(pacer.due(10_500, packets[1..].iter().copied()), Due { packets: 10, next: Some(11_000) });
}

#[test]
fn rates_do_not_drift() {
    // A third of a nanosecond of rounding at each packet would be 33 ms here.
    let mut pacer = Pacer::new(Pace::PacketsPerSecond(3.0)).unwrap();
    let given = play(&mut pacer, &packets(&vec![0; 301]), &mut 0, 0);
    assert_eq!(given[300], 100_000_000_000);
}

#[test]
fn bits_a_second_go_by_the_lengths() {
    let mut pacer = Pacer::new(Pace::BitsPerSecond(1e9)).unwrap();
    let packets = [(at(0), 125), (at(0), 1250), (at(0), 0), (at(0), 125)];
    assert_eq!(play(&mut pacer, &packets, &mut 0, 0), [0, 1000, 11_000, 11_000]);
}

#[test]
fn as_fast_as_it_goes() {
    let mut pacer = Pacer::new(Pace::Fastest).unwrap();
    assert_eq!(pacer.due(5, packets(&TIMES)), Due { packets: 5, next: None });
}

#[test]
fn a_time_that_goes_back_delays_nothing() {
    let mut pacer = Pacer::new(Pace::Recorded).unwrap();
    let given = play(&mut pacer, &packets(&[1000, 3000, 500, 2500, 4000]), &mut 0, 0);
    assert_eq!(given, [0, 2000, 2000, 2000, 3000]);
    assert_eq!((pacer.accuracy().max_late, pacer.accuracy().planned), (0, 3000));
}

#[test]
fn loops_follow_each_other() {
    let mut clock = 50;
    let mut pacer = Pacer::new(Pace::Recorded).unwrap();
    let times = packets(&[1000, 3000]);
    assert_eq!(play(&mut pacer, &times, &mut clock, 0), [50, 2050]);
    pacer.next_loop();
    assert_eq!(play(&mut pacer, &times, &mut clock, 0), [2050, 4050]);
    assert_eq!((pacer.accuracy().packets, pacer.accuracy().planned), (4, 4000));

    let mut clock = 0;
    let mut pacer = Pacer::new(Pace::PacketsPerSecond(1e6)).unwrap();
    assert_eq!(play(&mut pacer, &times, &mut clock, 0), [0, 1000]);
    pacer.next_loop();
    assert_eq!(play(&mut pacer, &times, &mut clock, 0), [2000, 3000]);
}

#[test]
fn a_loop_before_the_first_packet_is_none() {
    let mut pacer = Pacer::new(Pace::PacketsPerSecond(1.0)).unwrap();
    pacer.next_loop();
    assert_eq!(pacer.due(9, packets(&[1])), Due { packets: 1, next: None });
}

#[test]
fn times_far_apart_overflow_nothing() {
    let mut pacer = Pacer::new(Pace::Factor(1e-9)).unwrap();
    let far = [i64::MIN, i64::MAX].map(|seconds| (Timestamp { seconds, nanoseconds: 5 }, u32::MAX));
    assert_eq!(pacer.due(3, far), Due { packets: 1, next: Some(u64::MAX) });
    assert_eq!(pacer.due(u64::MAX, far[1..].iter().copied()), Due { packets: 1, next: None });
}

#[test]
fn a_pace_is_above_0() {
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for pace in [Pace::Factor(value), Pace::PacketsPerSecond(value), Pace::BitsPerSecond(value)] {
            assert!(Pacer::new(pace).unwrap_err().to_string().contains("above 0"));
        }
    }
}
