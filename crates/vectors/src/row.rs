//! Rows: one series of an intermediate result, with one value for each step of the query.

use crate::histograms::{Histograms, Sample};
use model::{Labels, is_stale, stale_nan};
use service_api::Reservation;

/// One output series of an expression over all steps.
///
/// A step without a float holds the stale marker. No value collides with it: a stored stale
/// marker *means* that there is no value, and arithmetic never makes one (it is a
/// signalling NaN, and every operation returns quiet ones).
#[derive(Clone, Debug)]
pub struct Row {
    pub labels: Labels,
    /// The metadata labels are still in `labels` but count no more.
    pub name_dropped: bool,
    pub values: Vec<f64>,
    /// Where a step has one, it has no float.
    pub histograms: Histograms,
}

/// Rows and the memory that they are counted for.
#[derive(Debug, Default)]
pub struct Rows {
    pub rows: Vec<Row>,
    /// Given back when the rows go.
    pub held: Vec<Reservation>,
}

/// A row on its way, before anybody keeps it.
#[derive(Clone, Copy, Debug)]
pub struct RowRef<'a> {
    /// Where its series stands among all.
    pub position: usize,
    pub labels: &'a Labels,
    /// The metadata labels are still in `labels` but count no more.
    pub name_dropped: bool,
    pub values: &'a [f64],
    pub histograms: &'a Histograms,
}

impl RowRef<'_> {
    /// Whether any step has a value.
    pub fn has_values(&self) -> bool {
        has_values(self.values) || !self.histograms.is_empty()
    }
}

/// What stands at a step that has no value.
pub fn absent() -> f64 {
    stale_nan()
}

/// Whether a step has no value.
#[inline]
pub fn is_absent(value: f64) -> bool {
    is_stale(value)
}

impl Row {
    /// A row without histograms.
    pub fn floats(labels: Labels, values: Vec<f64>) -> Self {
        Self { labels, name_dropped: false, values, histograms: Histograms::default() }
    }

    /// Whether any step has a value.
    pub fn has_values(&self) -> bool {
        has_values(&self.values) || self.histograms.iter().next().is_some()
    }

    /// Whether the step has a value.
    #[inline]
    pub fn has(&self, step: usize) -> bool {
        !is_absent(self.values[step]) || self.histograms.has(step)
    }

    /// The value of a step.
    pub fn sample(&self, step: usize) -> Option<Sample> {
        match self.values.get(step) {
            Some(value) if !is_absent(*value) => Some(Sample::Float(*value)),
            _ => self.histograms.get(step).cloned().map(Sample::Histogram),
        }
    }

    pub fn set(&mut self, step: usize, sample: Sample) {
        match sample {
            Sample::Float(value) => self.values[step] = value,
            Sample::Histogram(histogram) => self.histograms.set(step, self.values.len(), histogram),
        }
    }

    /// Leaves the step without a value.
    pub fn clear(&mut self, step: usize) {
        self.values[step] = absent();
        self.histograms.remove(step);
    }

    /// Calls `each` with the steps that have a value.
    #[inline]
    pub fn present(&self, mut each: impl FnMut(usize)) {
        for (step, value) in self.values.iter().enumerate() {
            if !is_absent(*value) {
                each(step);
            }
        }
        self.histograms.iter().for_each(|(step, _)| each(step));
    }

    /// Bytes that the row holds.
    pub fn bytes(&self) -> usize {
        row_bytes(&self.labels, self.values.len()) + self.histograms.heap_bytes()
    }
}

/// Whether any step has a float.
pub fn has_values(values: &[f64]) -> bool {
    values.iter().any(|v| !is_absent(*v))
}

/// Replaces the values that are there by `f` of step and value.
#[inline]
pub fn each(values: &mut [f64], f: impl Fn(usize, f64) -> f64) {
    for (step, value) in values.iter_mut().enumerate() {
        if !is_absent(*value) {
            *value = f(step, *value);
        }
    }
}

/// Bytes of a row with these labels, so many steps and no histogram.
pub fn row_bytes(labels: &Labels, steps: usize) -> usize {
    size_of::<Row>() + labels.heap_bytes() + steps * size_of::<f64>()
}
