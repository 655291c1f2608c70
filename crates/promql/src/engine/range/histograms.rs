//! `*_over_time` of native histograms, alone or among floats.

use super::{Teller, Window};
use crate::{
    engine::annotations::HistogramOperation,
    functions::over_time::{OverTime, TimeOf},
};
use histogram::{Combined, FloatHistogram, Incompatible, MeanOfHistograms, SumOfHistograms};
use std::sync::Arc;
use vectors::Sample;

pub(super) fn sum(window: &Window<'_>, teller: &mut Teller<'_>) -> Option<Sample> {
    fold(window, teller, OverTime::Sum, SumOfHistograms::of, SumOfHistograms::add, SumOfHistograms::finish)
}

pub(super) fn mean(window: &Window<'_>, teller: &mut Teller<'_>) -> Option<Sample> {
    fold(window, teller, OverTime::Avg, MeanOfHistograms::of, MeanOfHistograms::add, MeanOfHistograms::finish)
}

fn fold<F>(
    window: &Window<'_>,
    teller: &mut Teller<'_>,
    of_floats: OverTime,
    of: impl FnOnce(FloatHistogram) -> F,
    add: impl Fn(&mut F, &FloatHistogram) -> Result<Combined, Incompatible>,
    finish: impl FnOnce(F) -> FloatHistogram,
) -> Option<Sample> {
    if window.is_mixed() {
        teller.notes.mixed_samples(teller.metric, teller.span);
        return None;
    }
    let [first, others @ ..] = window.histograms else {
        return of_floats.apply(window.values).map(Sample::Float);
    };
    let mut folded = of(FloatHistogram::clone(&first.histogram));
    let (mut reconciled, mut collided) = (false, false);
    for point in others {
        match add(&mut folded, &point.histogram) {
            Ok(combined) => {
                reconciled |= combined.bounds_reconciled;
                collided |= combined.counter_reset_collision;
            }
            Err(Incompatible) => {
                teller.notes.mixed_buckets(teller.metric, teller.span);
                return None;
            }
        }
    }
    if collided {
        teller.notes.reset_collision(HistogramOperation::Aggregation, teller.span);
    }
    if reconciled {
        teller.notes.reconciled_bounds(HistogramOperation::Aggregation, teller.span);
    }
    Some(Sample::Histogram(Arc::new(finish(folded))))
}

/// The oldest sample.
pub(super) fn first(window: &Window<'_>) -> Option<Sample> {
    let float = window.times.first().zip(window.values.first());
    match (float, window.histograms.first()) {
        (Some((time, value)), Some(point)) if *time < point.time => Some(Sample::Float(*value)),
        (_, Some(point)) => Some(Sample::Histogram(Arc::clone(&point.histogram))),
        (Some((_, value)), None) => Some(Sample::Float(*value)),
        (None, None) => None,
    }
}

/// The newest sample.
pub(super) fn last(window: &Window<'_>) -> Option<Sample> {
    let float = window.times.last().zip(window.values.last());
    match (float, window.histograms.last()) {
        (Some((time, value)), Some(point)) if point.time < *time => Some(Sample::Float(*value)),
        (_, Some(point)) => Some(Sample::Histogram(Arc::clone(&point.histogram))),
        (Some((_, value)), None) => Some(Sample::Float(*value)),
        (None, None) => None,
    }
}

/// The time of the oldest or newest sample, in seconds.
pub(super) fn time_of(function: TimeOf, window: &Window<'_>) -> Option<Sample> {
    let (floats, points) = (window.times, window.histograms);
    let time = match function {
        TimeOf::First => floats.first().copied().into_iter().chain(points.first().map(|p| p.time)).min(),
        _ => floats.last().copied().into_iter().chain(points.last().map(|p| p.time)).max(),
    };
    time.map(|time| Sample::Float(time as f64 / 1000.0))
}
