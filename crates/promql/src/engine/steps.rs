//! The times at which an expression is evaluated.

use model::Timestamp;

/// Evenly spaced evaluation times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub start: Timestamp,
    /// Milliseconds, above zero.
    pub interval: i64,
    pub count: usize,
}

/// How a selector's `offset` and `@` move its evaluation times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Milliseconds; positive looks back.
    pub offset: i64,
    pub at: Option<Timestamp>,
}

impl Steps {
    pub fn instant(time: Timestamp) -> Self {
        Self { start: time, interval: 1, count: 1 }
    }

    /// From `start` to `end`, both included where the interval falls on them.
    pub fn range(start: Timestamp, end: Timestamp, interval: i64) -> Self {
        let interval = interval.max(1);
        let count = match end.checked_sub(start) {
            Some(length) if length >= 0 => (length / interval) as usize + 1,
            _ => 0,
        };
        Self { start, interval, count }
    }

    /// The first step alone.
    pub fn first(&self) -> Self {
        Self { count: self.count.min(1), ..*self }
    }

    pub fn time(&self, step: usize) -> Timestamp {
        self.start.saturating_add(self.interval.saturating_mul(step as i64))
    }

    pub fn last_time(&self) -> Timestamp {
        self.time(self.count.saturating_sub(1))
    }

    pub fn times(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let steps = *self;
        (0..steps.count).map(move |i| steps.time(i))
    }
}

impl Shift {
    /// The time in the data that belongs to an evaluation time.
    pub fn apply(&self, time: Timestamp) -> Timestamp {
        self.at.unwrap_or(time).saturating_sub(self.offset)
    }
}
