//! The quantile of a set of numbers.

use std::cmp::Ordering;

/// The φ-quantile, interpolated between the two nearest ranks; reorders `values`. NaN for no
/// values or a φ that is NaN, -Inf for φ < 0, +Inf for φ > 1. Values that are NaN count as
/// the smallest.
pub fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let last = values.len() - 1;
    let rank = phi * last as f64;
    let weight = rank - rank.floor();
    // Selecting both ranks is linear, sorting would not be.
    let (_, lower, above) = values.select_nth_unstable_by(rank as usize, nan_first);
    let lower = *lower;
    let upper = above.iter().copied().min_by(nan_first).unwrap_or(lower);
    lower * (1.0 - weight) + upper * weight
}

fn nan_first(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_interpolated() {
        assert_eq!(quantile(0.5, &mut [3.0, 1.0, 2.0, 4.0]), 2.5);
        assert_eq!(quantile(0.75, &mut [0.0, 2.0, 1.0]), 1.5);
        assert_eq!([quantile(0.0, &mut [2.0, 1.0]), quantile(1.0, &mut [2.0, 1.0])], [1.0, 2.0]);
        assert_eq!(quantile(0.3, &mut [7.0]), 7.0);
    }

    #[test]
    fn odd_quantiles() {
        assert!(quantile(0.5, &mut []).is_nan() && quantile(f64::NAN, &mut [1.0]).is_nan());
        assert_eq!(quantile(-0.1, &mut [1.0]), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut [1.0]), f64::INFINITY);
    }

    #[test]
    fn nan_counts_as_the_smallest() {
        assert_eq!(quantile(1.0, &mut [2.0, f64::NAN, 1.0]), 2.0);
        assert!(quantile(0.0, &mut [2.0, f64::NAN, 1.0]).is_nan());
    }

    proptest! {
        #[test]
        fn selecting_is_as_good_as_sorting(mut values in prop::collection::vec(-1e6..1e6, 1..40), phi in 0.0..=1.0) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let rank: f64 = phi * (sorted.len() - 1) as f64;
            let (lower, upper) = (sorted[rank as usize], sorted[rank.ceil() as usize]);
            let expected = lower + (upper - lower) * rank.fract();
            prop_assert!((quantile(phi, &mut values) - expected).abs() < 1e-6);
        }
    }
}
