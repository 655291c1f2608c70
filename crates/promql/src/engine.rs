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
mod shift;
mod values;
mod window;

pub use observe::{Measured, Observe, Observed, PlanNode};
pub use result::{MatrixSeries, QueryResult, Statistics, Value};

use crate::{
    Features,
    ast::{Expr, ValueType},
};
use annotations::Annotations;
use evaluate::Evaluator;
use futures::future::try_join_all;
use model::Timestamp;
use observe::Observer;
use plan::{Plan, plan};
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
}

impl<'a> Query<'a> {
    pub fn new(text: &'a str, expr: &'a Expr) -> Self {
        Self { text, expr, observe: None }
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
        let plan = plan(query.expr, Steps::instant(time), (time, 0), &self.config)?;
        self.run(ctx, reader, query, plan, Steps::instant(time), true).await
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
        let plan = plan(query.expr, steps, (end, step), &self.config)?;
        self.run(ctx, reader, query, plan, steps, false).await
    }

    async fn run(
        &self,
        ctx: &ReadContext,
        reader: &dyn MetricsReader,
        query: Query<'_>,
        mut plan: Plan,
        steps: Steps,
        is_instant: bool,
    ) -> Result<QueryResult> {
        ctx.check()?;
        let requests = std::mem::take(&mut plan.selects);
        let began = query.observe.map(|observe| observe.clock.monotonic());
        let observer = query.observe.map(|observe| Observer::new(observe, steps.count));
        let described: Vec<String> = match query.observe {
            Some(observe) if observe.plan => requests.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let mut inputs = Vec::with_capacity(requests.len());
        for some in requests.chunks(SELECTS_AT_ONCE) {
            ctx.check()?;
            inputs.extend(try_join_all(some.iter().map(|request| reader.select(ctx, request))).await?);
        }
        let mut notes = Annotations::default();
        for warning in inputs.iter().flat_map(|input| &input.warnings) {
            notes.storage_warning(warning.clone());
        }
        let (config, mut ctx) = (self.config.clone(), ctx.clone());
        ctx.cancel = ctx.cancel.child_token();
        // Whoever drops this future, a client gone away, ends the evaluation with it.
        let _ends = ctx.cancel.clone().drop_guard();
        let evaluation = move || {
            let query = (&ctx, &config);
            let mut evaluator = Evaluator::new(query, &inputs, notes, steps, &plan.shared, observer);
            let value = evaluator.root(&plan.root, &steps, is_instant)?;
            let (notes, statistics, observer) = evaluator.finish();
            let observed = observer.map(|observer| observer.finish(&plan, &described));
            Ok((value, notes, statistics, observed))
        };
        let prepared = query.observe.map(|observe| observe.clock.monotonic());
        let task = runtime::blocking(evaluation);
        let (value, notes, statistics, mut observed) =
            task.await.map_err(|e| Error::internal(format!("the evaluation of the query failed: {e}")))??;
        if let (Some(observed), Some(observe), Some(began), Some(prepared)) =
            (&mut observed, query.observe, began, prepared)
        {
            observed.preparation = prepared.saturating_sub(began);
            observed.evaluation = observe.clock.monotonic().saturating_sub(prepared);
        }
        let (warnings, infos) = notes.render(query.text);
        Ok(QueryResult { value, warnings, infos, statistics, observed })
    }
}

fn too_many_steps(steps: usize, limit: usize) -> Error {
    Error::unprocessable(format!("a query or subquery may have at most {limit} steps, but here are {steps}"))
}

#[cfg(test)]
mod tests;
