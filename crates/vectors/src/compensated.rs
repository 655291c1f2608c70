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
