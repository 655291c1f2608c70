//! What stands above range aggregations: vector aggregations, operators, labels of results.
//!
//! As in Loki a vector may hold several elements with the same labels (`label_replace` makes
//! them), and elements are not ordered but by `sort` and `sort_desc`.

mod aggregate;
mod binary;

use crate::ast::{LabelReplace, MetricExpr, RangeAggregation};
use model::Labels;
use service_api::{Error, ReadContext, Result};
use vectors::{Row, Rows, Steps, merge_same_labels, row_bytes};

/// Evaluates what stands above range aggregations; `leaf` gives the rows of one of these. What
/// comes out is counted against the query's budget, has a value in each row, and has rows of
/// the same labels only where both have a value at one step.
pub(super) fn evaluate(
    expr: &MetricExpr,
    steps: Steps,
    ctx: &ReadContext,
    leaf: &mut dyn FnMut(&RangeAggregation) -> Result<Rows>,
) -> Result<Rows> {
    Evaluator { steps: steps.count, ctx, leaf }.rows(expr)
}

struct Evaluator<'a> {
    steps: usize,
    ctx: &'a ReadContext,
    leaf: &'a mut dyn FnMut(&RangeAggregation) -> Result<Rows>,
}

impl Evaluator<'_> {
    fn rows(&mut self, expr: &MetricExpr) -> Result<Rows> {
        self.ctx.check()?;
        match expr {
            MetricExpr::Range(range) => (self.leaf)(range),
            MetricExpr::Aggregate(aggregation) => self.aggregate(aggregation),
            MetricExpr::Binary(binary) => self.binary(binary),
            MetricExpr::LabelReplace(replace) => self.label_replace(replace),
            MetricExpr::Vector { value, .. } => self.constant(*value),
            // Alone, or beside a vector, numbers are dealt with before they get here.
            MetricExpr::Literal { .. } => {
                Err(Error::bad_request("a number cannot stand where a vector is expected; use vector()"))
            }
        }
    }

    /// `vector(1)`
    fn constant(&self, value: f64) -> Result<Rows> {
        let labels = Labels::empty();
        let held = vec![self.ctx.budget.reserve(row_bytes(&labels, self.steps))?];
        Ok(Rows { rows: vec![Row::floats(labels, vec![value; self.steps])], held })
    }

    fn label_replace(&mut self, e: &LabelReplace) -> Result<Rows> {
        let replace = vectors::LabelReplace::new(&e.dst, &e.replacement, &e.src, &e.regex)
            .map_err(Error::bad_request)?;
        let mut input = self.rows(&e.expr)?;
        let mut held = self.ctx.budget.reserve(0)?;
        for row in &mut input.rows {
            self.ctx.check()?;
            if let Some(labels) = replace.apply(&row.labels).map_err(Error::unprocessable)? {
                held.grow(labels.heap_bytes())?;
                row.labels = labels;
            }
        }
        input.held.push(held);
        Ok(merge_same_labels(input).0)
    }
}

#[cfg(test)]
mod tests;
