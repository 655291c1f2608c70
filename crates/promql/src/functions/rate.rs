//! Functions of change over one window: `rate` and its relatives, `deriv`, `predict_linear`.
//!
//! A window holds the samples after `start` and up to `end` (ranges are open on the left
//! since Prometheus 3), in time order; all times are in milliseconds.

use super::kahan::KahanSum;
use model::Timestamp;

/// What extrapolation needs to know of a window's samples.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    pub first_value: f64,
    pub samples: usize,
    /// By how much the value changed, counter resets made good.
    pub change: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKind {
    Rate,
    Increase,
    Delta,
}

/// `rate`, `increase` and `delta`. `None` for fewer than two samples.
pub fn extrapolated(
    kind: RateKind,
    times: &[Timestamp],
    values: &[f64],
    start: Timestamp,
    end: Timestamp,
) -> Option<f64> {
    let ([first_time, .., last_time], [first_value, .., last_value]) = (times, values) else { return None };
    let mut change = last_value - first_value;
    if kind != RateKind::Delta {
        change = counting_resets(change, values);
    }
    let span = Span {
        first_time: *first_time,
        last_time: *last_time,
        first_value: *first_value,
        samples: values.len(),
        change,
    };
    Some(span.extrapolate(kind, start, end))
}

/// A counter's change with what it lost by falling back to zero, added one after the other as
/// Prometheus does: where values cancel each other the order tells.
fn counting_resets(change: f64, values: &[f64]) -> f64 {
    values.windows(2).filter(|w| w[1] < w[0]).fold(change, |change, w| change + w[0])
}

impl Span {
    /// Stretches the change to the window's ends: all the way where the next sample would
    /// be due about there (within 1.1 mean intervals), else by half an interval, for the
    /// series may have begun or ended there. A counter is never stretched below zero.
    /// There must be two samples or more.
    pub fn extrapolate(&self, kind: RateKind, start: Timestamp, end: Timestamp) -> f64 {
        self.change * self.factor(kind, start, end)
    }

    /// What the change is multiplied with for that.
    pub fn factor(&self, kind: RateKind, start: Timestamp, end: Timestamp) -> f64 {
        let seconds = |from: Timestamp, to: Timestamp| (to - from) as f64 / 1000.0;
        let sampled = seconds(self.first_time, self.last_time);
        let interval = sampled / (self.samples - 1) as f64;
        let stretch = |gap: f64| if gap >= interval * 1.1 { interval / 2.0 } else { gap };
        let mut to_start = stretch(seconds(start, self.first_time));
        let to_end = stretch(seconds(self.last_time, end));
        if kind != RateKind::Delta && self.change > 0.0 && self.first_value >= 0.0 {
            to_start = to_start.min(sampled * (self.first_value / self.change));
        }
        let factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
        match kind {
            RateKind::Rate => factor / seconds(start, end),
            RateKind::Increase | RateKind::Delta => factor,
        }
    }
}

/// `irate`: the slope per second between the last two samples of a counter.
pub fn irate(times: &[Timestamp], values: &[f64]) -> Option<f64> {
    let ([.., t0, t1], [.., v0, v1]) = (times, values) else { return None };
    let change = if v1 < v0 { *v1 } else { v1 - v0 };
    (t1 != t0).then(|| change / ((t1 - t0) as f64 / 1000.0))
}

/// `idelta`: the difference between the last two samples.
pub fn idelta(values: &[f64]) -> Option<f64> {
    let [.., v0, v1] = values else { return None };
    Some(v1 - v0)
}

/// How often a counter fell.
pub fn resets(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.windows(2).filter(|w| w[1] < w[0]).count() as f64) }
}

/// How often the value changed; from NaN to NaN is no change.
pub fn changes(values: &[f64]) -> Option<f64> {
    let differ = |w: &&[f64]| w[0] != w[1] && !(w[0].is_nan() && w[1].is_nan());
    if values.is_empty() { None } else { Some(values.windows(2).filter(differ).count() as f64) }
}

/// `deriv`: the slope per second of the line of least squares.
pub fn deriv(times: &[Timestamp], values: &[f64]) -> Option<f64> {
    // Times are counted from the first sample: large ones would cost precision.
    let first = *times.first()?;
    linear_regression(times, values, first).map(|(slope, _)| slope)
}

/// `predict_linear`: that line, `seconds` after `now`.
pub fn predict_linear(times: &[Timestamp], values: &[f64], now: Timestamp, seconds: f64) -> Option<f64> {
    linear_regression(times, values, now).map(|(slope, at_now)| slope * seconds + at_now)
}

/// Slope per second and value at `origin` of the line of least squares; `None` for fewer
/// than two samples. A constant series is answered exactly.
pub fn linear_regression(times: &[Timestamp], values: &[f64], origin: Timestamp) -> Option<(f64, f64)> {
    let [first, rest @ ..] = values else { return None };
    if rest.is_empty() {
        return None;
    }
    if rest.iter().all(|v| v == first) {
        return Some(if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, *first) });
    }
    let [mut x, mut y, mut xy, mut xx] = [KahanSum::default(); 4];
    for (time, value) in times.iter().zip(values) {
        let at = (time - origin) as f64 / 1000.0;
        x.add(at);
        y.add(*value);
        xy.add(at * value);
        xx.add(at * at);
    }
    let count = values.len() as f64;
    let [x, y, xy, xx] = [x.value(), y.value(), xy.value(), xx.value()];
    let slope = (xy - x * y / count) / (xx - x * x / count);
    Some((slope, y / count - slope * x / count))
}

/// Holt's double exponential smoothing; both factors lie between 0 and 1. `None` for fewer
/// than two samples.
pub fn double_exponential_smoothing(values: &[f64], smoothing: f64, trend_factor: f64) -> Option<f64> {
    let [first, second, ..] = values else { return None };
    let (mut before, mut level, mut trend) = (0.0, *first, second - first);
    for (i, value) in values.iter().enumerate().skip(1) {
        if i > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + trend);
        (before, level) = (level, next);
    }
    Some(level)
}

#[cfg(test)]
mod tests;
