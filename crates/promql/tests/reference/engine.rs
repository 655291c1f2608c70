//! The engine under test: asked as the server asks it, and watched for what it holds.

use super::{
    answer::{Answer, Point},
    generate::Question,
    oracle::{When, table::Value as Reference},
    storage::Storage,
};
use model::TenantId;
use promql::{
    Features,
    ast::Expr,
    engine::{Engine, EngineConfig, MatrixSeries, Query, QueryResult, Value},
};
use service_api::ReadContext;
use std::sync::Arc;
use tokio::runtime::Runtime;
use vectors::Sample;

/// Bytes that one query may hold.
const MEMORY: u64 = 64 << 20;

pub const DEFAULT_INTERVAL: i64 = 60_000;

/// Two ways to evaluate: all series in one thread, and each series in whichever of several.
const THREADS: [usize; 2] = [1, 4];

pub struct Engines {
    runtime: Runtime,
}

impl Engines {
    pub fn new() -> Self {
        Self { runtime: tokio::runtime::Builder::new_current_thread().build().unwrap() }
    }

    /// What each way answers, or the message of its error.
    pub fn answers(
        &self,
        storage: &Storage,
        question: &Question,
        expr: &Expr,
    ) -> Vec<Result<Answer, String>> {
        THREADS.map(|threads| self.ask(threads, storage, question, expr, MEMORY)).into()
    }

    /// Asks with too little memory: there may be an answer or none, but everything must be given back.
    pub fn starve(&self, storage: &Storage, question: &Question, expr: &Expr, memory: u64) {
        let _ = self.ask(4, storage, question, expr, memory);
    }

    fn ask(
        &self,
        threads: usize,
        storage: &Storage,
        question: &Question,
        expr: &Expr,
        memory: u64,
    ) -> Result<Answer, String> {
        let Question { text, when, .. } = question;
        let engine = Engine::new(config(threads, question));
        let ctx = ReadContext::new(TenantId::anonymous(), memory);
        let query = Query::new(text, expr);
        let result = self.runtime.block_on(async {
            match *when {
                When::At(time) => engine.instant(&ctx, storage, query, time).await,
                When::Range { start, end, step } => {
                    engine.range(&ctx, storage, query, start, end, step).await
                }
            }
        });
        if let Ok(result) = &result {
            let peak = result.statistics.peak_memory;
            assert!(peak <= memory, "{text} held {peak} of {memory} bytes");
        }
        let answer = result.map(answer).map_err(|e| e.message.into_owned());
        assert_eq!(ctx.budget.used(), 0, "{text} keeps memory after its end");
        answer
    }
}

fn config(threads: usize, question: &Question) -> EngineConfig {
    let delayed_name_removal = question.delayed_names;
    EngineConfig {
        lookback_ms: question.lookback,
        default_interval_ms: DEFAULT_INTERVAL,
        threads,
        series_per_thread: 1,
        features: Features { delayed_name_removal, ..Features::default() },
        ..EngineConfig::default()
    }
}

fn answer(result: QueryResult) -> Answer {
    let float = |value| Point(Reference::Float(value));
    match result.value {
        Value::Scalar { time, value } => {
            Answer::of_series(vec![(model::Labels::empty(), vec![(time, float(value))])])
        }
        Value::String { value, .. } => Answer { text: Some(value), series: Vec::new() },
        Value::Vector { time, samples } => {
            let point = |sample| match sample {
                Sample::Float(value) => float(value),
                Sample::Histogram(histogram) => Point(Reference::Histogram(histogram)),
            };
            let series = samples.into_iter().map(|(labels, sample)| (labels, vec![(time, point(sample))]));
            Answer::of_series(series.collect())
        }
        Value::Matrix(series) => {
            let points = |series: &MatrixSeries| {
                let floats = series.points().map(|(time, value)| (time, float(value)));
                let histograms = series.histograms();
                let histograms =
                    histograms.map(|(time, h)| (time, Point(Reference::Histogram(Arc::clone(h)))));
                floats.chain(histograms).collect()
            };
            Answer::of_series(series.iter().map(|series| (series.labels.clone(), points(series))).collect())
        }
    }
}
