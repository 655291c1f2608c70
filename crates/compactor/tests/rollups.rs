//! Days are flushed by two replicas, merged and rolled up, and what is read of the figures is what the samples say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use block_store::{
    BlockCacheConfig, BlockWriter, BlocksReader, Bucket, Manifest, Manifests, ROLLED_UP, Ulid,
};
use compactor::{Compactor, CompactorConfig, CompactorMetrics};
use model::{
    Buckets, CounterResetHint, Histogram, HistogramSample, Labels, Matcher, Signal, Span, TenantId,
    TimeRange, is_stale, stale_nan,
};
use object_store::memory::InMemory;
use runtime::{Clock, ManualClock};
use service_api::{
    Aggregate, Limits, MetricsReader, RESOLUTIONS, ReadContext, RollupRequest, SampleBuffer, SelectRequest,
    SeriesSet,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// The day that it is, and the first of which there is anything.
const TODAY: i64 = 20_000;
const FIRST: i64 = TODAY - 6;

/// Figures of series by their labels: at the end of each bucket the bits of the value.
type Figures = BTreeMap<String, BTreeMap<i64, u64>>;

struct World {
    clock: Arc<ManualClock>,
    manifests: Arc<Manifests>,
    ids: Arc<AtomicU64>,
    scratch: TempDir,
    metrics: CompactorMetrics,
    tenant: TenantId,
}

/// Counters that are restarted and go stale, gauges that are not always numbers; some lie on the ends of buckets.
fn value(series: i64, time: i64) -> f64 {
    let step = time / MINUTE;
    match (series, step % 97) {
        (_, 13) => stale_nan(),
        (0, 14) => f64::NAN,
        (0, at) => ((at * 37) % 41) as f64 / 7.0 - 2.0,
        (_, at) => (at * series) as f64 * 0.1,
    }
}

fn floats(from: i64, to: i64, series: i64, lacks: impl Fn(i64) -> bool) -> SampleBuffer {
    let times =
        (from / MINUTE..to / MINUTE).map(|step| step * MINUTE + series % 2).filter(|time| !lacks(*time));
    let timestamps: Vec<i64> = times.collect();
    let values = timestamps.iter().map(|time| value(series, *time)).collect();
    SampleBuffer { timestamps, values, ..SampleBuffer::default() }
}

impl World {
    /// Five days that end with yesterday's midnight.
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(TODAY * ROLLED_UP + HOUR));
        let bucket = Bucket::new(Arc::new(InMemory::new()), "");
        let world = Self {
            manifests: Arc::new(Manifests::new(bucket, clock.clone(), Duration::ZERO)),
            clock,
            ids: Arc::new(AtomicU64::new(1)),
            scratch: TempDir::new().unwrap(),
            metrics: CompactorMetrics::default(),
            tenant: TenantId::new("a").unwrap(),
        };
        for window in FIRST * 12..(TODAY - 1) * 12 {
            for replica in 0..2 {
                let (from, to) = (window * 2 * HOUR, (window + 1) * 2 * HOUR);
                let lacks = |time: i64| time / MINUTE % 11 == replica;
                let series = (0..3).map(|series| (series, floats(from, to, series, lacks)));
                world.flush(series.collect()).await;
            }
        }
        world
    }

    fn new_id(&self) -> Ulid {
        Ulid::from_parts(self.clock.now_ms() as u64, self.ids.fetch_add(1, SeqCst).into())
    }

    async fn flush(&self, series: Vec<(i64, SampleBuffer)>) {
        let mut writer = BlockWriter::new();
        for (number, samples) in series {
            writer
                .add(&Labels::from_pairs([("__name__", "m".to_owned()), ("n", number.to_string())]), &samples)
                .unwrap();
        }
        let block = writer.finish(self.new_id(), "ingester-0/1", self.clock.now_ms()).unwrap().unwrap();
        let object = block.meta.object(&self.tenant, Signal::Metrics);
        self.manifests.bucket().put(&object, block.parts).await.unwrap();
        self.manifests.add_block(&self.tenant, Signal::Metrics, &block.meta).await.unwrap();
    }

    /// Has a compactor do all that is to be done.
    async fn compact(&self, downsampling: bool) -> Arc<Manifest> {
        let config = CompactorConfig {
            delay: 0,
            scratch_dir: self.scratch.path().to_owned(),
            ..CompactorConfig::default()
        };
        let (ids, clock) = (Arc::clone(&self.ids), Arc::clone(&self.clock));
        let compactor = Compactor::new(
            config,
            Arc::clone(&self.manifests),
            Arc::new(Arc::new(Limits { downsampling, retention: 0, ..Limits::default() })),
            self.clock.clone(),
            Arc::new(move || Ulid::from_parts(clock.now_ms() as u64, ids.fetch_add(1, SeqCst).into())),
            Arc::new(|_, _, _| true),
            self.metrics.clone(),
        );
        let mut before = 0;
        for _ in 0..100 {
            let waiting = Box::pin(compactor.round(false, &CancellationToken::new())).await;
            let listed = self.manifests.refresh(&self.tenant, Signal::Metrics).await.unwrap();
            if waiting == 0 && listed.sequence == before {
                assert_eq!((self.metrics.failed_rollups.get(), self.metrics.failed_merges.get()), (0, 0));
                return listed;
            }
            before = listed.sequence;
        }
        panic!("there is no end to the work");
    }

    fn reader(&self) -> (BlocksReader, ReadContext) {
        let reader = BlocksReader::new(Arc::clone(&self.manifests), &BlockCacheConfig::default());
        (reader, ReadContext::new(self.tenant.clone(), 1 << 30))
    }

    async fn rollups(&self, ends: TimeRange, resolution: i64) -> Option<Vec<Figures>> {
        let (reader, ctx) = self.reader();
        let (matchers, aggregates) = (vec![Matcher::equal("__name__", "m")], Aggregate::ALL.to_vec());
        let request = RollupRequest { matchers, ends, resolution, aggregates };
        let sets = reader.rollups(&ctx, &request).await.unwrap()?;
        let figures = |set: &SeriesSet| {
            let one = |(labels, samples): (String, SampleBuffer)| {
                (
                    labels,
                    samples.timestamps.into_iter().zip(samples.values.iter().map(|v| v.to_bits())).collect(),
                )
            };
            read(set, ends).map(one).collect()
        };
        Some(sets.iter().map(figures).collect())
    }

    /// The same from samples.
    async fn expected(&self, ends: TimeRange, resolution: i64) -> Vec<Figures> {
        let (reader, ctx) = self.reader();
        let range = TimeRange::new(ends.start - resolution + 1, ends.end);
        let set =
            MetricsReader::select(&reader, &ctx, &SelectRequest { matchers: vec![], range }).await.unwrap();
        let mut all = vec![Figures::new(); Aggregate::ALL.len()];
        for (labels, samples) in read(&set, range) {
            let mut buckets: BTreeMap<i64, Vec<(i64, f64)>> = BTreeMap::new();
            for (time, value) in samples.timestamps.iter().zip(&samples.values) {
                let end = (time + resolution - 1) / resolution * resolution;
                buckets.entry(end).or_default().push((*time, *value));
            }
            for (end, entries) in buckets.into_iter().filter(|(end, _)| ends.contains(*end)) {
                for aggregate in Aggregate::ALL {
                    let Some(value) = figure(aggregate, &entries) else { continue };
                    let of_series = all[aggregate as usize].entry(labels.clone()).or_default();
                    of_series.insert(end, value.to_bits());
                }
            }
        }
        all
    }

    /// Figures are those of all samples, or there are none.
    async fn check(&self, from: i64, to: i64, are_there: bool) {
        for resolution in RESOLUTIONS {
            let ends = TimeRange::new(from, to);
            let found = self.rollups(ends, resolution).await;
            assert_eq!(found.is_some(), are_there, "{from} to {to}");
            if let Some(found) = found {
                let expected = self.expected(ends, resolution).await;
                assert!(found == expected, "{from} to {to} by {resolution}");
                let is_empty = (to.div_euclid(resolution) * resolution) < from;
                assert_eq!(found[0].is_empty(), is_empty);
            }
        }
    }
}

fn read(set: &SeriesSet, range: TimeRange) -> impl Iterator<Item = (String, SampleBuffer)> {
    set.series.iter().filter_map(move |series| {
        let mut samples = SampleBuffer::default();
        series.data.read(range, &mut samples).unwrap();
        (!samples.timestamps.is_empty()).then(|| (series.labels.to_string(), samples))
    })
}

fn figure(aggregate: Aggregate, entries: &[(i64, f64)]) -> Option<f64> {
    let floats: Vec<_> = entries.iter().copied().filter(|(_, value)| !is_stale(*value)).collect();
    let values = || floats.iter().map(|(_, value)| *value);
    let drops =
        || values().zip(values().skip(1)).filter(|(before, now)| now < before).map(|(before, _)| before);
    let extreme = |better: fn(f64, f64) -> bool| {
        values().reduce(|best, value| if better(value, best) || best.is_nan() { value } else { best })
    };
    match aggregate {
        Aggregate::Latest => entries.last().map(|(_, value)| *value),
        _ if floats.is_empty() => None,
        Aggregate::Count => Some(floats.len() as f64),
        Aggregate::Sum => {
            let (mut sum, mut error) = (0.0, 0.0);
            values().for_each(|value| vectors_add(&mut sum, &mut error, value));
            Some(sum + error)
        }
        Aggregate::Min => extreme(|value, best| value < best),
        Aggregate::Max => extreme(|value, best| value > best),
        Aggregate::First => floats.first().map(|(_, value)| *value),
        Aggregate::Last => floats.last().map(|(_, value)| *value),
        Aggregate::FirstTime => floats.first().map(|(time, _)| *time as f64),
        Aggregate::LastTime => floats.last().map(|(time, _)| *time as f64),
        Aggregate::Resets => Some(drops().count() as f64),
        Aggregate::Dropped => Some(drops().fold(0.0, |sum, value| sum + value)),
    }
}

/// Neumaier's addition of finite values.
fn vectors_add(sum: &mut f64, error: &mut f64, value: f64) {
    let total = *sum + value;
    *error += if sum.abs() >= value.abs() { (*sum - total) + value } else { (value - total) + *sum };
    *sum = total;
}

fn day(number: i64) -> i64 {
    number * ROLLED_UP
}

#[tokio::test]
async fn figures_of_days_are_those_of_their_samples() {
    let world = World::new().await;
    world.check(day(FIRST) + 1, day(FIRST + 1), false).await;
    let listed = world.compact(true).await;
    let days: Vec<i64> = listed.rollups.iter().map(|rollup| rollup.start / ROLLED_UP).collect();
    // The sample of the first midnight is the last bucket of the day before.
    assert_eq!(days, (FIRST - 1..FIRST + 4).filter(|day| day + 3 <= TODAY).collect::<Vec<_>>());
    assert!(listed.rollups.iter().all(|rollup| !rollup.unsuitable && !rollup.blocks.is_empty()));
    assert_eq!(world.metrics.rollups.get(), 5);
    let bytes: u64 = listed.rollups.iter().flat_map(|rollup| &rollup.blocks).map(|block| block.bytes).sum();
    assert_eq!(world.metrics.rollup_bytes.get(), bytes);
    for (from, to) in [
        (day(FIRST) + 1, day(FIRST + 1)),
        (day(FIRST), day(TODAY - 2)),
        (day(FIRST + 1) - HOUR, day(FIRST + 1) + HOUR),
        (day(FIRST) + 7 * MINUTE, day(FIRST + 2) + 13 * MINUTE),
        (day(FIRST + 1) + 1, day(FIRST + 1) + 2),
        (0, day(TODAY - 2)),
    ] {
        world.check(from, to, true).await;
    }
    world.check(day(FIRST) + 1, day(TODAY - 2) + HOUR, false).await;
    world.check(day(FIRST) + 1, day(TODAY) + HOUR, false).await;
    // Nothing is done twice.
    assert_eq!(world.compact(true).await.sequence, listed.sequence);
}

#[tokio::test]
async fn what_comes_late_has_its_day_rolled_up_anew() {
    let world = World::new().await;
    world.compact(true).await;
    let (whole, late) = ((day(FIRST), day(TODAY - 2)), day(FIRST + 1) + 5 * HOUR);
    world.flush(vec![(7, floats(late, late + HOUR, 7, |_| false))]).await;
    world.check(whole.0, whole.1, false).await;
    world.check(day(FIRST) + 1, day(FIRST + 1), true).await;
    world.check(day(FIRST + 2) + 1, day(TODAY - 2), true).await;
    let rollups = world.metrics.rollups.get();
    world.compact(true).await;
    assert_eq!(world.metrics.rollups.get(), rollups, "more may come");
    world.clock.advance(Duration::from_secs(6 * 3600));
    world.compact(true).await;
    world.check(whole.0, whole.1, true).await;
    assert!(world.metrics.rollups.get() > rollups);
}

#[tokio::test]
async fn a_day_with_native_histograms_has_no_figures_and_is_left_alone() {
    let world = World::new().await;
    let time = day(FIRST + 1) + 5 * HOUR;
    let histogram = Histogram {
        counter_reset_hint: CounterResetHint::Gauge,
        schema: 1,
        zero_threshold: 0.5,
        sum: 1.0,
        positive_spans: vec![Span { offset: 0, length: 1 }],
        negative_spans: vec![],
        buckets: Buckets::Integer { count: 3, zero_count: 1, positive: vec![2], negative: vec![] },
        custom_values: vec![],
    };
    let histograms = vec![HistogramSample { timestamp: time, histogram }];
    world.flush(vec![(9, SampleBuffer { histograms, ..SampleBuffer::default() })]).await;
    let listed = world.compact(true).await;
    let unsuitable: Vec<_> = listed.rollups.iter().filter(|rollup| rollup.unsuitable).collect();
    assert_eq!(unsuitable.len(), 1);
    assert_eq!((unsuitable[0].start, unsuitable[0].blocks.len()), (day(FIRST + 1), 0));
    assert_eq!(world.metrics.rollups.get(), 4);
    world.check(day(FIRST + 1) + 1, day(FIRST + 2), false).await;
    world.check(day(FIRST + 2) + 1, day(TODAY - 2), true).await;
    assert_eq!(world.compact(true).await.sequence, listed.sequence, "nobody tries again");
}

#[tokio::test]
async fn who_is_not_to_have_figures_loses_them() {
    let world = World::new().await;
    assert_eq!(world.compact(false).await.rollups, []);
    assert_eq!(world.compact(true).await.rollups.len(), 5);
    assert_eq!(world.compact(false).await.rollups, []);
    world.check(day(FIRST) + 1, day(FIRST + 1), false).await;
    assert_eq!(world.compact(true).await.rollups.len(), 5);
    world.check(day(FIRST) + 1, day(FIRST + 1), true).await;
}
