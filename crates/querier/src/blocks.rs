//! Blocks, each read by the querier that owns it: there its index and pages are in the caches.

mod hiding;
mod owners;
mod rollups;

use crate::{QuerierConfig, QuerierMetrics, ViewSource, merge, rescue};
use async_trait::async_trait;
use block_store::{BlockMeta, BlocksInRange, BlocksReader};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use hash_ring::Member;
use model::{Labels, Signal, TenantId, TimeRange};
pub(crate) use owners::Owners;
use owners::Part;
pub use rollups::ListRollups;
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    RollupRequest, SelectRequest, SeriesSet, Source, StreamSet, StreamsRequest, Warned,
};
use std::{collections::VecDeque, future::Future, sync::Arc};

/// How blocks are listed and read.
#[derive(Clone)]
pub struct BlockClients {
    /// The blocks of a query's tenant that may have something of a range.
    pub list: ListBlocks,
    /// The blocks of figures, instead of samples.
    pub rolled_up: ListRollups,
    /// Reads these blocks in this process.
    pub local: LocalRead,
    /// Has these blocks read by another querier.
    pub remote: RemoteRead,
}

pub type LocalRead = Arc<dyn Fn(Vec<BlockMeta>) -> Arc<dyn Source> + Send + Sync>;
pub type RemoteRead = Arc<dyn Fn(&Member, Signal, Vec<BlockMeta>) -> Arc<dyn Source> + Send + Sync>;
pub type ListBlocks =
    Arc<dyn Fn(ReadContext, Signal, TimeRange) -> BoxFuture<'static, Result<BlocksInRange>> + Send + Sync>;

impl BlockClients {
    pub fn new(
        reader: Arc<BlocksReader>,
        remote: impl Fn(&Member, Signal, Vec<BlockMeta>) -> Arc<dyn Source> + Send + Sync + 'static,
    ) -> Self {
        let lister = Arc::clone(&reader);
        let list = move |ctx: ReadContext, signal, range| {
            let lister = Arc::clone(&lister);
            async move { lister.in_range(&ctx, signal, range).await }.boxed()
        };
        Self {
            list: Arc::new(list),
            rolled_up: rollups::lister(&reader),
            local: Arc::new(move |blocks| reader.only(blocks)),
            remote: Arc::new(remote),
        }
    }
}

/// What other queriers have read here. It is read here, and nobody else is asked.
pub struct LocalBlocks(pub Arc<BlocksReader>);

impl rpc::BlockSources for LocalBlocks {
    fn blocks(&self, _: &TenantId, _: Signal, blocks: Vec<BlockMeta>) -> Arc<dyn Source> {
        self.0.only(blocks)
    }
}

/// All blocks of a tenant, by all queriers. What the owner of a block cannot do, the next member of
/// the block's replica set is asked for, and the last resort is to do it here.
///
/// Owners give all that a block has. What deletions name is left out here, where one list says of all blocks
/// which deletions concern them.
pub struct DistributedBlocks {
    ring: ViewSource,
    /// Our id on the ring.
    instance: Arc<str>,
    clients: BlockClients,
    config: QuerierConfig,
    metrics: QuerierMetrics,
}

/// An answer of some blocks.
struct Answer<T> {
    found: T,
    /// Reads the same blocks here, if it came from elsewhere.
    fallback: Option<Arc<dyn Source>>,
}

impl DistributedBlocks {
    pub fn new(
        ring: ViewSource,
        instance: Arc<str>,
        clients: BlockClients,
        config: QuerierConfig,
        metrics: QuerierMetrics,
    ) -> Self {
        Self { ring, instance, clients, config, metrics }
    }

    /// Asks the owners of all blocks in the range; answers in the order of their first blocks.
    async fn ask<T, F>(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        range: TimeRange,
        question: impl Fn(Arc<dyn Source>) -> F + Send + Sync,
    ) -> Result<Warned<Vec<Answer<T>>>>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let listed = (self.clients.list)(ctx.clone(), signal, range).await?;
        self.ask_blocks(ctx, signal, listed, question).await
    }

    /// Asks the owners of these blocks, likewise.
    async fn ask_blocks<T, F>(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        listed: BlocksInRange,
        question: impl Fn(Arc<dyn Source>) -> F + Send + Sync,
    ) -> Result<Warned<Vec<Answer<T>>>>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let BlocksInRange { blocks, deletions, warnings } = listed;
        let is_small = blocks.iter().map(|block| block.bytes).sum::<u64>() <= self.config.small_query_bytes;
        let view = (self.ring)();
        let mut owners = Owners::new(&view, &self.instance);
        let mut waiting = VecDeque::new();
        for (hiding, blocks) in hiding::apart(signal, blocks, &deletions)? {
            match is_small {
                true => waiting.push_back(Part { owner: None, blocks, hiding }),
                false => waiting.extend(owners.parts(blocks, &hiding)),
            }
        }
        let mut running = FuturesUnordered::new();
        let mut answers = Vec::new();
        loop {
            while running.len() < self.config.concurrent_owners.max(1)
                && let Some(part) = waiting.pop_front()
            {
                // With other blocks of its own, while these waited.
                if part.owner.is_some_and(|owner| owners.has_failed(owner)) {
                    waiting.extend(owners.parts(part.blocks, &part.hiding));
                    continue;
                }
                let count = part.blocks.len() as u64;
                let counter = if part.owner.is_some() {
                    &self.metrics.remote_blocks
                } else {
                    &self.metrics.local_blocks
                };
                counter.inc_by(count);
                let owner = part.owner.map(|owner| owners.member(owner));
                let source = match owner {
                    Some(owner) => (self.clients.remote)(owner, signal, part.blocks.clone()),
                    None => (self.clients.local)(part.blocks.clone()),
                };
                let source = part.hiding.of(&part.blocks, source);
                running.push(question(source).map(|answer| (part, answer)));
            }
            let Some((part, answer)) = running.next().await else { break };
            match (part.owner, answer) {
                (owner, Ok(found)) => {
                    let first = part.blocks.first().map(|block| (block.min_time, block.id));
                    let here = || part.hiding.of(&part.blocks, (self.clients.local)(part.blocks.clone()));
                    answers.push((first, Answer { found, fallback: owner.map(|_| here()) }));
                }
                (Some(owner), Err(error)) if !merge::ends_query(ctx, &error) => {
                    let querier = &owners.member(owner).id;
                    tracing::warn!(%querier, %error, "a querier failed to read blocks that it owns");
                    self.metrics.failed_owners.inc();
                    owners.fail(owner);
                    waiting.extend(owners.parts(part.blocks, &part.hiding));
                }
                (_, Err(error)) => return Err(error),
            }
        }
        answers.sort_by_key(|(first, _)| *first);
        Ok(Warned { value: answers.into_iter().map(|(_, answer)| answer).collect(), warnings })
    }
}

fn found<T>(answers: Vec<Answer<T>>) -> Vec<T> {
    answers.into_iter().map(|answer| answer.found).collect()
}

/// Lists as one, with what is to be said of all of them.
fn union<T: Ord>(Warned { value, warnings }: Warned<Vec<Answer<Warned<Vec<T>>>>>) -> Warned<Vec<T>> {
    let mut all = merge::union(found(value));
    merge::add_warnings(&mut all.warnings, warnings);
    all
}

#[async_trait]
impl LabelsReader for DistributedBlocks {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let ask = |source: Arc<dyn Source>| async move { source.series(ctx, query).await };
        Ok(union(self.ask(ctx, query.signal, query.range, ask).await?))
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let ask = |source: Arc<dyn Source>| async move { source.label_names(ctx, query).await };
        Ok(union(self.ask(ctx, query.signal, query.range, ask).await?))
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        let ask = |source: Arc<dyn Source>| async move { source.label_values(ctx, name, query).await };
        Ok(union(self.ask(ctx, query.signal, query.range, ask).await?))
    }
}

#[async_trait]
impl MetricsReader for DistributedBlocks {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let ask =
            |source: Arc<dyn Source>| async move { MetricsReader::select(&*source, ctx, request).await };
        let Warned { value, warnings } = self.ask(ctx, Signal::Metrics, request.range, ask).await?;
        let mut merged = merge::series_sets(ctx, found(value)).await?;
        merge::add_warnings(&mut merged.warnings, warnings);
        Ok(merged)
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
impl LogsReader for DistributedBlocks {
    /// Pages that another querier cannot give any more are read here.
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        if request.range.is_empty() {
            return Ok(StreamSet::default());
        }
        let ask = |source: Arc<dyn Source>| async move { LogsReader::select(&*source, ctx, request).await };
        let Warned { value, warnings } = self.ask(ctx, Signal::Logs, request.range.millis(), ask).await?;
        let mut sets = Vec::new();
        for Answer { mut found, fallback } in value {
            if let Some(fallback) = fallback {
                let fallback = fallback as Arc<dyn LogsReader>;
                rescue::guard(ctx, &mut found, request, &fallback, &self.metrics)?;
            }
            sets.push(found);
        }
        let mut merged = merge::stream_sets(ctx, sets).await?;
        merge::add_warnings(&mut merged.warnings, warnings);
        Ok(merged)
    }
}

#[cfg(test)]
mod tests;
