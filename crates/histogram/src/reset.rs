//! Whether a counter was reset between two histograms of it.

use crate::compensated::Compensation;
use crate::custom::common_bounds;
use crate::side::{merged, reduced};
use crate::{Buckets, CounterResetHint, FloatHistogram};

impl FloatHistogram {
    /// Whether the counter was reset since `previous`: the hint says so or, if it does not say, a bucket is
    /// missing or any count is lower. The sum does not matter, as observations may be negative.
    ///
    /// A finer schema or a smaller zero bucket only comes with a reset. The other way round, `previous` is
    /// compared as it would be with the coarser schema or the larger zero bucket. Where custom bounds
    /// differ, the buckets between common bounds are compared.
    pub fn is_reset_after(&self, previous: &Self) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::Reset => return true,
            CounterResetHint::NotReset => return false,
            // A gauge should not be here; if it is, it is taken for a counter.
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count || self.uses_custom_buckets() != previous.uses_custom_buckets() {
            return true;
        }
        if self.bounds_differ(previous) {
            return self.falls_between_common_bounds(previous);
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let zero = previous.widened_zero_bucket(self.zero_threshold, &Compensation::default());
        // The threshold is higher than asked for if it lies within a populated bucket.
        zero.threshold != self.zero_threshold
            || self.zero_count < zero.count
            || self.side_falls(&self.positive, &previous.positive, previous.schema)
            || self.side_falls(&self.negative, &previous.negative, previous.schema)
    }

    fn side_falls(&self, current: &Buckets, previous: &Buckets, previous_schema: i32) -> bool {
        let covered = self.covered_by_zero();
        let beyond_zero = |(index, _): &(i32, f64)| self.zero_threshold != 0.0 && covered(*index);
        let by = previous_schema.abs_diff(self.schema);
        let previous = reduced(previous.ascending(), by, |sum, count| *sum += count);
        let (current, previous) =
            (current.ascending().skip_while(beyond_zero), previous.skip_while(beyond_zero));
        merged(current, previous).any(|(_, current, previous)| match (current, previous) {
            (Some(current), Some(previous)) => current < previous,
            (None, Some(previous)) => previous != 0.0,
            (_, None) => false,
        })
    }

    fn falls_between_common_bounds(&self, previous: &Self) -> bool {
        let mut current_count = self.count_up_to_bounds();
        let mut previous_count = previous.count_up_to_bounds();
        common_bounds(&self.custom_values, &previous.custom_values)
            .chain([f64::INFINITY])
            .any(|bound| current_count(bound) < previous_count(bound))
    }

    /// Counts the observations up to a bound that were not counted up to the bound before.
    fn count_up_to_bounds(&self) -> impl FnMut(f64) -> f64 + '_ {
        let mut buckets = self.positive.ascending().peekable();
        move |bound| {
            let mut sum = 0.0;
            while let Some((_, count)) = buckets.next_if(|(index, _)| self.bound(*index) <= bound) {
                sum += count;
            }
            sum
        }
    }
}

#[cfg(test)]
mod tests;
