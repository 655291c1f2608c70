//! Which of a range aggregation's windows a line falls into.

use model::{NanoRange, Nanos};
use std::ops::Range;
use vectors::Steps;

/// One window for each step: `range` long, moved back by `offset`, open on the left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    steps: Steps,
    range: Nanos,
    offset: Nanos,
}

impl Windows {
    pub fn new(steps: Steps, range: Nanos, offset: Nanos) -> Self {
        Self { steps, range, offset }
    }

    pub fn count(&self) -> usize {
        self.steps.count
    }

    /// How long each window is.
    pub fn range(&self) -> Nanos {
        self.range
    }

    /// The window of a step ends here; a line at this time is in it.
    pub fn end(&self, step: usize) -> Nanos {
        self.steps.time(step).saturating_sub(self.offset)
    }

    /// Lines from here on are in the window.
    pub fn start(&self, step: usize) -> Nanos {
        self.end(step).saturating_sub(self.range).saturating_add(1)
    }

    /// All times that may be in a window.
    pub fn extent(&self) -> NanoRange {
        NanoRange::new(self.start(0), self.end(self.steps.count.saturating_sub(1)))
    }

    /// The steps whose windows hold `time`.
    pub fn of(&self, time: Nanos) -> Range<usize> {
        let first = self.first_at_or_after(i128::from(time) + i128::from(self.offset));
        let behind =
            self.first_at_or_after(i128::from(time) + i128::from(self.offset) + i128::from(self.range));
        first..behind.max(first)
    }

    /// The first step that is not before `time`; their count if all are.
    fn first_at_or_after(&self, time: i128) -> usize {
        let interval = i128::from(self.steps.interval);
        let step = (time - i128::from(self.steps.start) + interval - 1).div_euclid(interval);
        step.clamp(0, self.steps.count as i128) as usize
    }

    /// The steps whose windows hold `time`, and until when later times have the same ones.
    pub fn pane(&self, time: Nanos) -> (Range<usize>, Nanos) {
        let steps = self.of(time);
        // The next change comes where the first window ends or where another one starts.
        let ends = if steps.start < self.count() { self.end(steps.start) } else { Nanos::MAX };
        let starts =
            if steps.end < self.count() { self.start(steps.end).saturating_sub(1) } else { Nanos::MAX };
        (steps, ends.min(starts).max(time))
    }

    /// Whether any window holds a time of the range.
    pub fn touch(&self, range: NanoRange) -> bool {
        let (first, last) = (self.of(range.start), self.of(range.end));
        !first.is_empty() || !last.is_empty() || first.start < last.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_hold_what_is_in_them(
            start in -50i64..50, interval in 1i64..20, count in 1usize..6, range in 1i64..40, offset in -30i64..30,
            from in -120i64..180, length in 0i64..60,
        ) {
            let windows = Windows::new(Steps { start, interval, count }, range, offset);
            let holds = |step: usize, time: i64| {
                let end = start + interval * step as i64 - offset;
                end - range < time && time <= end
            };
            let of = |time| (0..count).filter(|&step| holds(step, time)).collect::<Vec<_>>();
            prop_assert_eq!(windows.of(from).collect::<Vec<_>>(), of(from));
            let (steps, until) = windows.pane(from);
            prop_assert_eq!(steps.collect::<Vec<_>>(), of(from));
            for time in from..=until.min(300) {
                prop_assert_eq!(of(time), of(from));
            }
            if until < 300 {
                prop_assert_ne!(of(until + 1), of(from));
            }
            let touched = (from..=from + length).any(|time| !of(time).is_empty());
            prop_assert_eq!(windows.touch(NanoRange::new(from, from + length)), touched);
        }
    }

    #[test]
    fn windows_end_where_time_does() {
        let windows = Windows::new(Steps::instant(i64::MAX), i64::MAX, -5);
        assert_eq!(windows.of(i64::MAX), 0..1);
        assert!(windows.of(i64::MIN).is_empty());
    }
}
