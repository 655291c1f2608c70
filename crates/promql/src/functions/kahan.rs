//! Sums and means that keep the low bits: Kahan's summation with Neumaier's improvement.

use vectors::{add_compensated, compensated_mean};

/// A running sum and the error made so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct KahanSum {
    sum: f64,
    error: f64,
}

impl KahanSum {
    #[inline]
    pub fn add(&mut self, value: f64) {
        add_compensated(&mut self.sum, &mut self.error, value);
    }

    pub fn value(&self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.error }
    }

    pub fn of(values: &[f64]) -> f64 {
        let mut sum = Self::default();
        values.iter().for_each(|v| sum.add(*v));
        sum.value()
    }

    fn scaled(self, factor: f64) -> Self {
        Self { sum: self.sum * factor, error: self.error * factor }
    }

    fn divided(self, divisor: f64) -> f64 {
        compensated_mean(self.sum, self.error, divisor)
    }
}

/// A running mean. It sums first and divides last, which is more exact, until the sum
/// would overflow; from there on it carries the mean itself. (As Prometheus does, see its
/// issue 16714.)
#[derive(Clone, Copy, Debug, Default)]
pub struct KahanMean {
    count: f64,
    /// The sum, or the mean once `incremental` is set.
    state: KahanSum,
    incremental: bool,
}

impl KahanMean {
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.state.sum = value;
            return;
        }
        if !self.incremental {
            let mut sum = self.state;
            sum.add(value);
            if !sum.sum.is_infinite() {
                self.state = sum;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.state = KahanSum { sum: self.state.sum / before, error: self.state.error / before };
        }
        self.state = self.state.scaled((self.count - 1.0) / self.count);
        self.state.add(value / self.count);
    }

    /// NaN if nothing was added.
    pub fn value(&self) -> f64 {
        if self.incremental { self.state.sum + self.state.error } else { self.state.divided(self.count) }
    }
}

/// A running variance (Welford's method over compensated sums).
#[derive(Clone, Copy, Debug, Default)]
pub struct KahanVariance {
    count: f64,
    mean: KahanSum,
    squares: KahanSum,
}

impl KahanVariance {
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - (self.mean.sum + self.mean.error);
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - (self.mean.sum + self.mean.error)));
    }

    /// The population variance; NaN if nothing was added.
    pub fn value(&self) -> f64 {
        (self.squares.sum + self.squares.error) / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> f64 {
        let mut mean = KahanMean::default();
        values.iter().for_each(|v| mean.add(*v));
        mean.value()
    }

    #[test]
    fn small_terms_survive_between_large_ones() {
        // A plain sum gives 0: 1.0 is below the last bit of 1e100.
        assert_eq!(KahanSum::of(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(mean(&[1.0, 1e100, 1.0, -1e100]), 0.5);
    }

    #[test]
    fn infinities_stay_and_opposite_ones_are_not_a_number() {
        assert_eq!(KahanSum::of(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert!(KahanSum::of(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(mean(&[1.0, f64::NEG_INFINITY, 2.0]), f64::NEG_INFINITY);
        assert!(mean(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    #[test]
    fn a_mean_does_not_overflow() {
        assert_eq!([mean(&[f64::MAX; 2]), mean(&[-f64::MAX; 2])], [f64::MAX, -f64::MAX]);
        assert!(mean(&[f64::MAX; 3]) / f64::MAX > 0.999_999);
        assert!(mean(&[]).is_nan());
    }

    #[test]
    fn the_variance_of_a_shifted_series_is_that_of_the_series() {
        let mut shifted = KahanVariance::default();
        [1e15 + 1.0, 1e15 + 2.0, 1e15 + 3.0, 1e15 + 4.0].iter().for_each(|v| shifted.add(*v));
        assert_eq!(shifted.value(), 1.25);
    }
}
