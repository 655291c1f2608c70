//! Range functions over subqueries.

use super::{
    Evaluator,
    scan::{note_counter_name, note_quantile},
};
use crate::engine::{
    kernel::{RangeKernel, remove_stale},
    labels::check_distinct,
    plan::{RangeFunction, RangeNotes, Scalar, Subquery},
    window::{WindowCache, WindowSpec},
};
use service_api::Result;
use vectors::{Row, Rows, Steps, row_bytes};

impl Evaluator<'_> {
    pub(super) fn over_subquery(
        &mut self,
        function: &RangeFunction<Scalar>,
        subquery: &Subquery,
        notes: &RangeNotes,
        steps: &Steps,
    ) -> Result<Rows> {
        let mut held = self.reserve(0)?;
        let function = function.try_map(|p| self.kept_scalar(p, steps, &mut held))?;
        let input = self.rows(&subquery.inner, &subquery.steps)?;
        let rate = match &function {
            RangeFunction::Extrapolated(kind) => Some(*kind),
            _ => None,
        };
        let windows = WindowSpec { steps: *steps, shift: subquery.shift, range: subquery.range, rate };
        let mut kernel = RangeKernel::new(function.clone(), WindowCache::new(windows));
        let _times = self.reserve(subquery.steps.count * size_of::<i64>())?;
        let step_times: Vec<_> = subquery.steps.times().collect();
        let mut times = Vec::with_capacity(step_times.len());
        let mut output = Vec::new();
        for mut row in input.rows {
            self.ctx.check()?;
            times.clone_from(&step_times);
            remove_stale(&mut times, &mut row.values);
            held.grow(row_bytes(&row.labels, steps.count))?;
            let mut result = Row { labels: row.labels, values: Vec::with_capacity(steps.count) };
            kernel.compute(&times, &row.values, &|| self.ctx.cancel.is_cancelled(), &mut result.values);
            self.ctx.check()?;
            if !result.has_values() {
                continue;
            }
            if let Some(span) = notes.counter {
                note_counter_name(result.labels.metric_name().unwrap_or(""), span, &mut self.notes);
            }
            if let RangeFunction::Quantile(phi) = &function {
                note_quantile(phi, &result.values, notes, &mut self.notes);
            }
            output.push(result);
        }
        self.note_memory();
        if !function.keeps_name() {
            self.drop_names(&mut output);
        }
        check_distinct(&output)?;
        Ok(Rows { rows: output, held: vec![held] })
    }
}
