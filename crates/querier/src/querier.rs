//! Reads recent data and blocks as one.

mod rollups;

use crate::{QuerierMetrics, merge, rescue};
use async_trait::async_trait;
use model::Labels;
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    RollupRequest, SelectRequest, SeriesSet, Source, StreamSet, StreamsRequest, Warned,
};
use std::sync::Arc;

/// Everything a tenant has, as one reader.
///
/// Recent data is always asked before the blocks: data moves from the head into a block, and
/// leaves the head only after the block is listed. Whoever gives recent data tells in the context
/// for which list of blocks it let go, and the blocks are those of that list or a newer one. So what
/// the heads no longer gave is in the blocks. What both give is merged. Both are without what is deleted.
pub struct Querier {
    both: Arc<Both>,
    metrics: QuerierMetrics,
}

struct Both {
    recent: Arc<dyn Source>,
    blocks: Arc<dyn Source>,
}

impl Querier {
    pub fn new(recent: Arc<dyn Source>, blocks: Arc<dyn Source>, metrics: QuerierMetrics) -> Self {
        Self { both: Arc::new(Both { recent, blocks }), metrics }
    }
}

#[async_trait]
impl LabelsReader for Querier {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        self.both.series(ctx, query).await
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.both.label_names(ctx, query).await
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.both.label_values(ctx, name, query).await
    }
}

#[async_trait]
impl MetricsReader for Querier {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let recent = MetricsReader::select(&*self.both.recent, ctx, request).await?;
        let blocks = MetricsReader::select(&*self.both.blocks, ctx, request).await?;
        merge::series_sets(ctx, vec![blocks, recent]).await
    }

    async fn rollups(&self, ctx: &ReadContext, request: &RollupRequest) -> Result<Option<Vec<SeriesSet>>> {
        self.both.rollups(ctx, request).await
    }

    /// Exemplars are kept in the head alone.
    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        self.both.recent.exemplars(ctx, query).await
    }

    /// Metadata is kept in the head alone.
    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        self.both.recent.metadata(ctx, metric).await
    }
}

#[async_trait]
impl LogsReader for Querier {
    /// Pages of recent data are at ingesters until they are fetched; what one cannot give any more
    /// is read from the others, or from the blocks that it has become meanwhile.
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let mut recent = LogsReader::select(&*self.both.recent, ctx, request).await?;
        let fallback = Arc::clone(&self.both) as Arc<dyn LogsReader>;
        rescue::guard(ctx, &mut recent, request, &fallback, &self.metrics)?;
        let blocks = LogsReader::select(&*self.both.blocks, ctx, request).await?;
        merge::stream_sets(ctx, vec![blocks, recent]).await
    }
}

#[async_trait]
impl LabelsReader for Both {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let recent = self.recent.series(ctx, query).await?;
        merge::label_sets(ctx, query.signal, vec![recent, self.blocks.series(ctx, query).await?])
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let recent = self.recent.label_names(ctx, query).await?;
        Ok(merge::union(vec![recent, self.blocks.label_names(ctx, query).await?]))
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        let recent = self.recent.label_values(ctx, name, query).await?;
        Ok(merge::union(vec![recent, self.blocks.label_values(ctx, name, query).await?]))
    }
}

#[async_trait]
impl LogsReader for Both {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let recent = LogsReader::select(&*self.recent, ctx, request).await?;
        let blocks = LogsReader::select(&*self.blocks, ctx, request).await?;
        merge::stream_sets(ctx, vec![blocks, recent]).await
    }
}

#[cfg(test)]
mod tests;
