//! Sums and means of two shares of the histograms, put together.

use super::{HintsSeen, MeanOfHistograms, SumOfHistograms};
use crate::{Combined, Incompatible};

impl SumOfHistograms {
    /// Takes in what another share gave, as `add` does.
    pub fn merge(&mut self, other: Self) -> Result<Combined, Incompatible> {
        self.hints = self.hints.and(other.hints);
        let combined = self.sum.add(&other.sum.finish())?;
        Ok(self.hints.report(combined))
    }
}

impl MeanOfHistograms {
    /// Takes in what another share gave, as `add` does.
    pub fn merge(&mut self, other: Self) -> Result<Combined, Incompatible> {
        self.hints = self.hints.and(other.hints);
        let (mine, theirs) = (self.count, other.count);
        self.count += theirs;
        if !self.incremental && !other.incremental {
            let mut sum = self.running.clone();
            let combined = sum.add(&other.running.clone().finish())?;
            if !sum.total.has_overflow() {
                self.running = sum;
                return Ok(self.hints.report(combined));
            }
        }
        // Both as means, each with its share of the whole.
        let share = |of: f64| of / self.count;
        let weight = |incremental: bool, count: f64| if incremental { share(count) } else { share(1.0) };
        self.running.scale(weight(self.incremental, mine));
        let mut part = other.running;
        part.scale(weight(other.incremental, theirs));
        self.incremental = true;
        let combined = self.running.add(&part.finish())?;
        Ok(self.hints.report(combined))
    }
}

impl HintsSeen {
    fn and(self, other: Self) -> Self {
        Self { reset: self.reset || other.reset, not_reset: self.not_reset || other.not_reset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FloatHistogram;

    fn of(count: f64) -> FloatHistogram {
        FloatHistogram { count, sum: 2.0 * count, zero_count: count, ..FloatHistogram::default() }
    }

    fn mean(counts: &[f64]) -> MeanOfHistograms {
        let mut mean = MeanOfHistograms::of(of(counts[0]));
        for count in &counts[1..] {
            mean.add(&of(*count)).unwrap();
        }
        mean
    }

    #[test]
    fn shares_give_what_the_whole_gives() {
        let mut sum = SumOfHistograms::of(of(1.0));
        let mut rest = SumOfHistograms::of(of(2.0));
        rest.add(&of(4.0)).unwrap();
        sum.merge(rest).unwrap();
        assert_eq!(sum.finish().count, 7.0);
        let mut all = mean(&[1.0]);
        all.merge(mean(&[2.0, 6.0])).unwrap();
        assert_eq!(all.finish().count, 3.0);
    }

    #[test]
    fn means_of_what_overflows_are_weighed() {
        let large = f64::MAX / 4.0;
        let mut all = mean(&[large, large]);
        all.merge(mean(&[large, large, large])).unwrap();
        let found = all.finish();
        assert!((found.count / large - 1.0).abs() < 1e-12 && found.sum.is_finite(), "{found}");
    }
}
