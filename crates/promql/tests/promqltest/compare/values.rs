//! Whether two values are the same but for rounding.

use histogram::{Buckets, FloatHistogram};
use model::is_stale;
use promql::notation::{Value, by_number};
use vectors::Sample;

/// Relative error that a float may have, as in Prometheus's runner.
const EPSILON: f64 = 1e-6;

/// Whether a sample is as a script expects it. A counter reset hint that the script does not give does not
/// matter.
pub fn is_expected(expected: &Value, sample: &Sample) -> bool {
    match (expected, sample) {
        (Value::Float(expected), Sample::Float(value)) => almost_equal(*expected, *value),
        (Value::Histogram(expected), Sample::Histogram(histogram)) => {
            same_histogram(&expected.histogram, histogram)
                && (!expected.hint_given
                    || expected.histogram.counter_reset_hint == histogram.counter_reset_hint)
        }
        _ => false,
    }
}

/// Whether two answers agree, hints included.
pub fn same_sample(a: &Sample, b: &Sample) -> bool {
    match (a, b) {
        (Sample::Float(a), Sample::Float(b)) => almost_equal(*a, *b),
        (Sample::Histogram(a), Sample::Histogram(b)) => {
            same_histogram(a, b) && a.counter_reset_hint == b.counter_reset_hint
        }
        _ => false,
    }
}

/// As Prometheus compares test results: relatively, and any NaN equals any NaN but for the
/// stale marker, which equals only itself.
pub fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return (a - b).abs() < EPSILON * f64::MIN_POSITIVE;
    }
    (a - b).abs() / sum.min(f64::MAX) < EPSILON
}

/// What cannot be rounded must be equal: schema, bounds, and which buckets are empty.
fn same_histogram(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    a.schema == b.schema
        && a.zero_threshold == b.zero_threshold
        && (!a.uses_custom_buckets() || a.custom_values == b.custom_values)
        && almost_equal(a.count, b.count)
        && almost_equal(a.sum, b.sum)
        && almost_equal(a.zero_count, b.zero_count)
        && same_buckets(&a.positive, &b.positive)
        && same_buckets(&a.negative, &b.negative)
}

fn same_buckets(a: &Buckets, b: &Buckets) -> bool {
    let [a, b] = [a, b].map(|side| {
        let mut buckets = by_number(side);
        buckets.retain(|_, count| *count != 0.0);
        buckets
    });
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && almost_equal(*a.1, *b.1))
}
