//! Addition that keeps the low bits: Kahan's summation with Neumaier's improvement.

/// Adds `value` to `sum`, and what the addition loses to `error`.
#[inline]
pub fn add_compensated(sum: &mut f64, error: &mut f64, value: f64) {
    let total = *sum + value;
    if total.is_infinite() {
        *error = 0.0;
    } else if sum.abs() >= value.abs() {
        *error += (*sum - total) + value;
    } else {
        *error += (value - total) + *sum;
    }
    *sum = total;
}

/// The mean of `count` values that add up to `sum` and `error`. The order in which they were added may
/// have left other halves of the same sum; put right first, they give the same mean.
#[inline]
pub fn compensated_mean(sum: f64, error: f64, count: f64) -> f64 {
    let whole = sum + error;
    if !whole.is_finite() {
        return sum / count + error / count;
    }
    whole / count + ((sum - whole) + error) / count
}
