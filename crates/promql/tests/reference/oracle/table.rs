//! What expressions evaluate to in the reference: series with points, and what they show at one time.

use histogram::FloatHistogram;
use model::{Labels, LabelsBuilder, METRIC_NAME, Timestamp};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub enum Value {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

/// One series at one time.
#[derive(Clone, Debug)]
pub struct Sample {
    pub labels: Labels,
    /// With delayed name removal: the name goes when the query ends.
    pub dropped: bool,
    pub value: Value,
}

pub type Vector = Vec<Sample>;

/// One series of a result, its points in time order.
#[derive(Clone, Debug, Default)]
pub struct Series {
    pub labels: Labels,
    pub dropped: bool,
    pub floats: Vec<(Timestamp, f64)>,
    pub histograms: Vec<(Timestamp, Arc<FloatHistogram>)>,
}

pub type Matrix = Vec<Series>;

/// Why a query has no answer.
#[derive(Clone, Debug)]
pub struct Failure(pub String);

pub type Result<T> = std::result::Result<T, Failure>;

pub fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(Failure(message.into()))
}

/// The times that an expression is evaluated at; both ends count.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    pub start: Timestamp,
    pub end: Timestamp,
    pub step: i64,
}

impl Grid {
    pub fn single(time: Timestamp) -> Self {
        Self { start: time, end: time, step: 1 }
    }

    pub fn is_single(&self) -> bool {
        self.start == self.end
    }

    pub fn times(self) -> impl Iterator<Item = Timestamp> {
        (0..).map(move |i| self.start + i * self.step).take_while(move |t| *t <= self.end)
    }
}

impl Value {
    pub fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Histogram(_) => None,
        }
    }

    pub fn histogram(&self) -> Option<&Arc<FloatHistogram>> {
        match self {
            Self::Float(_) => None,
            Self::Histogram(histogram) => Some(histogram),
        }
    }
}

impl Sample {
    pub fn new(labels: Labels, value: Value) -> Self {
        Self { labels, dropped: false, value }
    }

    pub fn float(labels: Labels, value: f64) -> Self {
        Self::new(labels, Value::Float(value))
    }
}

impl Series {
    pub fn new(labels: Labels, dropped: bool) -> Self {
        Self { labels, dropped, ..Self::default() }
    }

    pub fn push(&mut self, time: Timestamp, value: Value) {
        match value {
            Value::Float(value) => self.floats.push((time, value)),
            Value::Histogram(histogram) => self.histograms.push((time, histogram)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// The point of exactly this time; of two the float.
    pub fn at(&self, time: Timestamp) -> Option<Value> {
        if let Some((_, value)) = self.floats.iter().find(|(t, _)| *t == time) {
            return Some(Value::Float(*value));
        }
        let (_, histogram) = self.histograms.iter().find(|(t, _)| *t == time)?;
        Some(Value::Histogram(Arc::clone(histogram)))
    }
}

/// What the series show at one time.
pub fn vector_at(matrix: &Matrix, time: Timestamp) -> Vector {
    let sample = |series: &Series| {
        let value = series.at(time)?;
        Some(Sample { labels: series.labels.clone(), dropped: series.dropped, value })
    };
    matrix.iter().filter_map(sample).collect()
}

/// The labels without name, type and unit, which say what kind of thing was measured.
pub fn without_metadata(labels: &Labels) -> Labels {
    labels.without(|name| [METRIC_NAME, "__type__", "__unit__"].contains(&name))
}

pub fn with_label(labels: &Labels, name: &str, value: &str) -> Labels {
    LabelsBuilder::from_labels(labels).set(name, value).build()
}

/// Whether two of the series have the same labels.
pub fn has_repeated_labels<'a>(labels: impl Iterator<Item = &'a Labels>) -> bool {
    let mut seen = std::collections::HashSet::new();
    !labels.into_iter().all(|labels| seen.insert(labels))
}

pub const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";
