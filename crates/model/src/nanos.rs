//! Times of log lines, which are finer than those of samples.

use crate::TimeRange;

/// Nanoseconds since the Unix epoch; may be negative.
pub type Nanos = i64;

/// Nanoseconds in a millisecond.
pub const NANOS_A_MILLI: i64 = 1_000_000;

/// A range of time that includes both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NanoRange {
    pub start: Nanos,
    pub end: Nanos,
}

impl NanoRange {
    /// Every time there is.
    pub const ALL: Self = Self { start: Nanos::MIN, end: Nanos::MAX };

    pub fn new(start: Nanos, end: Nanos) -> Self {
        Self { start, end }
    }

    pub fn contains(&self, t: Nanos) -> bool {
        self.start <= t && t <= self.end
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    pub fn is_empty(&self) -> bool {
        self.start > self.end
    }

    /// The smallest range that holds both.
    pub fn union(&self, other: &Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The milliseconds that the range touches.
    pub fn millis(&self) -> TimeRange {
        TimeRange::new(self.start.div_euclid(NANOS_A_MILLI), self.end.div_euclid(NANOS_A_MILLI))
    }
}

impl From<TimeRange> for NanoRange {
    /// Every nanosecond of the milliseconds.
    fn from(range: TimeRange) -> Self {
        let start = range.start.saturating_mul(NANOS_A_MILLI);
        Self { start, end: range.end.saturating_mul(NANOS_A_MILLI).saturating_add(NANOS_A_MILLI - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_and_nanoseconds_name_the_same_time() {
        let range = NanoRange::new(-1, 2_000_001);
        assert_eq!(range.millis(), TimeRange::new(-1, 2));
        assert_eq!(NanoRange::from(range.millis()), NanoRange::new(-1_000_000, 2_999_999));
        assert_eq!(NanoRange::from(TimeRange::ALL), NanoRange::ALL);
    }
}
