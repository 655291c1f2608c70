//! Binary operators where native histograms take part.

use super::annotations::{Annotations, HistogramOperation};
use crate::ast::BinaryOp;
use histogram::{Combined, CounterResetHint, FloatHistogram, Incompatible};
use query_syntax::Span;
use std::sync::Arc;
use vectors::{Arithmetic, Comparison, Sample};

/// What an operator makes of two samples of which one at least is a histogram; `None` where it has no
/// meaning, or where a comparison does not hold.
pub(crate) fn of_histograms(
    op: BinaryOp,
    left: Sample,
    right: Sample,
    span: Span,
    notes: &mut Annotations,
) -> Option<Sample> {
    match (op, &left, &right) {
        (BinaryOp::Mul, Sample::Histogram(h), Sample::Float(factor))
        | (BinaryOp::Mul, Sample::Float(factor), Sample::Histogram(h)) => changed(h, |h| {
            h.scale(*factor);
            h.compact();
        }),
        (BinaryOp::Div, Sample::Histogram(h), Sample::Float(by)) => changed(h, |h| {
            h.divide(*by);
            h.compact();
        }),
        (BinaryOp::TrimUpper, Sample::Histogram(h), Sample::Float(bound)) => {
            changed(h, |h| h.trim_upper(*bound))
        }
        (BinaryOp::TrimLower, Sample::Histogram(h), Sample::Float(bound)) => {
            changed(h, |h| h.trim_lower(*bound))
        }
        (BinaryOp::Add | BinaryOp::Sub, Sample::Histogram(l), Sample::Histogram(r)) => {
            combined(op, l, r, span, notes)
        }
        (BinaryOp::Equal, Sample::Histogram(l), Sample::Histogram(r)) => l.equals(r).then_some(left),
        (BinaryOp::NotEqual, Sample::Histogram(l), Sample::Histogram(r)) => (!l.equals(r)).then_some(left),
        _ => {
            notes.incompatible_types(kind(&left), op.as_str(), kind(&right), span);
            None
        }
    }
}

/// Whether the operator can be applied to samples of which these are histograms.
pub(crate) fn has_meaning(op: BinaryOp, left: bool, right: bool) -> bool {
    match (left, right) {
        (false, false) => !matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower),
        (true, false) => {
            matches!(op, BinaryOp::Mul | BinaryOp::Div | BinaryOp::TrimUpper | BinaryOp::TrimLower)
        }
        (false, true) => op == BinaryOp::Mul,
        (true, true) => {
            matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Equal | BinaryOp::NotEqual)
        }
    }
}

fn kind(sample: &Sample) -> &'static str {
    match sample {
        Sample::Float(_) => "float",
        Sample::Histogram(_) => "histogram",
    }
}

fn changed(histogram: &FloatHistogram, change: impl FnOnce(&mut FloatHistogram)) -> Option<Sample> {
    let mut histogram = histogram.clone();
    change(&mut histogram);
    Some(Sample::Histogram(Arc::new(histogram)))
}

fn combined(
    op: BinaryOp,
    left: &FloatHistogram,
    right: &FloatHistogram,
    span: Span,
    notes: &mut Annotations,
) -> Option<Sample> {
    let mut result = left.clone();
    let (done, operation) = match op {
        BinaryOp::Sub => (result.sub(right), HistogramOperation::Subtraction),
        _ => (result.add(right), HistogramOperation::Addition),
    };
    let Ok(Combined { counter_reset_collision, bounds_reconciled }) = done else {
        let Err(Incompatible) = done else { return None };
        notes.incompatible_layouts(op.as_str(), span);
        return None;
    };
    // Of several things to say Prometheus says one.
    if bounds_reconciled {
        notes.reconciled_bounds(operation, span);
    } else if counter_reset_collision {
        notes.reset_collision(operation, span);
    }
    if op == BinaryOp::Sub {
        result.counter_reset_hint = CounterResetHint::Gauge;
    }
    result.compact();
    Some(Sample::Histogram(Arc::new(result)))
}

/// The operator that is written for it.
pub(crate) trait Written {
    fn operator(self) -> BinaryOp;
}

impl Written for &Arithmetic {
    fn operator(self) -> BinaryOp {
        match self {
            Arithmetic::Add => BinaryOp::Add,
            Arithmetic::Sub => BinaryOp::Sub,
            Arithmetic::Mul => BinaryOp::Mul,
            Arithmetic::Div => BinaryOp::Div,
            Arithmetic::Mod => BinaryOp::Mod,
            Arithmetic::Pow => BinaryOp::Pow,
            Arithmetic::Atan2 => BinaryOp::Atan2,
        }
    }
}

impl Written for &Comparison {
    fn operator(self) -> BinaryOp {
        match self {
            Comparison::Equal => BinaryOp::Equal,
            Comparison::NotEqual => BinaryOp::NotEqual,
            Comparison::Greater => BinaryOp::Greater,
            Comparison::Less => BinaryOp::Less,
            Comparison::GreaterOrEqual => BinaryOp::GreaterOrEqual,
            Comparison::LessOrEqual => BinaryOp::LessOrEqual,
        }
    }
}
