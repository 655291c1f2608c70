//! What a range aggregation makes of one window's samples.
//!
//! Sums and means are taken plainly, in time order, as Loki takes them: the digits of an answer
//! are part of it.

use model::Nanos;

/// A function of a window's samples, of which there is at least one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Function {
    Sum,
    /// The sum divided by the seconds of the window.
    PerSecond,
    Avg,
    Min,
    Max,
    Stddev,
    Stdvar,
    Quantile(f64),
    First,
    Last,
    /// The increase of a counter in a second, stretched to the ends of the window.
    CounterRate,
}

/// A window: its samples, its end, its length in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    pub samples: &'a [(Nanos, f64)],
    pub end: Nanos,
    pub range: Nanos,
}

pub(crate) fn seconds(nanos: Nanos) -> f64 {
    // As Go's Duration.Seconds does: whole seconds first.
    (nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9
}

impl Function {
    /// `scratch` is for values that have to be put in order.
    pub fn apply(self, window: Window<'_>, scratch: &mut Vec<f64>) -> f64 {
        let values = window.samples.iter().map(|(_, value)| *value);
        match self {
            Self::Sum => values.sum_plainly(),
            Self::PerSecond => values.sum_plainly() / seconds(window.range),
            Self::Avg => mean(values),
            Self::Min => {
                values.fold(f64::NAN, |least, v| if v < least || least.is_nan() { v } else { least })
            }
            Self::Max => values.fold(f64::NAN, |most, v| if v > most || most.is_nan() { v } else { most }),
            Self::Stddev => variance(values).sqrt(),
            Self::Stdvar => variance(values),
            Self::Quantile(q) => {
                scratch.clear();
                scratch.extend(values);
                vectors::quantile(q, scratch)
            }
            Self::First => window.samples.first().map_or(f64::NAN, |(_, value)| *value),
            Self::Last => window.samples.last().map_or(f64::NAN, |(_, value)| *value),
            Self::CounterRate => counter_rate(window),
        }
    }
}

trait SumPlainly {
    fn sum_plainly(self) -> f64;
}

impl<I: Iterator<Item = f64>> SumPlainly for I {
    fn sum_plainly(self) -> f64 {
        // Iterator::sum starts from -0.0.
        self.fold(0.0, |sum, value| sum + value)
    }
}

/// The mean, kept as a mean all along so that it cannot overflow. An infinite one stays.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut mean, mut count) = (0.0f64, 0.0);
    for value in values {
        count += 1.0;
        let stays =
            mean.is_infinite() && (value.is_finite() || value.is_infinite() && (mean > 0.0) == (value > 0.0));
        if !stays {
            mean += value / count - mean / count;
        }
    }
    mean
}

/// The variance of all values (not of a sample of them), by Welford's method.
fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut squares, mut count, mut mean) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
    }
    squares / count
}

/// As Prometheus's `rate`, with the window itself for its range; 0 for a single sample.
fn counter_rate(window: Window<'_>) -> f64 {
    let [(first_time, first), .., (last_time, last)] = *window.samples else { return 0.0 };
    let mut increase = last - first;
    let mut before = 0.0;
    for &(_, value) in window.samples {
        if value < before {
            increase += before;
        }
        before = value;
    }
    let apart = |from: Nanos, to: Nanos| to.saturating_sub(from) as f64 / 1e9;
    let start = window.end.saturating_sub(window.range);
    let (mut to_start, mut to_end) = (apart(start, first_time), apart(last_time, window.end));
    let sampled = apart(first_time, last_time);
    let interval = sampled / (window.samples.len() - 1) as f64;
    // The next sample outside would be due: the series may well have ended before.
    let threshold = interval * 1.1;
    if to_start >= threshold {
        to_start = interval / 2.0;
    }
    if increase > 0.0 && first >= 0.0 {
        // A counter was not below zero.
        to_start = to_start.min(sampled * (first / increase));
    }
    if to_end >= threshold {
        to_end = interval / 2.0;
    }
    increase * ((sampled + to_start + to_end) / sampled) / seconds(window.range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(function: Function, values: &[f64]) -> f64 {
        let samples: Vec<_> =
            values.iter().enumerate().map(|(i, v)| (i as i64 * 10_000_000_000, *v)).collect();
        let end = samples.last().map_or(0, |(time, _)| *time);
        function.apply(Window { samples: &samples, end, range: 60_000_000_000 }, &mut Vec::new())
    }

    #[test]
    fn plain_windows() {
        let window = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let functions = [
            (Function::Sum, 40.0),
            (Function::PerSecond, 40.0 / 60.0),
            (Function::Avg, 5.0),
            (Function::Min, 2.0),
            (Function::Max, 9.0),
            (Function::Stddev, 2.0),
            (Function::Stdvar, 4.0),
            (Function::Quantile(0.5), 4.5),
            (Function::First, 2.0),
            (Function::Last, 9.0),
        ];
        for (function, expected) in functions {
            assert_eq!(apply(function, &window), expected, "{function:?}");
        }
    }

    #[test]
    fn sums_are_taken_in_order_without_compensation() {
        assert_eq!(apply(Function::Sum, &[0.1, 0.2, 0.3]), 0.6000000000000001);
        assert_eq!(apply(Function::Avg, &[f64::INFINITY, 1.0, f64::INFINITY]), f64::INFINITY);
        assert!(apply(Function::Avg, &[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(apply(Function::Max, &[f64::NAN, 1.0]), 1.0);
    }

    #[test]
    fn counters_are_stretched_to_the_window() {
        // 10 a second for 50 s, the window starts 10 s earlier.
        let counter = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0];
        assert!((apply(Function::CounterRate, &counter) - 10.0).abs() < 1e-9);
        // A reset: 100 came before it and 50 after it.
        assert!(apply(Function::CounterRate, &[100.0, 200.0, 50.0]) > 2.0);
        assert_eq!(apply(Function::CounterRate, &[7.0]), 0.0);
    }
}
