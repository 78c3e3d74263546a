//! Wakeup coalescing: wakes a waiting reader rarely, for many packets (like rx-usecs).
//!
//! In copy mode the kernel says "readable" at the end of every NAPI poll, which is after 64 packets at most
//! (`xsk_flush`, net/xdp/xsk.c; `NAPI_POLL_WEIGHT`). At four million packets a second that would be 60 000 wake-ups a
//! second, and one costs a process with an event loop as much as a thousand packets. Network cards have the same
//! problem with interrupts and the same solution (`ethtool -C`, rx-usecs): while packets come fast, wake-ups keep a
//! minimum distance. The first packet after silence wakes the reader at once, and so does every packet of a
//! request-response exchange.
//!
//! The caller passes the time, so that tests can set it.

use std::time::{Duration, Instant};

use crate::source::PollState;

/// Packets that a pause has to bring to be worth its delay. A sender that waits for an answer before it goes on brings
/// few.
const MIN_PACKETS: u32 = 32;

/// The shortest time per frame in which a queue uses up its frames: the reader does not learn of this during a pause.
const FRAME_TIME: Duration = Duration::from_nanos(100);

/// Decides when the reader of one socket wakes.
#[derive(Debug)]
pub struct WakeupCoalescer {
    /// The longest pause.
    longest: Duration,
    /// The number of packets that ends a pause.
    enough: u32,
    /// The last wake-up, and how many packets had arrived by then.
    woken: Instant,
    arrived: u64,
    /// The least time between that wake-up and the next.
    pause: Duration,
    /// The reader was woken and has taken no packets yet.
    due: bool,
}

impl WakeupCoalescer {
    /// Pauses last at most `longest` (zero: no pauses). Each queue has `frames` frames, and a batch at most
    /// `largest_batch` packets.
    pub fn new(longest: Duration, frames: u32, largest_batch: u32, now: Instant) -> Self {
        Self {
            longest: longest.min(FRAME_TIME * frames),
            enough: largest_batch.max(1),
            woken: now,
            arrived: 0,
            pause: Duration::ZERO,
            due: false,
        }
    }

    /// The state to report to a waiting reader: `arrived` packets have arrived since the socket was opened, `waiting`
    /// of them are in the rings.
    pub fn poll(&mut self, now: Instant, arrived: u64, waiting: u32) -> PollState {
        let waited = now.saturating_duration_since(self.woken);
        if waiting < self.enough && !self.due && waited < self.pause {
            return PollState::Later(self.woken + self.pause);
        }
        if waiting == 0 {
            self.pause = Duration::ZERO;
            return PollState::Empty;
        }
        if !self.due {
            self.pause = self.pause_at(arrived.saturating_sub(self.arrived), waited);
            self.woken = now;
            self.arrived = arrived;
            self.due = true;
        }
        PollState::Ready
    }

    /// The reader took packets, which ends this wake-up.
    pub fn taken(&mut self) {
        self.due = false;
    }

    /// How long `enough` packets take to arrive, at the rate of `came` packets in `time`.
    fn pause_at(&self, came: u64, time: Duration) -> Duration {
        let needed = |packets: u32| time.as_nanos().saturating_mul(packets.into()) / u128::from(came.max(1));
        if needed(MIN_PACKETS) > self.longest.as_nanos() {
            return Duration::ZERO;
        }
        let enough = u64::try_from(needed(self.enough)).map_or(Duration::MAX, Duration::from_nanos);
        enough.min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_micros(250);
    const ENOUGH: u32 = 1024;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    /// A reader that always empties its socket.
    struct Reader {
        coalescer: WakeupCoalescer,
        start: Instant,
        arrived: u64,
        waiting: u32,
    }

    impl Reader {
        fn new(longest: Duration, frames: u32) -> Self {
            let start = Instant::now();
            Self { coalescer: WakeupCoalescer::new(longest, frames, ENOUGH, start), start, arrived: 0, waiting: 0 }
        }

        /// The state at a time, in microseconds, after `packets` more have arrived. The reader takes all reported
        /// packets.
        fn poll(&mut self, at: u64, packets: u32) -> PollState {
            self.arrived += u64::from(packets);
            self.waiting += packets;
            let state = self.coalescer.poll(self.start + us(at), self.arrived, self.waiting);
            if state == PollState::Ready {
                self.coalescer.taken();
                self.waiting = 0;
            }
            state
        }

        fn at(&self, at: u64) -> PollState {
            PollState::Later(self.start + us(at))
        }
    }

    #[test]
    fn the_first_packet_after_silence_wakes_the_reader_at_once() {
        let mut reader = Reader::new(LONGEST, 65536);
        assert_eq!(reader.poll(1_000, 0), PollState::Empty);
        assert_eq!(reader.poll(1_010, 1), PollState::Ready);
        assert_eq!(reader.poll(1_011, 0), PollState::Empty);
    }

    #[test]
    fn fast_packets_share_a_wakeup_which_comes_no_later_than_promised() {
        let mut reader = Reader::new(LONGEST, 65536);
        assert_eq!(reader.poll(1_000, 1), PollState::Ready);
        // Two million a second.
        assert_eq!(reader.poll(1_050, 100), PollState::Ready);
        assert_eq!(reader.poll(1_060, 20), reader.at(1_300));
        assert_eq!(reader.poll(1_299, 478), reader.at(1_300));
        assert_eq!(reader.poll(1_300, 2), PollState::Ready);
        // Eight million a second: a batch is full before the longest pause is over.
        assert_eq!(reader.poll(1_350, 400), reader.at(1_550));
        assert_eq!(reader.poll(1_425, 624), PollState::Ready, "there are enough");
        assert_eq!(reader.poll(1_430, 1), reader.at(1_550));
        assert_eq!(reader.poll(1_554, 1023), PollState::Ready);
    }

    #[test]
    fn after_packets_stop_the_next_one_wakes_the_reader_at_once() {
        let mut reader = Reader::new(LONGEST, 65536);
        assert_eq!(reader.poll(10, 128), PollState::Ready);
        assert_eq!(reader.poll(20, 0), reader.at(90), "so long 1024 take");
        assert_eq!(reader.poll(90, 0), PollState::Empty);
        assert_eq!(reader.poll(91, 1), PollState::Ready);
        assert_eq!(reader.poll(92, 0), PollState::Empty, "one in 81 us is not worth a pause");
    }

    #[test]
    fn a_conversation_is_not_slowed_down() {
        let mut reader = Reader::new(LONGEST, 65536);
        for question in 1..1000 {
            assert_eq!(reader.poll(question * 30, 1), PollState::Ready, "{question}");
            assert_eq!(reader.poll(question * 30 + 1, 0), PollState::Empty, "{question}");
        }
    }

    #[test]
    fn a_reader_that_takes_nothing_is_woken_again() {
        let start = Instant::now();
        let mut coalescer = WakeupCoalescer::new(LONGEST, 65536, ENOUGH, start);
        assert_eq!(coalescer.poll(start + us(50), 100, 100), PollState::Ready);
        assert_eq!(coalescer.poll(start + us(51), 102, 102), PollState::Ready);
        coalescer.taken();
        assert_eq!(coalescer.poll(start + us(52), 104, 2), PollState::Later(start + us(300)));
    }

    #[test]
    fn few_frames_allow_short_pauses_and_no_time_allows_none() {
        let mut reader = Reader::new(LONGEST, 1000);
        assert_eq!(reader.poll(50, 100), PollState::Ready);
        assert_eq!(reader.poll(60, 20), reader.at(150));
        for mut reader in [Reader::new(LONGEST, 64), Reader::new(Duration::ZERO, 65536)] {
            assert_eq!(reader.poll(50, 100), PollState::Ready);
            assert_eq!(reader.poll(60, 20), PollState::Ready);
            assert_eq!(reader.poll(61, 0), PollState::Empty);
        }
    }
}
