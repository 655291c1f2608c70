//! `topk` and `bottomk`.

use super::{Aggregate, Evaluator, RowSink};
use crate::engine::values::Values;
use model::go_g;
use service_api::{Error, Result};
use vectors::{RowRef, Rows, Steps, Top};

impl Evaluator<'_> {
    pub(super) fn top(
        &mut self,
        aggregate: &Aggregate,
        k: &Values,
        smallest: bool,
        steps: &Steps,
    ) -> Result<Rows> {
        let limits = match limits(k, steps) {
            Ok(limits) => limits,
            // As in Prometheus an error in the input comes first.
            Err(error) => return self.rows(&aggregate.input, steps).and(Err(error)),
        };
        if limits.iter().all(|k| *k == 0) {
            // Still evaluated: an error in the input is an error.
            return self.rows(&aggregate.input, steps).map(|_| Rows::default());
        }
        let budget = &self.ctx.budget;
        let choice = aggregate.choice(self.config.features);
        let sink = || Ok(Top::new(choice, &limits, smallest, budget.reserve(0)?));
        let mut shards = self.stream(&aggregate.input, steps, sink)?.into_iter();
        let Some(mut whole) = shards.next() else { return Ok(Rows::default()) };
        for shard in shards {
            whole.merge(shard)?;
        }
        self.note_memory();
        if whole.saw_histograms() {
            self.notes.ignored_in_aggregation(aggregate.op.as_str(), aggregate.span);
        }
        whole.finish()
    }
}

impl RowSink for Top<'_> {
    fn row(&mut self, row: RowRef<'_>) -> Result<()> {
        self.add(row)
    }
}

/// How many values each step keeps.
pub(super) fn limits(k: &Values, steps: &Steps) -> Result<Vec<usize>> {
    if k.iter().any(f64::is_nan) {
        return Err(Error::unprocessable("Parameter value is NaN"));
    }
    if k.iter().all(|k| k < 1.0) {
        return Ok(vec![0; steps.count]);
    }
    for k in k.iter() {
        if k <= i64::MIN as f64 {
            return Err(Error::unprocessable(format!("Scalar value {} underflows int64", go_g(k, None))));
        }
        if k >= i64::MAX as f64 {
            return Err(Error::unprocessable(format!("Scalar value {} overflows int64", go_g(k, None))));
        }
    }
    Ok((0..steps.count).map(|step| k.at(step).max(0.0) as usize).collect())
}
