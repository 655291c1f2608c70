//! The engines of this process over all that a tenant has.

use crate::{Federation, merge};
use async_trait::async_trait;
use logql::engine::Direction;
use model::Signal;
use promql::engine::EngineConfig;
use service_api::{Error, ReadContext, Result};
use std::sync::Arc;
use tokio::sync::Semaphore;
use vectors::{Evaluate, Reach, Stretch, Table};

/// Evaluates stretches of queries here, a few at once. Others wait, at most as long as their queries may take.
pub struct Evaluator {
    reader: Arc<Federation>,
    engine: Arc<promql::Engine>,
    log_engine: Arc<logql::Engine>,
    room: Semaphore,
}

impl Evaluator {
    pub fn new(
        reader: Arc<Federation>,
        engine: Arc<promql::Engine>,
        log_engine: Arc<logql::Engine>,
        at_once: usize,
    ) -> Self {
        Self { reader, engine, log_engine, room: Semaphore::new(at_once.max(1)) }
    }

    /// From how far around a step the data comes that its value follows from; none if it depends on other steps,
    /// too, or if the query cannot be parsed.
    pub(crate) fn reach(&self, stretch: &Stretch) -> Option<Reach> {
        match stretch.signal {
            Signal::Metrics => {
                let engine = self.engine_for(stretch);
                let parsed = promql::parse(&stretch.query, engine.config().features.parse_options());
                engine.reach(&parsed.ok()?)
            }
            Signal::Logs => logql::Engine::reach(&logql::parse(&stretch.query).ok()?),
        }
    }

    fn engine_for(&self, stretch: &Stretch) -> promql::Engine {
        let config = self.engine.config().clone();
        promql::Engine::new(EngineConfig { lookback_ms: stretch.lookback, ..config })
    }

    async fn metrics(&self, ctx: &ReadContext, stretch: &Stretch) -> Result<Option<Table>> {
        let Stretch { query, steps, .. } = stretch;
        let engine = self.engine_for(stretch);
        let expr = promql::parse(query, engine.config().features.parse_options());
        let expr = expr.map_err(|e| Error::internal(e.to_string()))?;
        let query = promql::engine::Query::new(query, &expr);
        let (start, end) = (steps.start, steps.last_time());
        Ok(engine.range(ctx, &*self.reader, query, start, end, steps.interval).await?.into_table())
    }

    async fn logs(&self, ctx: &ReadContext, stretch: &Stretch) -> Result<Option<Table>> {
        let steps = stretch.steps;
        let expr = logql::parse(&stretch.query).map_err(|e| Error::internal(e.to_string()))?;
        // What is left concerns lines.
        let query = logql::engine::Query {
            expr,
            start: steps.start,
            end: steps.last_time(),
            step: steps.interval,
            direction: Direction::Backward,
            limit: 0,
            interval: 0,
        };
        let reader = Arc::clone(&self.reader) as Arc<dyn service_api::LogsReader>;
        let (answer, budget) = (self.log_engine.query(ctx, reader, query).await?, Arc::clone(&ctx.budget));
        merge::off_thread(move || answer.into_table(&budget, steps)).await?
    }
}

#[async_trait]
impl Evaluate for Evaluator {
    /// A query that cannot be parsed here, another version may know: that is no error of the query.
    async fn evaluate(&self, ctx: &ReadContext, stretch: &Stretch) -> Result<Option<Table>> {
        let _place = self.room.acquire().await.map_err(|_| Error::internal("no place will ever be free"))?;
        ctx.check()?;
        match stretch.signal {
            Signal::Metrics => self.metrics(ctx, stretch).await,
            Signal::Logs => self.logs(ctx, stretch).await,
        }
    }
}
