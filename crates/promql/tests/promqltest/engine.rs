//! The engine under test, asked with text and answering in plain values.

use crate::storage::Memory;
use model::{Labels, TenantId, Timestamp};
use promql::{
    ParseOptions,
    ast::Expr,
    engine::{EngineConfig, Query, QueryResult, Value},
};
use service_api::ReadContext;
use tokio::runtime::Runtime;

#[derive(Debug)]
pub enum Answer {
    Scalar(f64),
    String(String),
    Vector(Vec<(Labels, f64)>),
    Matrix(Vec<(Labels, Vec<(Timestamp, f64)>)>),
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
    /// The engine says that it cannot do this yet.
    pub unsupported: bool,
}

pub struct Engine {
    engine: promql::engine::Engine,
    runtime: Runtime,
}

/// Bytes that one query of a script may hold.
const MEMORY: u64 = 256 << 20;

impl Engine {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { engine: promql::engine::Engine::new(EngineConfig::default()), runtime }
    }

    pub fn parse(&self, expr: &str) -> Result<Expr, Failure> {
        promql::parse(expr, ParseOptions::all_features())
            .map_err(|e| Failure { message: e.to_string(), unsupported: false })
    }

    pub fn instant(&self, data: &Memory, text: &str, at: Timestamp) -> Result<Outcome, Failure> {
        let (expr, ctx) = (self.parse(text)?, context());
        let query = Query { text, expr: &expr };
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
        let query = Query { text, expr: &expr };
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
        Value::Matrix(series) => {
            let points = |s: promql::engine::MatrixSeries| (s.labels.clone(), s.points().collect());
            Answer::Matrix(series.into_iter().map(points).collect())
        }
    };
    Outcome { answer, warnings: result.warnings, infos: result.infos }
}

fn failure(error: service_api::Error) -> Failure {
    let unsupported = error.message.contains("not supported by this version");
    Failure { message: error.message.into_owned(), unsupported }
}
