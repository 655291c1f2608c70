//! Figures against a plain model: each aggregate on its own, as its definition says it.

use super::*;
use model::stale_nan;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Bits = BTreeMap<(i64, Timestamp), u64>;

fn made(times: &[Timestamp], values: &[f64]) -> Bits {
    let (mut maker, mut out) = (FiguresMaker::default(), SampleBuffer::default());
    maker.make(times, values, &mut out);
    assert!(out.timestamps.is_sorted_by(|a, b| a < b), "era after era");
    let figures = out.timestamps.iter().zip(&out.values);
    figures.map(|(time, value)| ((time >> 48, time & ((1 << 48) - 1)), value.to_bits())).collect()
}

/// As `sum_over_time` adds: see `promql::functions::kahan`.
fn sum(values: &[f64]) -> f64 {
    let (mut sum, mut error) = (0.0f64, 0.0f64);
    for value in values {
        let total = sum + value;
        if total.is_infinite() {
            error = 0.0;
        } else if sum.abs() >= value.abs() {
            error += (sum - total) + value;
        } else {
            error += (value - total) + sum;
        }
        sum = total;
    }
    if sum.is_infinite() { sum } else { sum + error }
}

fn model(times: &[Timestamp], values: &[f64]) -> Bits {
    let mut all = Bits::new();
    for (number, resolution) in [(0, 300_000), (1, 3_600_000)] {
        let mut buckets: BTreeMap<Timestamp, Vec<(Timestamp, f64)>> = BTreeMap::new();
        for (time, value) in times.iter().zip(values) {
            // The first multiple that is not before it.
            let end = (*time + resolution - 1) / resolution * resolution;
            buckets.entry(end).or_default().push((*time, *value));
        }
        for (end, entries) in buckets {
            let mut put = |aggregate: i64, value: f64| {
                all.insert((number * 16 + aggregate, end), value.to_bits());
            };
            put(10, entries[entries.len() - 1].1);
            let floats: Vec<_> = entries.into_iter().filter(|(_, value)| !is_stale(*value)).collect();
            let (Some(first), Some(last)) = (floats.first(), floats.last()) else { continue };
            let values: Vec<f64> = floats.iter().map(|(_, value)| *value).collect();
            let drops: Vec<f64> = values.windows(2).filter(|w| w[1] < w[0]).map(|w| w[0]).collect();
            put(0, values.len() as f64);
            put(1, sum(&values));
            put(2, values.iter().fold(values[0], |m, v| if *v < m || m.is_nan() { *v } else { m }));
            put(3, values.iter().fold(values[0], |m, v| if *v > m || m.is_nan() { *v } else { m }));
            put(4, first.1);
            put(5, last.1);
            put(6, first.0 as f64);
            put(7, last.0 as f64);
            put(8, drops.len() as f64);
            put(9, drops.iter().fold(0.0, |sum, value| sum + value));
        }
    }
    all
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-50i32..50).prop_map(|n| f64::from(n) / 4.0),
        3 => any::<f64>(),
        1 => prop::sample::select(vec![
            stale_nan(), f64::NAN, -f64::NAN, f64::from_bits(0x7ff8_0000_0000_0007), 0.0, -0.0, f64::INFINITY,
            f64::NEG_INFINITY, f64::MAX, f64::MIN, 1e100, -1e100, f64::MIN_POSITIVE,
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn figures_are_what_their_definitions_say(
        // Whole minutes meet the ends of buckets.
        steps in prop::collection::vec((prop_oneof![1i64..40_000, (1i64..5).prop_map(|n| n * 60_000), Just(4_000_000)], value()), 0..200),
        start in prop_oneof![Just(0i64), Just(1_700_006_400_000), 0i64..1_000_000_000],
    ) {
        let mut time = start;
        let (times, values): (Vec<_>, Vec<_>) = steps
            .into_iter()
            .map(|(step, value)| {
                time += step;
                (time, value)
            })
            .unzip();
        prop_assert_eq!(made(&times, &values), model(&times, &values));
    }
}

/// One bucket's figures, `Count` to `Latest`.
fn of_one(values: &[f64]) -> Vec<Option<f64>> {
    let times: Vec<_> = (1..).take(values.len()).collect();
    let made = made(&times, values);
    let figure = |aggregate: i64| made.get(&(aggregate, 300_000)).map(|bits| f64::from_bits(*bits));
    (0..11).map(figure).collect()
}

#[test]
fn a_sample_on_the_end_of_a_bucket_is_its_last() {
    let made = made(&[300_000, 300_001, 600_000, 3_600_000, 3_600_001], &[1.0, 2.0, 4.0, 8.0, 16.0]);
    let of_era = |era: i64| -> Vec<_> {
        made.range((era, 0)..(era + 1, 0)).map(|((_, end), bits)| (*end, f64::from_bits(*bits))).collect()
    };
    assert_eq!(of_era(1), [(300_000, 1.0), (600_000, 6.0), (3_600_000, 8.0), (3_900_000, 16.0)]);
    assert_eq!(of_era(17), [(3_600_000, 15.0), (7_200_000, 16.0)]);
}

#[test]
fn stale_markers_are_the_latest_and_nothing_else() {
    let only = of_one(&[stale_nan(), stale_nan()]);
    assert!(only[..10].iter().all(Option::is_none));
    assert!(is_stale(only[10].unwrap()));
    let between = of_one(&[5.0, stale_nan(), 3.0]);
    assert_eq!(between[..6], [2.0, 8.0, 3.0, 5.0, 5.0, 3.0].map(Some));
    // A counter that was restarted while nobody looked has been restarted.
    assert_eq!(between[8..], [1.0, 5.0, 3.0].map(Some));
    let ended = of_one(&[5.0, stale_nan()]);
    assert_eq!((ended[0], ended[5], ended[7]), (Some(1.0), Some(5.0), Some(1.0)));
    assert!(is_stale(ended[10].unwrap()));
}

#[test]
fn what_is_no_number_counts_but_is_no_extreme() {
    let mixed = of_one(&[f64::NAN, 2.0, f64::NAN, 1.0]);
    assert_eq!((mixed[0], mixed[2], mixed[3]), (Some(4.0), Some(1.0), Some(2.0)));
    assert!(mixed[1].unwrap().is_nan() && mixed[4].unwrap().is_nan());
    // Nothing is less than NaN, nor is NaN less than anything.
    assert_eq!((mixed[8], mixed[9]), (Some(0.0), Some(0.0)));
    let zeros = of_one(&[-0.0, 0.0]);
    assert_eq!(
        [zeros[2], zeros[3]].map(|z| z.unwrap().to_bits()),
        [(-0.0f64).to_bits(); 2],
        "the first of equals"
    );
    assert_eq!(of_one(&[1.0, 1e100, 1.0, -1e100])[1], Some(2.0));
    assert_eq!(of_one(&[f64::MAX, f64::MAX, 1.0])[1], Some(f64::INFINITY));
    assert!(of_one(&[f64::INFINITY, f64::NEG_INFINITY])[1].unwrap().is_nan());
}
