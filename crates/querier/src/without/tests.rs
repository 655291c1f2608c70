//! Deleted series are not seen, and of others no deleted samples.

use super::*;
use crate::test_support::*;
use block_store::{BlocksInRange, Deletion};
use futures::FutureExt;
use model::{Buckets, CounterResetHint, Exemplar, Histogram, HistogramSample};
use runtime::ManualClock;
use service_api::{Code, EncodedChunk, SampleBuffer, Series, SeriesData, StartTimestamps};
use std::time::Duration;

/// What `deletions` name, of a source that has entries of these times.
pub fn hidden(signal: Signal, deletions: &[Deletion], within: TimeRange) -> Hidden {
    Hidden::new(Arc::new(Deletions::new(signal, deletions).unwrap()), within)
}

fn range(start: i64, end: i64) -> TimeRange {
    TimeRange::new(start, end)
}

fn without(source: &Arc<Fake>, deletions: &[Deletion]) -> Without {
    Without::new(Arc::clone(source) as Arc<dyn Source>, hidden(Signal::Metrics, deletions, TimeRange::ALL))
}

/// A sample every ten milliseconds, from 0 to 90, of two jobs.
fn two_jobs() -> Arc<Fake> {
    let source = Arc::new(Fake::default());
    for time in (0..100).step_by(10) {
        source.sample("__name__=up,job=a", time, time as f64);
        source.sample("__name__=up,job=b", time, time as f64);
    }
    source
}

async fn times(source: &dyn MetricsReader, range: TimeRange) -> Vec<(String, Vec<i64>)> {
    let request = SelectRequest { matchers: Vec::new(), range };
    let set = source.select(&ctx(), &request).await.unwrap();
    let read = |series: &Series| {
        let mut out = SampleBuffer::default();
        series.data.read(range, &mut out).unwrap();
        assert!(out.timestamps.iter().zip(&out.values).all(|(time, value)| *time as f64 == *value));
        (series.labels.get("job").unwrap().to_owned(), out.timestamps)
    };
    set.series.iter().map(read).collect()
}

#[tokio::test]
async fn a_series_is_gone_where_all_of_the_range_is_deleted_and_lacks_samples_where_a_part_is() {
    let source = without(&two_jobs(), &[deletion("up{job=\"a\"}", 20, 60)]);
    let is = |a: &[i64], b: &[i64]| {
        let all = [("a".to_owned(), a.to_vec()), ("b".to_owned(), b.to_vec())];
        all.into_iter().filter(|(_, times)| !times.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(times(&source, range(20, 60)).await, is(&[], &[20, 30, 40, 50, 60]));
    assert_eq!(times(&source, range(10, 60)).await, is(&[10], &[10, 20, 30, 40, 50, 60]));
    assert_eq!(times(&source, range(50, 80)).await, is(&[70, 80], &[50, 60, 70, 80]));
    assert_eq!(times(&source, range(70, 80)).await, is(&[70, 80], &[70, 80]));
}

#[tokio::test]
async fn of_what_has_entries_of_some_times_alone_a_series_is_gone_where_those_are_deleted() {
    let deletions = [deletion("up{job=\"a\"}", 0, 99)];
    let within = hidden(Signal::Metrics, &deletions, range(0, 95));
    let source = Without::new(two_jobs(), within);
    assert_eq!(MetricsReader::select(&source, &ctx(), &everything()).await.unwrap().series.len(), 1);
    let query = label_query(Signal::Metrics, &[]);
    let found = source.series(&ctx(), &query).await.unwrap().value;
    assert_eq!(found, [labels("__name__=up,job=b")]);
    // Of a source that may have more nobody can say.
    let source = without(&two_jobs(), &deletions);
    assert_eq!(source.series(&ctx(), &query).await.unwrap().value.len(), 2);
    let some = LabelQuery { range: range(10, 99), ..query };
    assert_eq!(source.series(&ctx(), &some).await.unwrap().value, found);
    // An index may go on telling names and values.
    assert_eq!(source.label_values(&ctx(), "job", &some).await.unwrap().value, ["a", "b"]);
    assert_eq!(source.label_names(&ctx(), &some).await.unwrap().value, ["__name__", "job"]);
}

/// Floats and native histograms, which it can give encoded.
struct Mixed(SampleBuffer);

impl SeriesData for Mixed {
    fn read(&self, _: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        out.timestamps.extend(&self.0.timestamps);
        out.values.extend(&self.0.values);
        out.histograms.extend(self.0.histograms.iter().cloned());
        out.starts.floats.extend(&self.0.starts.floats);
        out.starts.histograms.extend(&self.0.starts.histograms);
        Ok(())
    }

    fn encoded(&self, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        each(EncodedChunk::Histograms { range, count: 2, data: &[], starts: &[] });
        Ok(true)
    }
}

fn histogram(timestamp: i64) -> HistogramSample {
    let buckets = Buckets::Float { count: 1.0, zero_count: 1.0, positive: Vec::new(), negative: Vec::new() };
    let histogram = Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 0,
        zero_threshold: 0.0,
        sum: 0.0,
        positive_spans: Vec::new(),
        negative_spans: Vec::new(),
        buckets,
        custom_values: Vec::new(),
    };
    HistogramSample { timestamp, histogram }
}

#[tokio::test]
async fn histograms_and_starts_go_with_their_entries_and_only_what_is_whole_stays_encoded() {
    let data: Arc<dyn SeriesData> = Arc::new(Mixed(SampleBuffer {
        timestamps: vec![1, 3, 5],
        values: vec![1.0, 3.0, 5.0],
        histograms: vec![histogram(2), histogram(4), histogram(6)],
        starts: StartTimestamps { floats: vec![11, 13, 15], histograms: vec![12, 14, 16] },
    }));
    let series = |text: &str| Series { labels: labels(text), data: Arc::clone(&data) };
    let set = || SeriesSet { series: vec![series("job=a"), series("job=b")], warnings: vec!["w".to_owned()] };
    let hidden = hidden(Signal::Metrics, &[deletion("{job=\"b\"}", 3, 4)], TimeRange::ALL);
    let ctx = ctx();
    let found = hidden.series(&ctx, set(), range(0, 9)).await.unwrap();
    assert_eq!(found.warnings, ["w"]);
    let is_encoded = |at: usize| found.series[at].data.encoded(range(0, 9), &mut |_| ()).unwrap();
    assert_eq!((is_encoded(0), is_encoded(1)), (true, false));
    assert!(Arc::ptr_eq(&found.series[0].data, &data));
    // Entries that are there already stay, whatever their times.
    let mut out = SampleBuffer {
        timestamps: vec![3],
        values: vec![9.0],
        histograms: vec![histogram(4)],
        starts: StartTimestamps { floats: vec![7], histograms: vec![8] },
    };
    found.series[1].data.read(range(0, 9), &mut out).unwrap();
    assert_eq!((out.timestamps, out.values), (vec![3, 1, 5], vec![9.0, 1.0, 5.0]));
    assert_eq!(out.histograms.iter().map(|h| h.timestamp).collect::<Vec<_>>(), [4, 2, 6]);
    assert_eq!((out.starts.floats, out.starts.histograms), (vec![7, 11, 15], vec![8, 12, 16]));
    // What is held for it counts, as long as it is held.
    assert!(ctx.budget.used() > 0);
    drop(found);
    assert_eq!(ctx.budget.used(), 0);
    let poor = ReadContext::new(ctx.tenant.clone(), 10);
    let error = hidden.series(&poor, set(), range(0, 9)).await.err().unwrap();
    assert_eq!(error.code, Code::Unprocessable);
    let found = hidden.series(&poor, set(), range(5, 9)).await.unwrap();
    assert_eq!(found.series.len(), 2);
}

#[tokio::test]
async fn exemplars_of_deleted_times_are_not_seen() {
    let source = Arc::new(Fake::default());
    let exemplar = |timestamp| Exemplar { labels: labels("trace=1"), timestamp, value: 1.0 };
    let of = |text: &str, times: &[i64]| ExemplarSeries {
        labels: labels(text),
        exemplars: times.iter().map(|time| exemplar(*time)).collect(),
    };
    *source.exemplars.lock() = vec![of("job=a", &[1, 5, 9]), of("job=b", &[5]), of("job=c", &[5])];
    let deletions = [deletion("{job=~\"a|b\"}", 2, 8)];
    let found = without(&source, &deletions).exemplars(&ctx(), &label_query(Signal::Metrics, &[])).await;
    assert_eq!(found.unwrap(), [of("job=a", &[1, 9]), of("job=c", &[5])]);
}

#[tokio::test]
async fn of_heads_what_is_deleted_is_left_out_as_long_as_they_may_hold_it() {
    const DAY: u64 = 24 * 3_600_000;
    let (source, clock) = (two_jobs(), Arc::new(ManualClock::at(0)));
    let list: ListBlocks = Arc::new(|_, _, range| {
        let mut deletions = vec![deletion("up{job=\"a\"}", 20, 60), deletion("up{job=\"b\"}", 0, 10)];
        deletions.retain(|deletion| deletion.range().overlaps(&range));
        async move { Ok(BlocksInRange { deletions, ..BlocksInRange::default() }) }.boxed()
    });
    let heads = Without::of_heads(source, list, Arc::clone(&clock) as Arc<dyn Clock>);
    let all = vec![20, 30, 40, 50, 60];
    assert_eq!(times(&heads, range(20, 60)).await, [("b".to_owned(), all.clone())]);
    assert_eq!(
        times(&heads, range(0, 20)).await,
        [("a".to_owned(), vec![0, 10]), ("b".to_owned(), vec![20])]
    );
    clock.advance(Duration::from_millis(DAY + 1));
    assert_eq!(times(&heads, range(20, 60)).await, [("b".to_owned(), all.clone())]);
    clock.advance(Duration::from_millis(1));
    assert_eq!(times(&heads, range(20, 60)).await, [("a".to_owned(), all.clone()), ("b".to_owned(), all)]);
}

#[tokio::test]
async fn the_list_is_read_after_the_heads_and_what_it_says_must_be_understood() {
    let source = two_jobs();
    source.set(Mode::Fails(Code::Unavailable));
    let list: ListBlocks = Arc::new(|_, _, _| {
        let deletions = vec![deletion("what a later version may say", 0, 99)];
        async move { Ok(BlocksInRange { deletions, ..BlocksInRange::default() }) }.boxed()
    });
    let clock = Arc::new(ManualClock::at(0));
    let heads = Without::of_heads(Arc::clone(&source) as Arc<dyn Source>, list, clock);
    let error = MetricsReader::select(&heads, &ctx(), &everything()).await.err().unwrap();
    assert_eq!(error.code, Code::Unavailable);
    source.set(Mode::Answers);
    let error = MetricsReader::select(&heads, &ctx(), &everything()).await.err().unwrap();
    assert!(error.code == Code::Internal && error.message.contains("cannot be understood"), "{error}");
}
