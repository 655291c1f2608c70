//! Answers from all blocks that a tenant's manifest lists, or from some.

mod rollups;

use crate::{
    BlockMeta, Deletion, Manifest, Manifests,
    attempts::{attempts, within},
    block::{BlockCaches, BlockReader, Counted, blocking},
    disk::{DiskCache, DiskMetrics, RealIo},
};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use model::{Labels, Signal, TimeRange};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader, ReadContext,
    Reservation, Result, RollupRequest, SelectRequest, SeriesSet, Source, StreamSet, StreamsRequest, Warned,
    merge_series_sets, merge_stream_sets,
};
use std::{collections::BTreeSet, future::Future, path::Path, sync::Arc};

const CONCURRENT_BLOCKS: usize = 8;

/// What may be kept of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockCacheConfig {
    /// Bytes of indexes in memory.
    pub index_bytes: u64,
    /// Bytes of pages in memory, as they are in the bucket.
    pub page_bytes: u64,
    /// The folder for what is kept on disk, which no other process may use; none if empty.
    pub disk_dir: String,
    /// Bytes of indexes and pages on disk, as they are in the bucket; 0 for none.
    pub disk_bytes: u64,
}

impl Default for BlockCacheConfig {
    fn default() -> Self {
        Self { index_bytes: 256 << 20, page_bytes: 256 << 20, disk_dir: String::new(), disk_bytes: 0 }
    }
}

/// The long-term half of the data, as it is in the blocks: what deletions name is left out by whoever asks.
pub struct BlocksReader {
    manifests: Arc<Manifests>,
    caches: Arc<BlockCaches>,
    /// If not all that the manifest lists.
    only: Option<Vec<BlockMeta>>,
}

impl BlocksReader {
    /// Keeps what it reads in memory alone.
    pub fn new(manifests: Arc<Manifests>, cache: &BlockCacheConfig) -> Self {
        let caches = Arc::new(BlockCaches::new(cache.index_bytes, cache.page_bytes, None));
        Self { manifests, caches, only: None }
    }

    /// Keeps what it reads on disk, too, if that is configured. If the disk does not let it, it goes without.
    pub fn open(manifests: Arc<Manifests>, cache: &BlockCacheConfig, registry: &mut Registry) -> Self {
        let disk = open_disk(&manifests, cache, registry);
        let caches = BlockCaches::new(cache.index_bytes, cache.page_bytes, disk);
        registry.sub_registry_with_prefix("yagura_block_store").register(
            "repeated_reads",
            "Reads of blocks in the bucket that failed or gave what cannot be right, and were made again",
            caches.repeated.clone(),
        );
        Self { manifests, caches: Arc::new(caches), only: None }
    }

    /// Reads just these blocks of the tenant and of the signal that it is asked for, without a look at what is
    /// listed. They may be anybody's invention: what is not a block of that tenant is an error.
    pub fn only(&self, mut blocks: Vec<BlockMeta>) -> Arc<dyn Source> {
        in_merge_order(&mut blocks);
        let (manifests, caches) = (Arc::clone(&self.manifests), Arc::clone(&self.caches));
        Arc::new(Self { manifests, caches, only: Some(blocks) })
    }

    /// The blocks that may have something of a range. Their list is no older than the newest that the query has
    /// heard of, and no part of the query reads an older one afterwards.
    pub async fn in_range(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        range: TimeRange,
    ) -> Result<BlocksInRange> {
        if range.is_empty() {
            return Ok(BlocksInRange::default());
        }
        let at_least = || self.manifests.at_least(&ctx.tenant, signal, ctx.listed.get(signal));
        let manifest = within(ctx, attempts(0, |_| {}, at_least)).await?;
        ctx.listed.raise(signal, manifest.sequence);
        Ok(BlocksInRange::of(&manifest, range))
    }

    /// Asks every block in the range, some at a time; answers in the blocks' order.
    async fn ask<T, F: Future<Output = Result<T>> + Send>(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        range: TimeRange,
        ask: impl Fn(BlockReader) -> F + Send,
    ) -> Result<Warned<Vec<T>>> {
        let BlocksInRange { blocks, warnings, .. } = match &self.only {
            Some(only) => BlocksInRange { blocks: only.clone(), ..BlocksInRange::default() },
            None => self.in_range(ctx, signal, range).await?,
        };
        let bucket = self.manifests.bucket();
        let reader = |meta: &BlockMeta| BlockReader::new(bucket, &self.caches, &ctx.tenant, signal, meta);
        let asked: Vec<F> = blocks.iter().map(reader).map(ask).collect();
        let value = within(ctx, stream::iter(asked).buffered(CONCURRENT_BLOCKS).try_collect()).await?;
        Ok(Warned { value, warnings })
    }
}

/// What a list of blocks has for a range of time.
#[derive(Clone, Debug, Default)]
pub struct BlocksInRange {
    /// Those to be read, in the order in which their answers are merged: by time.
    pub blocks: Vec<BlockMeta>,
    /// Deletions of something in the range, also those that concern none of the blocks any more.
    pub deletions: Vec<Deletion>,
    /// One for each block that is set aside, for whoever asked.
    pub warnings: Vec<String>,
}

impl BlocksInRange {
    fn of(manifest: &Manifest, range: TimeRange) -> Self {
        let overlaps = |b: &&BlockMeta| b.time_range().overlaps(&range);
        let mut blocks: Vec<_> = manifest.blocks.iter().filter(overlaps).cloned().collect();
        in_merge_order(&mut blocks);
        let (blocks, damaged): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|b| b.damaged.is_none());
        let of_range = |deletion: &&Deletion| deletion.range().overlaps(&range);
        let deletions = manifest.deletions.iter().filter(of_range).cloned().collect();
        Self { blocks, deletions, warnings: damaged.iter().map(left_out).collect() }
    }
}

fn left_out(block: &BlockMeta) -> String {
    let BlockMeta { id, min_time, max_time, .. } = block;
    format!(
        "block {id} is damaged and was left out: data of the times from {min_time} to {max_time} (Unix, ms) may be \
         missing"
    )
}

/// Earlier ones first: of entries of which one is to stay that of the first block does.
pub(crate) fn in_merge_order(blocks: &mut Vec<BlockMeta>) {
    blocks.sort_by_key(|b| (b.min_time, b.id));
    blocks.dedup_by_key(|b| b.id);
}

fn open_disk(manifests: &Manifests, cache: &BlockCacheConfig, registry: &mut Registry) -> Option<DiskCache> {
    if cache.disk_dir.is_empty() || cache.disk_bytes == 0 {
        return None;
    }
    let metrics = DiskMetrics::default();
    metrics.register(registry);
    let (folder, clock) = (Path::new(&cache.disk_dir), Arc::clone(manifests.clock()));
    let opened = DiskCache::open(folder, cache.disk_bytes, clock, Box::new(RealIo), metrics);
    opened
        .inspect_err(|error| {
            let folder = &cache.disk_dir;
            tracing::warn!(folder, %error, "the cache on disk (cache.disk_dir) is off: the folder cannot be used, or another process uses it");
        })
        .ok()
}

#[async_trait]
impl LabelsReader for BlocksReader {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let found = self
            .ask(ctx, query.signal, query.range, |block| async move {
                block.series(ctx, &query.matcher_sets).await
            })
            .await?;
        let (value, _counted) = apart(found.value);
        let mut all: Vec<Labels> = value.into_iter().flatten().collect();
        all.sort();
        all.dedup();
        Ok(Warned { value: all, warnings: found.warnings })
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let found = self
            .ask(ctx, query.signal, query.range, |block| async move {
                block.label_names(ctx, &query.matcher_sets).await
            })
            .await?;
        Ok(in_order(found))
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        let found = self
            .ask(ctx, query.signal, query.range, |block| async move {
                block.label_values(ctx, name, &query.matcher_sets).await
            })
            .await?;
        Ok(in_order(found))
    }
}

#[async_trait]
impl MetricsReader for BlocksReader {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let Warned { value: selected, warnings } = self
            .ask(ctx, Signal::Metrics, request.range, |block| async move {
                block.select(ctx, &request.matchers, request.range).await
            })
            .await?;
        let sets = selected.into_iter().map(|series| SeriesSet { series, warnings: Vec::new() }).collect();
        let merged = blocking(move || merge_series_sets(sets)).await?;
        Ok(SeriesSet { warnings, ..merged })
    }

    async fn rollups(&self, ctx: &ReadContext, request: &RollupRequest) -> Result<Option<Vec<SeriesSet>>> {
        self.figures(ctx, request).await
    }

    /// Blocks hold none: exemplars are kept by ingesters only.
    async fn exemplars(&self, _: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        Ok(Vec::new())
    }

    /// Blocks hold none: metadata is kept by ingesters only.
    async fn metadata(&self, _: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl LogsReader for BlocksReader {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        if request.range.is_empty() {
            return Ok(StreamSet::default());
        }
        let Warned { value: selected, warnings } = self
            .ask(ctx, Signal::Logs, request.range.millis(), |block| async move {
                block.select_streams(ctx, &request.matchers, request.range).await
            })
            .await?;
        let sets = selected.into_iter().map(|streams| StreamSet { streams, warnings: Vec::new() }).collect();
        let merged = blocking(move || merge_stream_sets(sets)).await?;
        Ok(StreamSet { warnings, ..merged })
    }
}

/// The answers, and what counts their memory until it is dropped.
fn apart<T>(counted: Vec<Counted<T>>) -> (Vec<T>, Vec<Reservation>) {
    counted.into_iter().map(|Counted { found, reservation }| (found, reservation)).unzip()
}

fn in_order(found: Warned<Vec<Counted<BTreeSet<String>>>>) -> Warned<Vec<String>> {
    let (value, _counted) = apart(found.value);
    let all: BTreeSet<String> = value.into_iter().flatten().collect();
    Warned { value: all.into_iter().collect(), warnings: found.warnings }
}

#[cfg(test)]
pub(crate) mod tests;
