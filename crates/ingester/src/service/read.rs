//! The ingester's side of reads: what the heads hold.

use super::Ingester;
use crate::{
    head::{Head, Slot},
    heads::Heads,
};
use async_trait::async_trait;
use model::{Labels, Signal};
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader, ReadContext,
    Result, SelectRequest, SeriesSet, StreamSet, StreamsRequest, Warned,
};
use std::sync::atomic::Ordering;

/// Values that are listed where they are asked for: less work than a change of threads.
const FEW_VALUES: usize = 1024;

/// Runs `f` on the tenant's head off the async threads; a tenant without one has nothing. The query is then
/// told which manifest it needs for what `f` did not find any more.
async fn read<S: Slot, T, F>(heads: &Heads<S>, ctx: &ReadContext, f: F) -> Result<T>
where
    T: Default + Send + 'static,
    F: FnOnce(&Head<S>, &ReadContext) -> Result<T> + Send + 'static,
{
    let Some(head) = heads.get(&ctx.tenant) else { return Ok(T::default()) };
    let ctx = ctx.clone();
    let reading = runtime::blocking(move || {
        let found = f(&head, &ctx);
        ctx.listed.raise(S::SIGNAL, head.listed.load(Ordering::Acquire));
        found
    });
    reading.await.map_err(|_| Error::internal("reading the head failed"))?
}

async fn label_values<S: Slot>(
    heads: &Heads<S>,
    ctx: &ReadContext,
    name: &str,
    query: &LabelQuery,
) -> Result<Vec<String>> {
    if let Some(head) = heads.get(&ctx.tenant)
        && query.matcher_sets.is_empty()
        && head.index.read().count_values(name) <= FEW_VALUES
    {
        let found = head.label_values(ctx, name, query);
        ctx.listed.raise(S::SIGNAL, head.listed.load(Ordering::Acquire));
        return found;
    }
    let (name, query) = (name.to_owned(), query.clone());
    read(heads, ctx, move |head, ctx| head.label_values(ctx, &name, &query)).await
}

#[async_trait]
impl LabelsReader for Ingester {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let query = query.clone();
        let found = match query.signal {
            Signal::Metrics => read(&self.heads, ctx, move |head, ctx| head.series(ctx, &query)).await,
            Signal::Logs => read(&self.log_heads, ctx, move |head, ctx| head.series(ctx, &query)).await,
        };
        Ok(found?.into())
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let query = query.clone();
        let found = match query.signal {
            Signal::Metrics => read(&self.heads, ctx, move |head, ctx| head.label_names(ctx, &query)).await,
            Signal::Logs => read(&self.log_heads, ctx, move |head, ctx| head.label_names(ctx, &query)).await,
        };
        Ok(found?.into())
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        let found = match query.signal {
            Signal::Metrics => label_values(&self.heads, ctx, name, query).await,
            Signal::Logs => label_values(&self.log_heads, ctx, name, query).await,
        };
        Ok(found?.into())
    }
}

#[async_trait]
impl LogsReader for Ingester {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let StreamsRequest { matchers, range } = request.clone();
        let streams = read(&self.log_heads, ctx, move |head, ctx| head.select(ctx, &matchers, &range));
        Ok(StreamSet { streams: streams.await?, warnings: Vec::new() })
    }
}

#[async_trait]
impl MetricsReader for Ingester {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let request = request.clone();
        let series =
            read(&self.heads, ctx, move |head, ctx| head.select(ctx, &request.matchers, &request.range));
        Ok(SeriesSet { series: series.await?, warnings: Vec::new() })
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let query = query.clone();
        read(&self.heads, ctx, move |head, ctx| head.exemplar_series(ctx, &query)).await
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        let head = self.heads.get(&ctx.tenant);
        Ok(head.map(|head| head.beside.metadata.read().list(metric)).unwrap_or_default())
    }
}
