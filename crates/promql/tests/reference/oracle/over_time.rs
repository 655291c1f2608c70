//! Functions over a window of samples, but for rates.

use super::{
    Noise, exact, native,
    selector::{Edges, Window},
    table::{Result, Value, fail},
};
use model::Timestamp;

pub fn compute(name: &str, window: &Window, scalars: &[f64], noise: &Noise) -> Option<Value> {
    let floats = &window.floats;
    let values: Vec<f64> = floats.iter().map(|(_, value)| *value).collect();
    let nudged: Vec<f64> = values.iter().map(|value| noise.nudged(*value)).collect();
    let mixed = !values.is_empty() && !window.histograms.is_empty();
    let all = window.all();
    let float = |value: f64| Some(Value::Float(value));
    match name {
        "count_over_time" => float(all.len() as f64),
        "present_over_time" | "absent_over_time" => float(1.0),
        "first_over_time" => Some(all.first()?.1.clone()),
        "last_over_time" => Some(all.last()?.1.clone()),
        "ts_of_first_over_time" => float(seconds(all.first()?.0)),
        "ts_of_last_over_time" => float(seconds(all.last()?.0)),
        "changes" => float(count_pairs(window, differ)? as f64),
        "resets" => float(count_pairs(window, is_reset)? as f64),
        "sum_over_time" | "avg_over_time" if mixed => None,
        "sum_over_time" if values.is_empty() => native::sum(window.histograms.iter().map(|(_, h)| h), noise),
        "avg_over_time" if values.is_empty() => {
            native::average(window.histograms.iter().map(|(_, h)| h), noise)
        }
        // All others look at floats alone.
        _ if values.is_empty() => None,
        "sum_over_time" => float(noise.summed(exact::sum(&values))),
        "avg_over_time" => float(noise.summed(exact::mean(&values))),
        "max_over_time" => float(extreme(floats, |new, old| new > old).1),
        "min_over_time" => float(extreme(floats, |new, old| new < old).1),
        "ts_of_max_over_time" => float(seconds(extreme(floats, |new, old| new >= old).0)),
        "ts_of_min_over_time" => float(seconds(extreme(floats, |new, old| new <= old).0)),
        "stdvar_over_time" => float(noise.rounded(exact::variance(&nudged))),
        "stddev_over_time" => float(noise.rounded(exact::variance(&nudged).sqrt())),
        "quantile_over_time" => float(noise.summed(exact::quantile(scalars[0], &values))),
        "mad_over_time" => float(noise.summed(deviation(&values))),
        "deriv" if values.len() > 1 => float(noise.rounded(line(floats, floats[0].0).0)),
        "predict_linear" if values.len() > 1 => {
            let (slope, now) = line(floats, window.time);
            float(noise.rounded(slope * scalars[0] + now))
        }
        _ => None,
    }
}

fn seconds(time: Timestamp) -> f64 {
    time as f64 / 1000.0
}

/// The sample that wins over all others; NaN loses against any.
fn extreme(floats: &[(Timestamp, f64)], wins: fn(f64, f64) -> bool) -> (Timestamp, f64) {
    let mut best = floats[0];
    for sample in floats {
        if wins(sample.1, best.1) || best.1.is_nan() {
            best = *sample;
        }
    }
    best
}

/// The median distance from the median.
fn deviation(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let median = exact::quantile(0.5, values);
    let distances: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
    exact::quantile(0.5, &distances)
}

/// How many neighbours stand in the relation; `None` if an anchored window has nothing in its range.
fn count_pairs(window: &Window, related: fn(&Value, &Value) -> bool) -> Option<usize> {
    let mut samples = window.all();
    if window.edges == Edges::Anchored {
        let before = samples.iter().filter(|(time, _)| *time <= window.start).count();
        if before == samples.len() {
            return None;
        }
        // Of what lies before the range, only the newest sample counts.
        samples.drain(..before.saturating_sub(1));
    }
    Some(samples.windows(2).filter(|pair| related(&pair[0].1, &pair[1].1)).count())
}

fn differ(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Float(old), Value::Float(new)) => old != new && !(old.is_nan() && new.is_nan()),
        (Value::Histogram(old), Value::Histogram(new)) => !new.equals(old),
        _ => true,
    }
}

fn is_reset(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Float(old), Value::Float(new)) => new < old,
        (Value::Histogram(old), Value::Histogram(new)) => native::is_reset(old, new),
        _ => true,
    }
}

/// The straight line nearest to the samples: its slope a second, and its value at `origin`.
fn line(floats: &[(Timestamp, f64)], origin: Timestamp) -> (f64, f64) {
    let first = floats[0].1;
    if floats.iter().all(|(_, value)| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let x: Vec<f64> = floats.iter().map(|(time, _)| (time - origin) as f64 / 1000.0).collect();
    let y: Vec<f64> = floats.iter().map(|(_, value)| *value).collect();
    let products: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x * y).collect();
    let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
    let (n, sum_x, sum_y) = (x.len() as f64, exact::sum(&x), exact::sum(&y));
    // Distances from the means would keep more digits, but which infinity comes out hangs on this form.
    let slope = (exact::sum(&products) - sum_x * sum_y / n) / (exact::sum(&squares) - sum_x * sum_x / n);
    (slope, sum_y / n - slope * sum_x / n)
}

/// Double exponential smoothing: level and trend, both smoothed.
pub fn smoothing(window: &Window, level_factor: f64, trend_factor: f64) -> Result<Option<f64>> {
    let outside = |factor: f64| factor <= 0.0 || factor >= 1.0;
    if outside(level_factor) || outside(trend_factor) {
        return fail("a smoothing or trend factor outside of (0, 1)");
    }
    let values: Vec<f64> = window.floats.iter().map(|(_, value)| *value).collect();
    if values.len() < 2 {
        return Ok(None);
    }
    let (mut level, mut trend) = (values[0], values[1] - values[0]);
    for (i, value) in values.iter().enumerate().skip(1) {
        let before = level;
        level = level_factor * value + (1.0 - level_factor) * (before + trend);
        if i + 1 < values.len() {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
    }
    Ok(Some(level))
}
