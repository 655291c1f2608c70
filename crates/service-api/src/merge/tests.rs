//! Tests of merging.

use super::*;
use model::{Buckets, CounterResetHint, Histogram, HistogramSample, Labels, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Samples whose value says which source they come from.
struct Plain(Vec<Timestamp>, f64);

impl SeriesData for Plain {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for t in self.0.iter().filter(|t| range.contains(**t)) {
            out.timestamps.push(*t);
            out.values.push(self.1);
        }
        Ok(())
    }
}

fn set(source: f64, series: &[(&str, &[Timestamp])]) -> SeriesSet {
    let series = series
        .iter()
        .map(|(name, times)| Series {
            labels: Labels::from_pairs([("__name__", *name)]),
            data: Arc::new(Plain(times.to_vec(), source)),
        })
        .collect();
    SeriesSet { series, warnings: vec!["once".to_owned()] }
}

fn read(series: &Series, range: TimeRange) -> Vec<(Timestamp, f64)> {
    let mut out = SampleBuffer { timestamps: vec![9], values: vec![9.0], ..SampleBuffer::default() };
    series.data.read(range, &mut out).unwrap();
    out.timestamps.into_iter().zip(out.values).skip(1).collect()
}

#[test]
fn sets_become_one_sorted_set() {
    let merged = merge_series_sets(vec![
        set(1.0, &[("a", &[1]), ("c", &[1])]),
        SeriesSet::default(),
        set(2.0, &[("b", &[1]), ("c", &[1, 2])]),
    ]);
    let names: Vec<_> = merged.series.iter().filter_map(|s| s.labels.metric_name()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(merged.warnings, ["once"]);
    assert_eq!(read(&merged.series[2], TimeRange::ALL), [(1, 1.0), (2, 2.0)]);
}

#[test]
fn entries_come_in_order_and_once_and_the_earlier_source_wins() {
    let merged = merge_series_sets(vec![
        set(1.0, &[("a", &[10, 20, 30])]),
        set(2.0, &[("a", &[40, 50])]),
        set(3.0, &[("a", &[5, 20, 25, 45, 60])]),
    ]);
    let want =
        [(5, 3.0), (10, 1.0), (20, 1.0), (25, 3.0), (30, 1.0), (40, 2.0), (45, 3.0), (50, 2.0), (60, 3.0)];
    assert_eq!(read(&merged.series[0], TimeRange::ALL), want);
    assert_eq!(read(&merged.series[0], TimeRange::new(20, 45)), want[2..7]);
    assert_eq!(read(&merged.series[0], TimeRange::new(100, 200)), []);
}

/// Histograms whose sum says which source they come from.
struct Histograms(Vec<Timestamp>, f64);

impl SeriesData for Histograms {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for timestamp in self.0.iter().filter(|t| range.contains(**t)) {
            let histogram = Histogram {
                counter_reset_hint: CounterResetHint::Unknown,
                schema: 0,
                zero_threshold: 0.0,
                sum: self.1,
                positive_spans: vec![],
                negative_spans: vec![],
                buckets: Buckets::Integer { count: 0, zero_count: 0, positive: vec![], negative: vec![] },
                custom_values: vec![],
            };
            out.histograms.push(HistogramSample { timestamp: *timestamp, histogram });
        }
        Ok(())
    }
}

#[test]
fn histograms_are_merged_as_samples_are() {
    let sources: Vec<Arc<dyn SeriesData>> = vec![
        Arc::new(Histograms(vec![10, 20], 1.0)),
        Arc::new(Histograms(vec![30], 2.0)),
        Arc::new(Histograms(vec![5, 20, 25, 30, 40], 3.0)),
    ];
    let mut out = SampleBuffer::default();
    MergedData::new(sources).read(TimeRange::ALL, &mut out).unwrap();
    let found: Vec<_> = out.histograms.iter().map(|h| (h.timestamp, h.histogram.sum)).collect();
    assert_eq!(found, [(5, 3.0), (10, 1.0), (20, 1.0), (25, 3.0), (30, 2.0), (40, 3.0)]);
}

/// Entries with their starts, of floats and of histograms; a source that knows none has no columns of them.
#[derive(Clone, Debug)]
struct Started {
    floats: BTreeMap<Timestamp, Timestamp>,
    histograms: BTreeMap<Timestamp, Timestamp>,
}

impl SeriesData for Started {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for (t, start) in self.floats.range(range.start..=range.end) {
            model::push_start(&mut out.starts.floats, out.timestamps.len(), *start);
            out.timestamps.push(*t);
            out.values.push(0.0);
        }
        for (t, start) in self.histograms.range(range.start..=range.end) {
            model::push_start(&mut out.starts.histograms, out.histograms.len(), *start);
            Histograms(vec![*t], 0.0).read(range, out)?;
        }
        Ok(())
    }
}

fn started() -> impl Strategy<Value = Started> {
    let entries = |known: bool| {
        let start = if known { prop_oneof![Just(0), 1i64..4].boxed() } else { Just(0).boxed() };
        prop::collection::btree_map(0i64..40, start, 0..15)
    };
    let one = any::<(bool, bool)>().prop_flat_map(move |(a, b)| (entries(a), entries(b)));
    one.prop_map(|(floats, histograms)| Started { floats, histograms })
}

fn one_each(starts: Vec<Timestamp>, entries: usize) -> Vec<Timestamp> {
    if starts.is_empty() { vec![0; entries] } else { starts }
}

proptest! {
    #[test]
    fn each_entry_keeps_the_start_that_came_with_it(
        sources in prop::collection::vec(started(), 0..5), range in (0i64..40, 0i64..40), known in any::<bool>(),
    ) {
        let range = TimeRange::new(range.0, range.0 + range.1);
        let merged = |of: fn(&Started) -> &BTreeMap<Timestamp, Timestamp>| {
            let mut all = BTreeMap::new();
            for source in &sources {
                for (t, start) in of(source).range(range.start..=range.end) {
                    all.entry(*t).or_insert(*start);
                }
            }
            all
        };
        let (floats, histograms) = (merged(|s| &s.floats), merged(|s| &s.histograms));
        let data = MergedData::new(sources.iter().map(|s| Arc::new(s.clone()) as Arc<dyn SeriesData>).collect());
        // Behind what is there already.
        let mut out = SampleBuffer { timestamps: vec![-1], values: vec![9.0], ..SampleBuffer::default() };
        out.starts.floats.extend(known.then_some(-2));
        data.read(range, &mut out).unwrap();
        prop_assert_eq!(&out.timestamps[1..], &floats.keys().copied().collect::<Vec<_>>()[..]);
        let times: Vec<_> = out.histograms.iter().map(|h| h.timestamp).collect();
        prop_assert_eq!(times, histograms.keys().copied().collect::<Vec<_>>());
        let first = if known { -2 } else { 0 };
        let expected: Vec<_> = [first].into_iter().chain(floats.values().copied()).collect();
        prop_assert_eq!(one_each(out.starts.floats, out.timestamps.len()), expected);
        let expected: Vec<_> = histograms.values().copied().collect();
        prop_assert_eq!(one_each(out.starts.histograms, out.histograms.len()), expected);
    }
}
