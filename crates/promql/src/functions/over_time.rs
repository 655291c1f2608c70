//! Aggregations of one window's samples: the `*_over_time` functions.
//!
//! Each answers `None` for an empty window.

use super::kahan::{KahanMean, KahanSum, KahanVariance};
use model::Timestamp;
use vectors::quantile;

/// An aggregation that looks at values only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverTime {
    Avg,
    Count,
    First,
    Last,
    Mad,
    Max,
    Min,
    Present,
    Stddev,
    Stdvar,
    Sum,
}

impl OverTime {
    /// By the function's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "avg_over_time" => Self::Avg,
            "count_over_time" => Self::Count,
            "first_over_time" => Self::First,
            "last_over_time" => Self::Last,
            "mad_over_time" => Self::Mad,
            "max_over_time" => Self::Max,
            "min_over_time" => Self::Min,
            "present_over_time" => Self::Present,
            "stddev_over_time" => Self::Stddev,
            "stdvar_over_time" => Self::Stdvar,
            "sum_over_time" => Self::Sum,
            _ => return None,
        })
    }

    pub fn apply(self, values: &[f64]) -> Option<f64> {
        let (first, last) = (*values.first()?, *values.last()?);
        Some(match self {
            Self::Avg => {
                let mut mean = KahanMean::default();
                values.iter().for_each(|v| mean.add(*v));
                mean.value()
            }
            Self::Count => values.len() as f64,
            Self::First => first,
            Self::Last => last,
            Self::Mad => median_absolute_deviation(&mut values.to_vec()),
            Self::Max => values.iter().fold(first, |m, v| if *v > m || m.is_nan() { *v } else { m }),
            Self::Min => values.iter().fold(first, |m, v| if *v < m || m.is_nan() { *v } else { m }),
            Self::Present => 1.0,
            Self::Stddev => variance(values).sqrt(),
            Self::Stdvar => variance(values),
            Self::Sum => KahanSum::of(values),
        })
    }
}

fn variance(values: &[f64]) -> f64 {
    let mut variance = KahanVariance::default();
    values.iter().for_each(|v| variance.add(*v));
    variance.value()
}

/// `quantile_over_time`; copies the window into `scratch`.
pub fn quantile_over_time(phi: f64, values: &[f64], scratch: &mut Vec<f64>) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    scratch.clear();
    scratch.extend_from_slice(values);
    Some(quantile(phi, scratch))
}

/// An aggregation that answers with the time of a sample, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOf {
    First,
    Last,
    Max,
    Min,
}

impl TimeOf {
    /// By the function's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ts_of_first_over_time" => Self::First,
            "ts_of_last_over_time" => Self::Last,
            "ts_of_max_over_time" => Self::Max,
            "ts_of_min_over_time" => Self::Min,
            _ => return None,
        })
    }

    /// Of several greatest or least values the last one counts.
    pub fn apply(self, times: &[Timestamp], values: &[f64]) -> Option<f64> {
        let better = |new: f64, old: f64| match self {
            Self::First => false,
            Self::Last => true,
            Self::Max => new >= old || old.is_nan(),
            Self::Min => new <= old || old.is_nan(),
        };
        let pairs = times.iter().zip(values);
        let (time, _) = pairs.reduce(|old, new| if better(*new.1, *old.1) { new } else { old })?;
        Some(*time as f64 / 1000.0)
    }
}

/// The median of the distances from the median; NaN as soon as one value is NaN.
fn median_absolute_deviation(values: &mut [f64]) -> f64 {
    if values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let median = quantile(0.5, values);
    values.iter_mut().for_each(|v| *v = (*v - median).abs());
    quantile(0.5, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(name: &str, values: &[f64]) -> Option<f64> {
        OverTime::from_name(&format!("{name}_over_time")).and_then(|f| f.apply(values))
    }

    #[test]
    fn plain_windows() {
        let window = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let names =
            ["avg", "count", "first", "last", "mad", "max", "min", "present", "stddev", "stdvar", "sum"];
        let expected = [5.0, 8.0, 2.0, 9.0, 0.5, 9.0, 2.0, 1.0, 2.0, 4.0, 40.0];
        assert_eq!(names.map(|n| over(n, &window)), expected.map(Some));
        assert_eq!(names.map(|n| over(n, &[])), [None; 11]);
    }

    #[test]
    fn extremes_pass_over_nan() {
        assert_eq!(
            [over("max", &[f64::NAN, 1.0, 2.0]), over("min", &[f64::NAN, 2.0, 1.0])],
            [Some(2.0), Some(1.0)]
        );
        assert_eq!(over("max", &[1.0, f64::NAN]), Some(1.0));
        assert!(over("min", &[f64::NAN]).is_some_and(f64::is_nan));
    }

    #[test]
    fn times_of_samples() {
        let (times, values) = ([1000, 2000, 3000, 4000], [f64::NAN, 5.0, 5.0, 1.0]);
        let time_of = |name| TimeOf::from_name(name).and_then(|f| f.apply(&times, &values));
        assert_eq!(time_of("ts_of_first_over_time"), Some(1.0));
        assert_eq!(time_of("ts_of_last_over_time"), Some(4.0));
        assert_eq!(time_of("ts_of_max_over_time"), Some(3.0));
        assert_eq!(time_of("ts_of_min_over_time"), Some(4.0));
        assert_eq!(TimeOf::Max.apply(&[], &[]), None);
    }

    #[test]
    fn quantiles_leave_the_window_alone() {
        let window = [3.0, 1.0, 2.0];
        assert_eq!(quantile_over_time(0.5, &window, &mut Vec::new()), Some(2.0));
        assert_eq!(quantile_over_time(0.5, &[], &mut vec![1.0]), None);
    }

    #[test]
    fn deviation_from_the_median() {
        // Median 2; distances 1 1 0 0 2 4 7; their median 1.
        assert_eq!(median_absolute_deviation(&mut [1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), 1.0);
        assert!(median_absolute_deviation(&mut [1.0, f64::NAN]).is_nan());
    }
}
