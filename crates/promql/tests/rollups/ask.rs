//! Asks the engine about what a reader has.

use super::reader::Reader;
use model::{TenantId, Timestamp};
use promql::{
    Downsampling, ParseOptions,
    engine::{Engine, EngineConfig, Observe, Query, QueryResult, Value},
    parse,
};
use runtime::SystemClock;
use service_api::{ReadContext, Result};
use std::sync::Arc;
use vectors::Sample;

const MEMORY: u64 = 512 << 20;

/// When a query is evaluated: from, to, and how often; an instant query has no step.
#[derive(Clone, Copy, Debug)]
pub struct When {
    pub start: Timestamp,
    pub end: Timestamp,
    pub step: i64,
}

pub struct Asked<'a> {
    pub text: &'a str,
    pub when: When,
    pub downsampling: Downsampling,
    pub now: Option<Timestamp>,
    pub threads: usize,
    pub lookback: i64,
}

impl<'a> Asked<'a> {
    pub fn new(text: &'a str, when: When, downsampling: Downsampling) -> Self {
        Self { text, when, downsampling, now: None, threads: 1, lookback: 300_000 }
    }

    pub fn of(&self, reader: &Reader) -> QueryResult {
        let result = self.within(reader, MEMORY);
        result.unwrap_or_else(|error| panic!("{}: {error}", self.text))
    }

    /// With so much memory, all of which is given back with the answer.
    pub fn within(&self, reader: &Reader, memory: u64) -> Result<QueryResult> {
        let expr = parse(self.text, ParseOptions::all_features()).unwrap();
        let engine = Engine::new(EngineConfig {
            lookback_ms: self.lookback,
            threads: self.threads,
            series_per_thread: 1,
            downsampling: self.downsampling,
            ..EngineConfig::default()
        });
        let observe = Observe { clock: Arc::new(SystemClock::default()), steps: true, plan: true };
        let query = Query { observe: Some(&observe), now: self.now, ..Query::new(self.text, &expr) };
        let ctx = ReadContext::new(TenantId::anonymous(), memory);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let When { start, end, step } = self.when;
        let result = runtime.block_on(async {
            match step {
                0 => engine.instant(&ctx, reader, query, start).await,
                _ => engine.range(&ctx, reader, query, start, end, step).await,
            }
        });
        if result.is_err() {
            assert_eq!(ctx.budget.used(), 0, "{}", self.text);
        }
        result
    }
}

/// What a result has, as labels with times and values.
pub fn points(result: &QueryResult) -> Vec<(String, Vec<(Timestamp, f64)>)> {
    match &result.value {
        Value::Matrix(series) => {
            series.iter().map(|s| (s.labels.to_string(), s.points().collect())).collect()
        }
        Value::Vector { time, samples } => {
            let float = |sample: &Sample| match sample {
                Sample::Float(value) => vec![(*time, *value)],
                Sample::Histogram(_) => Vec::new(),
            };
            samples.iter().map(|(labels, sample)| (labels.to_string(), float(sample))).collect()
        }
        other => panic!("{other:?}"),
    }
}
