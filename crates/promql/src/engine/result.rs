//! What a query answers.

use super::observe::Observed;
use histogram::FloatHistogram;
use model::{Labels, Timestamp};
use service_api::Reservation;
use std::sync::Arc;
use vectors::{Histograms, Row, Rows, Sample, Steps, Table, is_absent};

/// The answer of one query.
#[derive(Clone, Debug)]
pub struct QueryResult {
    pub value: Value,
    /// Prometheus's texts, with positions in the query.
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
    pub statistics: Statistics,
    /// Where it was asked for.
    pub observed: Option<Observed>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub series: u64,
    /// Samples decoded, stale markers included.
    pub samples: u64,
    /// Bytes, the encoded input included.
    pub peak_memory: u64,
}

impl QueryResult {
    /// The answer to a range query as a table; none if it has native histograms, or series that look the same.
    pub fn into_table(self) -> Option<Table> {
        let Value::Matrix(series) = self.value else { return None };
        if series.windows(2).any(|pair| pair[0].labels == pair[1].labels) {
            return None;
        }
        let (mut rows, mut held) = (Vec::with_capacity(series.len()), Held::default());
        for MatrixSeries { labels, points, _held } in series {
            let Points::Steps(_, values, histograms) = points else { return None };
            if !histograms.is_empty() {
                return None;
            }
            rows.push(Row::floats(labels, values));
            held = _held;
        }
        let Statistics { series, samples, peak_memory } = self.statistics;
        Some(Table {
            rows: Rows { rows, held: Arc::try_unwrap(held).unwrap_or_default() },
            warnings: self.warnings,
            infos: self.infos,
            counts: vec![series, samples, peak_memory],
        })
    }

    /// The answer that a table was, or that several together are.
    pub fn of_table(table: Table, steps: &Steps) -> Self {
        let Table { rows, warnings, infos, counts } = table;
        let count = |at: usize| counts.get(at).copied().unwrap_or_default();
        let statistics = Statistics { series: count(0), samples: count(1), peak_memory: count(2) };
        Self { value: Value::of_rows(rows, steps), warnings, infos, statistics, observed: None }
    }
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
        samples: Vec<(Labels, Sample)>,
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
        let series = rows.into_iter().map(|row| MatrixSeries::from_row(row, *steps, &held));
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
    Steps(Steps, Vec<f64>, Histograms),
    Samples {
        timestamps: Vec<Timestamp>,
        values: Vec<f64>,
        histograms: Vec<(Timestamp, Arc<FloatHistogram>)>,
    },
}

impl MatrixSeries {
    pub(crate) fn from_row(row: Row, steps: Steps, held: &Held) -> Self {
        let Row { labels, values, histograms, .. } = row;
        Self { labels, points: Points::Steps(steps, values, histograms), _held: Arc::clone(held) }
    }

    pub(crate) fn from_samples(
        labels: Labels,
        (timestamps, values): (Vec<Timestamp>, Vec<f64>),
        histograms: Vec<(Timestamp, Arc<FloatHistogram>)>,
        held: &Held,
    ) -> Self {
        let points = Points::Samples { timestamps, values, histograms };
        Self { labels, points, _held: Arc::clone(held) }
    }

    /// A float or a gap for each step of a range query; none if there are histograms.
    pub fn values(&self) -> Option<&[f64]> {
        match &self.points {
            Points::Steps(_, values, histograms) => histograms.is_empty().then_some(values),
            Points::Samples { .. } => None,
        }
    }

    /// The floats in time order, without gaps.
    pub fn points(&self) -> impl Iterator<Item = (Timestamp, f64)> + '_ {
        self.points_from(0).map(|(_, point)| point)
    }

    /// The floats from a place on, each with its own.
    pub fn points_from(&self, place: usize) -> impl Iterator<Item = (usize, (Timestamp, f64))> + '_ {
        let values = match &self.points {
            Points::Steps(_, values, _) | Points::Samples { values, .. } => values,
        };
        let time = move |i: usize| match &self.points {
            Points::Steps(steps, ..) => steps.time(i),
            Points::Samples { timestamps, .. } => timestamps[i],
        };
        let from = values.iter().enumerate().skip(place);
        from.filter(|(_, v)| !is_absent(**v)).map(move |(i, v)| (i, (time(i), *v)))
    }

    /// The native histograms in time order.
    pub fn histograms(&self) -> impl Iterator<Item = (Timestamp, &Arc<FloatHistogram>)> + '_ {
        self.histograms_from(0).map(|(_, point)| point)
    }

    /// The native histograms from a place on, each with its own.
    pub fn histograms_from(
        &self,
        place: usize,
    ) -> impl Iterator<Item = (usize, (Timestamp, &Arc<FloatHistogram>))> + '_ {
        let (steps, samples) = match &self.points {
            Points::Steps(steps, _, histograms) => (Some((steps, histograms)), &[][..]),
            Points::Samples { histograms, .. } => (None, &histograms[..]),
        };
        let of_steps = steps.into_iter().flat_map(move |(steps, histograms)| {
            let from = histograms.iter_from(place);
            from.map(|(step, histogram)| (step, (steps.time(step), histogram)))
        });
        let samples = samples.iter().enumerate().skip(place);
        of_steps.chain(samples.map(|(at, (time, histogram))| (at, (*time, histogram))))
    }
}
