//! A source without what deletions name, which it still has.

mod hidden;
mod lines;
#[cfg(test)]
mod tests;

pub(crate) use hidden::Hidden;

use crate::ListBlocks;
use async_trait::async_trait;
use model::{Labels, Signal, TimeRange};
use removal::Deletions;
use runtime::Clock;
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SelectRequest, SeriesSet, Source, StreamSet, StreamsRequest, Warned,
};
use std::sync::Arc;

/// Reads a source and leaves out of its answers what is not to be seen.
///
/// Names and values of labels may still tell of deleted entries, and so may metadata, until blocks are
/// rewritten and heads have let go of them, as in Prometheus and Loki: an index knows of no times that would
/// say more.
pub struct Without {
    source: Arc<dyn Source>,
    hides: Hides,
}

enum Hides {
    /// Of each answer the same.
    These(Hidden),
    /// What deletions name that are listed and that heads may hold something of.
    OfHeads { list: ListBlocks, clock: Arc<dyn Clock> },
}

impl Without {
    pub(crate) fn new(source: Arc<dyn Source>, hidden: Hidden) -> Self {
        Self { source, hides: Hides::These(hidden) }
    }

    /// Recent data without what is deleted.
    pub fn of_heads(recent: Arc<dyn Source>, list: ListBlocks, clock: Arc<dyn Clock>) -> Self {
        Self { source: recent, hides: Hides::OfHeads { list, clock } }
    }

    /// What is to be left out of an answer; none if that is nothing. Asked when the answer is there, as heads
    /// may tell of a newer list.
    async fn hidden(&self, ctx: &ReadContext, signal: Signal, range: TimeRange) -> Result<Option<Hidden>> {
        let (list, clock) = match &self.hides {
            Hides::These(hidden) => return Ok(Some(hidden.clone())),
            Hides::OfHeads { list, clock } => (list, clock),
        };
        let listed = list(ctx.clone(), signal, range).await?.deletions;
        let now = clock.now_ms();
        let deletions = Deletions::new(signal, listed.iter().filter(|listed| listed.concerns_heads(now)))?;
        Ok((!deletions.is_empty()).then(|| Hidden::new(Arc::new(deletions), TimeRange::ALL)))
    }
}

#[async_trait]
impl LabelsReader for Without {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let mut found = self.source.series(ctx, query).await?;
        if let Some(hidden) = self.hidden(ctx, query.signal, query.range).await? {
            found.value = hidden.label_sets(found.value, query.range).await?;
        }
        Ok(found)
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.source.label_names(ctx, query).await
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.source.label_values(ctx, name, query).await
    }
}

#[async_trait]
impl MetricsReader for Without {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let found = MetricsReader::select(&*self.source, ctx, request).await?;
        match self.hidden(ctx, Signal::Metrics, request.range).await? {
            Some(hidden) => hidden.series(ctx, found, request.range).await,
            None => Ok(found),
        }
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let found = self.source.exemplars(ctx, query).await?;
        match self.hidden(ctx, Signal::Metrics, query.range).await? {
            Some(hidden) => hidden.exemplars(found).await,
            None => Ok(found),
        }
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        self.source.metadata(ctx, metric).await
    }
}

#[async_trait]
impl LogsReader for Without {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let found = LogsReader::select(&*self.source, ctx, request).await?;
        match self.hidden(ctx, Signal::Logs, request.range.millis()).await? {
            Some(hidden) => hidden.streams(ctx, found).await,
            None => Ok(found),
        }
    }
}
