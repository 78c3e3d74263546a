//! When a packet was captured, and the units in which files say so.

/// Seconds since the epoch, and nanoseconds below a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01T00:00:00Z, negative before it.
    pub seconds: i64,
    /// 0 to 999 999 999, counted forward from `seconds`.
    pub nanoseconds: u32,
}

pub(crate) const NANOS: u64 = 1_000_000_000;

/// The unit of an interface's timestamps (option if_tsresol of pcapng).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// 10^-n seconds.
    Decimal(
        /// 0 to 127.
        u8,
    ),
    /// 2^-n seconds.
    Binary(
        /// 0 to 127.
        u8,
    ),
}

impl Resolution {
    /// 10^-6 seconds: what pcapng means where nothing is said.
    pub const MICROSECONDS: Self = Self::Decimal(6);
    /// 10^-9 seconds.
    pub const NANOSECONDS: Self = Self::Decimal(9);

    /// Of the option's one byte: bit 7 tells powers of 2 from powers of 10.
    pub const fn from_option(byte: u8) -> Self {
        match byte & 0x7f {
            exponent if byte & 0x80 != 0 => Self::Binary(exponent),
            exponent => Self::Decimal(exponent),
        }
    }

    /// The option's byte.
    pub const fn to_option(self) -> u8 {
        match self {
            Self::Decimal(exponent) => exponent & 0x7f,
            Self::Binary(exponent) => exponent | 0x80,
        }
    }

    /// Units a second; exact below 2^53 and for every power of 2.
    pub fn units_per_second(self) -> f64 {
        match self {
            Self::Decimal(exponent) => 10f64.powi(exponent.into()),
            Self::Binary(exponent) => 2f64.powi(exponent.into()),
        }
    }

    /// Turns a count of units into a time. No exponent makes this divide by zero: where a unit is so small that
    /// 64 bits of it are less than a nanosecond, the time is 0.
    #[inline]
    pub(crate) fn timestamp(self, ticks: u64, offset: i64) -> Timestamp {
        let (seconds, nanoseconds) = match self {
            Self::MICROSECONDS => (ticks / 1_000_000, (ticks % 1_000_000 * 1000) as u32),
            Self::NANOSECONDS => (ticks / NANOS, (ticks % NANOS) as u32),
            other => other.split(ticks),
        };
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(offset);
        Timestamp { seconds, nanoseconds }
    }

    #[cold]
    fn split(self, ticks: u64) -> (u64, u32) {
        match self {
            Self::Decimal(exponent) => decimal(ticks, exponent.into()),
            Self::Binary(exponent) => binary(ticks, exponent.into()),
        }
    }
}

fn decimal(ticks: u64, exponent: u32) -> (u64, u32) {
    // 10^19 is the largest power of 10 in 64 bits; with a larger one every count is below a second.
    let (seconds, rest) = match 10u64.checked_pow(exponent) {
        Some(units) => (ticks / units, ticks % units),
        None => (0, ticks),
    };
    let nanoseconds = match exponent.checked_sub(9) {
        None => rest * 10u64.pow(9 - exponent),
        Some(surplus) => 10u64.checked_pow(surplus).map_or(0, |units| rest / units),
    };
    (seconds, nanoseconds as u32)
}

fn binary(ticks: u64, exponent: u32) -> (u64, u32) {
    let seconds = ticks.checked_shr(exponent).unwrap_or(0);
    let rest = ticks - seconds.checked_shl(exponent).unwrap_or(0);
    // 64 + 30 bits; `exponent` is at most 127.
    let nanoseconds = (u128::from(rest) * u128::from(NANOS)) >> exponent;
    (seconds, nanoseconds as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(resolution: Resolution, ticks: u64) -> (i64, u32) {
        let time = resolution.timestamp(ticks, 0);
        (time.seconds, time.nanoseconds)
    }

    #[test]
    fn every_exponent_divides() {
        for byte in 0..=u8::MAX {
            let resolution = Resolution::from_option(byte);
            assert_eq!(resolution.to_option(), byte);
            for ticks in [0, 1, 999, u64::from(u32::MAX), u64::MAX] {
                let (seconds, nanoseconds) = at(resolution, ticks);
                assert!(seconds >= 0 && nanoseconds < 1_000_000_000, "{resolution:?} {ticks}");
                let expected = ticks as f64 / resolution.units_per_second();
                let found = seconds as f64 + f64::from(nanoseconds) / 1e9;
                assert!(
                    (found - expected).abs() <= 2e-9 + expected * 1e-12 || seconds == i64::MAX,
                    "{resolution:?} {ticks}"
                );
            }
        }
    }

    #[test]
    fn units_are_exact() {
        assert_eq!(at(Resolution::Decimal(0), 7), (7, 0));
        assert_eq!(at(Resolution::Decimal(3), 1_234), (1, 234_000_000));
        assert_eq!(at(Resolution::Decimal(12), 1_234_567_890_123), (1, 234_567_890));
        assert_eq!(at(Resolution::Decimal(19), u64::MAX), (1, 844_674_407));
        assert_eq!(at(Resolution::Decimal(20), u64::MAX), (0, 184_467_440));
        assert_eq!(at(Resolution::Decimal(28), u64::MAX), (0, 1));
        assert_eq!(at(Resolution::Binary(1), 3), (1, 500_000_000));
        assert_eq!(at(Resolution::Binary(63), u64::MAX), (1, 999_999_999));
        assert_eq!(at(Resolution::Binary(64), u64::MAX), (0, 999_999_999));
        assert_eq!(at(Resolution::Binary(127), u64::MAX), (0, 0));
    }

    #[test]
    fn an_offset_moves_seconds_and_saturates() {
        let time = Resolution::NANOSECONDS.timestamp(5, -10);
        assert_eq!(time, Timestamp { seconds: -10, nanoseconds: 5 });
        assert_eq!(Resolution::Decimal(0).timestamp(u64::MAX, i64::MAX).seconds, i64::MAX);
        assert_eq!(Resolution::Decimal(0).timestamp(0, i64::MIN).seconds, i64::MIN);
    }
}
