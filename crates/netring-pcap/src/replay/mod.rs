//! When a packet of a file is to be sent again.

use crate::time::Timestamp;

/// How fast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pace {
    /// With the distances in time that the packets have.
    #[default]
    Recorded,
    /// That many times as fast as recorded.
    Factor(
        /// Above 0.
        f64,
    ),
    /// Evenly.
    PacketsPerSecond(
        /// Above 0.
        f64,
    ),
    /// Packets with their lengths as given to [`Pacer::due`].
    BitsPerSecond(
        /// Above 0.
        f64,
    ),
    /// All at once.
    Fastest,
}

/// A pace that is no number above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BadPace(
    /// The number.
    pub f64,
);

impl std::fmt::Display for BadPace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a pace has to be a number above 0, not {}", self.0)
    }
}

impl std::error::Error for BadPace {}

/// What a pacer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Packets to be sent now.
    pub packets: usize,
    /// When the next one is due, in the caller's nanoseconds; `None` where none is left.
    pub next: Option<u64>,
}

/// How exactly a replay kept its pace. Only packets that were due are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accuracy {
    /// Packets given out.
    pub packets: u64,
    /// Nanoseconds from when a packet was due until it was given out: the sum, for a mean.
    pub total_late: u128,
    /// The most.
    pub max_late: u64,
    /// Nanoseconds that the replay was to take, from its first packet to its last.
    pub planned: u64,
    /// Nanoseconds that it took.
    pub took: u64,
}

impl Accuracy {
    /// Nanoseconds that packets were late, in the mean.
    pub fn mean_late(&self) -> f64 {
        if self.packets == 0 { 0.0 } else { self.total_late as f64 / self.packets as f64 }
    }
}

/// Says which packets are due. Times are counted from the first packet, not from the packet before, so that being late once
/// makes nothing later and rounding does not add up. It asks no clock: `now` is any clock that counts nanoseconds and
/// is not set back.
///
/// ```
/// use netring_pcap::{Due, Pace, Pacer, Timestamp};
///
/// let packets = [0, 10, 25].map(|ns| (Timestamp { seconds: 7, nanoseconds: ns }, 64));
/// let mut pacer = Pacer::new(Pace::Recorded)?;
/// assert_eq!(pacer.due(1000, packets), Due { packets: 1, next: Some(1010) });
/// assert_eq!(pacer.due(1012, packets[1..].iter().copied()), Due { packets: 1, next: Some(1025) });
/// assert_eq!(pacer.due(1025, packets[2..].iter().copied()), Due { packets: 1, next: None });
/// assert_eq!((pacer.accuracy().max_late, pacer.accuracy().took), (2, 25));
/// # Ok::<(), netring_pcap::BadPace>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    pace: Pace,
    /// The caller's time of this loop's beginning.
    start: Option<u64>,
    /// The caller's time of the first loop's beginning.
    origin: u64,
    /// The recorded time of this loop's first packet, and the latest so far.
    first: Option<Timestamp>,
    last_due: u64,
    /// Of this loop.
    packets: u64,
    bits: u128,
    accuracy: Accuracy,
}

impl Pacer {
    /// A pacer whose first packet is due at once.
    ///
    /// # Errors
    /// Where the pace is not above 0, or no number.
    pub fn new(pace: Pace) -> Result<Self, BadPace> {
        if let Pace::Factor(value) | Pace::PacketsPerSecond(value) | Pace::BitsPerSecond(value) = pace
            && !(value.is_finite() && value > 0.0)
        {
            return Err(BadPace(value));
        }
        let accuracy = Accuracy::default();
        Ok(Self { pace, start: None, origin: 0, first: None, last_due: 0, packets: 0, bits: 0, accuracy })
    }

    /// How many of the packets that come next are due at `now`: each with its time, and its length in bytes. They count as
    /// given out; the next call begins with the first of the others.
    ///
    /// A packet with a time before its predecessor's is due with it.
    pub fn due(&mut self, now: u64, packets: impl IntoIterator<Item = (Timestamp, u32)>) -> Due {
        let start = *self.start.get_or_insert_with(|| {
            (self.origin, self.last_due) = (now, now);
            now
        });
        let mut count = 0;
        for (time, length) in packets {
            let due = start.saturating_add(self.after_start(time)).max(self.last_due);
            if due > now {
                return Due { packets: count, next: Some(due) };
            }
            self.give(now, due, length);
            count += 1;
        }
        Due { packets: count, next: None }
    }

    /// Begins the packets once more. The first of them is due with the last one of this loop when the pace is a recorded one,
    /// else after it, at the same rate.
    pub fn next_loop(&mut self) {
        if let Some(start) = self.start {
            let next = match self.pace {
                Pace::Recorded | Pace::Factor(_) | Pace::Fastest => self.last_due,
                Pace::PacketsPerSecond(_) | Pace::BitsPerSecond(_) => {
                    start.saturating_add(self.after_start(Timestamp::default()))
                }
            };
            self.start = Some(next);
        }
        (self.first, self.packets, self.bits) = (None, 0, 0);
    }

    /// How exactly it has gone so far.
    pub fn accuracy(&self) -> Accuracy {
        self.accuracy
    }

    /// Nanoseconds from the loop's beginning to the packet that comes next.
    fn after_start(&mut self, time: Timestamp) -> u64 {
        match self.pace {
            Pace::Recorded => self.recorded(time),
            // A float holds 2^53 ns, 104 days, exactly.
            Pace::Factor(factor) => (self.recorded(time) as f64 / factor) as u64,
            Pace::PacketsPerSecond(rate) => (self.packets as f64 * 1e9 / rate) as u64,
            Pace::BitsPerSecond(rate) => (self.bits as f64 * 1e9 / rate) as u64,
            Pace::Fastest => 0,
        }
    }

    /// Nanoseconds from the first packet's time on.
    fn recorded(&mut self, time: Timestamp) -> u64 {
        let first = *self.first.get_or_insert(time);
        let since = (i128::from(time.seconds) - i128::from(first.seconds)) * 1_000_000_000
            + i128::from(time.nanoseconds)
            - i128::from(first.nanoseconds);
        u64::try_from(since.max(0)).unwrap_or(u64::MAX)
    }

    fn give(&mut self, now: u64, due: u64, length: u32) {
        self.last_due = due;
        self.packets += 1;
        self.bits += u128::from(length) * 8;
        let late = now - due;
        self.accuracy.packets += 1;
        self.accuracy.total_late += u128::from(late);
        self.accuracy.max_late = self.accuracy.max_late.max(late);
        self.accuracy.planned = due - self.origin;
        self.accuracy.took = now.saturating_sub(self.origin);
    }
}

#[cfg(test)]
mod tests;
