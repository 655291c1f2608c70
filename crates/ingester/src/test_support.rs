//! What tests of the whole ingester share: batches, a disk and a bucket that fail on demand, reads.

mod logs;
mod store;

use crate::{
    Dependencies, Ingester, IngesterConfig, StartError,
    fs::Fs,
    head::{BesideSeries, MetricHead},
};
use block_store::{BlockCacheConfig, BlocksReader, Bucket, Manifests, Ulid};
use model::{Labels, Matcher, Sample, Signal, TenantId, TimeRange, push_start};
use prometheus_client::registry::Registry;
use runtime::{Clock, ManualClock};
use service_api::{
    AppendOutcome, BatchSeries, Ingest, LabelSource, Limits, MetricsReader, ReadContext, Result,
    SampleBuffer, SelectRequest, SeriesKey, Wanted, WriteBatch, merge_series_sets,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use logs::{LogRows, append_logs, head_lines, labels_query, log_batch, push_logs};
pub use store::FaultyStore;

struct NoLabels;

impl LabelSource for NoLabels {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Ok(())
    }
}

pub fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter_map(|pair| pair.split_once('=')))
}

/// The start of each sample of all batches, which all that reads must find again. Some series have none at all.
fn start_of(labels: &Labels, t: i64) -> i64 {
    let has_starts = labels.iter().any(|(_, value)| value.ends_with('1'));
    if has_starts && t % 3 != 0 { 1 + t.div_euclid(20_000) * 7 } else { 0 }
}

/// A batch, and what a distributor would answer when it is asked for its labels.
pub fn batch(series: &[(&str, &[(i64, f64)])]) -> (WriteBatch, Vec<(u32, Labels)>) {
    let mut batch = WriteBatch {
        series: vec![],
        samples: vec![],
        histograms: vec![],
        starts: Default::default(),
        exemplars: vec![],
        metadata: vec![],
        labels: Box::new(NoLabels),
    };
    let mut named = Vec::new();
    for (index, (text, samples)) in series.iter().enumerate() {
        let start = batch.samples.len() as u32;
        for &(timestamp, value) in *samples {
            let start = start_of(&labels(text), timestamp);
            push_start(&mut batch.starts.floats, batch.samples.len(), start);
            batch.samples.push(Sample { timestamp, value });
        }
        named.push((index as u32, labels(text)));
        batch.series.push(BatchSeries {
            key: SeriesKey(labels(text).stable_hash_128()),
            samples: start..batch.samples.len() as u32,
            histograms: 0..0,
            exemplars: 0..0,
        });
    }
    (batch, named)
}

pub fn metric_head(block_ms: i64) -> MetricHead {
    MetricHead::new(tenant(), block_ms, BesideSeries::new(10, 10))
}

pub fn tenant() -> TenantId {
    TenantId::anonymous()
}

/// Appends as a distributor does: by key, then the unknown by name.
pub async fn push(
    ingester: &Ingester,
    batch: WriteBatch,
    named: Vec<(u32, Labels)>,
) -> Result<AppendOutcome> {
    let batch = Arc::new(batch);
    let first = ingester.append(&tenant(), Arc::clone(&batch), Wanted::All).await?;
    let unknown: Vec<_> = named.into_iter().filter(|(at, _)| first.unknown.contains(at)).collect();
    let mut outcome = AppendOutcome { unknown: Vec::new(), ..first };
    if !unknown.is_empty() {
        let second = ingester.append(&tenant(), batch, Wanted::Named(unknown)).await?;
        assert!(second.unknown.is_empty());
        outcome.pushed.merge(second.pushed);
        outcome.refused.extend(second.refused);
    }
    Ok(outcome)
}

pub async fn append(ingester: &Ingester, series: &[(&str, &[(i64, f64)])]) -> Result<AppendOutcome> {
    let (batch, named) = batch(series);
    push(ingester, batch, named).await
}

/// Everything that a series' reader sees: its labels and its samples.
pub type Rows = Vec<(String, Vec<(i64, f64)>)>;

/// A process and what outlives it.
pub struct World {
    pub fs: Arc<dyn Fs>,
    pub store: Arc<FaultyStore>,
    pub clock: Arc<ManualClock>,
    pub limits: Limits,
    pub config: IngesterConfig,
    ids: Arc<AtomicU64>,
}

impl World {
    pub fn new(fs: Arc<dyn Fs>) -> Self {
        Self {
            fs,
            store: Arc::default(),
            clock: Arc::new(ManualClock::at(1_700_000_000_000)),
            limits: Limits::default(),
            config: IngesterConfig::default(),
            ids: Arc::default(),
        }
    }

    pub fn manifests(&self) -> Arc<Manifests> {
        let bucket = Bucket::new(self.store.clone(), "");
        Arc::new(Manifests::new(bucket, self.clock.clone(), Duration::ZERO))
    }

    pub fn start(&self) -> Arc<Ingester> {
        self.start_in(Path::new("/data"))
    }

    pub fn start_in(&self, dir: &Path) -> Arc<Ingester> {
        self.try_start_in(dir).unwrap()
    }

    pub fn try_start_in(&self, dir: &Path) -> std::result::Result<Arc<Ingester>, StartError> {
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let dependencies = Dependencies {
            fs: self.fs.clone(),
            dir: dir.to_owned(),
            clock: self.clock.clone(),
            limits: Arc::new(Arc::new(self.limits.clone())),
            manifests: self.manifests(),
            new_id: Arc::new(move || {
                Ulid::from_parts(clock.now_ms() as u64, u128::from(ids.fetch_add(1, Ordering::Relaxed)))
            }),
            instance: "test".into(),
        };
        Ingester::start(self.config.clone(), dependencies, &mut Registry::default())
    }

    /// What a querier gives: the head, then the blocks, merged.
    pub async fn read(&self, ingester: &Ingester) -> Rows {
        let cache = BlockCacheConfig::default();
        let (ctx, request) = (ctx(), everything());
        let recent = ingester.select(&ctx, &request).await.unwrap();
        let blocks = BlocksReader::new(self.manifests(), &cache).select(&ctx, &request).await.unwrap();
        rows(&merge_series_sets(vec![blocks, recent]).series)
    }

    /// Blocks that the manifest lists.
    pub async fn blocks(&self) -> usize {
        self.blocks_of(Signal::Metrics).await
    }

    pub async fn blocks_of(&self, signal: Signal) -> usize {
        self.manifests().latest(&tenant(), signal).await.unwrap().blocks.len()
    }
}

pub fn ctx() -> ReadContext {
    ReadContext::new(tenant(), 1 << 30)
}

fn everything() -> SelectRequest {
    SelectRequest { matchers: vec![], range: TimeRange::ALL }
}

/// What the head alone gives.
pub async fn head_rows(ingester: &Ingester, matchers: Vec<Matcher>) -> Rows {
    let request = SelectRequest { matchers, ..everything() };
    rows(&ingester.select(&ctx(), &request).await.unwrap().series)
}

fn rows(series: &[service_api::Series]) -> Rows {
    let read = series.iter().map(|series| {
        let mut out = SampleBuffer::default();
        series.data.read(TimeRange::ALL, &mut out).unwrap();
        let starts: Vec<_> = out.timestamps.iter().map(|t| start_of(&series.labels, *t)).collect();
        if out.starts.floats.is_empty() {
            out.starts.floats.resize(starts.len(), 0);
        }
        assert_eq!(out.starts.floats, starts, "starts of {} at {:?}", series.labels, out.timestamps);
        (series.labels.to_string(), out.timestamps.into_iter().zip(out.values).collect())
    });
    read.collect()
}
