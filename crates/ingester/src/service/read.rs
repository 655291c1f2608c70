//! The ingester's side of reads: what the heads hold.

use super::Ingester;
use crate::head::Head;
use async_trait::async_trait;
use model::Labels;
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SelectRequest, SeriesSet, Warned,
};
use std::sync::Arc;

/// Values that are listed where they are asked for: less work than a change of threads.
const FEW_VALUES: usize = 1024;

impl Ingester {
    /// Runs `f` on the tenant's head off the async threads; a tenant without one has nothing.
    async fn read<T, F>(&self, ctx: &ReadContext, f: F) -> Result<T>
    where
        T: Default + Send + 'static,
        F: FnOnce(&Head, &ReadContext) -> Result<T> + Send + 'static,
    {
        let Some(head): Option<Arc<Head>> = self.head(&ctx.tenant) else { return Ok(T::default()) };
        let ctx = ctx.clone();
        let reading = tokio::task::spawn_blocking(move || f(&head, &ctx));
        reading.await.map_err(|_| Error::internal("reading the head failed"))?
    }
}

#[async_trait]
impl LabelsReader for Ingester {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let max = self.limits.limits(&ctx.tenant).max_query_series;
        let query = query.clone();
        Ok(self.read(ctx, move |head, ctx| head.series(ctx, &query, max)).await?.into())
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let query = query.clone();
        Ok(self.read(ctx, move |head, ctx| head.label_names(ctx, &query)).await?.into())
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        if let Some(head) = self.head(&ctx.tenant)
            && query.matcher_sets.is_empty()
            && head.index.read().count_values(name) <= FEW_VALUES
        {
            return Ok(head.label_values(ctx, name, query)?.into());
        }
        let (name, query) = (name.to_owned(), query.clone());
        Ok(self.read(ctx, move |head, ctx| head.label_values(ctx, &name, &query)).await?.into())
    }
}

#[async_trait]
impl MetricsReader for Ingester {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let max = self.limits.limits(&ctx.tenant).max_query_series;
        let request = request.clone();
        let read = self.read(ctx, move |head, ctx| head.select(ctx, &request.matchers, &request.range, max));
        Ok(SeriesSet { series: read.await?, warnings: Vec::new() })
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let query = query.clone();
        self.read(ctx, move |head, ctx| head.exemplar_series(ctx, &query)).await
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        let head = self.head(&ctx.tenant);
        Ok(head.map(|head| head.metadata.read().list(metric)).unwrap_or_default())
    }
}
