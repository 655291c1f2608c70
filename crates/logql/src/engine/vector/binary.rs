//! Binary operators: between vectors, and between a vector and a number.

use super::Evaluator;
use crate::{
    arithmetic::{Operator, apply},
    ast::{Binary, MetricExpr},
};
use service_api::{Error, Result};
use vectors::{Fill, Pairs, Row, Rows, ScalarOp, each, merge_same_labels, set_operation};

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &Binary) -> Result<Rows> {
        let output = match (Operator::from(binary.op), &*binary.lhs, &*binary.rhs) {
            (Operator::Scalar(op), MetricExpr::Literal { value, .. }, other) => {
                let input = self.rows(other)?;
                return Ok(with_number(input, |v| apply(op, binary.return_bool, *value, v, v)));
            }
            (Operator::Scalar(op), other, MetricExpr::Literal { value, .. }) => {
                let input = self.rows(other)?;
                return Ok(with_number(input, |v| apply(op, binary.return_bool, v, *value, v)));
            }
            (Operator::Scalar(op), lhs, rhs) => {
                let (left, right) = (self.rows(lhs)?, self.rows(rhs)?);
                self.pairs(binary, op, &left, &right)?
            }
            (Operator::Set(op), lhs, rhs) => {
                let (left, right) = (self.rows(lhs)?, self.rows(rhs)?);
                let choice = binary.matching.choice();
                set_operation(op, choice, left, right, self.steps, self.ctx)?
            }
        };
        Ok(merge_same_labels(output).0)
    }

    fn pairs(&self, binary: &Binary, op: ScalarOp, left: &Rows, right: &Rows) -> Result<Rows> {
        let sides = [&left.rows[..], &right.rows[..]];
        let (matching, fill) = (&binary.matching, Fill::default());
        let pairs = Pairs::new(self.ctx, matching, fill, sides, self.steps, false, &|_, _| true)?;
        // Unlike Prometheus, Loki looks for duplicates even where there is nothing to match.
        if let Some(duplicate) = pairs.duplicate(true) {
            return Err(Error::unprocessable(format!(
                "found duplicate series on the {} hand-side;many-to-many matching not allowed: matching \
                 labels must be unique on one side",
                duplicate.side
            )));
        }
        pairs.check_unique(self.ctx)?;
        pairs.evaluate(self.ctx, |l, r| apply(op, binary.return_bool, l, r, l), |_, _| None)
    }
}

/// Each value with a number, by itself.
fn with_number(mut input: Rows, f: impl Fn(f64) -> f64) -> Rows {
    input.rows.iter_mut().for_each(|row| each(&mut row.values, |_, v| f(v)));
    input.rows.retain(Row::has_values);
    input
}
