//! `limitk` and `limit_ratio`.

use super::{Aggregate, Evaluator, top::limits};
use crate::engine::values::Values;
use query_syntax::Span;
use service_api::{Error, Result};
use vectors::{Limit, Limited, RowRef, Rows, Steps};

impl Evaluator<'_> {
    pub(super) fn limit_k(&mut self, aggregate: &Aggregate, k: &Values, steps: &Steps) -> Result<Rows> {
        match limits(k, steps) {
            Ok(limits) => self.limited(aggregate, Limit::First(&limits), steps),
            // As in Prometheus an error in the input comes first.
            Err(error) => self.rows(&aggregate.input, steps).and(Err(error)),
        }
    }

    pub(super) fn limit_ratio(
        &mut self,
        aggregate: &Aggregate,
        ratio: &Values,
        span: Span,
        steps: &Steps,
    ) -> Result<Rows> {
        if ratio.iter().any(f64::is_nan) {
            let error = Error::unprocessable("Ratio value is NaN");
            return self.rows(&aggregate.input, steps).and(Err(error));
        }
        let (low, high) = ratio.iter().fold((0.0, 0.0), |(low, high), r| (r.min(low), r.max(high)));
        if high > 1.0 {
            self.notes.invalid_ratio(high, 1.0, span);
        }
        if low < -1.0 {
            self.notes.invalid_ratio(low, -1.0, span);
        }
        let ratios: Vec<f64> = (0..steps.count).map(|step| ratio.at(step).clamp(-1.0, 1.0)).collect();
        self.limited(aggregate, Limit::Ratio(&ratios), steps)
    }

    fn limited(&mut self, aggregate: &Aggregate, limit: Limit<'_>, steps: &Steps) -> Result<Rows> {
        let mut input = self.rows(&aggregate.input, steps)?;
        input.rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        let choice = aggregate.choice(self.config.features);
        let mut limited = Limited::new(choice, limit, steps.count, self.reserve(0)?);
        for (position, row) in input.rows.iter().enumerate() {
            self.ctx.check()?;
            limited.add(RowRef {
                position,
                labels: &row.labels,
                name_dropped: row.name_dropped,
                values: &row.values,
                histograms: &row.histograms,
            })?;
        }
        Ok(limited.finish())
    }
}
