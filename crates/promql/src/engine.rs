//! The engine: evaluates PromQL over whole series, in parallel, within a memory budget.
//!
//! A query is planned for its steps, everything it reads is selected at once, and then each
//! series is decoded once and its function computed for all steps before the next one.

mod aggregate;
mod annotations;
mod binary;
mod evaluate;
mod histogram;
mod instant;
mod kernel;
mod labels;
mod observe;
mod operate;
mod plan;
mod range;
mod reach;
mod result;
mod rollups;
mod shift;
mod values;
mod window;

pub use observe::{Measured, Observe, Observed, PlanNode};
pub use result::{MatrixSeries, QueryResult, Statistics, Value};

use crate::{
    Downsampling, Features,
    ast::{Expr, ValueType},
};
use annotations::Annotations;
use evaluate::Evaluator;
use futures::future::try_join_all;
use model::Timestamp;
use observe::Observer;
use plan::{Inputs, Plan, plan};
use rollups::Leaf;
use service_api::{Error, MetricsReader, ReadContext, Result};
use vectors::Steps;

#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// How old the newest sample of a series may be to count, in milliseconds.
    pub lookback_ms: i64,
    /// The step of subqueries that name none, in milliseconds.
    pub default_interval_ms: i64,
    /// Threads that evaluate one query.
    pub threads: usize,
    /// Samples that one query may decode; 0 is no limit.
    pub max_samples: u64,
    /// Steps that a query, or one of its subqueries, may have.
    pub max_steps: usize,
    /// Fewer series are not worth a thread.
    pub series_per_thread: usize,
    pub features: Features,
    pub downsampling: Downsampling,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            default_interval_ms: 60_000,
            threads: std::thread::available_parallelism().map_or(2, |n| n.get().min(8)),
            max_samples: 0,
            max_steps: 10_000_000,
            series_per_thread: 48,
            features: Features::default(),
            downsampling: Downsampling::default(),
        }
    }
}

/// What a query reads at once. One of thousands of selectors must not take the threads of all others.
const SELECTS_AT_ONCE: usize = 16;

/// A query: the tree, and the text that its spans refer to.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    pub text: &'a str,
    pub expr: &'a Expr,
    /// What is wanted beside the answer.
    pub observe: Option<&'a Observe>,
    /// The time of day, where it is known: of what is recent there are no rollups to be asked for.
    pub now: Option<Timestamp>,
}

/// What a query is evaluated for.
#[derive(Clone, Copy)]
struct When {
    steps: Steps,
    /// On a step or not.
    end: Timestamp,
    /// 0 for an instant query.
    step: i64,
    is_instant: bool,
}

impl<'a> Query<'a> {
    pub fn new(text: &'a str, expr: &'a Expr) -> Self {
        Self { text, expr, observe: None, now: None }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Engine {
    config: EngineConfig,
}

impl Engine {
    pub fn new(config: EngineConfig) -> Self {
        Self { config }
    }

    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Evaluates a query at one time. Runs on a tokio runtime.
    pub async fn instant(
        &self,
        ctx: &ReadContext,
        reader: &dyn MetricsReader,
        query: Query<'_>,
        time: Timestamp,
    ) -> Result<QueryResult> {
        let when = When { steps: Steps::instant(time), end: time, step: 0, is_instant: true };
        self.evaluate(ctx, reader, query, when).await
    }

    /// Evaluates a query from `start` to `end`, every `step` milliseconds.
    pub async fn range(
        &self,
        ctx: &ReadContext,
        reader: &dyn MetricsReader,
        query: Query<'_>,
        start: Timestamp,
        end: Timestamp,
        step: i64,
    ) -> Result<QueryResult> {
        let kind = query.expr.value_type();
        if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
            return Err(Error::bad_request(format!(
                "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                kind.documented()
            )));
        }
        if step <= 0 || end < start {
            return Err(Error::bad_request(
                "a range query needs a step above zero and an end that is not before its start",
            ));
        }
        let steps = Steps::range(start, end, step);
        if steps.count > self.config.max_steps {
            return Err(too_many_steps(steps.count, self.config.max_steps));
        }
        self.evaluate(ctx, reader, query, When { steps, end, step, is_instant: false }).await
    }

    async fn evaluate(
        &self,
        ctx: &ReadContext,
        reader: &dyn MetricsReader,
        query: Query<'_>,
        when: When,
    ) -> Result<QueryResult> {
        let planned = |config| plan(query.expr, when.steps, (when.end, when.step), config);
        if let Some(result) = self.run(ctx, reader, query, planned(&self.config)?, when).await? {
            return Ok(result);
        }
        let samples_alone = EngineConfig { downsampling: Downsampling::Off, ..self.config.clone() };
        let result = self.run(ctx, reader, query, planned(&samples_alone)?, when).await?;
        result.ok_or_else(|| Error::internal("a query was to be evaluated without rollups, but had none"))
    }

    /// None if rollups turn out not to do.
    async fn run(
        &self,
        ctx: &ReadContext,
        reader: &dyn MetricsReader,
        query: Query<'_>,
        mut plan: Plan,
        when: When,
    ) -> Result<Option<QueryResult>> {
        let When { steps, is_instant, .. } = when;
        ctx.check()?;
        let began = query.observe.map(|observe| observe.clock.monotonic());
        let leaves = rollups::find(ctx, reader, &mut plan, query.now).await?;
        let requests = std::mem::take(&mut plan.selects).into_requests();
        let observer = query.observe.map(|observe| Observer::new(observe, steps.count));
        let described = match query.observe {
            Some(observe) if observe.plan => Inputs::describe(&requests, &plan.candidates, &leaves),
            _ => Inputs::default(),
        };
        let mut inputs = Vec::with_capacity(requests.len());
        for some in requests.chunks(SELECTS_AT_ONCE) {
            ctx.check()?;
            inputs.extend(try_join_all(some.iter().map(|request| reader.select(ctx, request))).await?);
        }
        let mut notes = Annotations::default();
        let rolled_up = leaves.iter().flat_map(Leaf::sets);
        for warning in inputs.iter().chain(rolled_up).flat_map(|input| &input.warnings) {
            notes.storage_warning(warning.clone());
        }
        let (config, mut ctx) = (self.config.clone(), ctx.clone());
        ctx.cancel = ctx.cancel.child_token();
        // Whoever drops this future, a client gone away, ends the evaluation with it.
        let _ends = ctx.cancel.clone().drop_guard();
        let evaluation = move || {
            let (query, inputs) = ((&ctx, &config), (&inputs[..], &leaves[..]));
            let mut evaluator = Evaluator::new(query, inputs, notes, steps, &plan.shared, observer);
            let value = match evaluator.root(&plan.root, &steps, is_instant) {
                Err(_) if evaluator.needs_samples() => return Ok(None),
                value => value?,
            };
            let (notes, statistics, observer) = evaluator.finish();
            let observed = observer.map(|observer| observer.finish(&plan, &described));
            Ok(Some((value, notes, statistics, observed)))
        };
        let prepared = query.observe.map(|observe| observe.clock.monotonic());
        let task = runtime::blocking(evaluation);
        let evaluated: Result<_> =
            task.await.map_err(|e| Error::internal(format!("the evaluation of the query failed: {e}")))?;
        let Some((value, notes, statistics, mut observed)) = evaluated? else { return Ok(None) };
        if let (Some(observed), Some(observe), Some(began), Some(prepared)) =
            (&mut observed, query.observe, began, prepared)
        {
            observed.preparation = prepared.saturating_sub(began);
            observed.evaluation = observe.clock.monotonic().saturating_sub(prepared);
        }
        let (warnings, infos) = notes.render(query.text);
        Ok(Some(QueryResult { value, warnings, infos, statistics, observed }))
    }
}

fn too_many_steps(steps: usize, limit: usize) -> Error {
    Error::unprocessable(format!("a query or subquery may have at most {limit} steps, but here are {steps}"))
}

#[cfg(test)]
mod tests;
