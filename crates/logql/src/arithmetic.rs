//! What binary operators make of numbers.

use crate::ast::BinaryOp;
use vectors::{Arithmetic, Comparison, ScalarOp, SetOp};

/// A binary operator by what it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Scalar(ScalarOp),
    Set(SetOp),
}

impl From<BinaryOp> for Operator {
    fn from(op: BinaryOp) -> Self {
        use ScalarOp::{Arithmetic as A, Comparison as C};
        match op {
            BinaryOp::And => Self::Set(SetOp::And),
            BinaryOp::Or => Self::Set(SetOp::Or),
            BinaryOp::Unless => Self::Set(SetOp::Unless),
            BinaryOp::Add => Self::Scalar(A(Arithmetic::Add)),
            BinaryOp::Sub => Self::Scalar(A(Arithmetic::Sub)),
            BinaryOp::Mul => Self::Scalar(A(Arithmetic::Mul)),
            BinaryOp::Div => Self::Scalar(A(Arithmetic::Div)),
            BinaryOp::Mod => Self::Scalar(A(Arithmetic::Mod)),
            BinaryOp::Pow => Self::Scalar(A(Arithmetic::Pow)),
            BinaryOp::Equal => Self::Scalar(C(Comparison::Equal)),
            BinaryOp::NotEqual => Self::Scalar(C(Comparison::NotEqual)),
            BinaryOp::Greater => Self::Scalar(C(Comparison::Greater)),
            BinaryOp::GreaterOrEqual => Self::Scalar(C(Comparison::GreaterOrEqual)),
            BinaryOp::Less => Self::Scalar(C(Comparison::Less)),
            BinaryOp::LessOrEqual => Self::Scalar(C(Comparison::LessOrEqual)),
        }
    }
}

/// The value of an operation on two numbers; `kept` is what a comparison that filters leaves standing
/// (what it takes away is absent).
pub(crate) fn apply(op: ScalarOp, return_bool: bool, lhs: f64, rhs: f64, kept: f64) -> f64 {
    match op {
        // Loki's division by zero is never infinite.
        ScalarOp::Arithmetic(Arithmetic::Div) if rhs == 0.0 => f64::NAN,
        ScalarOp::Arithmetic(op) => op.apply(lhs, rhs),
        ScalarOp::Comparison(op) => op.answer(return_bool, lhs, rhs, kept),
    }
}
