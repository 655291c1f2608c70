//! Tests of merging.

use super::*;
use model::{Buckets, CounterResetHint, Histogram, HistogramSample, Labels, Timestamp};

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
