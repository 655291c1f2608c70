//! Decimal arithmetic, which sprig uses where floats would show that they are binary.

use crate::value::Value;

/// A number as `digits * 10^exponent`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    exponent: i32,
}

#[derive(Clone, Copy)]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Digits after the point to which quotients are rounded.
const DIVISION_DIGITS: i32 = 16;

/// Applies an operation to a number and each of the others. What does not fit decimals of 38
/// digits is computed in floats.
pub fn fold(first: f64, others: &[Value<'_>], operation: Operation) -> Result<f64, String> {
    let mut result = first;
    let mut exact = Some(decimal(first)?);
    for other in others {
        let float = super::cast::to_float(other);
        let operand = decimal(float)?;
        if matches!(operation, Operation::Divide) && float == 0.0 {
            return Err("decimal division by 0".to_owned());
        }
        exact = exact.and_then(|exact| apply(exact, operand, operation));
        result = match (exact, operation) {
            (Some(exact), _) => exact.to_float(),
            (None, Operation::Add) => result + float,
            (None, Operation::Subtract) => result - float,
            (None, Operation::Multiply) => result * float,
            (None, Operation::Divide) => result / float,
        };
    }
    Ok(result)
}

/// The shortest decimal that is read as this float.
fn decimal(value: f64) -> Result<Decimal, String> {
    if !value.is_finite() {
        let name = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return Err(format!("Cannot create a Decimal from {name}"));
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    // Both are numbers: that is how floats are printed.
    let digits = digits.replace('.', "").parse().unwrap_or(0);
    let exponent: i32 = exponent.parse().unwrap_or(0);
    Ok(Decimal { digits, exponent: exponent - i32::try_from(decimals).unwrap_or(0) })
}

fn apply(a: Decimal, b: Decimal, operation: Operation) -> Option<Decimal> {
    match operation {
        Operation::Add | Operation::Subtract => {
            let exponent = a.exponent.min(b.exponent);
            let (a, b) = (a.at_exponent(exponent)?, b.at_exponent(exponent)?);
            let digits = match operation {
                Operation::Add => a.checked_add(b)?,
                _ => a.checked_sub(b)?,
            };
            Some(Decimal { digits, exponent })
        }
        Operation::Multiply => {
            let digits = a.digits.checked_mul(b.digits)?;
            Some(Decimal { digits, exponent: a.exponent + b.exponent })
        }
        Operation::Divide => divide(a, b),
    }
}

/// Rounds half away from zero.
fn divide(a: Decimal, b: Decimal) -> Option<Decimal> {
    let shift = a.exponent - b.exponent + DIVISION_DIGITS;
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    let (numerator, denominator) = if shift >= 0 {
        (a.digits.checked_mul(power)?, b.digits)
    } else {
        (a.digits, b.digits.checked_mul(power)?)
    };
    let (quotient, rest) = (numerator.checked_div(denominator)?, numerator.checked_rem(denominator)?);
    let rounds = rest.checked_abs()?.checked_mul(2)? >= denominator.checked_abs()?;
    let away = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
    let digits = if rounds { quotient.checked_add(away)? } else { quotient };
    Some(Decimal { digits, exponent: -DIVISION_DIGITS })
}

impl Decimal {
    /// The digits if the exponent were this one, which is not larger.
    fn at_exponent(self, exponent: i32) -> Option<i128> {
        let power = 10_i128.checked_pow(self.exponent.abs_diff(exponent))?;
        self.digits.checked_mul(power)
    }

    fn to_float(self) -> f64 {
        // An integer with an exponent is always a number.
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(0.0)
    }
}
