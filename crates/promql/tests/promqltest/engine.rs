//! The engine under test, asked with text and answering in plain values.

use crate::storage::Memory;
use model::{Labels, TenantId, Timestamp};
use promql::{
    Features, ParseOptions,
    ast::Expr,
    engine::{EngineConfig, MatrixSeries, Query, QueryResult, Value},
};
use service_api::ReadContext;
use std::sync::Arc;
use tokio::runtime::Runtime;
use vectors::Sample;

#[derive(Debug)]
pub enum Answer {
    Scalar(f64),
    String(String),
    Vector(Vec<(Labels, Sample)>),
    Matrix(Vec<Series>),
}

#[derive(Debug)]
pub struct Series {
    pub labels: Labels,
    /// Floats and histograms together, in time order.
    pub points: Vec<(Timestamp, Sample)>,
}

impl Series {
    /// The sample of exactly this time.
    pub fn at(&self, time: Timestamp) -> Option<&Sample> {
        self.points.iter().find(|(t, _)| *t == time).map(|(_, sample)| sample)
    }
}

#[derive(Debug)]
pub struct Outcome {
    pub answer: Answer,
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

#[derive(Debug)]
pub struct Failure {
    pub message: String,
}

pub struct Engine {
    engine: promql::engine::Engine,
    runtime: Runtime,
}

/// Bytes that one query of a script may hold.
const MEMORY: u64 = 256 << 20;

impl Engine {
    pub fn new(features: Features) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let config = EngineConfig { features, ..EngineConfig::default() };
        Self { engine: promql::engine::Engine::new(config), runtime }
    }

    /// As Prometheus runs its own scripts.
    pub fn of_prometheus() -> Self {
        Self::new(Features { delayed_name_removal: true, use_start_timestamps: true, ..Features::default() })
    }

    pub fn parse(&self, expr: &str) -> Result<Expr, Failure> {
        promql::parse(expr, ParseOptions::all_features()).map_err(|e| Failure { message: e.to_string() })
    }

    pub fn instant(&self, data: &Memory, text: &str, at: Timestamp) -> Result<Outcome, Failure> {
        let (expr, ctx) = (self.parse(text)?, context());
        let query = Query::new(text, &expr);
        self.runtime.block_on(self.engine.instant(&ctx, data, query, at)).map(outcome).map_err(failure)
    }

    pub fn range(
        &self,
        data: &Memory,
        text: &str,
        start: Timestamp,
        end: Timestamp,
        step: i64,
    ) -> Result<Outcome, Failure> {
        let (expr, ctx) = (self.parse(text)?, context());
        let query = Query::new(text, &expr);
        self.runtime
            .block_on(self.engine.range(&ctx, data, query, start, end, step))
            .map(outcome)
            .map_err(failure)
    }
}

fn context() -> ReadContext {
    ReadContext::new(TenantId::anonymous(), MEMORY)
}

fn outcome(result: QueryResult) -> Outcome {
    let answer = match result.value {
        Value::Scalar { value, .. } => Answer::Scalar(value),
        Value::String { value, .. } => Answer::String(value),
        Value::Vector { samples, .. } => Answer::Vector(samples),
        Value::Matrix(matrix) => Answer::Matrix(matrix.iter().map(series).collect()),
    };
    Outcome { answer, warnings: result.warnings, infos: result.infos }
}

fn series(series: &MatrixSeries) -> Series {
    let floats = series.points().map(|(time, value)| (time, Sample::Float(value)));
    let histograms = series.histograms().map(|(time, h)| (time, Sample::Histogram(Arc::clone(h))));
    let mut points: Vec<_> = floats.chain(histograms).collect();
    points.sort_by_key(|(time, _)| *time);
    Series { labels: series.labels.clone(), points }
}

fn failure(error: service_api::Error) -> Failure {
    Failure { message: error.message.into_owned() }
}
