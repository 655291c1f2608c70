//! Aggregations that pick series: `topk`, `bottomk`, `limitk` and `limit_ratio`.

use super::{
    Oracle,
    aggregate::groups,
    sort::compare,
    table::{Grid, Matrix, Result, Sample, Series, fail, vector_at},
};
use promql::ast::{Aggregate, AggregateOp};

impl Oracle<'_> {
    pub fn pick(&self, aggregate: &Aggregate, params: &[f64], input: &Matrix, grid: Grid) -> Result<Matrix> {
        if aggregate.op == AggregateOp::LimitRatio {
            return self.limit_ratio(params, input, grid);
        }
        self.top(aggregate, params, input, grid)
    }

    /// Which series are part of a fraction is up to a hash that is Prometheus's own.
    fn limit_ratio(&self, params: &[f64], input: &Matrix, grid: Grid) -> Result<Matrix> {
        if params.iter().all(|ratio| *ratio == 0.0) {
            return Ok(Matrix::new());
        }
        if params.iter().any(|ratio| ratio.is_nan()) {
            return fail("the ratio is not a number");
        }
        if params.iter().any(|ratio| *ratio != 0.0 && ratio.abs() < 1.0) {
            self.open.set(true);
        }
        let times: Vec<_> = grid.times().zip(params).filter(|(_, ratio)| **ratio != 0.0).collect();
        let picked = input.iter().map(|series| {
            let mut result = Series::new(series.labels.clone(), series.dropped);
            for (time, _) in &times {
                if let Some(value) = series.at(*time) {
                    result.push(*time, value);
                }
            }
            result
        });
        Ok(picked.filter(|series| !series.is_empty()).collect())
    }

    fn top(&self, aggregate: &Aggregate, params: &[f64], input: &Matrix, grid: Grid) -> Result<Matrix> {
        if params.iter().all(|k| *k < 1.0) {
            return Ok(Matrix::new());
        }
        if params.iter().any(|k| k.is_nan()) {
            return fail("the parameter is not a number");
        }
        let limit = 2.0_f64.powi(63);
        if params.iter().any(|k| *k <= -limit || *k >= limit) {
            return fail("the parameter is too large");
        }
        let mut result = Matrix::new();
        for (time, k) in grid.times().zip(params) {
            // A part of one is none.
            let k = if *k < 1.0 { 0 } else { *k as usize };
            for (_, samples) in groups(aggregate, &vector_at(input, time)) {
                for sample in self.first_of(aggregate.op, &samples).into_iter().take(k) {
                    let known = result.iter().position(|series: &Series| series.labels == sample.labels);
                    match known.filter(|_| !grid.is_single()) {
                        Some(at) => result[at].push(time, sample.value.clone()),
                        None => {
                            let mut series = Series::new(sample.labels.clone(), sample.dropped);
                            series.push(time, sample.value.clone());
                            result.push(series);
                        }
                    }
                }
            }
        }
        Ok(result)
    }

    /// The best first. Which of two equal ones is better is left open; for `limitk` all are equal, for the
    /// others histograms do not count.
    fn first_of<'s>(&self, op: AggregateOp, samples: &'s [Sample]) -> Vec<&'s Sample> {
        if op == AggregateOp::Limitk {
            let mut placed: Vec<_> = samples.iter().enumerate().collect();
            placed.sort_by_key(|(at, _)| self.noise.place(*at));
            return placed.into_iter().map(|(_, sample)| sample).collect();
        }
        let floats = samples.iter().filter_map(|sample| Some((sample, sample.value.float()?)));
        let mut floats: Vec<_> = floats.enumerate().collect();
        floats.sort_by(|(i, (_, a)), (j, (_, b))| {
            let by_value = compare(*a, *b, op == AggregateOp::Topk);
            by_value.then(self.noise.place(*i).cmp(&self.noise.place(*j)))
        });
        floats.into_iter().map(|(_, (sample, _))| sample).collect()
    }
}
