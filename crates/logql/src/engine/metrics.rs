//! Queries for numbers: range aggregations first, then what is made of their rows.

use super::{Answer, Data, EngineConfig, MatrixSeries, Query, Stats, VectorSample, range, vector};
use crate::ast::{MetricExpr, RangeAggregation, VectorOp};
use model::{Labels, NANOS_A_MILLI, Nanos, Timestamp};
use service_api::{Error, LogsReader, ReadContext, Result};
use vectors::{Rows, Steps, is_absent};

pub(super) async fn evaluate(
    ctx: &ReadContext,
    reader: &dyn LogsReader,
    config: &EngineConfig,
    expr: &MetricExpr,
    query: &Query,
) -> Result<Answer> {
    let is_instant = query.step <= 0;
    let steps =
        if is_instant { Steps::instant(query.end) } else { Steps::range(query.start, query.end, query.step) };
    // Every row has a number for each step: too many are found out here.
    let _steps = ctx.budget.reserve(steps.count.saturating_mul(size_of::<(Timestamp, f64)>()))?;
    if let Some(data) = constant(expr, steps, is_instant) {
        return Ok(answer(data, Stats::default(), Vec::new()));
    }
    let mut stats = Stats::default();
    let mut warnings: Vec<String> = Vec::new();
    let mut leaves = Vec::new();
    for leaf in range::leaves(expr) {
        let (rows, read, warned) = range::evaluate(ctx, reader, config, leaf, steps).await?;
        stats.add(&read);
        warnings.extend(warned);
        leaves.push(rows);
    }
    warnings.sort_unstable();
    warnings.dedup();
    let (ctx, expr) = (ctx.clone(), expr.clone());
    let evaluation = move || {
        let mut leaves = Leaves::new(&expr, leaves);
        let rows = vector::evaluate(&expr, steps, &ctx, &mut |aggregation| leaves.take(aggregation))?;
        let point = size_of::<(Timestamp, f64)>();
        let _points =
            ctx.budget.reserve(rows.rows.len().saturating_mul(steps.count).saturating_mul(point))?;
        let data =
            if is_instant { vector_of(rows, steps, keeps_order(&expr)) } else { Data::of_rows(rows, steps) };
        Ok::<_, Error>(data)
    };
    let task = runtime::blocking(evaluation);
    let data =
        task.await.map_err(|e| Error::internal(format!("the evaluation of the query failed: {e}")))??;
    Ok(answer(data, stats, warnings))
}

fn answer(data: Data, mut stats: Stats, warnings: Vec<String>) -> Answer {
    stats.entries = data.entries() as u64;
    Answer { data, stats, warnings }
}

/// What needs no lines at all. Such a number has no labels, and at an instant may be a scalar.
fn constant(expr: &MetricExpr, steps: Steps, is_instant: bool) -> Option<Data> {
    let (value, is_scalar) = match expr {
        MetricExpr::Literal { value, .. } => (*value, true),
        MetricExpr::Vector { value, .. } => (*value, false),
        _ => return None,
    };
    let labels = Labels::empty();
    Some(match (is_instant, is_scalar) {
        (true, true) => Data::Scalar { timestamp: millis(steps.start), value },
        (true, false) => Data::Vector(vec![VectorSample { labels, timestamp: millis(steps.start), value }]),
        (false, _) => {
            let points = steps.times().map(|time| (millis(time), value)).collect();
            Data::Matrix(vec![MatrixSeries { labels, points }])
        }
    })
}

pub(super) fn millis(time: Nanos) -> Timestamp {
    time / NANOS_A_MILLI
}

/// The rows of the range aggregations, each handed out once.
struct Leaves<'a>(Vec<(&'a RangeAggregation, Option<Rows>)>);

impl<'a> Leaves<'a> {
    fn new(expr: &'a MetricExpr, rows: Vec<Rows>) -> Self {
        let aggregations = range::leaves(expr).into_iter().map(|leaf| leaf.aggregation);
        Self(aggregations.zip(rows.into_iter().map(Some)).collect())
    }

    fn take(&mut self, aggregation: &RangeAggregation) -> Result<Rows> {
        let wanted = self.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, aggregation));
        let rows = wanted.and_then(|(_, rows)| rows.take());
        rows.ok_or_else(|| Error::internal("a range aggregation was not evaluated"))
    }
}

/// Whether an instant answer stays in the order of its values.
fn keeps_order(expr: &MetricExpr) -> bool {
    let sorts =
        matches!(expr, MetricExpr::Aggregate(by) if matches!(by.op, VectorOp::Sort | VectorOp::SortDesc));
    sorts || expr.children().into_iter().any(keeps_order)
}

fn vector_of(rows: Rows, steps: Steps, keeps_order: bool) -> Data {
    let timestamp = millis(steps.start);
    let samples = rows.rows.into_iter().filter_map(|row| {
        let value = row.values.first().copied().filter(|value| !is_absent(*value))?;
        Some(VectorSample { labels: row.labels, timestamp, value })
    });
    let mut samples: Vec<_> = samples.collect();
    if !keeps_order {
        samples.sort_by(|a, b| a.labels.cmp(&b.labels));
    }
    Data::Vector(samples)
}
