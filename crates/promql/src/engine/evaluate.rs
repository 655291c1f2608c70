//! Evaluates a plan. Everything here is CPU work on threads that may block.

mod info;
mod map;
mod root;
mod scan;
mod shared;
mod sort;
mod subquery;

pub(crate) use scan::RowSink;
use shared::SharedRows;

use super::{
    EngineConfig,
    annotations::Annotations,
    histogram,
    labels::merge_same_labels,
    observe::Observer,
    plan::{Definition, Input, Relabel, Scalar, Vector},
    result::Statistics,
    rollups::Leaf,
    values::Values,
};
use model::{Labels, METRIC_NAME};
use service_api::{Error, ReadContext, Reservation, Result, Series, SeriesSet};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};
use vectors::{Row, Rows, Steps, absent, has_values, is_absent, row_bytes, without_metadata};

/// Evaluates one query.
pub(crate) struct Evaluator<'a> {
    pub ctx: &'a ReadContext,
    pub config: &'a EngineConfig,
    /// What was selected, in the order of the plan's selects.
    pub inputs: &'a [SeriesSet],
    /// Where the series of the plan's candidates are.
    pub leaves: &'a [Leaf],
    pub notes: Annotations,
    pub usage: Usage,
    /// Where somebody wants to know how it went.
    pub observer: Option<Observer>,
    /// Steps of the query itself; those of subqueries are not counted among them.
    query: Steps,
    shared: SharedRows<'a>,
}

/// Counted by all threads.
#[derive(Default)]
pub(crate) struct Usage {
    pub series: AtomicU64,
    pub samples: AtomicU64,
    pub peak_memory: AtomicU64,
    /// Rollups turned out not to do.
    pub needs_samples: AtomicBool,
}

impl<'a> Evaluator<'a> {
    /// For a query of `query`'s steps whose plan has these `definitions`.
    pub fn new(
        (ctx, config): (&'a ReadContext, &'a EngineConfig),
        (inputs, leaves): (&'a [SeriesSet], &'a [Leaf]),
        notes: Annotations,
        query: Steps,
        definitions: &'a [Definition],
        observer: Option<Observer>,
    ) -> Self {
        let shared = SharedRows::new(definitions);
        let usage = Usage::default();
        let evaluator = Self { ctx, config, inputs, leaves, notes, usage, observer, query, shared };
        evaluator.note_memory();
        evaluator
    }

    /// What a selector that reads no rollups has selected.
    pub fn selected(&self, input: Input) -> &'a [Series] {
        let select = match input {
            Input::Select(select) => Some(select),
            Input::Candidate(at) => match self.leaves.get(at) {
                Some(Leaf::Samples(select)) => Some(*select),
                Some(Leaf::Covered(_)) | None => None,
            },
        };
        select.and_then(|at| self.inputs.get(at)).map_or(&[][..], |input| &input.series)
    }

    /// Whether an error is none of the query's, but rollups do not do.
    pub fn needs_samples(&self) -> bool {
        self.usage.needs_samples.load(Relaxed)
    }

    pub fn finish(self) -> (Annotations, Statistics, Option<Observer>) {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let statistics = Statistics {
            series: get(&self.usage.series),
            samples: get(&self.usage.samples),
            peak_memory: get(&self.usage.peak_memory),
        };
        (self.notes, statistics, self.observer)
    }

    /// Tells how many samples each step looked at, or of a constant expression its only step.
    pub fn count_samples(&self, steps: &Steps, counts: &[u64]) {
        if let Some(observer) = &self.observer
            && (*steps == self.query || *steps == self.query.first())
        {
            observer.add(counts);
        }
    }

    /// Whether `count_samples` is of any use.
    pub fn counts_samples(&self) -> bool {
        self.observer.as_ref().is_some_and(Observer::counts_steps)
    }

    pub fn note_memory(&self) {
        self.usage.peak_memory.fetch_max(self.ctx.budget.used(), Relaxed);
    }

    pub fn reserve(&self, bytes: usize) -> Result<Reservation> {
        let reservation = self.ctx.budget.reserve(bytes)?;
        self.note_memory();
        Ok(reservation)
    }

    pub fn scalar(&mut self, scalar: &Scalar, steps: &Steps) -> Result<Values> {
        self.ctx.check()?;
        // Who keeps the result counts it (see `kept_scalar`).
        let _fits = self.reserve(steps.count * size_of::<f64>())?;
        Ok(match scalar {
            Scalar::Number(value) => Values::One(*value),
            Scalar::Time => Values::Each(steps.times().map(|t| t as f64 / 1000.0).collect()),
            Scalar::Of(vector) => Values::Each(self.only_element(vector, steps)?),
            Scalar::Apply(function, inner) => self.scalar(inner, steps)?.map(function),
            Scalar::Binary(op, left, right) => {
                let (left, right) = (self.scalar(left, steps)?, self.scalar(right, steps)?);
                left.zip(right, |l, r| op.answer(l, r))
            }
            Scalar::Extreme(pick, left, right) => {
                let (left, right) = (self.scalar(left, steps)?, self.scalar(right, steps)?);
                left.zip(right, pick)
            }
        })
    }

    /// A scalar that stays while what it belongs to is evaluated, counted in `held`.
    pub fn kept_scalar(&mut self, scalar: &Scalar, steps: &Steps, held: &mut Reservation) -> Result<Values> {
        let values = self.scalar(scalar, steps)?;
        held.grow(values.heap_bytes())?;
        Ok(values)
    }

    /// `scalar`: the value where there is exactly one.
    fn only_element(&mut self, vector: &Vector, steps: &Steps) -> Result<Vec<f64>> {
        let input = self.rows(vector, steps)?;
        let mut found = vec![absent(); steps.count];
        for row in &input.rows {
            for (found, value) in found.iter_mut().zip(&row.values) {
                if !is_absent(*value) {
                    *found = if is_absent(*found) { *value } else { f64::NAN };
                }
            }
        }
        found.iter_mut().filter(|v| is_absent(**v)).for_each(|v| *v = f64::NAN);
        Ok(found)
    }

    /// All rows that have a value.
    pub fn rows(&mut self, vector: &Vector, steps: &Steps) -> Result<Rows> {
        self.ctx.check()?;
        if steps.count == 0 {
            return Ok(Rows::default());
        }
        let began = self.observer.as_ref().and_then(Observer::begin);
        let rows = match vector {
            Vector::Shared(index) => self.shared_rows(*index),
            Vector::Scan(_) | Vector::Map { .. } => self.mapped(vector, steps),
            Vector::OverSubquery { function, subquery, notes } => {
                self.over_subquery(function, subquery, notes, steps)
            }
            Vector::Aggregate(aggregate) => self.aggregate(aggregate, steps),
            Vector::Binary(binary) => self.binary(binary, steps),
            Vector::Relabel { input, relabel } => self.relabel(input, relabel, steps),
            Vector::Histogram(plan) => histogram::evaluate(self, plan, steps),
            Vector::Info(info) => self.info(info, steps),
            Vector::Absent { input, labels } => self.absent(input, labels, steps),
            Vector::FromScalar(scalar) => {
                let values = self.scalar(scalar, steps)?.into_steps(steps.count);
                self.single_row(Labels::empty(), values)
            }
            Vector::Sort { input, order, descending, ineffective } => {
                if let Some(span) = ineffective {
                    self.notes.sort_in_range_query(*span);
                }
                self.sort(input, order, *descending, steps)
            }
            Vector::Invariant(inner) => self.invariant(inner, steps),
        }?;
        if let (Some(observer), Some(began)) = (&self.observer, began) {
            observer.end(vector, began, rows.rows.len());
        }
        self.note_memory();
        Ok(rows)
    }

    fn single_row(&self, labels: Labels, values: Vec<f64>) -> Result<Rows> {
        let held = vec![self.reserve(row_bytes(&labels, values.len()))?];
        Ok(Rows { rows: vec![Row::floats(labels, values)], held })
    }

    fn invariant(&mut self, inner: &Vector, steps: &Steps) -> Result<Rows> {
        let mut input = self.rows(inner, &steps.first())?;
        input.held.push(self.reserve(input.rows.len() * steps.count * size_of::<f64>())?);
        for row in &mut input.rows {
            let histogram = row.histograms.get(0).cloned();
            if let Some(value) = row.values.first().copied() {
                row.values = vec![value; steps.count];
            }
            if let Some(histogram) = histogram {
                (0..steps.count)
                    .for_each(|step| row.histograms.set(step, steps.count, Arc::clone(&histogram)));
            }
        }
        Ok(input)
    }

    fn relabel(&mut self, input: &Vector, relabel: &Relabel, steps: &Steps) -> Result<Rows> {
        let mut input = self.rows(input, steps)?;
        let mut held = self.reserve(0)?;
        for row in &mut input.rows {
            self.ctx.check()?;
            let changed = match relabel {
                Relabel::Replace(replace) => replace.apply(&row.labels),
                Relabel::Join(join) => join.apply(&row.labels).map(Some),
            };
            if let Some(labels) = changed.map_err(Error::unprocessable)? {
                held.grow(labels.heap_bytes())?;
                row.labels = labels;
                // A name that is given anew stays.
                row.name_dropped &= relabel.destination() != METRIC_NAME;
            }
        }
        input.held.push(held);
        merge_same_labels(input)
    }

    fn absent(&mut self, input: &Vector, labels: &Labels, steps: &Steps) -> Result<Rows> {
        let present = self.presence(input, steps)?;
        let values: Vec<f64> = present.into_iter().map(|there| if there { absent() } else { 1.0 }).collect();
        if has_values(&values) { self.single_row(labels.clone(), values) } else { Ok(Rows::default()) }
    }

    /// Takes the name off all rows, or has that done when the query ends.
    pub fn drop_names(&self, rows: &mut [Row]) {
        let delayed = self.config.features.delayed_name_removal;
        for row in rows {
            match delayed {
                true => row.name_dropped = true,
                false => row.labels = without_metadata(&row.labels),
            }
        }
    }

    /// Makes one row of those that have become the same without their names.
    pub fn merge(&self, rows: Rows) -> Result<Rows> {
        if self.config.features.delayed_name_removal { Ok(rows) } else { merge_same_labels(rows) }
    }
}
