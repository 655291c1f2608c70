//! Several tenants read as one.

mod tenants;

use crate::{merge, stores};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use model::{Labels, LabelsBuilder, TenantId};
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, LineSource, LogsReader, MetricMetadata, MetricsReader,
    PageStore, ReadContext, Result, RollupRequest, SelectRequest, SeriesSet, Source, StreamSet,
    StreamsRequest, Warned,
};
use std::{future::Future, sync::Arc};
use tenants::{Selected, selected};

/// Tells the series of several tenants apart (Mimir's and Loki's name for it).
pub const TENANT_LABEL: &str = "__tenant_id__";
/// What a series' own label of that name becomes.
const ORIGINAL_TENANT_LABEL: &str = "original___tenant_id__";

/// Reads the tenants of a query, if it has several, side by side and gives each series the label of
/// its tenant. What one of them cannot answer is an error of all.
pub struct Federation {
    source: Arc<dyn Source>,
    /// Tenants that are read at once.
    concurrency: usize,
}

impl Federation {
    pub fn new(source: Arc<dyn Source>, concurrency: usize) -> Self {
        Self { source, concurrency: concurrency.max(1) }
    }

    /// Each tenant's answer, in the order of the tenants. What one cannot answer names it.
    async fn ask<T, F>(&self, asked: Vec<Asked<F>>) -> Result<Vec<(TenantId, T)>>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let named = asked.into_iter().map(|Asked { tenant, answer }| async move {
            match answer.await {
                Ok(answer) => Ok((tenant, answer)),
                Err(error) => Err(Error::new(error.code, format!("tenant {tenant}: {}", error.message))),
            }
        });
        let named: Vec<_> = named.collect();
        stream::iter(named).buffered(self.concurrency).try_collect().await
    }
}

struct Asked<F> {
    tenant: TenantId,
    answer: F,
}

/// The label sets, names or values of one query of labels.
async fn labels_of<T, F>(
    federation: &Federation,
    ctx: &ReadContext,
    query: &LabelQuery,
    ask: impl Fn(Arc<dyn Source>, ReadContext, LabelQuery) -> F + Send,
) -> Result<Vec<(TenantId, Warned<T>)>>
where
    F: Future<Output = Result<Warned<T>>> + Send,
    T: Send,
{
    let asked = selected(ctx, &query.matcher_sets).into_iter().map(|Selected { tenant, matcher_sets }| {
        let query = LabelQuery { matcher_sets, ..query.clone() };
        let answer = ask(Arc::clone(&federation.source), ctx.for_tenant(&tenant), query);
        Asked { tenant, answer }
    });
    let mut answers = federation.ask(asked.collect()).await?;
    answers.iter_mut().for_each(|(tenant, answer)| name_warnings(tenant, &mut answer.warnings));
    Ok(answers)
}

fn name_warnings(tenant: &TenantId, warnings: &mut [String]) {
    warnings.iter_mut().for_each(|warning| *warning = format!("tenant {tenant}: {warning}"));
}

/// A label set with its tenant's name.
fn labelled(labels: &Labels, tenant: &TenantId) -> Labels {
    let mut builder = LabelsBuilder::from_labels(labels);
    if let Some(own) = labels.get(TENANT_LABEL) {
        builder.set(ORIGINAL_TENANT_LABEL, own);
    }
    builder.set(TENANT_LABEL, tenant.as_str()).build()
}

#[async_trait]
impl LabelsReader for Federation {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        if ctx.also.is_empty() {
            return self.source.series(ctx, query).await;
        }
        let ask = |source: Arc<dyn Source>, ctx, query| async move { source.series(&ctx, &query).await };
        let mut all = Vec::new();
        for (tenant, mut found) in labels_of(self, ctx, query, ask).await? {
            found.value.iter_mut().for_each(|labels| *labels = labelled(labels, &tenant));
            // A label more can change which set comes first.
            found.value.sort();
            all.push(found);
        }
        merge::label_sets(ctx, query.signal, all)
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        if ctx.also.is_empty() {
            return self.source.label_names(ctx, query).await;
        }
        let ask = |source: Arc<dyn Source>, ctx, query| async move { source.label_names(&ctx, &query).await };
        let mut all = Vec::new();
        for (_, mut found) in labels_of(self, ctx, query, ask).await? {
            if found.value.iter().any(|name| name == TENANT_LABEL) {
                found.value.push(ORIGINAL_TENANT_LABEL.to_owned());
            } else if !found.value.is_empty() {
                found.value.push(TENANT_LABEL.to_owned());
            }
            found.value.sort();
            all.push(found);
        }
        Ok(merge::union(all))
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        if ctx.also.is_empty() {
            return self.source.label_values(ctx, name, query).await;
        }
        if name == TENANT_LABEL {
            let tenants = selected(ctx, &query.matcher_sets).into_iter();
            return Ok(tenants
                .map(|selected| selected.tenant.as_str().to_owned())
                .collect::<Vec<_>>()
                .into());
        }
        let name = if name == ORIGINAL_TENANT_LABEL { TENANT_LABEL } else { name };
        let ask = |source: Arc<dyn Source>, ctx, query| async move {
            source.label_values(&ctx, name, &query).await
        };
        let answers = labels_of(self, ctx, query, ask).await?;
        Ok(merge::union(answers.into_iter().map(|(_, values)| values).collect()))
    }
}

#[async_trait]
impl MetricsReader for Federation {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        if ctx.also.is_empty() {
            return MetricsReader::select(&*self.source, ctx, request).await;
        }
        let asked = selected(ctx, std::slice::from_ref(&request.matchers)).into_iter().map(|selected| {
            let (source, ctx) = (Arc::clone(&self.source), ctx.for_tenant(&selected.tenant));
            let matchers = selected.matcher_sets.into_iter().flatten().collect();
            let request = SelectRequest { matchers, range: request.range };
            let answer = async move { MetricsReader::select(&*source, &ctx, &request).await };
            Asked { tenant: selected.tenant, answer }
        });
        let mut sets = Vec::new();
        for (tenant, mut set) in self.ask(asked.collect()).await? {
            set.series.iter_mut().for_each(|series| series.labels = labelled(&series.labels, &tenant));
            set.series.sort_by(|a, b| a.labels.cmp(&b.labels));
            name_warnings(&tenant, &mut set.warnings);
            sets.push(set);
        }
        merge::series_sets(ctx, sets).await
    }

    /// Of one tenant alone.
    async fn rollups(&self, ctx: &ReadContext, request: &RollupRequest) -> Result<Option<Vec<SeriesSet>>> {
        if ctx.also.is_empty() { self.source.rollups(ctx, request).await } else { Ok(None) }
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        if ctx.also.is_empty() {
            return self.source.exemplars(ctx, query).await;
        }
        let asked = selected(ctx, &query.matcher_sets).into_iter().map(|selected| {
            let (source, ctx) = (Arc::clone(&self.source), ctx.for_tenant(&selected.tenant));
            let query = LabelQuery { matcher_sets: selected.matcher_sets, ..query.clone() };
            let answer = async move { source.exemplars(&ctx, &query).await };
            Asked { tenant: selected.tenant, answer }
        });
        let mut all = Vec::new();
        for (tenant, mut found) in self.ask(asked.collect()).await? {
            found.iter_mut().for_each(|series| series.labels = labelled(&series.labels, &tenant));
            all.push(found);
        }
        Ok(merge::exemplars(all))
    }

    /// Of all tenants together: metadata has no labels.
    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        if ctx.also.is_empty() {
            return self.source.metadata(ctx, metric).await;
        }
        let asked = tenants::all(ctx).into_iter().map(|tenant| {
            let (source, ctx) = (Arc::clone(&self.source), ctx.for_tenant(&tenant));
            Asked { tenant, answer: async move { source.metadata(&ctx, metric).await } }
        });
        let answers = self.ask(asked.collect()).await?;
        Ok(merge::metadata(answers.into_iter().map(|(_, metadata)| metadata).collect()))
    }
}

#[async_trait]
impl LogsReader for Federation {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        if ctx.also.is_empty() {
            return LogsReader::select(&*self.source, ctx, request).await;
        }
        let asked = selected(ctx, std::slice::from_ref(&request.matchers)).into_iter().map(|selected| {
            let (source, ctx) = (Arc::clone(&self.source), ctx.for_tenant(&selected.tenant));
            let matchers = selected.matcher_sets.into_iter().flatten().collect();
            let request = StreamsRequest { matchers, range: request.range };
            let answer = async move { LogsReader::select(&*source, &ctx, &request).await };
            Asked { tenant: selected.tenant, answer }
        });
        let mut sets = Vec::new();
        for (tenant, mut set) in self.ask(asked.collect()).await? {
            set.streams.iter_mut().for_each(|stream| stream.labels = labelled(&stream.labels, &tenant));
            stores::replace(&mut set, |store| {
                Arc::new(TenantPages { tenant: tenant.clone(), store: Arc::clone(store) })
            });
            set.streams.sort_by(|a, b| a.labels.cmp(&b.labels));
            name_warnings(&tenant, &mut set.warnings);
            sets.push(set);
        }
        merge::stream_sets(ctx, sets).await
    }
}

/// Pages that are to be asked for as their tenant.
struct TenantPages {
    tenant: TenantId,
    store: Arc<dyn PageStore>,
}

#[async_trait]
impl PageStore for TenantPages {
    async fn fetch(&self, ctx: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        self.store.fetch(&ctx.for_tenant(&self.tenant), pages).await
    }
}

#[cfg(test)]
mod tests;
