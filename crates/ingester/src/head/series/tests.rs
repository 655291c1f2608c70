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

/// Times and bits of floats, times of histograms, and each with its start.
type Entries = (Vec<(i64, u64, i64)>, Vec<(i64, i64)>);

fn entries(out: &SampleBuffer) -> Entries {
    let starts = |starts: &[i64], len: usize| {
        assert!(starts.is_empty() || starts.len() == len);
        if starts.is_empty() { vec![0; len] } else { starts.to_vec() }
    };
    let floats = out.timestamps.iter().zip(&out.values).zip(starts(&out.starts.floats, out.timestamps.len()));
    let histograms = out.histograms.iter().zip(starts(&out.starts.histograms, out.histograms.len()));
    let histograms = histograms.map(|(s, start)| (s.timestamp, start)).collect();
    (floats.map(|((t, v), start)| (*t, v.to_bits(), start)).collect(), histograms)
}

fn read(series: &Series, range: TimeRange) -> Entries {
    let mut out = SampleBuffer::default();
    if let Some(snapshot) = series.snapshot(&range) {
        snapshot.read(range, &mut out).unwrap();
    }
    entries(&out)
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
        assert_eq!(series.append(t, t as f64, 0, &window(t)), Applied::Stored);
    }
    for t in [0, 119, 120, 299] {
        assert_eq!(series.append(t, t as f64, 0, &window(t)), Applied::Present, "{t}");
        assert_eq!(series.append(t, -1.0, 0, &window(t)), Applied::Conflict, "{t}");
    }
    assert_eq!(series.append(-5, 1.0, 0, &window(-5)), Applied::Stored);
    assert_eq!(series.append(-5, 1.0, 0, &window(-5)), Applied::Present);
    assert_eq!(series.append(-5, 2.0, 0, &window(-5)), Applied::Conflict);
}

#[test]
fn floats_and_histograms_do_not_share_a_time() {
    let mut series = Series::default();
    let sample = |timestamp, sum| HistogramSample { timestamp, histogram: histogram(sum) };
    assert_eq!(series.append(1, 1.0, 0, &window(1)), Applied::Stored);
    assert_eq!(series.append_histogram(&sample(1, 1.0), 0, WINDOW), Applied::Conflict);
    assert_eq!(series.append_histogram(&sample(2, 1.0), 0, WINDOW), Applied::Stored);
    assert_eq!(series.append_histogram(&sample(2, 1.0), 0, WINDOW), Applied::Present);
    assert_eq!(series.append_histogram(&sample(2, 2.0), 0, WINDOW), Applied::Conflict);
    assert_eq!(series.append(2, 1.0, 0, &window(2)), Applied::Conflict);
}

#[derive(Clone, Debug)]
enum Step {
    /// The last one is its start, as of a histogram.
    Float(i64, f64, i64),
    Histogram(i64, i64),
    Flush(i64),
}

fn start() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(0), 3 => Just(100), 1 => 0i64..4000]
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop::sample::select(vec![0.0, -0.0, 1.5, f64::NAN, model::stale_nan(), f64::INFINITY]);
    prop_oneof![
        20 => (0i64..4000, value, start()).prop_map(|(t, v, start)| Step::Float(t, v, start)),
        4 => (0i64..4000, start()).prop_map(|(t, start)| Step::Histogram(t, start)),
        1 => (0i64..4).prop_map(Step::Flush),
    ]
}

fn expected(
    floats: &BTreeMap<i64, (u64, i64)>,
    histograms: &BTreeMap<i64, i64>,
    range: TimeRange,
) -> Entries {
    let floats = floats.iter().filter(|(t, _)| range.contains(**t)).map(|(t, (v, start))| (*t, *v, *start));
    let histograms = histograms.iter().filter(|(t, _)| range.contains(**t)).map(|(t, start)| (*t, *start));
    (floats.collect(), histograms.collect())
}

/// What a series without starts takes must stay as it was.
#[test]
fn starts_cost_series_without_them_nothing() {
    assert!(size_of::<Series>() <= 112, "{}", size_of::<Series>());
    let mut series = Series::default();
    for t in 0..300 {
        assert_eq!(series.append(t, 1.0, 0, &window(t)), Applied::Stored);
    }
    assert!(series.floats.open_starts().is_none());
}

#[test]
fn a_start_that_comes_again_with_its_sample_changes_nothing() {
    let mut series = Series::default();
    let sample = |timestamp| HistogramSample { timestamp, histogram: histogram(1.0) };
    assert_eq!(series.append(10, 1.0, 5, &window(10)), Applied::Stored);
    assert_eq!(series.append(10, 1.0, 6, &window(10)), Applied::Present);
    assert_eq!(series.append(9, 1.0, 0, &window(9)), Applied::Stored);
    assert_eq!(series.append(9, 1.0, 6, &window(9)), Applied::Present);
    assert_eq!(series.append_histogram(&sample(11), 7, WINDOW), Applied::Stored);
    assert_eq!(series.append_histogram(&sample(11), 8, WINDOW), Applied::Present);
    let floats = vec![(9, 1f64.to_bits(), 0), (10, 1f64.to_bits(), 5)];
    assert_eq!(read(&series, TimeRange::ALL), (floats, vec![(11, 7)]));
}

proptest! {
    #[test]
    fn reads_give_what_was_stored(
        ordered in prop::collection::vec((1i64..30, start()), 0..300),
        known in any::<bool>(),
        steps in prop::collection::vec(step(), 0..300),
        range in (-10i64..4000, 0i64..4000),
    ) {
        let mut series = Series::default();
        let (mut floats, mut histograms) = (BTreeMap::new(), BTreeMap::new());
        let mut t = 0;
        let ordered = ordered.into_iter().map(|(gap, start)| { t += gap; Step::Float(t, t as f64 / 8.0, start) });
        let unless = |start: i64| if known { start } else { 0 };
        for step in ordered.chain(steps) {
            match step {
                Step::Float(t, v, start) => match series.append(t, v, unless(start), &window(t)) {
                    Applied::Stored => prop_assert!(floats.insert(t, (v.to_bits(), unless(start))).is_none()),
                    Applied::Present => prop_assert_eq!(floats.get(&t).map(|f| f.0), Some(v.to_bits())),
                    _ => prop_assert!(histograms.contains_key(&t) || floats[&t].0 != v.to_bits()),
                },
                Step::Histogram(t, start) => {
                    let sample = HistogramSample { timestamp: t, histogram: histogram(t as f64) };
                    match series.append_histogram(&sample, unless(start), WINDOW) {
                        Applied::Stored => prop_assert!(histograms.insert(t, unless(start)).is_none()),
                        Applied::Present => prop_assert!(histograms.contains_key(&t)),
                        _ => prop_assert!(floats.contains_key(&t)),
                    }
                }
                Step::Flush(at) => {
                    let window = window(at * WINDOW);
                    let data = series.seal_window(&window);
                    let chunks = data.chunks.iter().chain(&data.late).map(SealedChunk::len).sum::<usize>();
                    prop_assert_eq!(chunks, floats.range(window.start..=window.end).count());
                    // As it goes into a block.
                    let mut out = SampleBuffer::default();
                    data.read(TimeRange::ALL, &mut out).unwrap();
                    prop_assert_eq!(entries(&out), expected(&floats, &histograms, window));
                    series.drop_data(&data);
                    floats.retain(|t, _| !window.contains(*t));
                    histograms.retain(|t, _| !window.contains(*t));
                }
            }
        }
        prop_assert_eq!(series.is_empty(), floats.is_empty() && histograms.is_empty());
        for range in [TimeRange::ALL, TimeRange::new(range.0, range.0 + range.1)] {
            prop_assert_eq!(read(&series, range), expected(&floats, &histograms, range));
        }
        let runs = series.floats.open_starts();
        prop_assert!(known || runs.is_none());
        prop_assert!(runs.is_none_or(|runs| runs.heap_bytes() <= 32 * CHUNK_SAMPLES));
    }
}
