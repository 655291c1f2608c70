//! `rate`, `increase` and `delta` of histograms, and of counters whose starts are known.

use super::{HistogramPoint, Teller, Window};
use crate::{
    engine::annotations::HistogramOperation,
    functions::rate::{RateKind, Span},
};
use histogram::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram, Incompatible};
use model::Timestamp;
use std::sync::Arc;
use vectors::Sample;

/// Whether counting began anew between two samples, each given as its start and its time.
///
/// A start that is where the sample before was says so only if that one's start is known and lies before it:
/// with OpenTelemetry an unknown start is the first sample's own time.
pub(super) fn begins_anew(before: (Timestamp, Timestamp), now: (Timestamp, Timestamp)) -> bool {
    let ((before_start, before_time), (start, time)) = (before, now);
    if start == 0 || start >= time || start < before_time {
        return false;
    }
    start > before_time || (before_start != 0 && before_start < before_time)
}

/// Whether a start lies before the sample before without being that one's start, too.
fn overlaps(before: (Timestamp, Timestamp), start: Timestamp) -> bool {
    start != 0 && start < before.1 && start != before.0
}

/// What happened in a window, before it is stretched to its ends.
struct Change {
    first_time: Timestamp,
    last_time: Timestamp,
    /// Of the first sample, 0 if unknown.
    first_start: Timestamp,
    samples: usize,
    value: Changed,
}

enum Changed {
    Float { first: f64, change: f64 },
    Histogram { first: Arc<FloatHistogram>, change: Option<FloatHistogram> },
}

pub(super) fn extrapolated(kind: RateKind, window: &Window<'_>, teller: &mut Teller<'_>) -> Option<Sample> {
    if window.is_mixed() {
        teller.notes.mixed_samples(teller.metric, teller.span);
        return None;
    }
    let change = match window.histograms {
        [] => of_floats(kind, window, teller)?,
        points => of_histograms(kind, points, teller)?,
    };
    change.stretch(kind, window, teller)
}

fn of_floats(kind: RateKind, window: &Window<'_>, teller: &mut Teller<'_>) -> Option<Change> {
    let (first, last) = (*window.values.first()?, *window.values.last()?);
    let mut change = last - first;
    if kind != RateKind::Delta {
        let times = |at: usize| (window.starts.get(at).copied().unwrap_or_default(), window.times[at]);
        let mut overlap = false;
        for at in 1..window.values.len() {
            let (before, value) = (window.values[at - 1], window.values[at]);
            overlap |= overlaps(times(at - 1), times(at).0);
            if value < before || begins_anew(times(at - 1), times(at)) {
                change += before;
            }
        }
        if overlap {
            teller.notes.start_time_overlap(teller.metric, teller.span);
        }
    }
    Some(Change {
        first_time: *window.times.first()?,
        last_time: *window.times.last()?,
        first_start: window.starts.first().copied().unwrap_or_default(),
        samples: window.values.len(),
        value: Changed::Float { first, change },
    })
}

fn of_histograms(kind: RateKind, points: &[HistogramPoint], teller: &mut Teller<'_>) -> Option<Change> {
    let (first, last) = (points.first()?, points.last()?);
    let change = match points.len() {
        1 => None,
        _ => Some(change_of(kind, points, teller)?),
    };
    Some(Change {
        first_time: first.time,
        last_time: last.time,
        first_start: first.start,
        samples: points.len(),
        value: Changed::Histogram { first: Arc::clone(&first.histogram), change },
    })
}

/// The change from the first of two or more histograms to the last, resets made good.
fn change_of(kind: RateKind, points: &[HistogramPoint], teller: &mut Teller<'_>) -> Option<FloatHistogram> {
    let (first, last) = (&points.first()?.histogram, &points.last()?.histogram);
    let is_counter = kind != RateKind::Delta;
    let is_gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    let resets = |at: usize, before: &FloatHistogram| {
        let (a, b) = (&points[at - 1], &points[at]);
        begins_anew((a.start, a.time), (b.start, b.time)) || b.histogram.is_reset_after(before)
    };
    // Of a first sample before a reset nothing is used, so its buckets may be of any kind.
    let zero = FloatHistogram {
        schema: points[1].histogram.schema,
        custom_values: Arc::clone(&points[1].histogram.custom_values),
        ..FloatHistogram::default()
    };
    let origin = if is_counter && resets(1, first) { &zero } else { first };
    let has_custom = origin.uses_custom_buckets();
    let mut schema = last.schema.min(origin.schema);
    if is_counter && (is_gauge(first) || is_gauge(last)) {
        teller.notes.not_a_counter(teller.metric, teller.span);
    }
    let mut alike = last.uses_custom_buckets() == has_custom;
    if is_counter && alike {
        for point in &points[1..points.len() - 1] {
            if is_gauge(&point.histogram) {
                teller.notes.not_a_counter(teller.metric, teller.span);
            }
            schema = schema.min(point.histogram.schema);
            alike &= point.histogram.uses_custom_buckets() == has_custom;
        }
    }
    if !alike {
        teller.notes.mixed_buckets(teller.metric, teller.span);
        return None;
    }
    let mut change = FloatHistogram::clone(last);
    if schema != CUSTOM_BUCKETS_SCHEMA {
        change.reduce_resolution(schema);
    }
    combine(&mut change, origin, HistogramOperation::Subtraction, teller)?;
    if is_counter {
        let (mut before, mut overlap) = (origin, false);
        for at in 1..points.len() {
            overlap |= overlaps((points[at - 1].start, points[at - 1].time), points[at].start);
            if resets(at, before) {
                combine(&mut change, before, HistogramOperation::Addition, teller)?;
            }
            before = &points[at].histogram;
        }
        if overlap {
            teller.notes.start_time_overlap(teller.metric, teller.span);
        }
    } else if !(is_gauge(first) && is_gauge(last)) {
        teller.notes.not_a_gauge(teller.metric, teller.span);
    }
    change.counter_reset_hint = CounterResetHint::Gauge;
    change.compact();
    Some(change)
}

/// Adds or subtracts; none, and told, if the buckets are of different kinds.
pub(super) fn combine(
    to: &mut FloatHistogram,
    other: &FloatHistogram,
    operation: HistogramOperation,
    teller: &mut Teller<'_>,
) -> Option<()> {
    let done = match operation {
        HistogramOperation::Subtraction => to.sub(other),
        _ => to.add(other),
    };
    match done {
        Ok(combined) => {
            if combined.bounds_reconciled {
                teller.notes.reconciled_bounds(operation, teller.span);
            }
            Some(())
        }
        Err(Incompatible) => {
            teller.notes.mixed_buckets(teller.metric, teller.span);
            None
        }
    }
}

impl Change {
    fn stretch(self, kind: RateKind, window: &Window<'_>, teller: &mut Teller<'_>) -> Option<Sample> {
        let Self { first_time, last_time, first_start, samples, value } = self;
        let (start, end) = (window.start, window.end);
        if kind != RateKind::Delta && first_start != 0 && first_start > start && first_start < first_time {
            // Where counting began the counter was zero: nothing to guess on this side.
            let sampled = seconds(first_start, last_time);
            let mean = seconds(first_time, last_time) / (samples - 1).max(1) as f64;
            let to_end = until(seconds(last_time, end), mean);
            let factor = stretch_factor(kind, sampled, to_end, window);
            return Some(match value {
                Changed::Float { first, change } => Sample::Float((change + first) * factor),
                Changed::Histogram { first, change } => {
                    let mut whole = match change {
                        None => FloatHistogram::clone(&first),
                        Some(mut change) => {
                            combine(&mut change, &first, HistogramOperation::Addition, teller)?;
                            change
                        }
                    };
                    whole.scale(factor);
                    Sample::Histogram(Arc::new(whole))
                }
            });
        }
        if samples < 2 {
            return None;
        }
        match value {
            Changed::Float { first: first_value, change } => {
                let span = Span { first_time, last_time, first_value, samples, change };
                Some(Sample::Float(span.extrapolate(kind, start, end)))
            }
            Changed::Histogram { first, change } => {
                let mut change = change?;
                // Counts stand for the whole histogram.
                let span =
                    Span { first_time, last_time, first_value: first.count, samples, change: change.count };
                change.scale(span.factor(kind, start, end));
                Some(Sample::Histogram(Arc::new(change)))
            }
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to - from) as f64 / 1000.0
}

/// How far to stretch over a gap at a window's end.
fn until(gap: f64, mean: f64) -> f64 {
    if gap >= mean * 1.1 { mean / 2.0 } else { gap }
}

fn stretch_factor(kind: RateKind, sampled: f64, to_end: f64, window: &Window<'_>) -> f64 {
    let factor = if sampled == 0.0 { 1.0 } else { (sampled + to_end) / sampled };
    if kind == RateKind::Rate { factor / seconds(window.start, window.end) } else { factor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_tell_of_resets() {
        // The one before: from its start to its time.
        for (before, now, expected) in [
            ((0, 100), (0, 200), false),
            ((50, 100), (50, 200), false),
            ((50, 100), (150, 200), true),
            ((50, 100), (200, 200), false),
            ((50, 100), (250, 200), false),
            // A delta, and a cumulative one whose start is not known.
            ((50, 100), (100, 200), true),
            ((0, 100), (100, 200), false),
            ((100, 100), (100, 200), false),
            ((130, 100), (100, 200), false),
        ] {
            assert_eq!(begins_anew(before, now), expected, "{before:?} {now:?}");
        }
    }
}
