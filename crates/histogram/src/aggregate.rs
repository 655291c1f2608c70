//! Sums and means of many histograms.

mod merge;

use crate::compensated::Compensated;
use crate::{Combined, CounterResetHint, FloatHistogram, Incompatible};

/// The sum of histograms, as of `sum` and `sum_over_time`: compensated, so that small terms are not lost.
#[derive(Clone, Debug)]
pub struct SumOfHistograms {
    sum: Compensated,
    hints: HintsSeen,
}

impl SumOfHistograms {
    pub fn of(first: FloatHistogram) -> Self {
        Self { hints: HintsSeen::default().with(&first), sum: Compensated::of(first) }
    }

    /// Adds one more. A collision is reported when the histograms so far, and not only this one and the
    /// sum, have both hints. The sum is of no use after an error.
    pub fn add(&mut self, histogram: &FloatHistogram) -> Result<Combined, Incompatible> {
        self.hints = self.hints.with(histogram);
        let combined = self.sum.add(histogram)?;
        Ok(self.hints.report(combined))
    }

    /// The sum with its empty buckets. `sum_over_time` gives it like this, `sum` compacts it.
    pub fn finish(self) -> FloatHistogram {
        self.sum.finish()
    }
}

/// The mean of histograms, as of `avg` and `avg_over_time`.
///
/// It sums first and divides last, which is more exact, until the sum would overflow; from there on it
/// carries the mean itself (see issue 16714 of Prometheus).
#[derive(Clone, Debug)]
pub struct MeanOfHistograms {
    /// The sum, or the mean once `incremental` is set.
    running: Compensated,
    incremental: bool,
    count: f64,
    hints: HintsSeen,
}

impl MeanOfHistograms {
    pub fn of(first: FloatHistogram) -> Self {
        let hints = HintsSeen::default().with(&first);
        Self { running: Compensated::of(first), incremental: false, count: 1.0, hints }
    }

    /// Takes in one more, as `SumOfHistograms::add` does. The mean is of no use after an error.
    pub fn add(&mut self, histogram: &FloatHistogram) -> Result<Combined, Incompatible> {
        self.hints = self.hints.with(histogram);
        self.count += 1.0;
        let combined = if self.incremental { None } else { self.add_to_sum(histogram)? };
        let combined = match combined {
            Some(combined) => combined,
            None => self.add_to_mean(histogram)?,
        };
        Ok(self.hints.report(combined))
    }

    /// None, and a mean instead of a sum, if the sum would overflow.
    fn add_to_sum(&mut self, histogram: &FloatHistogram) -> Result<Option<Combined>, Incompatible> {
        if stays_finite(&self.running.total, histogram) {
            return self.running.add(histogram).map(Some);
        }
        let mut sum = self.running.clone();
        let combined = sum.add(histogram)?;
        if sum.total.has_overflow() {
            self.incremental = true;
            self.running.divide(self.count - 1.0);
            return Ok(None);
        }
        self.running = sum;
        Ok(Some(combined))
    }

    fn add_to_mean(&mut self, histogram: &FloatHistogram) -> Result<Combined, Incompatible> {
        let mut part = histogram.clone();
        part.divide(self.count);
        self.running.scale((self.count - 1.0) / self.count);
        self.running.add(&part)
    }

    /// The mean with its empty buckets. `avg_over_time` gives it like this, `avg` compacts it.
    pub fn finish(mut self) -> FloatHistogram {
        if !self.incremental {
            self.running.divide(self.count);
        }
        self.running.finish()
    }
}

/// Whether a sum cannot overflow, whatever buckets it merges; spares the copy to try it out on. Near the
/// limit, it says no too often.
fn stays_finite(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let magnitude = |h: &FloatHistogram| {
        let counts = h.positive.counts.iter().chain(&h.negative.counts);
        counts.chain([&h.zero_count, &h.count, &h.sum]).map(|value| value.abs()).sum::<f64>()
    };
    magnitude(a) + magnitude(b) < 1e300 && a.custom_values.iter().all(|bound| bound.is_finite())
}

/// Which counter reset hints were among the histograms. The hint of a sum does not tell: it is unknown
/// from the first one that is.
#[derive(Clone, Copy, Debug, Default)]
struct HintsSeen {
    reset: bool,
    not_reset: bool,
}

impl HintsSeen {
    fn with(self, histogram: &FloatHistogram) -> Self {
        let hint = histogram.counter_reset_hint;
        Self {
            reset: self.reset || hint == CounterResetHint::Reset,
            not_reset: self.not_reset || hint == CounterResetHint::NotReset,
        }
    }

    fn report(self, combined: Combined) -> Combined {
        Combined { counter_reset_collision: self.reset && self.not_reset, ..combined }
    }
}

#[cfg(test)]
mod tests;
