//! Windows whose rates can be worked out by hand.

use super::*;

fn minutes(times: &[i64]) -> Vec<Timestamp> {
    times.iter().map(|m| m * 60_000).collect()
}

fn increase(times: &[i64], values: &[f64], start: i64, end: i64) -> Option<f64> {
    extrapolated(RateKind::Increase, &minutes(times), values, start * 60_000, end * 60_000)
}

#[test]
fn near_ends_are_reached_far_ends_by_half_an_interval() {
    // Samples at 1..=4 in (0, 4]: one interval before the first is within 1.1 intervals.
    assert_eq!(increase(&[1, 2, 3, 4], &[10.0, 11.0, 12.0, 13.0], 0, 4), Some(4.0));
    // In (0, 10]: half an interval at the right, all of the minute at the left.
    assert_eq!(increase(&[1, 2, 3, 4], &[10.0, 11.0, 12.0, 13.0], 0, 10), Some(4.5));
}

#[test]
fn a_counter_is_not_stretched_below_zero() {
    // The slope reaches 0 a quarter of a minute before the first sample.
    assert_eq!(increase(&[1, 2, 3], &[0.25, 1.25, 2.25], 0, 3), Some(2.25));
    let gauge = extrapolated(RateKind::Delta, &minutes(&[1, 2, 3]), &[0.25, 1.25, 2.25], 0, 180_000);
    assert_eq!(gauge, Some(3.0));
}

#[test]
fn resets_are_made_good_for_counters_only() {
    assert_eq!(counting_resets(0.0, &[5.0, 2.0, 3.0, 1.0]), 8.0);
    assert_eq!(increase(&[1, 2, 3, 4], &[100.0, 110.0, 10.0, 20.0], 0, 4), Some(40.0));
    let delta =
        extrapolated(RateKind::Delta, &minutes(&[1, 2, 3, 4]), &[100.0, 110.0, 10.0, 20.0], 0, 240_000);
    assert!(delta.is_some_and(|d| (d + 80.0 * 4.0 / 3.0).abs() < 1e-12), "{delta:?}");
}

#[test]
fn the_rate_is_per_second_of_the_range() {
    let rate =
        extrapolated(RateKind::Rate, &minutes(&[1, 2, 3, 4]), &[60.0, 120.0, 180.0, 240.0], 0, 240_000);
    assert!(rate.is_some_and(|r| (r - 1.0).abs() < 1e-12), "{rate:?}");
}

#[test]
fn one_sample_is_not_enough() {
    assert_eq!(increase(&[1], &[1.0], 0, 4), None);
    assert_eq!(increase(&[], &[], 0, 4), None);
    assert_eq!(irate(&[1], &[1.0]), None);
    assert_eq!(idelta(&[1.0]), None);
    assert_eq!(deriv(&[1], &[1.0]), None);
    assert_eq!(double_exponential_smoothing(&[1.0], 0.5, 0.5), None);
}

#[test]
fn instant_functions_look_at_the_last_two() {
    assert_eq!(irate(&[0, 1000, 3000], &[0.0, 5.0, 9.0]), Some(2.0));
    assert_eq!(irate(&[0, 1000], &[5.0, 2.0]), Some(2.0), "after a reset from zero");
    assert_eq!(irate(&[1000, 1000], &[5.0, 6.0]), None);
    assert_eq!(idelta(&[9.0, 5.0, 2.0]), Some(-3.0));
}

#[test]
fn resets_and_changes_are_counted() {
    assert_eq!(resets(&[1.0, 2.0, 1.0, 0.0, 0.0]), Some(2.0));
    assert_eq!(changes(&[1.0, 1.0, f64::NAN, f64::NAN, 2.0]), Some(2.0));
    assert_eq!([resets(&[1.0]), changes(&[1.0])], [Some(0.0); 2]);
    assert_eq!([resets(&[]), changes(&[])], [None; 2]);
}

#[test]
fn straight_lines_are_found_exactly() {
    // Large times would lose the slope without counting from the first.
    let times: Vec<_> = (0..10).map(|i| 1_493_712_816_939 + i * 30_000).collect();
    let values: Vec<_> = (0..10).map(|i| 7.0 + 3.0 * i as f64).collect();
    let slope = deriv(&times, &values).unwrap_or_default();
    assert!((slope - 0.1).abs() < 1e-12, "{slope}");
    let in_a_minute = predict_linear(&times, &values, times[9], 60.0).unwrap_or_default();
    assert!((in_a_minute - 40.0).abs() < 1e-9, "{in_a_minute}");
}

#[test]
fn constant_series_have_no_slope() {
    assert_eq!(linear_regression(&[0, 1, 2], &[4.2; 3], 0), Some((0.0, 4.2)));
    assert!(deriv(&[0, 1], &[f64::INFINITY; 2]).is_some_and(f64::is_nan));
}

#[test]
fn smoothing_follows_a_line() {
    let values: Vec<_> = (0..8).map(|i| 10.0 * i as f64).collect();
    assert_eq!(double_exponential_smoothing(&values, 0.5, 0.25), Some(70.0));
}
