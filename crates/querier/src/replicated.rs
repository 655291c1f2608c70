//! Recent data, from all ingesters of the ring: enough of them that nothing can be missing.

mod changes;

use crate::{QuerierMetrics, merge};
use async_trait::async_trait;
use futures::{StreamExt, stream::FuturesUnordered};
use hash_ring::{Member, RingView};
use model::Labels;
use service_api::{
    Error, ExemplarSeries, HeadSource, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader,
    ReadContext, Result, SelectRequest, SeriesSet, Source, StreamSet, StreamsRequest, Warned, origin,
};
use std::{future::Future, sync::Arc, time::Duration};

/// Gives the ring as it is now.
pub type ViewSource = Arc<dyn Fn() -> Arc<RingView> + Send + Sync>;

/// Gives a client of a member, or the member itself if it is in this process.
pub type Connect = Arc<dyn Fn(&Member) -> Arc<dyn HeadSource> + Send + Sync>;

/// How long it is worth waiting for the late, where a result is to be kept: the more were heard, the
/// more can be told later of its being right.
const PATIENCE: Duration = Duration::from_millis(50);

/// Asks all ingesters at once and answers as soon as enough of them have: an acknowledged entry is
/// then in at least one answer. Who is late is left out. Where too many fail it is an error.
pub struct ReplicatedReader {
    ring: ViewSource,
    connect: Connect,
    metrics: QuerierMetrics,
}

impl ReplicatedReader {
    pub fn new(ring: ViewSource, connect: Connect, metrics: QuerierMetrics) -> Self {
        Self { ring, connect, metrics }
    }

    /// The answers of enough ingesters, in the order of the ring's members.
    async fn ask<T, F>(
        &self,
        ctx: &ReadContext,
        question: impl Fn(Arc<dyn Source>) -> F + Send + Sync,
    ) -> Result<Vec<(Arc<str>, T)>>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let view = (self.ring)();
        let patience = ctx.heard.as_ref().map(|_| PATIENCE);
        let answers = self.ask_members(ctx, &view, patience, |_, source| question(source)).await?;
        let id = |index| Arc::clone(&view.members()[usize::from(index)].id);
        if let Some(heard) = &ctx.heard {
            heard.from(answers.iter().map(|(index, _)| id(*index)));
        }
        Ok(answers.into_iter().map(|(index, answer)| (id(index), answer)).collect())
    }

    /// The answers of enough ingesters by their indexes, in order; with patience, of the others that
    /// come soon, too.
    async fn ask_members<T, F>(
        &self,
        ctx: &ReadContext,
        view: &RingView,
        patience: Option<Duration>,
        question: impl Fn(&Member, Arc<dyn HeadSource>) -> F + Send + Sync,
    ) -> Result<Vec<(u16, T)>>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let plan = view.read_plan();
        if plan.is_hopeless(&[]) {
            return Err(self.too_few(&plan.explain(&[])));
        }
        let ask = |&index: &u16| {
            let member = &view.members()[usize::from(index)];
            let answer = question(member, (self.connect)(member));
            async move { (index, answer.await) }
        };
        let mut running: FuturesUnordered<_> = plan.ask.iter().map(ask).collect();
        let (mut answers, mut answered, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut late = None;
        loop {
            let next = match late {
                Some(end) => tokio::time::timeout_at(end, running.next()).await.ok().flatten(),
                None => running.next().await,
            };
            let Some((index, answer)) = next else { break };
            match answer {
                Ok(answer) => {
                    answers.push((index, answer));
                    answered.push(index);
                    if late.is_none() && plan.is_enough(&answered) {
                        let Some(patience) = patience else { break };
                        late = Some(tokio::time::Instant::now() + patience);
                    }
                }
                Err(error) if merge::ends_query(ctx, &error) => return Err(error),
                Err(error) => {
                    let member = &view.members()[usize::from(index)];
                    tracing::warn!(ingester = %member.id, %error, "an ingester failed to answer a read");
                    self.metrics.failed_ingesters.inc();
                    failed.push(index);
                    if plan.is_hopeless(&failed) {
                        break;
                    }
                }
            }
        }
        if !plan.is_enough(&answered) {
            return Err(self.too_few(&plan.explain(&failed)));
        }
        answers.sort_by_key(|(index, _)| *index);
        Ok(answers)
    }

    fn too_few(&self, why: &str) -> Error {
        self.metrics.short_reads.inc();
        Error::unavailable(format!("too few ingesters answer for a read that misses nothing: {why}"))
    }
}

fn unnamed<T>(answers: Vec<(Arc<str>, T)>) -> Vec<T> {
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[async_trait]
impl LabelsReader for ReplicatedReader {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let answers = self.ask(ctx, |source| async move { source.series(ctx, query).await }).await?;
        merge::label_sets(ctx, query.signal, unnamed(answers))
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let answers = self.ask(ctx, |source| async move { source.label_names(ctx, query).await }).await?;
        Ok(merge::union(unnamed(answers)))
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        let ask = |source: Arc<dyn Source>| async move { source.label_values(ctx, name, query).await };
        Ok(merge::union(unnamed(self.ask(ctx, ask).await?)))
    }
}

#[async_trait]
impl MetricsReader for ReplicatedReader {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let ask =
            |source: Arc<dyn Source>| async move { MetricsReader::select(&*source, ctx, request).await };
        merge::replica_sets(ctx, unnamed(self.ask(ctx, ask).await?)).await
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let answers = self.ask(ctx, |source| async move { source.exemplars(ctx, query).await }).await?;
        Ok(merge::exemplars(unnamed(answers)))
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        let answers = self.ask(ctx, |source| async move { source.metadata(ctx, metric).await }).await?;
        Ok(merge::metadata(unnamed(answers)))
    }
}

#[async_trait]
impl LogsReader for ReplicatedReader {
    /// Each page says whose it is, so that whoever counts lines unread does not count replicas.
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let ask = |source: Arc<dyn Source>| async move { LogsReader::select(&*source, ctx, request).await };
        let mut sets = Vec::new();
        for (id, mut set) in self.ask(ctx, ask).await? {
            let origin = origin(&id);
            let pages = set.streams.iter_mut().flat_map(|stream| &mut stream.pages);
            pages.for_each(|page| page.origin = origin);
            sets.push(set);
        }
        merge::stream_sets(ctx, sets).await
    }
}

#[cfg(test)]
mod tests;
