//! Binary operators between two values.

use super::{native, noise::Noise, table::Value};
use promql::ast::BinaryOp;
use std::sync::Arc;

/// What an operator makes of two values: a value, and whether a comparison lets it pass.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub value: Value,
    pub keep: bool,
}

pub fn of_scalars(op: BinaryOp, a: f64, b: f64, noise: &Noise) -> f64 {
    match compare(op, a, b) {
        Some(holds) => f64::from(u8::from(holds)),
        None => number(op, a, b, noise),
    }
}

/// `None` where the operator is not defined between such values.
pub fn of_values(op: BinaryOp, a: &Value, b: &Value, noise: &Noise) -> Option<Outcome> {
    let kept = |histogram| Some(Outcome { value: Value::Histogram(histogram), keep: true });
    match (a, b) {
        (Value::Float(_), Value::Float(_)) if matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) => None,
        (Value::Float(a), Value::Float(b)) => Some(match compare(op, *a, *b) {
            Some(keep) => Outcome { value: Value::Float(*a), keep },
            None => Outcome { value: Value::Float(number(op, *a, *b, noise)), keep: true },
        }),
        (Value::Float(a), Value::Histogram(b)) => match op {
            BinaryOp::Mul => kept(native::compacted(&native::scaled(b, *a))),
            _ => None,
        },
        (Value::Histogram(a), Value::Float(b)) => match op {
            BinaryOp::Mul => kept(native::compacted(&native::scaled(a, *b))),
            BinaryOp::Div => kept(native::compacted(&native::divided(a, *b))),
            BinaryOp::TrimUpper => kept(native::trimmed(a, *b, true)),
            BinaryOp::TrimLower => kept(native::trimmed(a, *b, false)),
            _ => None,
        },
        (Value::Histogram(a), Value::Histogram(b)) => match op {
            BinaryOp::Add => kept(native::compacted(&*native::total(a, b)?)),
            BinaryOp::Sub => kept(native::compacted(&native::gauge(&*native::difference(a, b)?))),
            BinaryOp::Equal | BinaryOp::NotEqual => Some(Outcome {
                value: Value::Histogram(Arc::clone(a)),
                keep: a.equals(b) == (op == BinaryOp::Equal),
            }),
            _ => None,
        },
    }
}

fn compare(op: BinaryOp, a: f64, b: f64) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Less => a < b,
        BinaryOp::LessOrEqual => a <= b,
        BinaryOp::Greater => a > b,
        BinaryOp::GreaterOrEqual => a >= b,
        _ => return None,
    })
}

fn number(op: BinaryOp, a: f64, b: f64, noise: &Noise) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => noise.summed(a.powf(b)),
        BinaryOp::Atan2 => noise.rounded(a.atan2(b)),
        _ => f64::NAN,
    }
}
