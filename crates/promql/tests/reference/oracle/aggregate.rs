//! Aggregations, but for those that pick series.

use super::{
    Oracle,
    call::text,
    exact, native,
    table::{Grid, Matrix, Result, Sample, Series, Value, Vector, fail, vector_at, with_label},
};
use histogram::FloatHistogram;
use model::{Labels, METRIC_NAME};
use promql::ast::{Aggregate, AggregateOp};
use std::sync::Arc;

impl Oracle<'_> {
    pub fn aggregate(&self, aggregate: &Aggregate, grid: Grid) -> Result<Matrix> {
        let param = aggregate.param.as_deref();
        if let (AggregateOp::CountValues, Some(param)) = (aggregate.op, param) {
            return self.count_values(aggregate, text(param), grid);
        }
        let params = match param {
            Some(param) => self.params(param, grid)?,
            None => Vec::new(),
        };
        let input = self.eval(&aggregate.expr, grid)?;
        use AggregateOp::{Bottomk, LimitRatio, Limitk, Topk};
        if matches!(aggregate.op, Topk | Bottomk | Limitk | LimitRatio) {
            return self.pick(aggregate, &params, &input, grid);
        }
        let mut result = Matrix::new();
        for (step, time) in grid.times().enumerate() {
            let param = params.get(step).copied().unwrap_or(0.0);
            for (labels, samples) in groups(aggregate, &vector_at(&input, time)) {
                let (counted, value) = self.of_group(aggregate.op, param, &samples);
                let Some(value) = value else { continue };
                let dropped = counted.iter().any(|sample| sample.dropped);
                let at = result.iter().position(|series: &Series| series.labels == labels);
                let at = at.unwrap_or_else(|| {
                    result.push(Series::new(labels, dropped));
                    result.len() - 1
                });
                // The last step says whether the name of the whole series goes.
                result[at].dropped = dropped;
                result[at].push(time, value);
            }
        }
        Ok(result)
    }

    /// The parameter at every step.
    fn params(&self, param: &promql::ast::Expr, grid: Grid) -> Result<Vec<f64>> {
        let matrix = self.eval(param, grid)?;
        let series = matrix.first();
        let at =
            |time| series.and_then(|series| series.at(time)).and_then(|value| value.float()).unwrap_or(0.0);
        Ok(grid.times().map(at).collect())
    }

    /// The value of a group, and the samples that had a say in whether it keeps a name.
    fn of_group<'s>(
        &self,
        op: AggregateOp,
        param: f64,
        samples: &'s [Sample],
    ) -> (&'s [Sample], Option<Value>) {
        let floats: Vec<f64> = samples.iter().filter_map(|sample| sample.value.float()).collect();
        let histograms: Vec<&Arc<FloatHistogram>> =
            samples.iter().filter_map(|sample| sample.value.histogram()).collect();
        // Where histograms are left out, those before the first float are as if they were not there.
        let first_float = samples.iter().position(|sample| sample.value.float().is_some());
        let from_first_float = &samples[first_float.unwrap_or(samples.len())..];
        let float = |value: f64| Some(Value::Float(value));
        match op {
            AggregateOp::Count => (samples, float(samples.len() as f64)),
            AggregateOp::Group => (samples, float(1.0)),
            AggregateOp::Sum | AggregateOp::Avg if histograms.is_empty() => {
                let value = if op == AggregateOp::Sum { exact::sum(&floats) } else { exact::mean(&floats) };
                (samples, float(self.noise.summed(value)))
            }
            AggregateOp::Sum if floats.is_empty() => {
                (samples, native::sum(histograms, &self.noise).map(compacted))
            }
            AggregateOp::Avg if floats.is_empty() => {
                (samples, native::average(histograms, &self.noise).map(compacted))
            }
            AggregateOp::Sum | AggregateOp::Avg => (samples, None),
            _ if floats.is_empty() => (samples, None),
            AggregateOp::Max => (from_first_float, float(extreme(&floats, |new, old| new > old))),
            AggregateOp::Min => (from_first_float, float(extreme(&floats, |new, old| new < old))),
            AggregateOp::Stdvar => (from_first_float, float(self.noise.rounded(self.variance(&floats)))),
            AggregateOp::Stddev => {
                (from_first_float, float(self.noise.rounded(self.variance(&floats).sqrt())))
            }
            AggregateOp::Quantile => {
                (from_first_float, float(self.noise.summed(exact::quantile(param, &floats))))
            }
            _ => (samples, None),
        }
    }

    /// It hangs a little on the order of the values.
    fn variance(&self, values: &[f64]) -> f64 {
        let mut placed: Vec<_> = values.iter().enumerate().collect();
        placed.sort_by_key(|(at, _)| self.noise.place(*at));
        exact::running_variance(
            &placed.into_iter().map(|(_, value)| self.noise.nudged(*value)).collect::<Vec<_>>(),
        )
    }

    fn count_values(&self, aggregate: &Aggregate, label: &str, grid: Grid) -> Result<Matrix> {
        if label.is_empty() {
            return fail("a label needs a name");
        }
        let mut aggregate = aggregate.clone();
        if !aggregate.without {
            aggregate.grouping.push(label.to_owned());
        }
        let input = self.eval(&aggregate.expr, grid)?;
        self.stepwise(grid, &[input], |_, vectors| {
            let written = vectors[0].iter().map(|sample| {
                let text = match &sample.value {
                    Value::Float(value) => written(*value),
                    Value::Histogram(histogram) => histogram.to_string(),
                };
                Sample { labels: with_label(&sample.labels, label, &text), ..sample.clone() }
            });
            let groups = groups(&aggregate, &written.collect());
            Ok(groups.into_iter().map(|(labels, of)| Sample::float(labels, of.len() as f64)).collect())
        })
    }
}

fn compacted(value: Value) -> Value {
    match value {
        Value::Histogram(histogram) => Value::Histogram(native::compacted(&histogram)),
        value => value,
    }
}

/// The groups in the order in which they are met.
pub fn groups(aggregate: &Aggregate, vector: &Vector) -> Vec<(Labels, Vec<Sample>)> {
    let mut groups: Vec<(Labels, Vec<Sample>)> = Vec::new();
    for sample in vector {
        let labels = group_labels(aggregate, &sample.labels);
        match groups.iter_mut().find(|(of, _)| *of == labels) {
            Some((_, samples)) => samples.push(sample.clone()),
            None => groups.push((labels, vec![sample.clone()])),
        }
    }
    groups
}

fn group_labels(aggregate: &Aggregate, labels: &Labels) -> Labels {
    let named = |name: &str| aggregate.grouping.iter().any(|label| label == name);
    match aggregate.without {
        true => labels.without(|name| name == METRIC_NAME || named(name)),
        false => labels.without(|name| !named(name)),
    }
}

/// The value that wins over all others; NaN loses against any.
fn extreme(values: &[f64], wins: fn(f64, f64) -> bool) -> f64 {
    values
        .iter()
        .copied()
        .reduce(|best, new| if wins(new, best) || best.is_nan() { new } else { best })
        .unwrap_or(f64::NAN)
}

/// A float as a label value: in full, without an exponent.
fn written(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}
