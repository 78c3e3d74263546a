//! Counters that nobody disturbs.

use crate::sys::packet::RawStats;

/// Packets of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureStats {
    /// Delivered into the ring, drops not included.
    pub packets: u64,
    /// Passed the filter and found no room.
    pub drops: u64,
    /// Times the ring was full and the kernel stopped writing.
    pub freezes: u64,
}

/// The kernel's counters are 32 bits wide and start again from 0 at every reading, whoever reads;
/// this sums them up once, for two kinds of question.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatsAccumulator {
    total: CaptureStats,
    reported: CaptureStats,
}

impl StatsAccumulator {
    /// Adds one reading. In V3 the kernel's packets include the drops
    /// (`packet_getsockopt`, net/packet/af_packet.c).
    pub fn add(&mut self, raw: RawStats) {
        self.total.packets += u64::from(raw.packets.saturating_sub(raw.drops));
        self.total.drops += u64::from(raw.drops);
        self.total.freezes += u64::from(raw.freezes);
    }

    /// Since open.
    pub fn total(&self) -> CaptureStats {
        self.total
    }

    /// Since the last call of this.
    pub fn since_last(&mut self) -> CaptureStats {
        let since = CaptureStats {
            packets: self.total.packets - self.reported.packets,
            drops: self.total.drops - self.reported.drops,
            freezes: self.total.freezes - self.reported.freezes,
        };
        self.reported = self.total;
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_questions_do_not_disturb_each_other() {
        let mut stats = StatsAccumulator::default();
        stats.add(RawStats { packets: 10, drops: 3, freezes: 1 });
        assert_eq!(stats.total(), CaptureStats { packets: 7, drops: 3, freezes: 1 });
        assert_eq!(stats.since_last(), stats.total());
        stats.add(RawStats { packets: u32::MAX, drops: 0, freezes: 0 });
        stats.add(RawStats { packets: u32::MAX, drops: 0, freezes: 0 });
        assert_eq!(stats.since_last().packets, 2 * u64::from(u32::MAX));
        assert_eq!(stats.since_last(), CaptureStats::default());
        assert_eq!(stats.total().packets, 2 * u64::from(u32::MAX) + 7);
    }
}
