//! The sliding kernels against the plain functions of one window.

use super::*;
use crate::engine::{shift::Shift, window::WindowSpec};
use proptest::prelude::*;
use vectors::Steps;

/// Timestamps about 15 s apart and values as counters and gauges have them, and worse.
/// Sums of very different numbers depend on their order: `largest` keeps them near.
fn samples(largest: f64) -> impl Strategy<Value = (Vec<Timestamp>, Vec<f64>)> {
    let value = prop_oneof![
        12 => -1000.0..1000.0,
        6 => (0..5).prop_map(f64::from),
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(largest), Just(-largest), Just(-0.0)],
    ];
    prop::collection::vec((1i64..40_000, value), 0..300).prop_map(|pairs| {
        let mut time = 0;
        pairs
            .into_iter()
            .map(|(gap, value)| {
                time += gap;
                (time, value)
            })
            .unzip()
    })
}

fn specs() -> impl Strategy<Value = (Steps, Shift, i64)> {
    let steps = (-100_000i64..2_000_000, 1i64..200_000, 1usize..60);
    (steps, -50_000i64..50_000, 1i64..1_000_000, prop::option::of(0i64..2_000_000)).prop_map(
        |((start, interval, count), offset, range, at)| {
            (Steps { start, interval, count }, Shift { offset, at }, range)
        },
    )
}

fn same(a: f64, b: f64) -> bool {
    if is_absent(a) || is_absent(b) {
        return is_absent(a) && is_absent(b);
    }
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3)
}

type Reference<'a> = &'a dyn Fn(&[Timestamp], &[f64], Timestamp, Timestamp) -> Option<f64>;

fn check(
    (times, values): &(Vec<Timestamp>, Vec<f64>),
    (steps, shift, range): (Steps, Shift, i64),
    function: RangeFunction<Values>,
    reference: Reference<'_>,
) -> Result<(), TestCaseError> {
    let rate = match &function {
        RangeFunction::Extrapolated(kind) => Some(*kind),
        _ => None,
    };
    let mut kernel = RangeKernel::new(function, WindowCache::new(WindowSpec { steps, shift, range, rate }));
    let mut row = Vec::new();
    // Twice, so that windows come from the cache as well.
    for _ in 0..2 {
        kernel.compute(times, values, &|| false, &mut row);
        prop_assert_eq!(row.len(), steps.count);
        for (step, value) in row.iter().enumerate() {
            let end = shift.apply(steps.time(step));
            let start = end - range;
            let (from, to) = (times.partition_point(|t| *t <= start), times.partition_point(|t| *t <= end));
            let expected = some(reference(&times[from..to], &values[from..to], start, end));
            prop_assert!(same(*value, expected), "step {}: {} instead of {}", step, value, expected);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn rates_are_those_of_single_windows(samples in samples(1e6), spec in specs()) {
        for kind in [RateKind::Rate, RateKind::Increase, RateKind::Delta] {
            check(&samples, spec, RangeFunction::Extrapolated(kind), &|times, values, start, end| {
                rate::extrapolated(kind, times, values, start, end)
            })?;
        }
        check(&samples, spec, RangeFunction::InstantRate, &|times, values, _, _| rate::irate(times, values))?;
        check(&samples, spec, RangeFunction::Changes, &|_, values, _, _| rate::changes(values))?;
        check(&samples, spec, RangeFunction::Resets, &|_, values, _, _| rate::resets(values))?;
    }

    #[test]
    fn aggregations_over_time_are_those_of_single_windows(samples in samples(1e300), spec in specs()) {
        use OverTime::*;
        for function in [Avg, Count, First, Last, Max, Min, Present, Stddev, Stdvar, Sum] {
            check(&samples, spec, RangeFunction::OverTime(function), &|_, values, _, _| function.apply(values))?;
        }
    }
}

#[test]
fn sums_do_not_drift() {
    // Large values pass through the windows; what comes after them must not remember them.
    let values: Vec<f64> = (0..2000).map(|i| if i < 1000 { 1e17 + f64::from(i) } else { 0.1 }).collect();
    let times: Vec<Timestamp> = (0..2000).map(|i| i * 1000).collect();
    let spec = WindowSpec {
        steps: Steps::range(0, 1_999_000, 1000),
        shift: Shift::default(),
        range: 100_000,
        rate: None,
    };
    let mut row = Vec::new();
    RangeKernel::new(RangeFunction::OverTime(OverTime::Sum), WindowCache::new(spec)).compute(
        &times,
        &values,
        &|| false,
        &mut row,
    );
    assert!((row[1999] - 10.0).abs() < 1e-12, "{}", row[1999]);
}

#[test]
fn stale_markers_leave_ranges() {
    let (mut times, mut values) = (vec![1, 2, 3, 4], vec![1.0, absent(), f64::NAN, absent()]);
    remove_stale(&mut times, &mut values);
    assert_eq!(times, [1, 3]);
    assert!(values[0] == 1.0 && values[1].is_nan());
}

#[test]
fn a_cancelled_query_does_not_go_through_all_windows() {
    let times: Vec<Timestamp> = (0..5000).collect();
    let steps = Steps { start: 4500, interval: 1, count: 400 };
    // Many short ones take as long as a few long ones.
    for range in [4000, 500] {
        let before_a_check = (SAMPLES_A_CHECK - 1) / (range as usize + 1);
        for (function, value) in [
            (RangeFunction::Quantile(Values::One(0.5)), 1.0),
            (RangeFunction::OverTime(OverTime::Stddev), 1.0),
            (RangeFunction::Derivative, 1.0),
            // Where a sum is not finite, each window is added up by itself.
            (RangeFunction::OverTime(OverTime::Sum), f64::INFINITY),
        ] {
            let spec = WindowSpec { steps, shift: Shift::default(), range, rate: None };
            let mut kernel = RangeKernel::new(function, WindowCache::new(spec));
            let mut row = Vec::new();
            kernel.compute(&times, &vec![value; 5000], &|| true, &mut row);
            assert_eq!(row.len(), before_a_check);
        }
    }
}
