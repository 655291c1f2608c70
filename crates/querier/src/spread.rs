//! Long range queries, each piece of which is evaluated by the querier that owns most of its blocks: what
//! travels is the answer, not the data.

mod cut;
mod join;
#[cfg(test)]
mod tests;

use crate::{Evaluator, ListBlocks, QuerierConfig, QuerierMetrics, ViewSource, blocks::Owners, merge};
use async_trait::async_trait;
use cut::{MAX_STEPS, Piece, assign, cut};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use hash_ring::Member;
use service_api::{ReadContext, Result};
use std::{collections::VecDeque, sync::Arc};
use vectors::{Evaluate, Stretch, Table};

/// A querier by its place on the ring, as it evaluates queries.
pub type ConnectEvaluator = Arc<dyn Fn(&Member) -> Arc<dyn Evaluate> + Send + Sync>;

/// A longer query takes its time to be parsed, and would take it in every process.
const MAX_QUERY_BYTES: usize = 4 << 10;

/// Evaluates the stretches of a query where their blocks are.
///
/// Each depends on no steps of the others ([`Evaluator::reach`] says so), so that together they are what one
/// evaluation would have given. A querier that fails is not asked again; its pieces are evaluated here.
pub struct Spread {
    ring: ViewSource,
    /// Our id on the ring.
    instance: Arc<str>,
    list: ListBlocks,
    here: Arc<Evaluator>,
    connect: ConnectEvaluator,
    config: QuerierConfig,
    metrics: QuerierMetrics,
}

impl Spread {
    pub fn new(
        (ring, instance): (ViewSource, Arc<str>),
        list: ListBlocks,
        here: Arc<Evaluator>,
        connect: ConnectEvaluator,
        config: QuerierConfig,
        metrics: QuerierMetrics,
    ) -> Self {
        Self { ring, instance, list, here, connect, config, metrics }
    }

    /// What to cut the query into; nothing if that is no use.
    async fn pieces(&self, ctx: &ReadContext, stretch: &Stretch, owners: &Owners<'_>) -> Result<Vec<Piece>> {
        let every =
            self.config.split_interval.saturating_mul(1000).saturating_mul(stretch.units_a_milli() as u64);
        let pieces = cut(stretch.steps, every);
        if pieces.len() < 2 || pieces.iter().any(|steps| steps.count > MAX_STEPS) {
            return Ok(Vec::new());
        }
        let Some(reach) = self.here.reach(stretch) else { return Ok(Vec::new()) };
        let blocks = (self.list)(ctx.clone(), stretch.signal, stretch.range(reach)).await?.blocks;
        if blocks.iter().map(|block| block.bytes).sum::<u64>() <= self.config.small_query_bytes {
            return Ok(Vec::new());
        }
        let range = |steps| stretch.over(steps).range(reach);
        Ok(assign(pieces, range, &blocks, |blocks| owners.of_most(blocks.iter().copied())))
    }
}

#[async_trait]
impl Evaluate for Spread {
    async fn evaluate(&self, ctx: &ReadContext, stretch: &Stretch) -> Result<Option<Table>> {
        let view = (self.ring)();
        let mut owners = Owners::new(&view, &self.instance);
        if !ctx.also.is_empty() || stretch.query.len() > MAX_QUERY_BYTES || !owners.has_others() {
            return Ok(None);
        }
        let pieces = self.pieces(ctx, stretch, &owners).await?;
        if pieces.iter().all(|piece| piece.owner.is_none()) {
            return Ok(None);
        }
        let (mut waiting, mut running) = (VecDeque::from(pieces), FuturesUnordered::new());
        let mut done = Vec::new();
        loop {
            while running.len() < self.config.concurrent_owners.max(1)
                && let Some(Piece { steps, owner }) = waiting.pop_front()
            {
                let owner = owner.filter(|owner| !owners.has_failed(*owner));
                let (counter, evaluate) = match owner {
                    Some(owner) => (&self.metrics.remote_stretches, (self.connect)(owners.member(owner))),
                    None => (&self.metrics.local_stretches, Arc::clone(&self.here) as Arc<dyn Evaluate>),
                };
                counter.inc();
                let stretch = stretch.over(steps);
                let work = async move { evaluate.evaluate(ctx, &stretch).await };
                running.push(work.map(move |table| (Piece { steps, owner }, table)));
            }
            let Some((piece, table)) = running.next().await else { break };
            match (piece.owner, table) {
                (_, Ok(Some(table))) => done.push((piece.steps, table)),
                // What one cannot put into a table, all together cannot.
                (_, Ok(None)) => return Ok(None),
                (Some(owner), Err(error)) if !merge::ends_query(ctx, &error) => {
                    let querier = &owners.member(owner).id;
                    tracing::warn!(%querier, %error, "a querier failed to evaluate a part of a query");
                    self.metrics.failed_stretches.inc();
                    owners.fail(owner);
                    waiting.push_front(Piece { owner: None, ..piece });
                }
                (_, Err(error)) => return Err(error),
            }
        }
        let (budget, steps) = (Arc::clone(&ctx.budget), stretch.steps);
        merge::off_thread(move || join::join(&budget, steps, done)).await?.map(Some)
    }
}
