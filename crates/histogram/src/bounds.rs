//! Where the buckets of a histogram begin and end.

mod powers;

use crate::FloatHistogram;
use powers::POWERS;

/// The finest schema whose bounds are known; a histogram of a finer one is reduced to it when it is read.
const FINEST: i32 = 8;

/// The upper bound of the exponential bucket `index`, with the bits Prometheus has: 2^(index / 2^schema).
///
/// The last bucket of finite numbers ends at the largest of them, where the formula says +Inf, which is
/// left to the bucket after it.
pub(crate) fn exponential(index: i32, schema: i32) -> f64 {
    if schema > FINEST {
        return (f64::from(index) / f64::from(schema).exp2()).exp2();
    }
    let (fraction, exponent) = if schema < 0 {
        (0.5, i64::from(index) << schema.unsigned_abs().min(31))
    } else {
        let within = index & ((1 << schema) - 1);
        (POWERS[(within << (FINEST - schema)) as usize], i64::from(index >> schema))
    };
    if fraction == 0.5 && exponent == 1024 { f64::MAX } else { scaled(2.0 * fraction, exponent) }
}

/// `mantissa` (1 or more, less than 2) times a power of two, rounded once if it is subnormal.
fn scaled(mantissa: f64, exponent: i64) -> f64 {
    const LIFT: i64 = 100;
    let power = |exponent: i64| f64::from_bits(((exponent + 1023) as u64) << 52);
    match exponent {
        1024.. => f64::INFINITY,
        -1022.. => mantissa * power(exponent),
        -1100.. => mantissa * power(exponent + LIFT) * power(-LIFT),
        _ => 0.0,
    }
}

/// The upper bound of a custom bucket; the last one has none, and the one before the first ends at -Inf.
fn custom(index: i32, bounds: &[f64]) -> f64 {
    match usize::try_from(index) {
        Ok(index) => bounds.get(index).copied().unwrap_or(f64::INFINITY),
        Err(_) => f64::NEG_INFINITY,
    }
}

impl FloatHistogram {
    /// The bound of bucket `index` that is farther from zero (for custom buckets, the upper one), as an
    /// absolute value. That of bucket `index - 1` is where it begins.
    pub(crate) fn bound(&self, index: i32) -> f64 {
        if self.uses_custom_buckets() {
            custom(index, &self.custom_values)
        } else {
            exponential(index, self.schema)
        }
    }
}

#[cfg(test)]
mod tests;
