//! `histogram_quantile` and `histogram_fraction` over classic histograms.

use super::{
    evaluate::Evaluator,
    labels::merge_same_labels,
    plan::{ClassicHistogram, HistogramFunction},
    values::Values,
};
use crate::functions::histogram::{
    Bucket, ForcedMonotonicity, histogram_fraction, histogram_quantile, parse_bound,
};
use model::Labels;
use service_api::Result;
use std::collections::HashMap;
use vectors::{Row, Rows, Steps, absent, is_absent, row_bytes, without_metadata};

const BUCKET_LABEL: &str = "le";

enum Params {
    Quantile(Values),
    Fraction(Values, Values),
}

/// The buckets of one histogram.
struct Histogram<'a> {
    labels: Labels,
    buckets: Vec<(f64, &'a [f64])>,
}

pub(crate) fn evaluate(
    evaluator: &mut Evaluator<'_>,
    plan: &ClassicHistogram,
    steps: &Steps,
) -> Result<Rows> {
    let mut held = evaluator.reserve(0)?;
    let mut kept = |scalar| evaluator.kept_scalar(scalar, steps, &mut held);
    let params = match &plan.function {
        HistogramFunction::Quantile(phi, _) => Params::Quantile(kept(phi)?),
        HistogramFunction::Fraction(lower, upper) => Params::Fraction(kept(lower)?, kept(upper)?),
    };
    let input = evaluator.rows(&plan.input, steps)?;
    if let (Params::Quantile(phi), HistogramFunction::Quantile(_, span)) = (&params, &plan.function) {
        for phi in phi.iter().filter(|phi| !(0.0..=1.0).contains(phi)) {
            evaluator.notes.invalid_quantile(phi, *span);
        }
    }
    let mut rows = Vec::new();
    let mut buckets = Vec::new();
    for histogram in gather(evaluator, plan, &input.rows) {
        evaluator.ctx.check()?;
        held.grow(row_bytes(&histogram.labels, steps.count))?;
        let mut values = Vec::with_capacity(steps.count);
        for step in 0..steps.count {
            buckets.clear();
            let present = histogram.buckets.iter().map(|(bound, counts)| (*bound, counts[step]));
            buckets.extend(
                present
                    .filter(|(_, count)| !is_absent(*count))
                    .map(|(upper_bound, count)| Bucket { upper_bound, count }),
            );
            let (value, forced) = compute(&params, step, &mut buckets);
            values.push(value);
            if let Some(forced) = forced {
                evaluator.notes.forced_monotonicity(forced, steps.time(step), plan.input_span);
            }
        }
        let row = Row { labels: without_metadata(&histogram.labels), values };
        if row.has_values() {
            rows.push(row);
        }
    }
    merge_same_labels(Rows { rows, held: vec![held] })
}

fn compute(params: &Params, step: usize, buckets: &mut Vec<Bucket>) -> (f64, Option<ForcedMonotonicity>) {
    match params {
        _ if buckets.is_empty() => (absent(), None),
        Params::Quantile(phi) => histogram_quantile(phi.at(step), buckets),
        Params::Fraction(lower, upper) => (histogram_fraction(lower.at(step), upper.at(step), buckets), None),
    }
}

/// Rows by histogram, in order of first appearance, buckets by their bound. Metrics of
/// different names stay apart, even though the result shows no name.
fn gather<'r>(evaluator: &mut Evaluator<'_>, plan: &ClassicHistogram, rows: &'r [Row]) -> Vec<Histogram<'r>> {
    let mut index: HashMap<Labels, usize> = HashMap::new();
    let mut histograms: Vec<Histogram<'r>> = Vec::new();
    for row in rows {
        let le = row.labels.get(BUCKET_LABEL).unwrap_or("");
        let Some(bound) = parse_bound(le) else {
            evaluator.notes.bad_bucket_label(le, plan.input_span);
            continue;
        };
        let labels = row.labels.without(|name| name == BUCKET_LABEL);
        let at = *index.entry(labels).or_insert_with_key(|labels| {
            histograms.push(Histogram { labels: labels.clone(), buckets: Vec::new() });
            histograms.len() - 1
        });
        histograms[at].buckets.push((bound, &row.values));
    }
    for histogram in &mut histograms {
        // Sorted here once, so that nothing is left to sort at each step.
        histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    histograms
}
