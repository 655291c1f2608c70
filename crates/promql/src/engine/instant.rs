//! Instant selectors where a series has native histograms, and what else is more than the newest float.

use super::{
    plan::Edges,
    range::{HistogramPoint, RangeSamples, Teller, between},
    window::WindowSpec,
};
use histogram::{CounterResetHint, FloatHistogram};
use model::{Timestamp, is_stale};
use service_api::SampleBuffer;
use std::sync::Arc;
use vectors::{Histograms, Sample, absent};

/// Where the values of all steps go.
type Out<'a> = (&'a mut Vec<f64>, &'a mut Histograms);

/// The newest sample of a step's lookback.
#[derive(Clone, Copy)]
enum Newest {
    Float(usize),
    Histogram(usize),
}

/// The newest samples. Of equal times the histogram counts.
pub(crate) fn newest(spec: &WindowSpec, samples: &SampleBuffer, (values, histograms): Out<'_>) {
    let mut last: Option<(usize, Arc<FloatHistogram>)> = None;
    *histograms = Histograms::default();
    values.clear();
    for step in 0..spec.steps.count {
        values.push(match pick(spec, samples, step) {
            Some(Newest::Float(at)) => samples.values[at],
            Some(Newest::Histogram(at)) => {
                let histogram = match &last {
                    Some((known, histogram)) if *known == at => Arc::clone(histogram),
                    _ => Arc::new(FloatHistogram::from(&samples.histograms[at].histogram)),
                };
                last = Some((at, Arc::clone(&histogram)));
                histograms.set(step, spec.steps.count, histogram);
                absent()
            }
            None => absent(),
        });
    }
}

/// Their times in seconds.
pub(crate) fn newest_time(spec: &WindowSpec, samples: &SampleBuffer, out: Out<'_>) {
    of_newest(spec, samples, out, |newest| match newest {
        Newest::Float(at) => Some(samples.timestamps[at]),
        Newest::Histogram(at) => Some(samples.histograms[at].timestamp),
    });
}

/// When their counting began, in seconds; none if the source knows no starts.
pub(crate) fn newest_start(spec: &WindowSpec, samples: &SampleBuffer, out: Out<'_>) {
    of_newest(spec, samples, out, |newest| match newest {
        Newest::Float(at) => Some(samples.starts.floats.get(at).copied().unwrap_or_default()),
        Newest::Histogram(at) => Some(samples.starts.histograms.get(at).copied().unwrap_or_default()),
    });
}

fn of_newest(
    spec: &WindowSpec,
    samples: &SampleBuffer,
    (values, histograms): Out<'_>,
    time: impl Fn(Newest) -> Option<Timestamp>,
) {
    *histograms = Histograms::default();
    values.clear();
    values.extend((0..spec.steps.count).map(|step| {
        pick(spec, samples, step).and_then(&time).map_or_else(absent, |time| time as f64 / 1000.0)
    }));
}

fn pick(spec: &WindowSpec, samples: &SampleBuffer, step: usize) -> Option<Newest> {
    let end = spec.window_end(step);
    let start = end.saturating_sub(spec.range);
    let float = samples.timestamps.partition_point(|time| *time <= end).checked_sub(1);
    let point = samples.histograms.partition_point(|h| h.timestamp <= end).checked_sub(1);
    let float = float.map(|at| (samples.timestamps[at], at));
    let point = point.map(|at| (samples.histograms[at].timestamp, at));
    let (time, newest, value) = match (float, point) {
        (Some((time, at)), point) if point.is_none_or(|(other, _)| time > other) => {
            (time, Newest::Float(at), samples.values[at])
        }
        (_, Some((time, at))) => (time, Newest::Histogram(at), samples.histograms[at].histogram.sum),
        (_, None) => return None,
    };
    (time > start && !is_stale(value)).then_some(newest)
}

/// `smoothed`: the value on the line between the sample before and the one after, or where there is none
/// after, the one before.
pub(crate) fn interpolated(
    spec: &WindowSpec,
    samples: &RangeSamples,
    teller: &mut Teller<'_>,
    (values, histograms): Out<'_>,
) {
    *histograms = Histograms::default();
    values.clear();
    for step in 0..spec.steps.count {
        values.push(match interpolated_at(spec, samples, spec.window_end(step), teller) {
            Some(Sample::Float(value)) => value,
            Some(Sample::Histogram(histogram)) => {
                histograms.set(step, spec.steps.count, histogram);
                absent()
            }
            None => absent(),
        });
    }
}

fn interpolated_at(
    spec: &WindowSpec,
    samples: &RangeSamples,
    at: Timestamp,
    teller: &mut Teller<'_>,
) -> Option<Sample> {
    let (_, after) = Edges::Smoothed { lookback: spec.range }.reach();
    let (first, last) = (at.saturating_sub(spec.range), at.saturating_add(after));
    let floats =
        samples.times.partition_point(|t| *t <= first)..samples.times.partition_point(|t| *t <= last);
    let points = samples.histograms.partition_point(|p| p.time <= first)
        ..samples.histograms.partition_point(|p| p.time <= last);
    match (floats.is_empty(), points.is_empty()) {
        (true, true) => None,
        (false, false) => {
            teller.notes.mixed_samples(teller.metric, teller.span);
            None
        }
        (false, true) => float_at(&samples.times[floats.clone()], &samples.values[floats], at),
        (true, false) => histogram_at(&samples.histograms[points], at, teller),
    }
}

fn float_at(times: &[Timestamp], values: &[f64], at: Timestamp) -> Option<Sample> {
    let next = times.partition_point(|time| *time < at);
    if times.get(next) == Some(&at) {
        return Some(Sample::Float(values[next]));
    }
    let before = next.checked_sub(1)?;
    let Some(after) = times.get(next) else { return Some(Sample::Float(values[before])) };
    let change = (values[next] - values[before]) * (at - times[before]) as f64;
    Some(Sample::Float(values[before] + change / (after - times[before]) as f64))
}

fn histogram_at(points: &[HistogramPoint], at: Timestamp, teller: &mut Teller<'_>) -> Option<Sample> {
    let next = points.partition_point(|point| point.time < at);
    if let Some(point) = points.get(next).filter(|point| point.time == at) {
        return Some(Sample::Histogram(Arc::clone(&point.histogram)));
    }
    let before = &points[next.checked_sub(1)?];
    let Some(after) = points.get(next) else {
        // A hint tells of a sample and the one before it, not of the value.
        let mut histogram = FloatHistogram::clone(&before.histogram);
        histogram.counter_reset_hint = CounterResetHint::Unknown;
        return Some(Sample::Histogram(Arc::new(histogram)));
    };
    if before.histogram.uses_custom_buckets() != after.histogram.uses_custom_buckets() {
        teller.notes.mixed_buckets(teller.metric, teller.span);
        return None;
    }
    let is_gauge = |point: &HistogramPoint| point.histogram.counter_reset_hint == CounterResetHint::Gauge;
    let is_counter = !(is_gauge(before) && is_gauge(after));
    between(before, after, at, is_counter, teller).map(|h| Sample::Histogram(Arc::new(h)))
}
