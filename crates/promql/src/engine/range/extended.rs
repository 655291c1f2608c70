//! `rate`, `increase` and `delta` with `anchored` or `smoothed` edges: nothing is extrapolated.
//!
//! A window's samples are those that count; of them the value at its start is that of the last sample up to
//! there, and with `smoothed` edges both values are interpolated.

use super::{HistogramPoint, Teller, Window, rate::combine};
use crate::{
    engine::{annotations::HistogramOperation, plan::Edges},
    functions::rate::RateKind,
};
use histogram::{CounterResetHint, FloatHistogram};
use model::Timestamp;
use std::sync::Arc;
use vectors::Sample;

pub(super) fn rate(
    kind: RateKind,
    window: &Window<'_>,
    edges: Edges,
    teller: &mut Teller<'_>,
) -> Option<Sample> {
    if window.is_mixed() {
        teller.notes.mixed_samples(teller.metric, teller.span);
        return None;
    }
    let smoothed = matches!(edges, Edges::Smoothed { .. });
    match window.histograms {
        [] => of_floats(kind, window, smoothed).map(Sample::Float),
        points => {
            of_histograms(kind, window, points, smoothed, teller).map(|h| Sample::Histogram(Arc::new(h)))
        }
    }
}

fn seconds(window: &Window<'_>) -> f64 {
    (window.end - window.start) as f64 / 1000.0
}

/// The first and last sample that count; none if nothing in the range does.
fn bounds(
    count: usize,
    time: impl Fn(usize) -> Timestamp,
    window: &Window<'_>,
    smoothed: bool,
) -> Option<(usize, usize)> {
    let end = count.checked_sub(1)?;
    let first_after = (0..end).find(|at| time(*at) > window.start).unwrap_or(end);
    let first = first_after.saturating_sub(1);
    let last = if smoothed { (0..end).find(|at| time(*at) >= window.end).unwrap_or(end) } else { end };
    let outside = time(last) <= window.start || (smoothed && time(first) > window.end);
    (!outside).then_some((first, last))
}

/// The value on the line between two points. A counter that fell began at zero.
fn interpolate(from: (Timestamp, f64), to: (Timestamp, f64), at: Timestamp, is_counter: bool) -> f64 {
    let start = if is_counter && to.1 < from.1 { 0.0 } else { from.1 };
    start + (to.1 - start) * (at - from.0) as f64 / (to.0 - from.0) as f64
}

/// The values of a window's samples at its two ends.
fn ends(window: &Window<'_>, (first, last): (usize, usize), smoothed: bool, is_counter: bool) -> (f64, f64) {
    let point = |at: usize| (window.times[at], window.values[at]);
    let left = match smoothed && window.times[first] < window.start {
        true => interpolate(point(first), point(first + 1), window.start, is_counter),
        false => window.values[first],
    };
    let right = match smoothed && last > 0 && window.times[last] > window.end {
        true => interpolate(point(last - 1), point(last), window.end, is_counter),
        false => window.values[last],
    };
    (left, right)
}

fn of_floats(kind: RateKind, window: &Window<'_>, smoothed: bool) -> Option<f64> {
    let (first, last) = bounds(window.times.len(), |at| window.times[at], window, smoothed)?;
    let is_counter = kind != RateKind::Delta;
    let (left, right) = ends(window, (first, last), smoothed, is_counter);
    let mut change = right - left;
    if is_counter {
        // What lies strictly inside; the values at the ends know of the resets around them.
        let from = first + usize::from(window.times[first] <= window.start);
        let to = (last + 1).saturating_sub(usize::from(window.times[last] >= window.end)).max(from);
        let mut before = left;
        for value in window.values[from..to].iter().chain([&right]) {
            if *value < before {
                change += before;
            }
            before = *value;
        }
    }
    Some(if kind == RateKind::Rate { change / seconds(window) } else { change })
}

/// A range of samples with a value at each of its two ends.
pub(crate) fn with_ends(
    times: &[Timestamp],
    values: &[f64],
    (start, end): (Timestamp, Timestamp),
    smoothed: bool,
) -> (Vec<Timestamp>, Vec<f64>) {
    let window = Window { start, end, times, values, starts: &[], histograms: &[] };
    let Some(count) = times.len().checked_sub(1) else { return Default::default() };
    let first = (0..count).find(|at| times[*at] > start).unwrap_or(count).saturating_sub(1);
    let last = if smoothed { (0..count).find(|at| times[*at] >= end).unwrap_or(count) } else { count };
    if times[last] <= start {
        return Default::default();
    }
    let (left, right) = ends(&window, (first, last), smoothed, false);
    let from = first + usize::from(times[first] <= start);
    let to = (last + 1).saturating_sub(usize::from(times[last] >= end)).max(from);
    let (mut out_times, mut out_values) = (vec![start], vec![left]);
    out_times.extend_from_slice(&times[from..to]);
    out_values.extend_from_slice(&values[from..to]);
    out_times.push(end);
    out_values.push(right);
    (out_times, out_values)
}

fn of_histograms(
    kind: RateKind,
    window: &Window<'_>,
    points: &[HistogramPoint],
    smoothed: bool,
    teller: &mut Teller<'_>,
) -> Option<FloatHistogram> {
    let (first, last) = bounds(points.len(), |at| points[at].time, window, smoothed)?;
    let is_counter = kind != RateKind::Delta;
    let is_gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    for point in &points[first..=last] {
        if point.histogram.uses_custom_buckets() != points[first].histogram.uses_custom_buckets() {
            teller.notes.mixed_buckets(teller.metric, teller.span);
            return None;
        }
        if is_counter && is_gauge(&point.histogram) {
            teller.notes.not_a_counter(teller.metric, teller.span);
        }
    }
    let left = match smoothed && points[first].time < window.start {
        true => between(&points[first], &points[first + 1], window.start, is_counter, teller)?,
        false => FloatHistogram::clone(&points[first].histogram),
    };
    let right = match smoothed && last > 0 && points[last].time > window.end {
        true => between(&points[last - 1], &points[last], window.end, is_counter, teller)?,
        false => FloatHistogram::clone(&points[last].histogram),
    };
    let are_gauges = is_gauge(&left) && is_gauge(&right);
    if !is_counter && !are_gauges {
        teller.notes.not_a_gauge(teller.metric, teller.span);
    }
    let mut change = right.clone();
    combine(&mut change, &left, HistogramOperation::Subtraction, teller)?;
    if is_counter {
        let lost = lost_by_resets(window, points, (first, last), (&left, &right), smoothed, teller)?;
        if let Some(lost) = lost {
            combine(&mut change, &lost, HistogramOperation::Addition, teller)?;
        }
    }
    if kind == RateKind::Rate {
        change.divide(seconds(window));
    }
    change.counter_reset_hint = CounterResetHint::Gauge;
    change.compact();
    Some(change)
}

/// What the counter lost by resets between the two ends; the outer `None` if it cannot be added up.
fn lost_by_resets(
    window: &Window<'_>,
    points: &[HistogramPoint],
    (first, last): (usize, usize),
    (left, right): (&FloatHistogram, &FloatHistogram),
    smoothed: bool,
    teller: &mut Teller<'_>,
) -> Option<Option<FloatHistogram>> {
    let (mut from, mut before) = (first + 1, left);
    if smoothed
        && points[first].time < window.start
        && points[first + 1].histogram.is_reset_after(&points[first].histogram)
    {
        // The value at the start was interpolated over this reset already.
        before = &points[first + 1].histogram;
        from += 1;
    }
    if from > last {
        return Some(None);
    }
    let mut lost: Option<FloatHistogram> = None;
    // The last sample is what the value at the end was made of, and has its hint.
    let inner = points[from..last].iter().map(|point| &*point.histogram);
    for now in inner.chain([right]) {
        if now.is_reset_after(before) {
            match &mut lost {
                None => lost = Some(before.clone()),
                Some(lost) => combine(lost, before, HistogramOperation::Addition, teller)?,
            }
        }
        before = now;
    }
    Some(lost)
}

/// The histogram between two, bucket by bucket on a line. A counter that was reset began at zero.
pub(crate) fn between(
    from: &HistogramPoint,
    to: &HistogramPoint,
    at: Timestamp,
    is_counter: bool,
    teller: &mut Teller<'_>,
) -> Option<FloatHistogram> {
    if at == from.time {
        return Some(FloatHistogram::clone(&from.histogram));
    }
    let mut result = FloatHistogram::clone(&to.histogram);
    if at == to.time {
        return Some(result);
    }
    let share = (at - from.time) as f64 / (to.time - from.time) as f64;
    if is_counter && to.histogram.is_reset_after(&from.histogram) {
        result.scale(share);
        return Some(result);
    }
    combine(&mut result, &from.histogram, HistogramOperation::Subtraction, teller)?;
    result.scale(share);
    combine(&mut result, &from.histogram, HistogramOperation::Addition, teller)?;
    Some(result)
}
