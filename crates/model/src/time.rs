//! Timestamps and ranges of them.

/// Milliseconds since the Unix epoch; may be negative.
pub type Timestamp = i64;

/// A range of time that includes both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl TimeRange {
    /// Every timestamp there is.
    pub const ALL: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    pub fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end }
    }

    pub fn contains(&self, t: Timestamp) -> bool {
        self.start <= t && t <= self.end
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    pub fn is_empty(&self) -> bool {
        self.start > self.end
    }
}
