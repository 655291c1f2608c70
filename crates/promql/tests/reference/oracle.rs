//! The reference: PromQL evaluated as its rules say it, step by step and series by series, with no
//! thought of speed.
//!
//! The rules are Prometheus's (`promql/engine.go` and `functions.go` of 3.14), also where they are odd.

mod absent;
mod aggregate;
mod arithmetic;
mod binary;
mod calendar;
mod call;
mod classic;
mod exact;
mod extended;
mod info;
mod instant;
mod invariant;
mod labels;
mod matching;
mod native;
mod noise;
mod over_time;
mod range_call;
mod rate;
mod selector;
mod sort;
mod stats;
pub mod table;
mod top;

use super::data::Data;
use model::{Labels, Timestamp};
pub use noise::Noise;
use promql::ast::{DurationContext, Expr, Span, UnaryOp, ValueType};
use std::cell::{Cell, RefCell};
use table::{Failure, Grid, Matrix, Result, SAME_LABELS, Sample, Series, Value, Vector, vector_at};

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub lookback: i64,
    pub default_interval: i64,
    pub delayed_names: bool,
}

/// When a query is asked.
#[derive(Clone, Copy, Debug)]
pub enum When {
    At(Timestamp),
    Range { start: Timestamp, end: Timestamp, step: i64 },
}

pub struct Oracle<'a> {
    data: &'a Data,
    settings: Settings,
    when: When,
    noise: Noise,
    /// Set when the answer depends on what Prometheus leaves open.
    open: Cell<bool>,
    /// Selectors whose histograms come without buckets.
    without_buckets: RefCell<Vec<Span>>,
}

impl<'a> Oracle<'a> {
    pub fn new(data: &'a Data, settings: Settings, when: When, noise: Noise) -> Self {
        Self { data, settings, when, noise, open: Cell::default(), without_buckets: RefCell::default() }
    }

    /// Whether Prometheus itself might have answered otherwise, or does so on another processor.
    pub fn left_open(&self) -> bool {
        self.open.get()
    }

    /// The series of the answer. A scalar is one series without labels.
    pub fn answer(&self, expr: &Expr) -> Result<Matrix> {
        self.check_durations(expr)?;
        *self.without_buckets.borrow_mut() = stats::selectors(expr);
        let matrix = self.eval(expr, self.grid())?;
        if !self.settings.delayed_names {
            return Ok(matrix);
        }
        let renamed = matrix.into_iter().map(|series| match series.dropped {
            true => Series { labels: table::without_metadata(&series.labels), ..series },
            false => series,
        });
        let renamed: Matrix = renamed.collect();
        match expr.value_type() {
            ValueType::Scalar => Ok(renamed),
            _ => self.merge(renamed),
        }
    }

    fn grid(&self) -> Grid {
        match self.when {
            When::At(time) => Grid::single(time),
            When::Range { start, end, step } => Grid { start, end, step },
        }
    }

    fn durations(&self) -> DurationContext {
        match self.when {
            When::At(_) => DurationContext::default(),
            When::Range { start, end, step } => DurationContext { step, range: end - start },
        }
    }

    fn eval(&self, expr: &Expr, grid: Grid) -> Result<Matrix> {
        if grid.end < grid.start {
            // Errors that can be seen without evaluating are found by some and not by others.
            self.open.set(self.open.get() || range_call::has_wrong_edges(expr));
            return Ok(Matrix::new());
        }
        let is_value = matches!(expr.value_type(), ValueType::Scalar | ValueType::Vector);
        if is_value && !grid.is_single() && invariant::is_step_invariant(expr) {
            if invariant::has_varying_parameter(expr) {
                self.open.set(true);
            }
            let once = self.eval_node(expr, Grid { end: grid.start, ..grid })?;
            return Ok(once.into_iter().map(|series| repeat(series, grid)).collect());
        }
        self.eval_node(expr, grid)
    }

    fn eval_node(&self, expr: &Expr, grid: Grid) -> Result<Matrix> {
        match expr {
            Expr::Number(number) => {
                self.stepwise(grid, &[], |_, _| Ok(vec![Sample::float(Labels::empty(), number.value)]))
            }
            Expr::String(_) => Ok(Matrix::new()),
            Expr::VectorSelector(selector) => self.vector_selector(selector, grid),
            Expr::MatrixSelector(matrix) => self.matrix_selector(matrix, grid.start),
            Expr::Subquery(subquery) => self.subquery(subquery, grid),
            Expr::Paren(paren) => self.eval(&paren.expr, grid),
            Expr::Unary(unary) => {
                let matrix = self.eval(&unary.expr, grid)?;
                if unary.op == UnaryOp::Plus { Ok(matrix) } else { self.negate(matrix) }
            }
            Expr::Binary(binary) => self.binary(binary, grid),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, grid),
            Expr::Call(call) => self.call(call, grid),
        }
    }

    /// Computes a vector for each step from those that the inputs show there.
    fn stepwise(
        &self,
        grid: Grid,
        inputs: &[Matrix],
        compute: impl Fn(Timestamp, &[Vector]) -> Result<Vector>,
    ) -> Result<Matrix> {
        let mut result = Matrix::new();
        for time in grid.times() {
            let vectors: Vec<_> = inputs.iter().map(|input| vector_at(input, time)).collect();
            let vector = compute(time, &vectors)?;
            // With names that go late, a single step is not looked at for repeated labels.
            let may_repeat = grid.is_single() && self.settings.delayed_names;
            for sample in vector {
                let known = result.iter().position(|series| series.labels == sample.labels);
                match known.filter(|_| !may_repeat) {
                    Some(at) if result[at].at(time).is_some() => return table::fail(SAME_LABELS),
                    Some(at) => {
                        if result[at].dropped != sample.dropped {
                            // Prometheus takes both for one series, whose first sample says if the name goes.
                            self.open.set(true);
                        }
                        result[at].push(time, sample.value);
                    }
                    None => {
                        let mut series = Series::new(sample.labels, sample.dropped);
                        series.push(time, sample.value);
                        result.push(series);
                    }
                }
            }
        }
        Ok(result)
    }

    fn negate(&self, mut matrix: Matrix) -> Result<Matrix> {
        for series in &mut matrix {
            self.drop_name(&mut series.labels);
            series.dropped = true;
            series.floats.iter_mut().for_each(|(_, value)| *value = -*value);
            series
                .histograms
                .iter_mut()
                .for_each(|(_, histogram)| *histogram = native::scaled(histogram, -1.0));
        }
        if self.settings.delayed_names { Ok(matrix) } else { self.merge(matrix) }
    }

    /// Takes the name away now, unless that is left to the end of the query.
    fn drop_name(&self, labels: &mut Labels) {
        if !self.settings.delayed_names {
            *labels = table::without_metadata(labels);
        }
    }

    /// A sample that is computed from another and has lost its name.
    fn nameless(&self, sample: &Sample, value: Value) -> Sample {
        let mut labels = sample.labels.clone();
        self.drop_name(&mut labels);
        Sample { labels, dropped: true, value }
    }

    /// Makes one series of those with the same labels, which must not have points at the same time.
    pub fn merge(&self, matrix: Matrix) -> Result<Matrix> {
        let mut merged = Matrix::new();
        for series in matrix {
            match merged.iter_mut().find(|other| other.labels == series.labels) {
                Some(into) => {
                    into.floats.extend(series.floats);
                    into.histograms.extend(series.histograms);
                }
                None => merged.push(series),
            }
        }
        for series in &mut merged {
            // A float and a histogram at the same time are both kept, and get in each other's way later.
            let both = series.floats.iter().any(|(time, _)| series.histograms.iter().any(|(t, _)| t == time));
            self.open.set(self.open.get() || both);
            series.floats.sort_by_key(|(time, _)| *time);
            series.histograms.sort_by_key(|(time, _)| *time);
            let floats = series.floats.windows(2).any(|pair| pair[0].0 == pair[1].0);
            let histograms = series.histograms.windows(2).any(|pair| pair[0].0 == pair[1].0);
            if floats || histograms {
                return Err(Failure(SAME_LABELS.to_owned()));
            }
        }
        Ok(merged)
    }
}

/// The one point that a series has, at every step.
fn repeat(series: Series, grid: Grid) -> Series {
    let mut repeated = Series::new(series.labels.clone(), series.dropped);
    if let Some(value) = series.at(grid.start) {
        grid.times().for_each(|time| repeated.push(time, value.clone()));
    }
    repeated
}
