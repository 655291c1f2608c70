//! The distributor before an ingester that remembers what reached it.

mod fakes;
mod ha;
mod logs;
mod replication;

use super::*;
use hash_ring::{Member, MemoryKv, RingView};
use model::{Labels, Sample, TenantId};
use parking_lot::Mutex;
use runtime::ManualClock;
use service_api::{
    AppendOutcome, BatchSeries, Ingest, IngestAll, IngestLogs, LabelSource, SeriesKey, Wanted,
};
use std::time::Duration;

const NOW: i64 = 1_700_000_000_000;

#[derive(Default)]
struct FakeIngester {
    known: Mutex<Vec<SeriesKey>>,
    samples: Mutex<Vec<(Labels, i64)>>,
    lines: Mutex<Vec<(Labels, i64, String)>>,
}

#[async_trait]
impl Ingest for FakeIngester {
    async fn append(&self, _: &TenantId, batch: Arc<WriteBatch>, which: Wanted) -> Result<AppendOutcome> {
        let mut outcome = AppendOutcome::default();
        let Wanted::Named(named) = which else {
            let known = self.known.lock();
            outcome.unknown.extend(
                (0..batch.series.len() as u32).filter(|i| !known.contains(&batch.series[*i as usize].key)),
            );
            return Ok(outcome);
        };
        for (index, labels) in named {
            let series = &batch.series[index as usize];
            for s in &batch.samples[series.samples.start as usize..series.samples.end as usize] {
                self.samples.lock().push((labels.clone(), s.timestamp));
                outcome.pushed.samples += 1;
            }
        }
        Ok(outcome)
    }
}

#[async_trait]
impl IngestLogs for FakeIngester {
    async fn append_logs(&self, _: &TenantId, batch: Arc<LogBatch>, which: Wanted) -> Result<AppendOutcome> {
        let mut outcome = AppendOutcome::default();
        let Wanted::Named(named) = which else {
            outcome.unknown.extend(0..batch.streams.len() as u32);
            return Ok(outcome);
        };
        for (index, labels) in named {
            let stream = &batch.streams[index as usize];
            for entry in &batch.entries[stream.entries.start as usize..stream.entries.end as usize] {
                let line = String::from_utf8(batch.line(entry).to_vec()).unwrap();
                self.lines.lock().push((labels.clone(), entry.timestamp, line));
                outcome.pushed.lines += 1;
            }
        }
        Ok(outcome)
    }
}

struct Pairs(Vec<Vec<(String, String)>>);

impl LabelSource for Pairs {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        self.0[index].iter().for_each(|(n, v)| each(n, v));
        Ok(())
    }
}

/// Label pairs, and the times of its samples.
type TestSeries<'a> = (&'a [(&'a str, &'a str)], &'a [i64]);

fn batch(series: &[TestSeries<'_>]) -> WriteBatch {
    let mut batch = WriteBatch {
        series: vec![],
        samples: vec![],
        histograms: vec![],
        starts: Default::default(),
        exemplars: vec![],
        metadata: vec![],
        labels: Box::new(Pairs(
            series
                .iter()
                .map(|(pairs, _)| pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect())
                .collect(),
        )),
    };
    for (i, (_, times)) in series.iter().enumerate() {
        let start = batch.samples.len() as u32;
        batch.samples.extend(times.iter().map(|t| Sample { timestamp: *t, value: 1.0 }));
        let samples = start..batch.samples.len() as u32;
        batch.series.push(BatchSeries {
            key: SeriesKey(i as u128),
            samples,
            histograms: 0..0,
            exemplars: 0..0,
        });
    }
    batch
}

fn setup(limits: Limits) -> (Arc<FakeIngester>, Arc<ManualClock>, Distributor) {
    setup_counted(limits, &mut Registry::default())
}

fn setup_counted(
    limits: Limits,
    registry: &mut Registry,
) -> (Arc<FakeIngester>, Arc<ManualClock>, Distributor) {
    let (ingester, clock) = (Arc::new(FakeIngester::default()), Arc::new(ManualClock::at(NOW)));
    let only: Arc<dyn IngestAll> = ingester.clone();
    let dependencies = Dependencies {
        ring: Ring::fixed(RingView::new(vec![Member::new("only", "")], 1)),
        connect: Arc::new(move |_| Arc::clone(&only)),
        ..dependencies(limits, clock.clone())
    };
    let distributor = Distributor::new(DistributorConfig::default(), dependencies, registry);
    (ingester, clock, distributor)
}

/// Of a distributor that has no ingesters.
fn dependencies(limits: Limits, clock: Arc<ManualClock>) -> Dependencies {
    Dependencies {
        ring: Ring::fixed(RingView::new(vec![], 1)),
        connect: Arc::new(|member| panic!("{} is not there", member.id)),
        distributors: Arc::new(|| 1),
        kv: Arc::new(MemoryKv::new(clock.clone())),
        kv_prefix: "test".to_owned(),
        limits: Arc::new(Arc::new(limits)),
        clock,
        instance: "distributor-1".into(),
    }
}

async fn push(distributor: &Distributor, series: &[TestSeries<'_>]) -> Result<PushOutcome> {
    distributor.push(&TenantId::anonymous(), batch(series)).await
}

#[tokio::test]
async fn labels_are_sorted_and_empty_ones_dropped() {
    let (ingester, _, distributor) = setup(Limits::default());
    let outcome =
        push(&distributor, &[(&[("b", "2"), ("__name__", "up"), ("a", "")], &[NOW])]).await.unwrap();
    assert_eq!((outcome.samples, outcome.rejected), (1, 0));
    assert_eq!(ingester.samples.lock()[0].0.to_string(), r#"{__name__="up", b="2"}"#);
}

#[tokio::test]
async fn a_bad_series_does_not_take_its_neighbours_down() {
    let limits = Limits { max_label_names_per_series: 2, max_label_value_length: 5, ..Limits::default() };
    let (ingester, _, distributor) = setup(limits);
    let outcome = push(
        &distributor,
        &[
            (&[("__name__", "good")], &[NOW]),
            (&[("a", "nameless")], &[NOW, NOW + 1]),
            (&[("__name__", "x"), ("a", "1"), ("a", "2")], &[NOW]),
            (&[("__name__", "x"), ("a", "1"), ("b", "2")], &[NOW]),
            (&[("__name__", "toolong")], &[NOW]),
            (&[("__name__", "x"), ("", "y")], &[NOW]),
        ],
    )
    .await
    .unwrap();
    assert_eq!((outcome.samples, outcome.rejected), (1, 6));
    assert_eq!(ingester.samples.lock().len(), 1);
    let reasons: Vec<_> = outcome.rejections.iter().map(|r| format!("{:?}", r.reason)).collect();
    for (reason, part) in
        reasons.iter().zip(["longer than 5", "not unique", "3 labels", "longer than 5", "empty"])
    {
        assert!(reason.contains(part), "{reason} lacks {part}");
    }
}

#[tokio::test]
async fn samples_out_of_bounds_are_refused_one_by_one() {
    let (ingester, _, distributor) = setup(Limits { max_sample_age: 60, ..Limits::default() });
    let outcome = push(
        &distributor,
        &[
            (&[("__name__", "a")], &[NOW - 61_000, NOW, NOW + 601_000]),
            (&[("__name__", "b")], &[NOW - 59_000, i64::MAX, i64::MIN]),
        ],
    )
    .await
    .unwrap();
    assert_eq!((outcome.samples, outcome.rejected), (2, 4));
    let kept: Vec<_> = ingester.samples.lock().iter().map(|(l, t)| (l.to_string(), *t)).collect();
    assert_eq!(kept, [(r#"{__name__="a"}"#.into(), NOW), (r#"{__name__="b"}"#.into(), NOW - 59_000)]);
}

#[test]
fn starts_stay_with_their_samples_and_impossible_ones_are_forgotten() {
    let mut batch = batch(&[(&[], &[10, 20, 30]), (&[], &[40, 50])]);
    batch.starts.floats = vec![5, 21, -1, 39, 50];
    crate::retain::samples(&mut batch, |s| s.timestamp != 20 && s.timestamp != 40);
    assert_eq!(batch.starts.floats, [5, -1, 50]);
    crate::starts::forget_impossible(&mut batch);
    assert_eq!(batch.starts.floats, [5, 0, 50]);
    batch.starts.floats = vec![11, -1, 51];
    crate::starts::forget_impossible(&mut batch);
    assert!(batch.starts.floats.is_empty());
}

#[tokio::test]
async fn a_rate_refills_with_time() {
    let (_, clock, distributor) =
        setup(Limits { ingestion_rate: 1.0, ingestion_burst: 2, ..Limits::default() });
    let two = [NOW, NOW + 1];
    assert!(push(&distributor, &[(&[("__name__", "a")], &two)]).await.is_ok());
    let refused = push(&distributor, &[(&[("__name__", "a")], &two)]).await.unwrap_err();
    assert_eq!(refused.code, Code::RateLimited);
    clock.advance(Duration::from_secs(2));
    assert!(push(&distributor, &[(&[("__name__", "a")], &two)]).await.is_ok());
}

#[tokio::test]
async fn a_rate_is_shared_by_all_distributors() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let limits = Limits { ingestion_rate: 10.0, ingestion_burst: 8, log_rate: 10, ..Limits::default() };
    let (clock, count) = (Arc::new(ManualClock::at(NOW)), Arc::new(AtomicUsize::new(4)));
    let (ingester, counted) = (Arc::new(FakeIngester::default()), count.clone());
    let dependencies = Dependencies {
        ring: Ring::fixed(RingView::new(vec![Member::new("only", "")], 1)),
        connect: Arc::new(move |_| ingester.clone()),
        distributors: Arc::new(move || counted.load(Ordering::Relaxed)),
        ..dependencies(limits, clock.clone())
    };
    let distributor = Distributor::new(DistributorConfig::default(), dependencies, &mut Registry::default());
    let sends = async |samples: i64| {
        let times: Vec<i64> = (NOW..NOW + samples).collect();
        push(&distributor, &[(&[("__name__", "a")], &times)]).await.is_ok()
    };
    assert!(sends(2).await && !sends(1).await, "a quarter of the burst");
    clock.advance(Duration::from_secs(1));
    assert!(sends(2).await && !sends(1).await, "and then 2.5 a second, of which 2 are kept");
    clock.advance(Duration::from_secs(1));
    assert!(sends(8).await && !sends(1).await, "a request as large as the whole burst");
    clock.advance(Duration::from_secs(2));
    assert!(!sends(1).await, "that is paid for");
    count.store(0, Ordering::Relaxed);
    clock.advance(Duration::from_secs(1));
    assert!(sends(8).await, "one alone grants all of it");
}

#[tokio::test]
async fn long_exemplars_and_metadata_are_dropped_alone() {
    use model::{Exemplar, Metadata};
    let exemplar =
        |value: &str| Exemplar { labels: Labels::from_pairs([("id", value)]), timestamp: NOW, value: 1.0 };
    let mut batch = batch(&[(&[("__name__", "a")], &[NOW]), (&[("__name__", "b")], &[NOW])]);
    batch.exemplars = vec![exemplar(&"x".repeat(127)), exemplar("short")];
    batch.series[0].exemplars = 0..1;
    batch.series[1].exemplars = 1..2;
    for help in ["fine".to_owned(), "x".repeat(9000)] {
        let metadata = Metadata { help, ..Metadata::default() };
        batch.metadata.push(service_api::MetadataEntry { metric: "a".into(), metadata });
    }
    assert_eq!(annexes::drop_too_long(&mut batch), 2);
    assert_eq!((batch.series[0].exemplars.clone(), batch.series[1].exemplars.clone()), (0..0, 0..1));
    assert_eq!(batch.exemplars[0].labels.get("id"), Some("short"));
    assert_eq!(batch.metadata[0].metadata.help, "fine");
}

#[tokio::test]
async fn a_histogram_with_too_many_buckets_is_refused_alone() {
    use model::{Buckets, CounterResetHint, Histogram, HistogramSample, Span};
    use service_api::RejectReason;
    let (ingester, _, distributor) = setup(Limits::default());
    let sample = |buckets: usize| HistogramSample {
        timestamp: NOW,
        histogram: Histogram {
            positive_spans: vec![Span { offset: 0, length: buckets as u32 }],
            buckets: Buckets::Float {
                count: 0.0,
                zero_count: 0.0,
                positive: vec![0.0; buckets],
                negative: vec![],
            },
            counter_reset_hint: CounterResetHint::Unknown,
            schema: 0,
            zero_threshold: 0.0,
            sum: 0.0,
            negative_spans: vec![],
            custom_values: vec![],
        },
    };
    let mut batch = batch(&[(&[("__name__", "a")], &[NOW]), (&[("__name__", "b")], &[NOW])]);
    batch.histograms = vec![sample(10_001), sample(10_000)];
    batch.series[0].histograms = 0..1;
    batch.series[1].histograms = 1..2;
    let outcome = distributor.push(&TenantId::anonymous(), batch).await.unwrap();
    assert_eq!((outcome.samples, outcome.rejected), (2, 1));
    let rejection = &outcome.rejections[0];
    assert!(matches!(rejection.reason, RejectReason::Histogram(_)), "{:?}", rejection.reason);
    assert_eq!(rejection.labels.get("__name__"), Some("a"));
    assert_eq!(ingester.samples.lock().len(), 2);
}
