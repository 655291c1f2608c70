//! `irate` and `idelta`: between the last two samples.

use super::{HistogramPoint, Teller, Window, rate::begins_anew};
use crate::engine::annotations::HistogramOperation;
use histogram::{CounterResetHint, FloatHistogram, Incompatible};
use model::Timestamp;
use std::sync::Arc;
use vectors::Sample;

enum Last<'a> {
    Floats([(Timestamp, Timestamp, f64); 2]),
    Histograms([&'a HistogramPoint; 2]),
    Mixed,
}

pub(super) fn change(is_rate: bool, window: &Window<'_>, teller: &mut Teller<'_>) -> Option<Sample> {
    match last_two(window)? {
        Last::Floats([(s0, t0, v0), (s1, t1, v1)]) => {
            if t0 == t1 {
                return None;
            }
            let is_reset = is_rate && (v1 < v0 || begins_anew((s0, t0), (s1, t1)));
            let change = if is_reset { v1 } else { v1 - v0 };
            Some(Sample::Float(if is_rate { change / seconds(t0, t1) } else { change }))
        }
        Last::Histograms([before, now]) => {
            if before.time == now.time {
                return None;
            }
            of_histograms(is_rate, before, now, teller).map(|h| Sample::Histogram(Arc::new(h)))
        }
        Last::Mixed => {
            teller.notes.mixed_samples(teller.metric, teller.span);
            None
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to - from) as f64 / 1000.0
}

fn of_histograms(
    is_rate: bool,
    before: &HistogramPoint,
    now: &HistogramPoint,
    teller: &mut Teller<'_>,
) -> Option<FloatHistogram> {
    let is_gauge = |point: &HistogramPoint| point.histogram.counter_reset_hint == CounterResetHint::Gauge;
    if is_rate && (is_gauge(before) || is_gauge(now)) {
        teller.notes.not_a_counter(teller.metric, teller.span);
    }
    let are_gauges = is_gauge(before) && is_gauge(now);
    if !is_rate && !are_gauges {
        teller.notes.not_a_gauge(teller.metric, teller.span);
    }
    let mut change = FloatHistogram::clone(&now.histogram);
    let is_reset = || {
        begins_anew((before.start, before.time), (now.start, now.time))
            || now.histogram.is_reset_after(&before.histogram)
    };
    if !is_rate || !is_reset() {
        match change.sub(&before.histogram) {
            Ok(combined) if combined.bounds_reconciled => {
                teller.notes.reconciled_bounds(HistogramOperation::Subtraction, teller.span);
            }
            Ok(_) => {}
            Err(Incompatible) => {
                teller.notes.mixed_buckets(teller.metric, teller.span);
                return None;
            }
        }
    }
    change.counter_reset_hint = CounterResetHint::Gauge;
    change.compact();
    if is_rate {
        change.divide(seconds(before.time, now.time));
    }
    Some(change)
}

fn last_two<'a>(window: &Window<'a>) -> Option<Last<'a>> {
    let float = |back: usize| {
        let at = window.times.len().checked_sub(back)?;
        let start = window.starts.get(at).copied().unwrap_or_default();
        Some((start, window.times[at], window.values[at]))
    };
    let point = |back: usize| window.histograms.len().checked_sub(back).map(|at| &window.histograms[at]);
    // Of equal times the float counts as the later one.
    let later_than =
        |float: Option<(Timestamp, Timestamp, f64)>, point: Option<&HistogramPoint>| match (float, point) {
            (Some(float), Some(point)) => float.1 >= point.time,
            (float, None) => float.is_some(),
            (None, Some(_)) => false,
        };
    Some(if later_than(float(1), point(1)) {
        match later_than(float(2), point(1)) {
            true => Last::Floats([float(2)?, float(1)?]),
            false => point(1).map(|_| Last::Mixed)?,
        }
    } else {
        match later_than(float(1), point(2)) {
            true => Last::Mixed,
            false => Last::Histograms([point(2)?, point(1)?]),
        }
    })
}
