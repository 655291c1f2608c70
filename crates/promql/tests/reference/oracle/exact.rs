//! Statistics of plain numbers, computed with more care than speed.

/// A sum that keeps what each addition loses, after Neumaier.
pub fn sum(values: &[f64]) -> f64 {
    let (sum, lost) = values.iter().fold((0.0, 0.0), |sum, value| add(sum, *value));
    // With an infinity on the way, nothing is left to correct.
    if sum.is_finite() { sum + lost } else { sum }
}

/// The mean, also where the sum would be too large for a float.
pub fn mean(values: &[f64]) -> f64 {
    let (sum, count) = (sum(values), values.len() as f64);
    if sum.is_finite() || values.iter().any(|value| !value.is_finite()) {
        return sum / count;
    }
    self::sum(&values.iter().map(|value| value / count).collect::<Vec<_>>())
}

/// Adds to a sum and to what it has lost so far.
fn add((sum, lost): (f64, f64), value: f64) -> (f64, f64) {
    let next = sum + value;
    if next.is_infinite() {
        return (next, 0.0);
    }
    let rounded = if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
    (next, lost + rounded)
}

/// The variance of all there is (not of a sample of it), as functions over time compute it. Where values are
/// large and near to each other, what comes out hangs on just this way.
pub fn variance(values: &[f64]) -> f64 {
    if values.iter().any(|value| !value.is_finite()) {
        return f64::NAN;
    }
    let (mut mean, mut squares) = ((0.0, 0.0), (0.0, 0.0));
    for (i, value) in values.iter().enumerate() {
        let distance = value - (mean.0 + mean.1);
        mean = add(mean, distance / (i + 1) as f64);
        squares = add(squares, distance * (value - (mean.0 + mean.1)));
    }
    (squares.0 + squares.1) / values.len() as f64
}

/// The variance as aggregations compute it, one value after the other. It loses digits where all values are
/// large and near to each other.
pub fn running_variance(values: &[f64]) -> f64 {
    if values.iter().any(|value| !value.is_finite()) {
        return f64::NAN;
    }
    let (mut mean, mut squares) = (values[0], 0.0);
    for (i, value) in values.iter().enumerate().skip(1) {
        let distance = value - mean;
        mean += distance / (i + 1) as f64;
        squares += distance * (value - mean);
    }
    squares / values.len() as f64
}

/// The quantile, between two values in proportion; NaN counts as the least value.
pub fn quantile(q: f64, values: &[f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (sorted.len() - 1) as f64;
    let (below, weight) = (rank.floor(), rank - rank.floor());
    let above = (below as usize + 1).min(sorted.len() - 1);
    sorted[below as usize] * (1.0 - weight) + sorted[above] * weight
}
