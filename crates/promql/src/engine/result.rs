//! What a query answers.

use model::{Labels, Timestamp};
use service_api::Reservation;
use std::sync::Arc;
use vectors::{Rows, Steps, is_absent};

/// The answer of one query.
#[derive(Clone, Debug)]
pub struct QueryResult {
    pub value: Value,
    /// Prometheus's texts, with positions in the query.
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
    pub statistics: Statistics,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub series: u64,
    /// Samples decoded, stale markers included.
    pub samples: u64,
    /// Bytes, the encoded input included.
    pub peak_memory: u64,
}

#[derive(Clone, Debug)]
pub enum Value {
    Scalar {
        time: Timestamp,
        value: f64,
    },
    String {
        time: Timestamp,
        value: String,
    },
    /// In the order of evaluation, which `sort` and `topk` make meaningful.
    Vector {
        time: Timestamp,
        samples: Vec<(Labels, f64)>,
    },
    /// Sorted by labels.
    Matrix(Vec<MatrixSeries>),
}

impl Value {
    /// The matrix of rows that have a value each.
    pub fn of_rows(rows: Rows, steps: &Steps) -> Self {
        let Rows { mut rows, held } = rows;
        let held = Arc::new(held);
        rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        let series =
            rows.into_iter().map(|row| MatrixSeries::from_steps(row.labels, *steps, row.values, &held));
        Self::Matrix(series.collect())
    }
}

/// One series of a matrix; it has at least one point.
#[derive(Clone, Debug)]
pub struct MatrixSeries {
    pub labels: Labels,
    points: Points,
    /// The whole matrix is counted as long as any of its series is there.
    _held: Held,
}

/// The memory of one matrix.
pub(crate) type Held = Arc<Vec<Reservation>>;

#[derive(Clone, Debug)]
enum Points {
    /// One value a step, with gaps.
    Steps(Steps, Vec<f64>),
    Samples(Vec<Timestamp>, Vec<f64>),
}

impl MatrixSeries {
    pub(crate) fn from_steps(labels: Labels, steps: Steps, values: Vec<f64>, held: &Held) -> Self {
        Self { labels, points: Points::Steps(steps, values), _held: Arc::clone(held) }
    }

    pub(crate) fn from_samples(
        labels: Labels,
        timestamps: Vec<Timestamp>,
        values: Vec<f64>,
        held: &Held,
    ) -> Self {
        Self { labels, points: Points::Samples(timestamps, values), _held: Arc::clone(held) }
    }

    /// A value for each step of a range query.
    pub fn values(&self) -> Option<&[f64]> {
        match &self.points {
            Points::Steps(_, values) => Some(values),
            Points::Samples(..) => None,
        }
    }

    /// The points in time order, without gaps.
    pub fn points(&self) -> impl Iterator<Item = (Timestamp, f64)> + '_ {
        let values = match &self.points {
            Points::Steps(_, values) | Points::Samples(_, values) => values,
        };
        let time = move |i: usize| match &self.points {
            Points::Steps(steps, _) => steps.time(i),
            Points::Samples(times, _) => times[i],
        };
        values.iter().enumerate().filter(|(_, v)| !is_absent(**v)).map(move |(i, v)| (time(i), *v))
    }
}
