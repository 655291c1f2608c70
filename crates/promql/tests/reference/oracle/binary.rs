//! Binary operators where at least one side is a scalar.

use super::{
    Oracle, arithmetic,
    table::{Grid, Matrix, Result, Sample, Value, Vector},
};
use model::Labels;
use promql::ast::{Binary, BinaryOp, ValueType};

impl Oracle<'_> {
    pub fn binary(&self, binary: &Binary, grid: Grid) -> Result<Matrix> {
        let sides = [self.eval(&binary.lhs, grid)?, self.eval(&binary.rhs, grid)?];
        let scalar = |side: &Vector| side[0].value.float().unwrap_or(f64::NAN);
        match (binary.lhs.value_type(), binary.rhs.value_type()) {
            (ValueType::Scalar, ValueType::Scalar) => self.stepwise(grid, &sides, |_, sides| {
                let value =
                    arithmetic::of_scalars(binary.op, scalar(&sides[0]), scalar(&sides[1]), &self.noise);
                Ok(vec![Sample::float(Labels::empty(), value)])
            }),
            (ValueType::Vector, ValueType::Scalar) => self.stepwise(grid, &sides, |_, sides| {
                Ok(self.with_scalar(binary, &sides[0], scalar(&sides[1]), false))
            }),
            (ValueType::Scalar, _) => self.stepwise(grid, &sides, |_, sides| {
                Ok(self.with_scalar(binary, &sides[1], scalar(&sides[0]), true))
            }),
            _ => self.stepwise(grid, &sides, |_, sides| self.match_vectors(binary, &sides[0], &sides[1])),
        }
    }

    fn with_scalar(&self, binary: &Binary, vector: &Vector, scalar: f64, scalar_first: bool) -> Vector {
        let compute = |sample: &Sample| {
            let scalar = Value::Float(scalar);
            let (a, b) = if scalar_first { (&scalar, &sample.value) } else { (&sample.value, &scalar) };
            let outcome = arithmetic::of_values(binary.op, a, b, &self.noise)?;
            if binary.return_bool {
                return Some(self.nameless(sample, holds(outcome.keep)));
            }
            match outcome.keep {
                false => None,
                // A comparison lets values of the vector pass, wherever it stands.
                true if binary.op.is_comparison() => Some(sample.clone()),
                true if changes_meaning(binary.op) => Some(self.nameless(sample, outcome.value)),
                true => Some(Sample { value: outcome.value, ..sample.clone() }),
            }
        };
        vector.iter().filter_map(compute).collect()
    }
}

pub fn holds(keep: bool) -> Value {
    Value::Float(f64::from(u8::from(keep)))
}

/// Whether the result is another kind of thing than the operands. A trimmed histogram is still the same.
pub fn changes_meaning(op: BinaryOp) -> bool {
    !op.is_comparison() && !op.is_set() && !matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}
