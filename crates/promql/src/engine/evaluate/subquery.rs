//! Range functions over subqueries.

use super::{
    Evaluator,
    scan::{note_counter, note_quantile},
};
use crate::engine::{
    kernel::{RangeKernel, remove_stale},
    labels::check_distinct,
    plan::{Edges, RangeFunction, RangeNotes, Scalar, Subquery},
    range::{self, HistogramPoint, RangeSamples, Teller},
    window::{WindowCache, WindowSpec},
};
use ::histogram::{CounterResetHint, FloatHistogram};
use service_api::Result;
use std::sync::Arc;
use vectors::{Row, Rows, Steps, has_values, row_bytes};

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
        let mut counts = self.counts_samples().then(|| vec![0; steps.count]);
        for mut row in input.rows {
            self.ctx.check()?;
            times.clone_from(&step_times);
            remove_stale(&mut times, &mut row.values);
            if let Some(counts) = &mut counts {
                kernel.count(&times, counts);
            }
            held.grow(row_bytes(&row.labels, steps.count))?;
            let mut result = Row::floats(row.labels, Vec::with_capacity(steps.count));
            result.name_dropped = row.name_dropped;
            let is_cancelled = || self.ctx.cancel.is_cancelled();
            if row.histograms.is_empty() && RangeKernel::knows(&function) {
                kernel.compute(&times, &row.values, &is_cancelled, &mut result.values);
            } else {
                let point = |(step, histogram): (usize, &Arc<FloatHistogram>)| HistogramPoint {
                    time: step_times[step],
                    start: 0,
                    histogram: without_hint(histogram),
                };
                let samples = RangeSamples {
                    times: times.clone(),
                    values: std::mem::take(&mut row.values),
                    starts: Vec::new(),
                    histograms: row.histograms.iter().map(point).collect(),
                };
                let metric = result.labels.metric_name().unwrap_or("").to_owned();
                let mut teller = Teller { notes: &mut self.notes, metric: &metric, span: notes.range };
                let out = (&mut result.values, &mut result.histograms);
                range::compute(&function, &windows, Edges::Open, &samples, &mut teller, &is_cancelled, out)?;
                held.grow(result.histograms.heap_bytes())?;
            }
            self.ctx.check()?;
            if !result.has_values() {
                continue;
            }
            if let Some(span) = notes.counter.filter(|_| has_values(&result.values)) {
                note_counter(&result.labels, self.config.features, span, &mut self.notes);
            }
            if let RangeFunction::Quantile(phi) = &function {
                note_quantile(phi, &result.values, notes, &mut self.notes);
            }
            output.push(result);
        }
        self.note_memory();
        if let Some(counts) = counts {
            self.count_samples(steps, &counts);
        }
        if !function.keeps_name() {
            self.drop_names(&mut output);
        }
        if !self.config.features.delayed_name_removal {
            check_distinct(&output)?;
        }
        Ok(Rows { rows: output, held: vec![held] })
    }
}

/// A hint tells of a sample and the one before it, which is not the one at the step before.
fn without_hint(histogram: &Arc<FloatHistogram>) -> Arc<FloatHistogram> {
    match histogram.counter_reset_hint {
        CounterResetHint::Unknown | CounterResetHint::Gauge => Arc::clone(histogram),
        CounterResetHint::Reset | CounterResetHint::NotReset => {
            let mut histogram = FloatHistogram::clone(histogram);
            histogram.counter_reset_hint = CounterResetHint::Unknown;
            Arc::new(histogram)
        }
    }
}
