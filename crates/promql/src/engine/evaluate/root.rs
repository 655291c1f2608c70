//! From rows to the answer.

use super::Evaluator;
use crate::engine::{
    labels::merge_same_labels,
    plan::{Edges, Root, Samples},
    range::{RangeSamples, with_ends},
    result::{MatrixSeries, Value},
};
use model::Labels;
use service_api::{Error, Result, SampleBuffer};
use std::sync::{Arc, atomic::Ordering};
use vectors::{Row, Rows, Steps, without_metadata};

impl Evaluator<'_> {
    pub fn root(&mut self, root: &Root, steps: &Steps, is_instant: bool) -> Result<Value> {
        let time = steps.start;
        match root {
            Root::Text(value) => Ok(Value::String { time, value: value.clone() }),
            Root::Scalar(scalar) => {
                let values = self.scalar(scalar, steps)?;
                if is_instant {
                    return Ok(Value::Scalar { time, value: values.at(0) });
                }
                let values = values.into_steps(steps.count);
                let held = Arc::new(vec![self.reserve(size_of_val(&values[..]))?]);
                Ok(Value::Matrix(vec![MatrixSeries::from_row(
                    Row::floats(Labels::empty(), values),
                    *steps,
                    &held,
                )]))
            }
            Root::Vector(vector) => {
                let rows = self.rows(vector, steps)?;
                let rows = self.without_dropped_names(rows)?;
                if !is_instant {
                    return Ok(Value::of_rows(rows, steps));
                }
                let samples =
                    rows.rows.into_iter().filter_map(|row| Some((row.labels.clone(), row.sample(0)?)));
                Ok(Value::Vector { time, samples: samples.collect() })
            }
            Root::Samples(samples) => self.samples(samples, steps),
            Root::Subquery(subquery) => {
                let rows = self.rows(&subquery.inner, &subquery.steps)?;
                Ok(Value::of_rows(self.without_dropped_names(rows)?, &subquery.steps))
            }
        }
    }

    /// Takes the names off that were dropped on the way.
    fn without_dropped_names(&self, mut rows: Rows) -> Result<Rows> {
        if !self.config.features.delayed_name_removal {
            return Ok(rows);
        }
        for row in rows.rows.iter_mut().filter(|row| row.name_dropped) {
            row.labels = without_metadata(&row.labels);
        }
        merge_same_labels(rows)
    }

    /// The samples of a range, as they are.
    fn samples(&mut self, plan: &Samples, steps: &Steps) -> Result<Value> {
        let selector = &plan.selector;
        let series = self.selected(selector.input);
        self.usage.series.fetch_add(series.len() as u64, Ordering::Relaxed);
        debug_assert_eq!(steps.count, 1);
        let mut held = self.reserve(0)?;
        let mut found = Vec::new();
        let mut buffer = SampleBuffer::default();
        for one in series {
            self.ctx.check()?;
            buffer.clear();
            one.data.read(selector.read, &mut buffer)?;
            let count = buffer.timestamps.len() + buffer.histograms.len();
            self.usage.samples.fetch_add(count as u64, Ordering::Relaxed);
            let mut samples = RangeSamples::default();
            samples.fill(&buffer, false);
            let (mut times, mut values) = (samples.times, samples.values);
            if selector.edges != Edges::Open {
                let smoothed = matches!(selector.edges, Edges::Smoothed { .. });
                if !samples.histograms.is_empty() {
                    let modifier = if smoothed { "smoothed" } else { "anchored" };
                    let text = format!("{modifier} modifier is not supported with histograms");
                    return Err(Error::unprocessable(text));
                }
                let end = selector.shift.apply(steps.start);
                let range = (end.saturating_sub(plan.range), end);
                (times, values) = with_ends(&times, &values, range, smoothed);
            }
            let histograms: Vec<_> = samples.histograms.into_iter().map(|p| (p.time, p.histogram)).collect();
            if !values.is_empty() || !histograms.is_empty() {
                let of_histograms: usize = histograms.iter().map(|(_, h)| h.heap_bytes() + 256).sum();
                held.grow(values.len() * 16 + one.labels.heap_bytes() + of_histograms)?;
                found.push((one.labels.clone(), (times, values), histograms));
            }
        }
        self.note_memory();
        let held = Arc::new(vec![held]);
        let series = found.into_iter().map(|(labels, floats, histograms)| {
            MatrixSeries::from_samples(labels, floats, histograms, &held)
        });
        Ok(Value::Matrix(series.collect()))
    }
}
