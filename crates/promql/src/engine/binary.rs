//! Operators between two vectors.

use super::{
    evaluate::Evaluator,
    labels::merge_same_labels,
    plan::{Binary, scalar_op},
};
use crate::ast::BinaryOp;
use service_api::{Error, Result};
use vectors::{Duplicate, Pairs, Rows, ScalarOp, SetOp, Steps, set_operation};

impl Evaluator<'_> {
    pub(crate) fn binary(&mut self, binary: &Binary, steps: &Steps) -> Result<Rows> {
        let left = self.rows(&binary.left, steps)?;
        if left.rows.is_empty() && binary.op != BinaryOp::Or {
            // Nothing can match; but what cannot be evaluated is still an error.
            self.rows(&binary.right, steps)?;
            return Ok(Rows::default());
        }
        let right = self.rows(&binary.right, steps)?;
        let output = match set_op(binary.op) {
            Some(op) => {
                let choice = binary.matching.choice();
                set_operation(op, choice, left, right, steps.count, &self.ctx.budget)?
            }
            None => self.pairs(binary, &left, &right, steps)?,
        };
        merge_same_labels(output)
    }

    fn pairs(&self, binary: &Binary, left: &Rows, right: &Rows, steps: &Steps) -> Result<Rows> {
        let op = scalar_op(binary.op)?;
        let drops_name = binary.as_bool || matches!(op, ScalarOp::Arithmetic(_));
        let pairs = Pairs::new(&binary.matching, &left.rows, &right.rows, steps.count, drops_name);
        if let Some(duplicate) = pairs.duplicate(false) {
            return Err(duplicate_series(&duplicate));
        }
        pairs.check_unique()?;
        pairs.evaluate(self.ctx, |l, r| match op {
            ScalarOp::Arithmetic(op) => op.apply(l, r),
            ScalarOp::Comparison(op) => op.answer(binary.as_bool, l, r, l),
        })
    }
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
