//! Answers from all blocks that a tenant's manifest lists.

use crate::{
    BlockMeta, Manifests,
    block::{BlockCaches, BlockReader, Counted, blocking},
};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use model::{Labels, Signal, TenantId, TimeRange};
use serde::{Deserialize, Serialize};
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader, ReadContext,
    Reservation, Result, SelectRequest, SeriesSet, StreamSet, StreamsRequest, Warned, merge_series_sets,
    merge_stream_sets,
};
use std::{collections::BTreeSet, future::Future, sync::Arc};

const CONCURRENT_BLOCKS: usize = 8;

/// What may be kept in memory of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockCacheConfig {
    /// Bytes of indexes.
    pub index_bytes: u64,
    /// Bytes of pages, as they are in the bucket.
    pub page_bytes: u64,
}

impl Default for BlockCacheConfig {
    fn default() -> Self {
        Self { index_bytes: 256 << 20, page_bytes: 256 << 20 }
    }
}

/// The long-term half of the data.
pub struct BlocksReader {
    manifests: Arc<Manifests>,
    caches: Arc<BlockCaches>,
}

impl BlocksReader {
    pub fn new(manifests: Arc<Manifests>, cache: &BlockCacheConfig) -> Self {
        Self { manifests, caches: Arc::new(BlockCaches::new(cache.index_bytes, cache.page_bytes)) }
    }

    /// The blocks that overlap the range, in time order.
    async fn blocks(&self, tenant: &TenantId, signal: Signal, range: TimeRange) -> Result<Vec<BlockReader>> {
        let manifest = self.manifests.latest(tenant, signal).await?;
        let overlaps = |b: &&BlockMeta| !range.is_empty() && b.time_range().overlaps(&range);
        let mut blocks: Vec<_> = manifest.blocks.iter().filter(overlaps).collect();
        blocks.sort_by_key(|b| (b.min_time, b.id));
        let bucket = self.manifests.bucket();
        Ok(blocks.iter().map(|meta| BlockReader::new(bucket, &self.caches, tenant, signal, meta)).collect())
    }

    /// Asks every block in the range, some at a time; answers in the blocks' order.
    async fn ask<T, F: Future<Output = Result<T>> + Send>(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        range: TimeRange,
        ask: impl Fn(BlockReader) -> F + Send,
    ) -> Result<Vec<T>> {
        let blocks = self.blocks(&ctx.tenant, signal, range).await?;
        let asked: Vec<F> = blocks.into_iter().map(ask).collect();
        stream::iter(asked).buffered(CONCURRENT_BLOCKS).try_collect().await
    }
}

#[async_trait]
impl LabelsReader for BlocksReader {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let found = self
            .ask(ctx, query.signal, query.range, |block| async move {
                block.series(ctx, &query.matcher_sets).await
            })
            .await?;
        let (found, _counted) = apart(found);
        let mut all: Vec<Labels> = found.into_iter().flatten().collect();
        all.sort();
        all.dedup();
        Ok(all.into())
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let found = self
            .ask(ctx, query.signal, query.range, |block| async move {
                block.label_names(ctx, &query.matcher_sets).await
            })
            .await?;
        Ok(in_order(found).into())
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
        Ok(in_order(found).into())
    }
}

#[async_trait]
impl MetricsReader for BlocksReader {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let selected = self
            .ask(ctx, Signal::Metrics, request.range, |block| async move {
                block.select(ctx, &request.matchers, request.range).await
            })
            .await?;
        let sets = selected.into_iter().map(|series| SeriesSet { series, warnings: Vec::new() }).collect();
        blocking(move || merge_series_sets(sets)).await
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
        let selected = self
            .ask(ctx, Signal::Logs, request.range.millis(), |block| async move {
                block.select_streams(ctx, &request.matchers, request.range).await
            })
            .await?;
        let sets = selected.into_iter().map(|streams| StreamSet { streams, warnings: Vec::new() }).collect();
        blocking(move || merge_stream_sets(sets)).await
    }
}

/// The answers, and what counts their memory until it is dropped.
fn apart<T>(counted: Vec<Counted<T>>) -> (Vec<T>, Vec<Reservation>) {
    counted.into_iter().map(|Counted { found, reservation }| (found, reservation)).unzip()
}

fn in_order(found: Vec<Counted<BTreeSet<String>>>) -> Vec<String> {
    let (found, _counted) = apart(found);
    let all: BTreeSet<String> = found.into_iter().flatten().collect();
    all.into_iter().collect()
}
