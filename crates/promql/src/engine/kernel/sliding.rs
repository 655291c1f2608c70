//! Aggregates of sliding windows in constant time a sample, without ever subtracting.
//!
//! A window is cut in two: of the older part the aggregates of all its tails are kept, of
//! the newer part one running aggregate ("two stacks"). So nothing drifts, however long the
//! series is.

use crate::functions::over_time::OverTime;
use vectors::{absent, compensated_mean};

/// What windows are made of: aggregates that can be put together.
pub(crate) trait Part: Copy {
    const EMPTY: Self;
    fn of(value: f64) -> Self;
    /// `self` holds older samples than `newer`.
    fn then(self, newer: Self) -> Self;
}

/// Slides windows over a series.
#[derive(Debug, Default)]
pub(crate) struct Slider<P> {
    /// Aggregates from each sample of the older part to its end.
    tails: Vec<P>,
}

impl<P: Part> Slider<P> {
    /// Appends `finish` of each window to `out`, as long as `goes_on` says so of a window's length: where sums
    /// are not finite, all of a window is looked at. Bounds must never move back.
    pub fn slide(
        &mut self,
        bounds: &[(u32, u32)],
        values: &[f64],
        mut goes_on: impl FnMut(usize) -> bool,
        finish: impl Fn(P, &[f64]) -> f64,
        out: &mut Vec<f64>,
    ) {
        // The older part ends at `cut`, the newer one at `end`.
        let (mut cut, mut end) = (0, 0);
        let mut newer = P::EMPTY;
        self.tails.clear();
        for (from, to) in bounds {
            let (from, to) = (*from as usize, *to as usize);
            if !goes_on(to - from) {
                return;
            }
            if from == to {
                out.push(absent());
                continue;
            }
            if from >= cut {
                // The older part is used up: all of this window becomes the older part.
                self.tails.clear();
                let mut tail = P::EMPTY;
                for value in values[from..to].iter().rev() {
                    tail = P::of(*value).then(tail);
                    self.tails.push(tail);
                }
                (cut, end, newer) = (to, to, P::EMPTY);
            }
            for value in &values[end..to.max(end)] {
                newer = newer.then(P::of(*value));
            }
            end = end.max(to);
            // Tails were pushed from the end: the one from `from` has `cut - from` samples.
            let whole = self.tails[cut - from - 1].then(newer);
            out.push(finish(whole, &values[from..to]));
        }
    }
}

/// A compensated sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlidingSum {
    sum: f64,
    error: f64,
}

impl SlidingSum {
    /// The sum, or once it is not finite, what the order of the values makes of it.
    pub fn value(&self, window: &[f64]) -> f64 {
        if self.sum.is_finite() {
            self.sum + self.error
        } else {
            OverTime::Sum.apply(window).unwrap_or_else(absent)
        }
    }

    /// The mean; the sum may overflow where the mean does not.
    pub fn mean(&self, window: &[f64]) -> f64 {
        if self.sum.is_finite() {
            compensated_mean(self.sum, self.error, window.len() as f64)
        } else {
            OverTime::Avg.apply(window).unwrap_or_else(absent)
        }
    }
}

impl Part for SlidingSum {
    const EMPTY: Self = Self { sum: 0.0, error: 0.0 };

    fn of(value: f64) -> Self {
        Self { sum: value, error: 0.0 }
    }

    #[inline]
    fn then(self, newer: Self) -> Self {
        let sum = self.sum + newer.sum;
        let lost = if self.sum.abs() >= newer.sum.abs() {
            (self.sum - sum) + newer.sum
        } else {
            (newer.sum - sum) + self.sum
        };
        Self { sum, error: self.error + newer.error + lost }
    }
}

/// The largest value; NaN only where there is nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Largest(pub f64);

impl Part for Largest {
    const EMPTY: Self = Self(f64::NAN);

    fn of(value: f64) -> Self {
        Self(value)
    }

    #[inline]
    fn then(self, newer: Self) -> Self {
        if newer.0 > self.0 || self.0.is_nan() { newer } else { self }
    }
}

/// The smallest value; NaN only where there is nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Smallest(pub f64);

impl Part for Smallest {
    const EMPTY: Self = Self(f64::NAN);

    fn of(value: f64) -> Self {
        Self(value)
    }

    #[inline]
    fn then(self, newer: Self) -> Self {
        if newer.0 < self.0 || self.0.is_nan() { newer } else { self }
    }
}
