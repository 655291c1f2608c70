//! Quantiles and fractions worked out by hand.

use super::*;
use proptest::prelude::*;

const INF: f64 = f64::INFINITY;

fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
    pairs.iter().map(|&(upper_bound, count)| Bucket { upper_bound, count }).collect()
}

fn quantile(phi: f64, pairs: &[(f64, f64)]) -> f64 {
    histogram_quantile(phi, &mut buckets(pairs)).0
}

fn fraction(lower: f64, upper: f64, pairs: &[(f64, f64)]) -> f64 {
    histogram_fraction(lower, upper, &mut buckets(pairs))
}

/// 5 observations up to 1, 5 in (1, 2], 10 above.
const PLAIN: [(f64, f64); 3] = [(INF, 20.0), (1.0, 5.0), (2.0, 10.0)];

#[test]
fn ranks_are_interpolated_in_their_bucket() {
    assert_eq!(quantile(0.125, &PLAIN), 0.5);
    assert_eq!(quantile(0.3, &PLAIN), 1.2);
    assert_eq!(quantile(0.25, &PLAIN), 1.0);
}

#[test]
fn the_highest_bucket_answers_with_its_lower_bound() {
    assert_eq!(quantile(0.9, &PLAIN), 2.0);
}

#[test]
fn a_lowest_bucket_below_zero_has_no_start() {
    assert_eq!(quantile(0.1, &[(-1.0, 5.0), (INF, 10.0)]), -1.0);
}

#[test]
fn odd_quantiles_and_histograms() {
    assert_eq!([quantile(-0.1, &PLAIN), quantile(1.1, &PLAIN)], [-INF, INF]);
    assert!(quantile(f64::NAN, &PLAIN).is_nan());
    assert!(quantile(0.5, &[(1.0, 5.0), (2.0, 6.0)]).is_nan(), "no +Inf bucket");
    assert!(quantile(0.5, &[(INF, 5.0)]).is_nan(), "one bucket");
    assert!(quantile(0.5, &[(1.0, 0.0), (INF, 0.0)]).is_nan(), "no observations");
    assert!(quantile(0.5, &[]).is_nan());
}

#[test]
fn buckets_of_one_bound_are_added_up() {
    // As from two series of which one writes le="1" and the other le="1.0".
    assert_eq!(quantile(0.5, &[(1.0, 2.0), (1.0, 3.0), (2.0, 20.0), (INF, 20.0)]), 1.0 + 5.0 / 15.0);
}

#[test]
fn falling_counts_are_lifted_and_reported() {
    let mut falling = buckets(&[(1.0, 10.0), (2.0, 8.0), (3.0, 5.0), (4.0, 12.0), (INF, 12.0)]);
    let (value, forced) = histogram_quantile(0.5, &mut falling);
    assert_eq!(value, 0.6);
    assert_eq!(forced, Some(ForcedMonotonicity { min_bound: 2.0, max_bound: 3.0, max_diff: 5.0 }));
}

#[test]
fn rounding_is_mended_in_silence() {
    let mut rounded = buckets(&[(1.0, 10.0), (2.0, 10.0 - 1e-12), (INF, 10.0 + 1e-12)]);
    assert_eq!(histogram_quantile(1.0, &mut rounded), (1.0, None));
}

#[test]
fn fractions() {
    assert_eq!(fraction(0.0, 1.0, &PLAIN), 0.25);
    assert_eq!(fraction(0.5, 1.5, &PLAIN), 0.25);
    assert_eq!(fraction(-INF, INF, &PLAIN), 1.0);
    assert_eq!(fraction(2.0, INF, &PLAIN), 0.5);
    assert_eq!(fraction(5.0, INF, &PLAIN), 0.5, "the +Inf bucket is not divided");
    assert_eq!(fraction(2.0, 1.0, &PLAIN), 0.0);
    assert!(fraction(f64::NAN, 1.0, &PLAIN).is_nan());
    assert!(fraction(0.0, 1.0, &[(1.0, 5.0)]).is_nan());
    assert_eq!(fraction(-INF, -2.0, &[(-1.0, 5.0), (INF, 10.0)]), 0.5);
}

#[test]
fn bounds_are_read_as_go_reads_them() {
    assert_eq!(
        [parse_bound("+Inf"), parse_bound("-inf"), parse_bound("1e-3")],
        [Some(INF), Some(-INF), Some(0.001)]
    );
    assert_eq!([parse_bound(""), parse_bound("1e999"), parse_bound("wide")], [None; 3]);
}

proptest! {
    #[test]
    fn nothing_panics_on_any_buckets(
        pairs in prop::collection::vec((prop::num::f64::ANY, prop::num::f64::ANY), 0..12),
        phi in prop::num::f64::ANY,
        (lower, upper) in (prop::num::f64::ANY, prop::num::f64::ANY),
    ) {
        let infinite = [(INF, 7.0)];
        for pairs in [pairs.clone(), [&pairs[..], &infinite].concat()] {
            let _ = (quantile(phi, &pairs), quantile(0.5, &pairs), fraction(lower, upper, &pairs));
        }
    }

    #[test]
    fn quantile_and_fraction_undo_each_other(steps in prop::collection::vec(1u32..100, 2..10), phi in 0.01..0.99) {
        let cumulated = steps.iter().scan(0.0, |sum, step| {
            *sum += f64::from(*step);
            Some(*sum)
        });
        let finite: Vec<_> = cumulated.enumerate().map(|(i, count)| ((i + 1) as f64, count)).collect();
        let total = finite.last().map_or(0.0, |(_, count)| *count);
        let pairs = [&finite[..], &[(INF, total)]].concat();
        let value = quantile(phi, &pairs);
        prop_assert!((fraction(-INF, value, &pairs) - phi).abs() < 1e-9);
    }
}

#[test]
fn a_count_that_is_no_number_gives_no_fraction() {
    assert!(fraction(0.5, 1.5, &[(1.0, f64::NAN), (2.0, 5.0), (INF, 10.0)]).is_nan());
    assert_eq!(fraction(2.0, INF, &[(1.0, f64::NAN), (2.0, 5.0), (INF, 10.0)]), 0.5);
}
