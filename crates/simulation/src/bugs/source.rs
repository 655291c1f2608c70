//! Readers of recent data that answer too early, or hear nothing of newer lists of blocks.

use async_trait::async_trait;
use model::Labels;
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SelectRequest, SeriesSet, Source, StreamSet, StreamsRequest, Warned,
};
use std::sync::Arc;
use tokio::time::Instant;

pub struct BuggySource {
    pub inner: Arc<dyn Source>,
    /// Until then nothing is found.
    pub empty_until: Option<Instant>,
    /// The query is not told which list of blocks it needs.
    pub deaf: bool,
}

impl BuggySource {
    fn is_empty(&self) -> bool {
        self.empty_until.is_some_and(|until| Instant::now() < until)
    }

    fn context(&self, ctx: &ReadContext) -> ReadContext {
        match self.deaf {
            true => ctx.for_tenant(&ctx.tenant),
            false => ctx.clone(),
        }
    }
}

#[async_trait]
impl LabelsReader for BuggySource {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        self.inner.series(ctx, query).await
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.inner.label_names(ctx, query).await
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.inner.label_values(ctx, name, query).await
    }
}

#[async_trait]
impl MetricsReader for BuggySource {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        if self.is_empty() {
            return Ok(SeriesSet::default());
        }
        MetricsReader::select(&*self.inner, &self.context(ctx), request).await
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        self.inner.exemplars(ctx, query).await
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        self.inner.metadata(ctx, metric).await
    }
}

#[async_trait]
impl LogsReader for BuggySource {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        if self.is_empty() {
            return Ok(StreamSet::default());
        }
        LogsReader::select(&*self.inner, &self.context(ctx), request).await
    }
}
