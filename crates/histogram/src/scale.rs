//! A histogram changed as a whole: multiplied, divided, compacted or made coarser.

use crate::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram};

impl FloatHistogram {
    /// Multiplies all counts and the sum. A negative factor makes it a gauge.
    pub fn scale(&mut self, factor: f64) {
        self.change(|value| value * factor);
        if factor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum. A negative divisor makes it a gauge; division by zero removes the
    /// buckets (but not the zero bucket).
    pub fn divide(&mut self, by: f64) {
        if by == 0.0 {
            self.positive = Default::default();
            self.negative = Default::default();
        }
        self.change(|value| value / by);
        if by < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    fn change(&mut self, new: impl Fn(f64) -> f64) {
        let totals = [&mut self.zero_count, &mut self.count, &mut self.sum];
        let counts = self.positive.counts.iter_mut().chain(&mut self.negative.counts);
        counts.chain(totals).for_each(|value| *value = new(*value));
    }

    /// Removes empty buckets and joins spans that touch.
    pub fn compact(&mut self) {
        self.positive.compact();
        self.negative.compact();
    }

    /// Merges exponential buckets so that they have the lower resolution of `schema`. Does nothing to
    /// custom buckets, or if `schema` is not lower.
    pub fn reduce_resolution(&mut self, schema: i32) {
        if self.uses_custom_buckets() || schema == CUSTOM_BUCKETS_SCHEMA || schema >= self.schema {
            return;
        }
        let by = self.schema.abs_diff(schema);
        self.positive.reduce(by);
        self.negative.reduce(by);
        self.schema = schema;
    }

    /// Whether anything is infinite, as when a sum was too large for a float.
    pub fn has_overflow(&self) -> bool {
        let counts = self.positive.counts.iter().chain(&self.negative.counts);
        let totals = [self.zero_count, self.count, self.sum];
        totals.iter().chain(counts).chain(self.custom_values.iter()).any(|value| value.is_infinite())
    }

    /// Whether it says that its series has ended.
    pub fn is_stale(&self) -> bool {
        model::is_stale(self.sum)
    }
}

#[cfg(test)]
mod tests {
    use crate::FloatHistogram;
    use crate::testing::histogram;

    fn changed(text: &str, change: impl Fn(&mut FloatHistogram)) -> FloatHistogram {
        let mut h = histogram(text);
        change(&mut h);
        h
    }

    #[test]
    fn counts_and_sum_are_scaled() {
        let h = "zero=2@0.5 count=8 sum=-3 pos=0[4] neg=1[2]";
        assert_eq!(changed(h, |h| h.scale(2.0)), histogram("zero=4@0.5 count=16 sum=-6 pos=0[8] neg=1[4]"));
        let gauge = "hint=gauge zero=-1@0.5 count=-4 sum=1.5 pos=0[-2] neg=1[-1]";
        assert_eq!(changed(h, |h| h.scale(-0.5)), histogram(gauge));
        assert_eq!(changed(h, |h| h.divide(-2.0)), histogram(gauge));
    }

    #[test]
    fn division_by_zero_leaves_no_buckets() {
        let h = "hint=reset zero=2@0.5 count=8 sum=-3 pos=0[4] neg=1[2]";
        let expected = histogram("hint=reset zero=inf@0.5 count=inf sum=-inf");
        assert_eq!(changed(h, |h| h.divide(0.0)), expected);
        assert!(expected.has_overflow());
    }

    #[test]
    fn a_histogram_is_stale_by_its_sum() {
        assert!(!histogram("sum=nan").is_stale());
        assert!(changed("", |h| h.sum = model::stale_nan()).is_stale());
    }
}
