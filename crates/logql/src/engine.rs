//! The engine: answers LogQL from pages, reading no more of them than an answer takes.
//!
//! Lines come page by page. A query for lines walks them from its near end and stops where
//! nothing better can follow; one for numbers reads each page once, whatever its steps.

mod answer;
mod logs;
mod metrics;
mod pages;
mod patterns;
mod range;
mod reach;
mod seen;
mod vector;

pub use answer::{Answer, Data, MatrixSeries, ResultStream, Stats, VectorSample};

use crate::ast::{Expr, MetricExpr};
use model::{Matcher, Nanos};
use service_api::{LogsReader, ReadContext, Result};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Threads that work on one query; 0 is one for each core.
    pub shards: usize,
    /// Bytes of text in the pages that are fetched at once.
    pub batch_bytes: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { shards: 0, batch_bytes: 64 << 20 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Oldest lines first.
    Forward,
    /// Newest lines first.
    Backward,
}

#[derive(Clone, Debug)]
pub struct Query {
    pub expr: Expr,
    /// Lines are wanted from here on. The first step of numbers.
    pub start: Nanos,
    /// Lines are wanted up to but without this time. Steps include it, and it is the only
    /// step of an instant query. For templates it is now.
    pub end: Nanos,
    /// From step to step; 0 is an instant query. Lines know no steps.
    pub step: Nanos,
    pub direction: Direction,
    /// Lines that are wanted at most.
    pub limit: u64,
    /// A line is left out if it is nearer than this to the line before it in the answer.
    pub interval: Nanos,
}

#[derive(Clone, Debug, Default)]
pub struct Engine {
    config: EngineConfig,
}

impl Engine {
    pub fn new(config: EngineConfig) -> Self {
        Self { config }
    }

    /// Evaluates a query. Runs on a tokio runtime; whoever drops the future ends the query.
    pub async fn query(
        &self,
        ctx: &ReadContext,
        reader: Arc<dyn LogsReader>,
        query: Query,
    ) -> Result<Answer> {
        let mut ctx = ctx.clone();
        ctx.cancel = ctx.cancel.child_token();
        // Threads that work for it end with it.
        let _ends = ctx.cancel.clone().drop_guard();
        match &query.expr {
            Expr::Logs(logs) => logs::evaluate(&ctx, &*reader, &self.config, logs, &query).await,
            Expr::Metric(metric) => metrics::evaluate(&ctx, &*reader, &self.config, metric, &query).await,
        }
    }
}

impl EngineConfig {
    fn shards(&self) -> usize {
        match self.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            shards => shards,
        }
    }
}

/// The selectors of an expression, from left to right.
pub fn matchers(expr: &Expr) -> Vec<&[Matcher]> {
    let mut found = Vec::new();
    match expr {
        Expr::Logs(logs) => found.push(&logs.matchers[..]),
        Expr::Metric(metric) => metric_matchers(metric, &mut found),
    }
    found
}

fn metric_matchers<'a>(expr: &'a MetricExpr, found: &mut Vec<&'a [Matcher]>) {
    if let MetricExpr::Range(range) = expr {
        found.push(&range.logs.query.matchers);
    }
    for child in expr.children() {
        metric_matchers(child, found);
    }
}
