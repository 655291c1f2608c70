//! Selectors whose histograms are read without their buckets.
//!
//! Below `histogram_count`, `histogram_sum` and `histogram_avg` Prometheus reads counts and sums only. That
//! is to save work, but it shows: where gauges are taken for counters, or histograms are compared.

use super::table::{Series, Value};
use histogram::{CounterResetHint, FloatHistogram};
use promql::ast::{BinaryOp, Expr, Span};
use std::sync::Arc;

/// Where the selectors stand that are read so.
pub fn selectors(expr: &Expr) -> Vec<Span> {
    let mut found = Vec::new();
    visit(expr, &mut Vec::new(), &mut found);
    found
}

fn visit<'e>(expr: &'e Expr, path: &mut Vec<&'e Expr>, found: &mut Vec<Span>) {
    let span = match expr {
        Expr::VectorSelector(selector) => Some(selector.span),
        Expr::MatrixSelector(matrix) => Some(matrix.selector.span),
        _ => None,
    };
    found.extend(span.filter(|_| needs_no_buckets(path)));
    path.push(expr);
    expr.children().into_iter().for_each(|child| visit(child, path, found));
    path.pop();
}

/// Looks from the selector outwards.
fn needs_no_buckets(path: &[&Expr]) -> bool {
    let mut result = false;
    for around in path.iter().rev() {
        match around {
            Expr::Subquery(_) => return false,
            Expr::Binary(binary) if matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) => {
                return false;
            }
            Expr::Call(call) => match call.function.name {
                "histogram_count" | "histogram_sum" | "histogram_avg" => result = true,
                "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => return false,
                _ => {}
            },
            _ => {}
        }
    }
    result
}

/// A histogram that has forgotten its buckets.
pub fn without_buckets(histogram: &FloatHistogram, hint: CounterResetHint) -> Arc<FloatHistogram> {
    Arc::new(FloatHistogram {
        counter_reset_hint: hint,
        schema: histogram.schema,
        count: histogram.count,
        sum: histogram.sum,
        ..FloatHistogram::default()
    })
}

pub fn value_without_buckets(value: Value) -> Value {
    match value {
        Value::Histogram(histogram) => {
            Value::Histogram(without_buckets(&histogram, histogram.counter_reset_hint))
        }
        value => value,
    }
}

/// Histograms without buckets. Whether a counter was reset between two of them is found out before.
pub fn series_without_buckets(series: &Series) -> Series {
    let mut before: Option<&Arc<FloatHistogram>> = None;
    let histograms = series.histograms.iter().map(|(time, histogram)| {
        let hint = match (histogram.counter_reset_hint, before) {
            (CounterResetHint::Unknown, Some(before)) if histogram.is_reset_after(before) => {
                CounterResetHint::Reset
            }
            (CounterResetHint::Unknown, Some(_)) => CounterResetHint::NotReset,
            (hint, _) => hint,
        };
        before = Some(histogram);
        (*time, without_buckets(histogram, hint))
    });
    Series { histograms: histograms.collect(), ..series.clone() }
}
