//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`: of native histograms, and of classic
//! ones, each of which is made of several series.

mod classic;

use super::{
    evaluate::Evaluator,
    plan::{Histogram as Plan, HistogramFunction},
    values::Values,
};
use crate::functions::histogram::{Bucket, histogram_fraction, histogram_quantile};
use ::histogram::FloatHistogram;
use classic::{Classic, ClassicHistograms};
use model::{Labels, LabelsBuilder, open_metrics_float};
use query_syntax::Span;
use service_api::{Reservation, Result};
use std::{collections::HashSet, sync::Arc};
use vectors::{Row, Rows, Steps, absent, row_bytes};

/// One number that is asked of each histogram, and the label that tells its answers from others.
struct Asked {
    question: Question,
    label: Option<(String, String)>,
}

enum Question {
    Quantile(Phi),
    Fraction(Values, Values),
}

/// Which quantile.
struct Phi {
    values: Arc<Values>,
    /// Asked only at the steps where φ is this number.
    only: Option<f64>,
}

impl Phi {
    fn at(&self, step: usize) -> Option<f64> {
        let phi = self.values.at(step);
        self.only.is_none_or(|only| only.to_bits() == phi.to_bits()).then_some(phi)
    }
}

pub(crate) fn evaluate(evaluator: &mut Evaluator<'_>, plan: &Plan, steps: &Steps) -> Result<Rows> {
    let mut held = evaluator.reserve(0)?;
    let (asked, quantiles) = ask(evaluator, plan, steps, &mut held)?;
    let input = evaluator.rows(&plan.input, steps)?;
    if !input.rows.is_empty() || !matches!(plan.function, HistogramFunction::Fraction(..)) {
        for (phi, span) in &quantiles {
            for phi in phi.iter().filter(|phi| !(0.0..=1.0).contains(phi)) {
                if evaluator.notes.is_full() {
                    break;
                }
                evaluator.notes.invalid_quantile(phi, *span);
            }
        }
    }
    let classic = ClassicHistograms::gather(evaluator, plan.input_span, &input.rows);
    let conflicts = conflicts(evaluator, plan.input_span, &input.rows, &classic, steps);
    let mut answers = Answers { evaluator, span: plan.input_span, steps, rows: Vec::new(), held };
    for asked in &asked {
        for (row, conflicts) in input.rows.iter().zip(&conflicts) {
            if !row.histograms.is_empty() {
                answers.native(asked, row, conflicts)?;
            }
        }
        for histogram in classic.iter() {
            answers.classic(asked, histogram, &conflicts)?;
        }
    }
    let Answers { evaluator, rows, held, .. } = answers;
    evaluator.merge(Rows { rows, held: vec![held] })
}

type Quantiles = Vec<(Arc<Values>, Span)>;

fn ask(
    evaluator: &mut Evaluator<'_>,
    plan: &Plan,
    steps: &Steps,
    held: &mut Reservation,
) -> Result<(Vec<Asked>, Quantiles)> {
    let mut kept = |scalar, held: &mut _| evaluator.kept_scalar(scalar, steps, held);
    Ok(match &plan.function {
        HistogramFunction::Quantile(phi, span) => {
            let values = Arc::new(kept(phi, held)?);
            let phi = Phi { values: Arc::clone(&values), only: None };
            (vec![Asked { question: Question::Quantile(phi), label: None }], vec![(values, *span)])
        }
        HistogramFunction::Fraction(lower, upper) => {
            let question = Question::Fraction(kept(lower, held)?, kept(upper, held)?);
            (vec![Asked { question, label: None }], Vec::new())
        }
        HistogramFunction::Quantiles(label, phis) => {
            let (mut asked, mut quantiles) = (Vec::new(), Vec::new());
            for (phi, span) in phis {
                let phi = Arc::new(kept(phi, held)?);
                asked.extend(one_a_value(label, &phi, held)?);
                quantiles.push((phi, *span));
            }
            (asked, quantiles)
        }
    })
}

/// The values of a φ that changes from step to step have different labels.
fn one_a_value(label: &str, phi: &Arc<Values>, held: &mut Reservation) -> Result<Vec<Asked>> {
    let (mut known, mut asked) = (HashSet::new(), Vec::new());
    for value in phi.iter() {
        if known.insert(value.to_bits()) {
            held.grow(2 * size_of::<Asked>() + label.len())?;
            let question = Question::Quantile(Phi { values: Arc::clone(phi), only: Some(value) });
            asked.push(Asked { question, label: Some((label.to_owned(), open_metrics_float(value))) });
        }
    }
    Ok(asked)
}

/// For each row the steps at which it has a native histogram beside a classic one of the same labels. Nothing
/// can be said of either.
fn conflicts(
    evaluator: &mut Evaluator<'_>,
    span: Span,
    rows: &[Row],
    classic: &ClassicHistograms<'_>,
    steps: &Steps,
) -> Vec<Vec<usize>> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let mut conflicts = Vec::new();
        if let (false, Some(other)) = (row.histograms.is_empty(), classic.find(&row.labels)) {
            conflicts.extend((0..steps.count).filter(|step| row.histograms.has(*step) && other.has(*step)));
        }
        if !conflicts.is_empty() {
            let metric = told_metric(evaluator, &row.labels);
            evaluator.notes.mixed_classic_and_native(&metric, span);
        }
        all.push(conflicts);
    }
    all
}

/// The metric's name where it still counts.
fn told_metric(evaluator: &Evaluator<'_>, labels: &Labels) -> String {
    match evaluator.config.features.delayed_name_removal {
        true => labels.metric_name().unwrap_or("").to_owned(),
        false => String::new(),
    }
}

struct Answers<'a, 'e> {
    evaluator: &'a mut Evaluator<'e>,
    span: Span,
    steps: &'a Steps,
    rows: Vec<Row>,
    held: Reservation,
}

impl Answers<'_, '_> {
    fn native(&mut self, asked: &Asked, row: &Row, conflicts: &[usize]) -> Result<()> {
        self.evaluator.ctx.check()?;
        let metric = told_metric(self.evaluator, &row.labels);
        let mut values = vec![absent(); self.steps.count];
        for (step, histogram) in row.histograms.iter() {
            if conflicts.binary_search(&step).is_err() {
                values[step] = self.of_native(asked, histogram, &metric, step);
            }
        }
        self.push(asked, row.labels.clone(), values)
    }

    fn of_native(&mut self, asked: &Asked, histogram: &FloatHistogram, metric: &str, step: usize) -> f64 {
        let notes = &mut self.evaluator.notes;
        match &asked.question {
            Question::Quantile(phi) => {
                let Some(phi) = phi.at(step) else { return absent() };
                let (value, note) = histogram.quantile(phi);
                if let Some(note) = note {
                    notes.nan_in_quantile(note, metric, self.span);
                }
                value
            }
            Question::Fraction(lower, upper) => {
                let (value, note) = histogram.fraction(lower.at(step), upper.at(step));
                if note.is_some() {
                    notes.nan_in_fraction(metric, self.span);
                }
                value
            }
        }
    }

    fn classic(&mut self, asked: &Asked, histogram: &Classic<'_>, conflicts: &[Vec<usize>]) -> Result<()> {
        self.evaluator.ctx.check()?;
        let metric = told_metric(self.evaluator, &histogram.labels);
        let conflicts = histogram.native.and_then(|row| conflicts.get(row));
        let mut values = Vec::with_capacity(self.steps.count);
        let mut buckets = Vec::new();
        for step in 0..self.steps.count {
            histogram.buckets_at(step, &mut buckets);
            let is_told = conflicts.is_none_or(|steps| steps.binary_search(&step).is_err());
            values.push(if buckets.is_empty() || !is_told {
                absent()
            } else {
                self.of_classic(asked, &mut buckets, &metric, step)
            });
        }
        self.push(asked, histogram.labels.clone(), values)
    }

    fn of_classic(&mut self, asked: &Asked, buckets: &mut Vec<Bucket>, metric: &str, step: usize) -> f64 {
        match &asked.question {
            Question::Quantile(phi) => {
                let Some(phi) = phi.at(step) else { return absent() };
                let (value, forced) = histogram_quantile(phi, buckets);
                if let Some(forced) = forced {
                    let time = self.steps.time(step);
                    self.evaluator.notes.forced_monotonicity(metric, forced, time, self.span);
                }
                value
            }
            Question::Fraction(lower, upper) => histogram_fraction(lower.at(step), upper.at(step), buckets),
        }
    }

    fn push(&mut self, asked: &Asked, labels: Labels, values: Vec<f64>) -> Result<()> {
        let mut row = Row::floats(labels, values);
        if !row.has_values() {
            return Ok(());
        }
        self.evaluator.drop_names(std::slice::from_mut(&mut row));
        if let Some((name, value)) = &asked.label {
            row.labels = LabelsBuilder::from_labels(&row.labels).set(name, value).build();
        }
        self.held.grow(row_bytes(&row.labels, self.steps.count))?;
        self.rows.push(row);
        Ok(())
    }
}
