//! Native histograms: what the functions and operators make of them.
//!
//! Adding and comparing them is left to the crate that has been tested for just that.

mod numbers;

pub use numbers::{fraction, number, quantile};

use super::{Noise, table::Value};
use histogram::{CounterResetHint, FloatHistogram, MeanOfHistograms, SumOfHistograms};
use model::Timestamp;
use std::sync::Arc;

type Shared = Arc<FloatHistogram>;

fn changed(histogram: &FloatHistogram, change: impl FnOnce(&mut FloatHistogram)) -> Shared {
    let mut copy = histogram.clone();
    change(&mut copy);
    Arc::new(copy)
}

pub fn scaled(histogram: &FloatHistogram, factor: f64) -> Shared {
    changed(histogram, |h| h.scale(factor))
}

pub fn divided(histogram: &FloatHistogram, by: f64) -> Shared {
    changed(histogram, |h| h.divide(by))
}

pub fn compacted(histogram: &FloatHistogram) -> Shared {
    changed(histogram, FloatHistogram::compact)
}

pub fn hinted(histogram: &FloatHistogram, hint: CounterResetHint) -> Shared {
    changed(histogram, |h| h.counter_reset_hint = hint)
}

pub fn unhinted(histogram: &FloatHistogram) -> Shared {
    hinted(histogram, CounterResetHint::Unknown)
}

pub fn gauge(histogram: &FloatHistogram) -> Shared {
    hinted(histogram, CounterResetHint::Gauge)
}

pub fn is_gauge(histogram: &FloatHistogram) -> bool {
    histogram.counter_reset_hint == CounterResetHint::Gauge
}

pub fn trimmed(histogram: &FloatHistogram, bound: f64, is_upper: bool) -> Shared {
    changed(histogram, |h| if is_upper { h.trim_upper(bound) } else { h.trim_lower(bound) })
}

/// Counts that may differ in their last bits.
pub fn shaken(histogram: &FloatHistogram, noise: &Noise) -> Shared {
    changed(histogram, |h| {
        let sides = h.positive.counts.iter_mut().chain(&mut h.negative.counts);
        for value in sides.chain([&mut h.zero_count, &mut h.count, &mut h.sum]) {
            *value = noise.rounded(*value);
        }
    })
}

pub fn is_reset(old: &FloatHistogram, new: &FloatHistogram) -> bool {
    new.is_reset_after(old)
}

/// `None` where custom and exponential buckets meet, here and below.
pub fn total(a: &FloatHistogram, b: &FloatHistogram) -> Option<Shared> {
    let mut copy = a.clone();
    copy.add(b).ok()?;
    Some(Arc::new(copy))
}

pub fn difference(a: &FloatHistogram, b: &FloatHistogram) -> Option<Shared> {
    let mut copy = a.clone();
    copy.sub(b).ok()?;
    Some(Arc::new(copy))
}

pub fn sum<'h>(histograms: impl IntoIterator<Item = &'h Shared>, noise: &Noise) -> Option<Value> {
    let mut histograms = histograms.into_iter();
    let mut sum = SumOfHistograms::of(histograms.next()?.as_ref().clone());
    for histogram in histograms {
        sum.add(histogram).ok()?;
    }
    Some(Value::Histogram(shaken(&sum.finish(), noise)))
}

pub fn average<'h>(histograms: impl IntoIterator<Item = &'h Shared>, noise: &Noise) -> Option<Value> {
    let mut histograms = histograms.into_iter();
    let mut mean = MeanOfHistograms::of(histograms.next()?.as_ref().clone());
    for histogram in histograms {
        mean.add(histogram).ok()?;
    }
    Some(Value::Histogram(shaken(&mean.finish(), noise)))
}

/// By how much histograms grew from the first to the last, or changed if they are no counters.
pub fn increase(samples: &[(Timestamp, Shared)], is_counter: bool) -> Option<Shared> {
    let all: Vec<&Shared> = samples.iter().map(|(_, histogram)| histogram).collect();
    let (second, last) = (all[1], all[all.len() - 1]);
    let mut first = Arc::clone(all[0]);
    if is_counter && is_reset(&first, second) {
        // The first one does not count, so its buckets need not fit.
        first = Arc::new(FloatHistogram {
            schema: second.schema,
            custom_values: Arc::clone(&second.custom_values),
            ..FloatHistogram::default()
        });
    }
    let custom = first.uses_custom_buckets();
    let between = &all[1..all.len() - 1];
    if last.uses_custom_buckets() != custom
        || is_counter && between.iter().any(|h| h.uses_custom_buckets() != custom)
    {
        return None;
    }
    let schemas = between.iter().filter(|_| is_counter).map(|h| h.schema);
    let schema = schemas.chain([first.schema, last.schema]).min()?;
    let mut change = difference(&changed(last, |h| h.reduce_resolution(schema)), &first)?;
    if is_counter {
        let mut before = first;
        for histogram in &all[1..] {
            if is_reset(&before, histogram) {
                change = total(&change, &before)?;
            }
            before = Arc::clone(histogram);
        }
    }
    Some(compacted(&gauge(&change)))
}

/// What `irate` and `idelta` see between the last two.
pub fn change(old: &FloatHistogram, new: &FloatHistogram, is_counter: bool) -> Option<Shared> {
    let change = match is_counter && is_reset(old, new) {
        true => Arc::new(new.clone()),
        false => difference(new, old)?,
    };
    Some(compacted(&gauge(&change)))
}

/// A histogram on the straight line between two others.
pub fn between(
    (start, old): &(Timestamp, Shared),
    (end, new): &(Timestamp, Shared),
    time: Timestamp,
    is_counter: bool,
) -> Option<Shared> {
    if time == *start {
        return Some(Arc::clone(old));
    }
    if time == *end {
        return Some(Arc::clone(new));
    }
    let fraction = (time - start) as f64 / (end - start) as f64;
    if is_counter && is_reset(old, new) {
        return Some(scaled(new, fraction));
    }
    total(&scaled(&*difference(new, old)?, fraction), old)
}
