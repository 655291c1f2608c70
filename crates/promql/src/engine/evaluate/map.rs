//! Functions of single values.

use super::Evaluator;
use crate::{
    engine::{
        annotations::Annotations,
        operate::{Written, of_histograms},
        plan::{Map, Scalar, Vector},
        values::Values,
    },
    functions::math,
};
use service_api::{Reservation, Result};
use std::sync::Arc;
use vectors::{Histograms, Rows, Sample, Steps, absent, each, has_values};

impl Evaluator<'_> {
    /// The rows of a scan, or of a map of something else.
    pub(super) fn mapped(&mut self, vector: &Vector, steps: &Steps) -> Result<Rows> {
        if let Some(chain) = self.chain(vector, steps)? {
            return self.collect(&chain, steps);
        }
        match vector {
            Vector::Map { input, map } => {
                let (map, _held) = self.prepare(map, steps)?;
                let mut input = self.rows(input, steps)?;
                for row in &mut input.rows {
                    map.apply(steps, &mut row.values, &mut row.histograms, &mut self.notes);
                }
                input.rows.retain(|row| row.has_values());
                if map.keeps_name() {
                    return Ok(input);
                }
                self.drop_names(&mut input.rows);
                self.merge(input)
            }
            Vector::Scan(scan) => self.scan_without_names(scan, steps),
            other => self.rows(other, steps),
        }
    }

    /// A map with its numbers, and what they hold.
    pub(super) fn prepare(&mut self, map: &Map<Scalar>, steps: &Steps) -> Result<(Map<Values>, Reservation)> {
        let mut held = self.reserve(0)?;
        let map = map.try_map(|scalar| self.kept_scalar(scalar, steps, &mut held))?;
        Ok((map, held))
    }
}

impl Map<Values> {
    /// Replaces the values that are there.
    pub fn apply(
        &self,
        steps: &Steps,
        values: &mut [f64],
        histograms: &mut Histograms,
        notes: &mut Annotations,
    ) {
        match self {
            Self::Trim { op, span, .. } if has_values(values) => {
                notes.incompatible_types("float", op.as_str(), "float", *span);
                values.fill(absent());
            }
            _ => self.apply_to_floats(steps, values),
        }
        if !histograms.is_empty() {
            self.apply_to_histograms(steps, values, histograms, notes);
        }
    }

    fn apply_to_floats(&self, steps: &Steps, values: &mut [f64]) {
        match self {
            Self::Apply(_, function) => each(values, |_, v| function(v)),
            Self::Negate => each(values, |_, v| -v),
            Self::OfHistogram(..) => values.fill(absent()),
            Self::Round(to) => each(values, |i, v| math::round(v, to.at(i))),
            Self::Clamp(min, max) => {
                each(values, |i, v| math::clamp(v, min.at(i), max.at(i)).unwrap_or_else(absent));
            }
            Self::ClampMin(min) => each(values, |i, v| math::clamp_min(v, min.at(i))),
            Self::ClampMax(max) => each(values, |i, v| math::clamp_max(v, max.at(i))),
            Self::StepTime => each(values, |i, _| steps.time(i) as f64 / 1000.0),
            Self::Arithmetic { op, scalar, scalar_is_left: true, .. } => {
                each(values, |i, v| op.apply(scalar.at(i), v));
            }
            Self::Arithmetic { op, scalar, .. } => each(values, |i, v| op.apply(v, scalar.at(i))),
            Self::Compare { op, scalar, scalar_is_left, as_bool, .. } => each(values, |i, v| {
                let (l, r) = if *scalar_is_left { (scalar.at(i), v) } else { (v, scalar.at(i)) };
                op.answer(*as_bool, l, r, v)
            }),
            Self::Trim { .. } => {}
        }
    }

    /// Replaces the histograms by others, by floats, or by nothing.
    fn apply_to_histograms(
        &self,
        steps: &Steps,
        values: &mut [f64],
        histograms: &mut Histograms,
        notes: &mut Annotations,
    ) {
        let (op, scalar, scalar_is_left, span) = match self {
            Self::Negate => {
                histograms.retain(|_, histogram| {
                    Arc::make_mut(histogram).scale(-1.0);
                    true
                });
                return;
            }
            Self::OfHistogram(_, function) => {
                return histograms.retain(|step, histogram| {
                    values[step] = function(histogram);
                    false
                });
            }
            Self::StepTime => {
                return histograms.retain(|step, _| {
                    values[step] = steps.time(step) as f64 / 1000.0;
                    false
                });
            }
            Self::Arithmetic { op, scalar, scalar_is_left, span } => {
                (op.operator(), scalar, *scalar_is_left, *span)
            }
            Self::Compare { op, scalar, scalar_is_left, span, .. } => {
                (op.operator(), scalar, *scalar_is_left, *span)
            }
            Self::Trim { op, scalar, scalar_is_left, span } => (*op, scalar, *scalar_is_left, *span),
            // The others look at floats alone.
            _ => return histograms.retain(|_, _| false),
        };
        histograms.retain(|step, histogram| {
            let (number, own) = (Sample::Float(scalar.at(step)), Sample::Histogram(Arc::clone(histogram)));
            let (left, right) = if scalar_is_left { (number, own) } else { (own, number) };
            match of_histograms(op, left, right, span, notes) {
                Some(Sample::Histogram(result)) => {
                    *histogram = result;
                    true
                }
                _ => false,
            }
        });
    }
}
