//! Reads recent data and blocks as one.

use async_trait::async_trait;
use model::Labels;
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SelectRequest, SeriesSet, Source, StreamSet, StreamsRequest, Warned, merge_series_sets,
    merge_stream_sets,
};
use std::sync::Arc;

/// Everything a tenant has, as one reader.
///
/// Recent data is always asked before the blocks: data moves from the head into a block, and
/// leaves the head only after the block is listed, so what the head no longer gave is in
/// the blocks that are listed afterwards. What both give is merged.
pub struct Querier {
    recent: Arc<dyn Source>,
    blocks: Arc<dyn Source>,
}

impl Querier {
    pub fn new(recent: Arc<dyn Source>, blocks: Arc<dyn Source>) -> Self {
        Self { recent, blocks }
    }
}

#[async_trait]
impl LabelsReader for Querier {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let recent = self.recent.series(ctx, query).await?;
        Ok(union(recent, self.blocks.series(ctx, query).await?))
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let recent = self.recent.label_names(ctx, query).await?;
        Ok(union(recent, self.blocks.label_names(ctx, query).await?))
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        let recent = self.recent.label_values(ctx, name, query).await?;
        Ok(union(recent, self.blocks.label_values(ctx, name, query).await?))
    }
}

#[async_trait]
impl MetricsReader for Querier {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let recent = MetricsReader::select(&*self.recent, ctx, request).await?;
        let blocks = MetricsReader::select(&*self.blocks, ctx, request).await?;
        Ok(merge_series_sets(vec![blocks, recent]))
    }

    /// Exemplars are kept in the head alone.
    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        self.recent.exemplars(ctx, query).await
    }

    /// Metadata is kept in the head alone.
    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        self.recent.metadata(ctx, metric).await
    }
}

#[async_trait]
impl LogsReader for Querier {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let recent = LogsReader::select(&*self.recent, ctx, request).await?;
        let blocks = LogsReader::select(&*self.blocks, ctx, request).await?;
        Ok(merge_stream_sets(vec![blocks, recent]))
    }
}

/// Two sorted lists as one, each element once.
fn union<T: Ord>(a: Warned<Vec<T>>, b: Warned<Vec<T>>) -> Warned<Vec<T>> {
    let (mut value, other) = if a.value.is_empty() { (b.value, a.value) } else { (a.value, b.value) };
    if !other.is_empty() {
        value.extend(other);
        // The stable sort finds the two runs and merges them in one pass.
        value.sort();
        value.dedup();
    }
    let warnings = a.warnings.into_iter().chain(b.warnings).collect();
    Warned { value, warnings }
}
