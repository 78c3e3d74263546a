//! Counters since open and since the last call. Reading one does not change the other.

use std::ops::Sub;

use crate::sys::packet::RawStats;

/// Packets and drops of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureStats {
    /// Packets that the kernel wrote into the ring, without drops.
    pub packets: u64,
    /// Packets that passed the filter and found no room in the ring.
    pub drops: u64,
    /// How often the ring was full and the kernel stopped writing.
    pub freezes: u64,
}

impl Sub for CaptureStats {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            packets: self.packets - before.packets,
            drops: self.drops - before.drops,
            freezes: self.freezes - before.freezes,
        }
    }
}

/// Computes the difference between totals since the last call.
#[derive(Clone, Copy, Debug, Default)]
pub struct SinceLast(CaptureStats);

impl SinceLast {
    /// The increase of `total` since the last call.
    pub fn take(&mut self, total: CaptureStats) -> CaptureStats {
        total - std::mem::replace(&mut self.0, total)
    }
}

/// Sums the kernel's counters, which are 32 bits wide and which every reading resets to 0; serves both totals and
/// differences.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatsAccumulator {
    total: CaptureStats,
    reported: SinceLast,
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

    /// Since the last call.
    pub fn since_last(&mut self) -> CaptureStats {
        self.reported.take(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_and_differences_do_not_disturb_each_other() {
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
