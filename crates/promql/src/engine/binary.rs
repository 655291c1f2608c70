//! Operators between two vectors.

use super::{
    evaluate::Evaluator,
    labels::merge_same_labels,
    operate::{has_meaning, of_histograms},
    plan::{Binary, scalar_op},
};
use crate::ast::BinaryOp;
use service_api::{Error, Result};
use vectors::{
    Arithmetic, Duplicate, Fill, Pairs, Rows, Sample, ScalarOp, SetOp, Steps, absent, set_operation,
};

impl Evaluator<'_> {
    pub(crate) fn binary(&mut self, binary: &Binary, steps: &Steps) -> Result<Rows> {
        let left = self.rows(&binary.left, steps)?;
        if left.rows.is_empty() && binary.op != BinaryOp::Or && binary.fill == Fill::default() {
            // Nothing can match; but what cannot be evaluated is still an error.
            self.rows(&binary.right, steps)?;
            return Ok(Rows::default());
        }
        let right = self.rows(&binary.right, steps)?;
        let output = match set_op(binary.op) {
            Some(op) => {
                let choice = binary.matching.choice();
                set_operation(op, choice, left, right, steps.count, self.ctx)?
            }
            None => self.pairs(binary, &left, &right, steps)?,
        };
        merge_same_labels(output)
    }

    fn pairs(&mut self, binary: &Binary, left: &Rows, right: &Rows, steps: &Steps) -> Result<Rows> {
        let delayed = self.config.features.delayed_name_removal;
        let op = if is_trim(binary.op) { None } else { Some(scalar_op(binary.op)?) };
        let drops_name = (binary.as_bool && !delayed) || matches!(op, Some(ScalarOp::Arithmetic(_)));
        let sides = [&left.rows[..], &right.rows[..]];
        let meets = |left, right| has_meaning(binary.op, left, right);
        let (matching, fill) = (&binary.matching, binary.fill);
        let pairs = Pairs::new(self.ctx, matching, fill, sides, steps.count, drops_name, &meets)?;
        if let Some(duplicate) = pairs.duplicate(false) {
            return Err(duplicate_series(&duplicate));
        }
        pairs.check_unique(self.ctx)?;
        let (notes, mut trims_floats) = (&mut self.notes, std::cell::Cell::new(false));
        let float = |l: f64, r: f64| match op {
            Some(ScalarOp::Arithmetic(op)) => Arithmetic::apply(op, l, r),
            Some(ScalarOp::Comparison(op)) => op.answer(binary.as_bool, l, r, l),
            None => {
                trims_floats.set(true);
                absent()
            }
        };
        let mixed = |l: Sample, r: Sample| {
            let compares = matches!(op, Some(ScalarOp::Comparison(_)));
            let both = matches!((&l, &r), (Sample::Histogram(_), Sample::Histogram(_)));
            match of_histograms(binary.op, l, r, binary.span, notes) {
                Some(_) if binary.as_bool => Some(Sample::Float(1.0)),
                None if binary.as_bool && compares && both && is_equality(binary.op) => {
                    Some(Sample::Float(0.0))
                }
                result => result,
            }
        };
        let mut rows = pairs.evaluate(self.ctx, float, mixed)?;
        if *trims_floats.get_mut() {
            self.notes.incompatible_types("float", binary.op.as_str(), "float", binary.span);
        }
        if delayed && binary.as_bool {
            rows.rows.iter_mut().for_each(|row| row.name_dropped = true);
        }
        Ok(rows)
    }
}

fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}

/// The comparisons that have a meaning between histograms.
fn is_equality(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Equal | BinaryOp::NotEqual)
}

fn set_op(op: BinaryOp) -> Option<SetOp> {
    match op {
        BinaryOp::And => Some(SetOp::And),
        BinaryOp::Or => Some(SetOp::Or),
        BinaryOp::Unless => Some(SetOp::Unless),
        _ => None,
    }
}

fn duplicate_series(duplicate: &Duplicate<'_>) -> Error {
    let Duplicate { group, series: [first, second], side } = duplicate;
    Error::unprocessable(format!(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
         [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
    ))
}
