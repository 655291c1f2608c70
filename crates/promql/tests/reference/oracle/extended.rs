//! Selectors with `anchored` and `smoothed`: windows that have a value at both edges.

use super::{
    native,
    selector::{Edges, Window},
    table::{Series, Value},
};
use histogram::FloatHistogram;
use model::Timestamp;
use std::sync::Arc;

type Floats = [(Timestamp, f64)];
type Histograms = [(Timestamp, Arc<FloatHistogram>)];

/// The value at a time between two samples, on the straight line between them.
fn between(before: (Timestamp, f64), after: (Timestamp, f64), time: Timestamp, is_counter: bool) -> f64 {
    // A counter that was reset in between has grown from zero.
    let from = if is_counter && after.1 < before.1 { 0.0 } else { before.1 };
    from + (after.1 - from) * (time - before.0) as f64 / (after.0 - before.0) as f64
}

/// What a selector with `smoothed` finds at a time.
pub fn smoothed(series: &Series, time: Timestamp, lookback: i64) -> Option<Value> {
    let near = |t: Timestamp| time - lookback < t && t <= time + lookback;
    let floats: Vec<_> = series.floats.iter().filter(|(t, _)| near(*t)).copied().collect();
    let histograms: Vec<_> = series.histograms.iter().filter(|(t, _)| near(*t)).cloned().collect();
    match (floats.is_empty(), histograms.is_empty()) {
        (false, true) => smoothed_float(&floats, time).map(Value::Float),
        (true, false) => smoothed_histogram(&histograms, time).map(Value::Histogram),
        _ => None,
    }
}

fn smoothed_float(samples: &Floats, time: Timestamp) -> Option<f64> {
    let next = samples.iter().position(|(t, _)| *t >= time);
    match next {
        Some(next) if samples[next].0 == time => Some(samples[next].1),
        Some(0) => None,
        Some(next) => Some(between(samples[next - 1], samples[next], time, false)),
        None => samples.last().map(|(_, value)| *value),
    }
}

fn smoothed_histogram(samples: &Histograms, time: Timestamp) -> Option<Arc<FloatHistogram>> {
    let next = samples.iter().position(|(t, _)| *t >= time);
    match next {
        Some(next) if samples[next].0 == time => Some(Arc::clone(&samples[next].1)),
        Some(0) => None,
        Some(next) => {
            let (before, after) = (&samples[next - 1], &samples[next]);
            if before.1.uses_custom_buckets() != after.1.uses_custom_buckets() {
                return None;
            }
            let is_counter = !native::is_gauge(&before.1) || !native::is_gauge(&after.1);
            native::between(before, after, time, is_counter)
        }
        None => samples.last().map(|(_, histogram)| native::unhinted(histogram)),
    }
}

/// The samples that count: from the last one at or before the start (else the first) to the last one, or
/// with `smoothed` to the first one at or after the end.
fn span<T>(samples: &[(Timestamp, T)], window: &Window) -> Option<(usize, usize)> {
    let end = samples.len().checked_sub(1)?;
    let last = match window.edges {
        Edges::Smoothed => samples.iter().position(|(t, _)| *t >= window.end).unwrap_or(end),
        _ => end,
    };
    let first = samples[..end].iter().rposition(|(t, _)| *t <= window.start).unwrap_or(0);
    (samples[last].0 > window.start).then_some((first, last))
}

fn left(samples: &Floats, first: usize, window: &Window, is_counter: bool) -> f64 {
    match window.edges {
        Edges::Smoothed if samples[first].0 < window.start => {
            between(samples[first], samples[first + 1], window.start, is_counter)
        }
        _ => samples[first].1,
    }
}

fn right(samples: &Floats, last: usize, window: &Window, is_counter: bool) -> f64 {
    match window.edges {
        Edges::Smoothed if last > 0 && samples[last].0 > window.end => {
            between(samples[last - 1], samples[last], window.end, is_counter)
        }
        _ => samples[last].1,
    }
}

/// The floats of a window with one at each edge, as an instant query shows them.
pub fn with_edges(window: &Window) -> Vec<(Timestamp, f64)> {
    let samples = &window.floats;
    let Some((first, last)) = span(samples, window) else { return Vec::new() };
    let mut result = vec![(window.start, left(samples, first, window, false))];
    let inside = |(t, _): &&(Timestamp, f64)| window.start < *t && *t < window.end;
    result.extend(samples[first..].iter().take((last + 1).saturating_sub(first)).filter(inside));
    result.push((window.end, right(samples, last, window, false)));
    result
}

/// `rate`, `increase` and `delta` between the edges.
pub fn rate(name: &str, window: &Window) -> Option<Value> {
    let is_counter = name != "delta";
    let seconds = (window.end - window.start) as f64 / 1000.0;
    match (window.floats.is_empty(), window.histograms.is_empty()) {
        (false, true) => {
            let change = float_change(window, is_counter)?;
            Some(Value::Float(if name == "rate" { change / seconds } else { change }))
        }
        (true, false) => {
            let change = histogram_change(window, is_counter)?;
            let change = if name == "rate" { native::divided(&change, seconds) } else { change };
            Some(Value::Histogram(native::compacted(&change)))
        }
        _ => None,
    }
}

fn float_change(window: &Window, is_counter: bool) -> Option<f64> {
    let samples = &window.floats;
    let (first, last) = bounds(samples, window)?;
    let (left, right) = (left(samples, first, window, is_counter), right(samples, last, window, is_counter));
    let mut change = right - left;
    if is_counter {
        let mut before = left;
        let inside = samples.iter().take(last + 1).skip(first);
        let inside = inside.filter(|(t, _)| window.start < *t && *t < window.end).map(|(_, value)| *value);
        for value in inside.chain([right]) {
            if value < before {
                change += before;
            }
            before = value;
        }
    }
    Some(change)
}

/// As `span`, but with `smoothed` something has to lie before the end.
fn bounds<T>(samples: &[(Timestamp, T)], window: &Window) -> Option<(usize, usize)> {
    let (first, last) = span(samples, window)?;
    let too_late = window.edges == Edges::Smoothed && samples[first].0 > window.end;
    (!too_late).then_some((first, last))
}

fn histogram_change(window: &Window, is_counter: bool) -> Option<Arc<FloatHistogram>> {
    let samples = &window.histograms;
    let (first, last) = bounds(samples, window)?;
    let custom = samples[first].1.uses_custom_buckets();
    let counted = samples.get(first..=last)?;
    if counted.iter().any(|(_, histogram)| histogram.uses_custom_buckets() != custom) {
        return None;
    }
    let is_smoothed = window.edges == Edges::Smoothed;
    let left = match is_smoothed && samples[first].0 < window.start {
        true => native::between(&samples[first], &samples[first + 1], window.start, is_counter)?,
        false => Arc::clone(&samples[first].1),
    };
    let right = match is_smoothed && last > 0 && samples[last].0 > window.end {
        true => native::between(&samples[last - 1], &samples[last], window.end, is_counter)?,
        false => Arc::clone(&samples[last].1),
    };
    let mut change = native::difference(&right, &left)?;
    if is_counter {
        let mut lost = resets(window, (first, last), &left, &right).into_iter();
        if let Some(first) = lost.next() {
            let lost = lost.try_fold(first, |sum, histogram| native::total(&sum, &histogram))?;
            change = native::total(&change, &lost)?;
        }
    }
    Some(native::gauge(&change))
}

/// What the counter had reached each time before it was reset.
fn resets(
    window: &Window,
    (first, last): (usize, usize),
    left: &Arc<FloatHistogram>,
    right: &Arc<FloatHistogram>,
) -> Vec<Arc<FloatHistogram>> {
    let samples = &window.histograms;
    let (mut from, mut before) = (first + 1, Arc::clone(left));
    let is_reset_next = || native::is_reset(&samples[first].1, &samples[first + 1].1);
    if window.edges == Edges::Smoothed && samples[first].0 < window.start && is_reset_next() {
        // The left edge lies beyond that reset already.
        before = Arc::clone(&samples[first + 1].1);
        from += 1;
    }
    // The last sample is what `right` was made of. With nothing in between, both edges are of one piece.
    if from > last {
        return Vec::new();
    }
    let mut lost = Vec::new();
    for histogram in samples[from..last].iter().map(|(_, histogram)| histogram).chain([right]) {
        if native::is_reset(&before, histogram) {
            lost.push(Arc::clone(&before));
        }
        before = Arc::clone(histogram);
    }
    lost
}
