//! The times at which an expression is evaluated.

/// Evenly spaced evaluation times, in the unit of the language: milliseconds in PromQL,
/// nanoseconds in LogQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub start: i64,
    /// Above zero.
    pub interval: i64,
    pub count: usize,
}

impl Steps {
    pub fn instant(time: i64) -> Self {
        Self { start: time, interval: 1, count: 1 }
    }

    /// From `start` to `end`, both included where the interval falls on them.
    pub fn range(start: i64, end: i64, interval: i64) -> Self {
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

    pub fn time(&self, step: usize) -> i64 {
        self.start.saturating_add(self.interval.saturating_mul(step as i64))
    }

    pub fn last_time(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    pub fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let steps = *self;
        (0..steps.count).map(move |i| steps.time(i))
    }
}
