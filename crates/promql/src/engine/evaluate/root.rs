//! From rows to the answer.

use super::{Evaluator, scan::check_floats};
use crate::engine::{
    kernel::remove_stale,
    plan::{Root, Samples},
    result::{MatrixSeries, Value},
};
use model::Labels;
use service_api::{Result, SampleBuffer};
use std::sync::{Arc, atomic::Ordering};
use vectors::Steps;

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
                Ok(Value::Matrix(vec![MatrixSeries::from_steps(Labels::empty(), *steps, values, &held)]))
            }
            Root::Vector(vector) => {
                let rows = self.rows(vector, steps)?;
                if !is_instant {
                    return Ok(Value::of_rows(rows, steps));
                }
                let samples =
                    rows.rows.into_iter().filter_map(|row| Some((row.labels, *row.values.first()?)));
                Ok(Value::Vector { time, samples: samples.collect() })
            }
            Root::Samples(samples) => self.samples(samples, steps),
            Root::Subquery(subquery) => {
                Ok(Value::of_rows(self.rows(&subquery.inner, &subquery.steps)?, &subquery.steps))
            }
        }
    }

    /// The samples of a range, as they are.
    fn samples(&mut self, samples: &Samples, steps: &Steps) -> Result<Value> {
        let selector = &samples.selector;
        let series = self.inputs.get(selector.select).map_or(&[][..], |input| &input.series);
        self.usage.series.fetch_add(series.len() as u64, Ordering::Relaxed);
        debug_assert_eq!(steps.count, 1);
        let mut held = self.reserve(0)?;
        let mut found = Vec::new();
        for one in series {
            self.ctx.check()?;
            let mut buffer = SampleBuffer::default();
            one.data.read(selector.read, &mut buffer)?;
            check_floats(&buffer, &one.labels)?;
            self.usage.samples.fetch_add(buffer.timestamps.len() as u64, Ordering::Relaxed);
            remove_stale(&mut buffer.timestamps, &mut buffer.values);
            held.grow(buffer.values.len() * 16 + one.labels.heap_bytes())?;
            if !buffer.values.is_empty() {
                found.push((one.labels.clone(), buffer));
            }
        }
        self.note_memory();
        let held = Arc::new(vec![held]);
        let series = found.into_iter().map(|(labels, SampleBuffer { timestamps, values, .. })| {
            MatrixSeries::from_samples(labels, timestamps, values, &held)
        });
        Ok(Value::Matrix(series.collect()))
    }
}
