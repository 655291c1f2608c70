//! One series against a map of what it was given.

use super::*;
use model::{Buckets, Histogram};
use proptest::prelude::*;
use service_api::{SampleBuffer, SeriesData};
use std::collections::BTreeMap;

const WINDOW: i64 = 1000;

fn window(t: i64) -> TimeRange {
    let start = t.div_euclid(WINDOW) * WINDOW;
    TimeRange::new(start, start + WINDOW - 1)
}

fn read(series: &Series, range: TimeRange) -> (Vec<(i64, u64)>, Vec<i64>) {
    let mut out = SampleBuffer::default();
    if let Some(snapshot) = series.snapshot(&range) {
        snapshot.read(range, &mut out).unwrap();
    }
    let floats = out.timestamps.iter().copied().zip(out.values.iter().map(|v| v.to_bits())).collect();
    (floats, out.histograms.iter().map(|s| s.timestamp).collect())
}

fn histogram(sum: f64) -> Histogram {
    Histogram {
        counter_reset_hint: Default::default(),
        schema: 0,
        zero_threshold: 0.001,
        sum,
        positive_spans: vec![],
        negative_spans: vec![],
        buckets: Buckets::Integer { count: 1, zero_count: 1, positive: vec![], negative: vec![] },
        custom_values: vec![],
    }
}

#[test]
fn a_retry_is_a_success_and_another_value_is_a_conflict() {
    let mut series = Series::default();
    for t in 0..300 {
        assert_eq!(series.append(t, t as f64, &window(t)), Applied::Stored);
    }
    for t in [0, 119, 120, 299] {
        assert_eq!(series.append(t, t as f64, &window(t)), Applied::Present, "{t}");
        assert_eq!(series.append(t, -1.0, &window(t)), Applied::Conflict, "{t}");
    }
    assert_eq!(series.append(-5, 1.0, &window(-5)), Applied::Stored);
    assert_eq!(series.append(-5, 1.0, &window(-5)), Applied::Present);
    assert_eq!(series.append(-5, 2.0, &window(-5)), Applied::Conflict);
}

#[test]
fn floats_and_histograms_do_not_share_a_time() {
    let mut series = Series::default();
    let sample = |timestamp, sum| HistogramSample { timestamp, histogram: histogram(sum) };
    assert_eq!(series.append(1, 1.0, &window(1)), Applied::Stored);
    assert_eq!(series.append_histogram(&sample(1, 1.0), WINDOW), Applied::Conflict);
    assert_eq!(series.append_histogram(&sample(2, 1.0), WINDOW), Applied::Stored);
    assert_eq!(series.append_histogram(&sample(2, 1.0), WINDOW), Applied::Present);
    assert_eq!(series.append_histogram(&sample(2, 2.0), WINDOW), Applied::Conflict);
    assert_eq!(series.append(2, 1.0, &window(2)), Applied::Conflict);
}

#[derive(Clone, Debug)]
enum Step {
    Float(i64, f64),
    Histogram(i64),
    Flush(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop::sample::select(vec![0.0, -0.0, 1.5, f64::NAN, model::stale_nan(), f64::INFINITY]);
    prop_oneof![
        20 => (0i64..4000, value).prop_map(|(t, v)| Step::Float(t, v)),
        4 => (0i64..4000).prop_map(Step::Histogram),
        1 => (0i64..4).prop_map(Step::Flush),
    ]
}

proptest! {
    #[test]
    fn reads_give_what_was_stored(
        ordered in prop::collection::vec(1i64..30, 0..300),
        steps in prop::collection::vec(step(), 0..300),
        range in (-10i64..4000, 0i64..4000),
    ) {
        let mut series = Series::default();
        let (mut floats, mut histograms) = (BTreeMap::new(), BTreeMap::new());
        let mut t = 0;
        let ordered = ordered.into_iter().map(|gap| { t += gap; Step::Float(t, t as f64 / 8.0) });
        for step in ordered.chain(steps) {
            match step {
                Step::Float(t, v) => match series.append(t, v, &window(t)) {
                    Applied::Stored => prop_assert!(floats.insert(t, v.to_bits()).is_none()),
                    Applied::Present => prop_assert_eq!(floats.get(&t), Some(&v.to_bits())),
                    _ => prop_assert!(histograms.contains_key(&t) || floats[&t] != v.to_bits()),
                },
                Step::Histogram(t) => {
                    let sample = HistogramSample { timestamp: t, histogram: histogram(t as f64) };
                    match series.append_histogram(&sample, WINDOW) {
                        Applied::Stored => prop_assert!(histograms.insert(t, ()).is_none()),
                        Applied::Present => prop_assert!(histograms.contains_key(&t)),
                        _ => prop_assert!(floats.contains_key(&t)),
                    }
                }
                Step::Flush(at) => {
                    let window = window(at * WINDOW);
                    let data = series.seal_window(&window);
                    let chunks = data.chunks.iter().chain(&data.late).map(SealedChunk::len).sum::<usize>();
                    prop_assert_eq!(chunks, floats.range(window.start..=window.end).count());
                    series.drop_data(&data);
                    floats.retain(|t, _| !window.contains(*t));
                    histograms.retain(|t, _| !window.contains(*t));
                }
            }
        }
        prop_assert_eq!(series.is_empty(), floats.is_empty() && histograms.is_empty());
        for range in [TimeRange::ALL, TimeRange::new(range.0, range.0 + range.1)] {
            let expected: Vec<_> = floats.iter().filter(|(t, _)| range.contains(**t)).map(|(t, v)| (*t, *v)).collect();
            let expected_histograms: Vec<_> = histograms.keys().copied().filter(|t| range.contains(*t)).collect();
            prop_assert_eq!(read(&series, range), (expected, expected_histograms));
        }
    }
}
