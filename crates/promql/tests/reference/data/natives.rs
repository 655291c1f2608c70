//! Random native histograms.

use crate::reference::{oracle::table::Value, random::Random};
use histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram, Span};
use std::sync::Arc;

const COUNT: usize = 140;

/// A counter with exponential buckets, or a gauge; the resolution changes now and then.
pub fn exponential(random: &mut Random) -> Vec<Value> {
    let is_gauge = random.chance(20);
    let hint = if is_gauge { CounterResetHint::Gauge } else { CounterResetHint::Unknown };
    let mut now = fresh(random, hint);
    let two_sided = random.chance(40);
    series(random, move |random| {
        if random.chance(5) || is_gauge {
            now = fresh(random, hint);
        }
        if random.chance(3) {
            now.reduce_resolution(now.schema - 1);
        }
        let sides = if two_sided { 2 } else { 1 };
        for side in [&mut now.positive, &mut now.negative].into_iter().take(sides) {
            grow(random, side, &mut now.count);
        }
        let in_zero = random.between(0, 2) as f64;
        now.zero_count += in_zero;
        now.count += in_zero;
        now.sum += random.between(0, 40) as f64 / 4.0;
        now.clone()
    })
}

fn fresh(random: &mut Random, hint: CounterResetHint) -> FloatHistogram {
    let threshold = [0.0, 0.001, 0.5][random.below(3)];
    let schema = random.between(-1, 2) as i32;
    FloatHistogram {
        counter_reset_hint: hint,
        schema,
        zero_threshold: threshold,
        ..FloatHistogram::default()
    }
}

/// Adds a few observations; to buckets that are there, or to one more at the upper end.
fn grow(random: &mut Random, side: &mut Buckets, count: &mut f64) {
    if side.counts.len() < 6 && (side.counts.is_empty() || random.chance(20)) {
        match side.spans.last_mut() {
            Some(span) if random.chance(60) => span.length += 1,
            Some(_) => side.spans.push(Span { offset: random.between(1, 3) as i32, length: 1 }),
            None => side.spans.push(Span { offset: random.between(-2, 3) as i32, length: 1 }),
        }
        side.counts.push(0.0);
    }
    let at = random.below(side.counts.len());
    let more = random.between(0, 5) as f64;
    side.counts[at] += more;
    *count += more;
}

/// A counter with bounds of its own.
pub fn custom(random: &mut Random) -> Vec<Value> {
    let bounds: [&[f64]; 4] = [&[0.5, 1.0, 5.0], &[0.5, 1.0, 5.0], &[1.0, 5.0, 25.0], &[-2.0, 0.0, 1.0]];
    let mut now = with_bounds(bounds[random.below(4)]);
    series(random, move |random| {
        if random.chance(4) {
            now = with_bounds(bounds[random.below(4)]);
        }
        let at = random.below(now.positive.counts.len());
        let more = random.between(0, 5) as f64;
        now.positive.counts[at] += more;
        now.count += more;
        now.sum += more * at as f64 / 2.0;
        now.clone()
    })
}

fn with_bounds(bounds: &[f64]) -> FloatHistogram {
    let length = bounds.len() + 1;
    FloatHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        custom_values: bounds.into(),
        positive: Buckets {
            spans: vec![Span { offset: 0, length: length as u32 }],
            counts: vec![0.0; length],
        },
        ..FloatHistogram::default()
    }
}

/// Floats, then histograms, and back.
pub fn mixed(random: &mut Random) -> Vec<Value> {
    let mut values = exponential(random);
    if random.chance(50) {
        values = custom(random);
    }
    let other = exponential(random);
    let (from, to) = (random.below(COUNT / 2), COUNT / 2 + random.below(COUNT / 2));
    for (i, value) in values.iter_mut().enumerate() {
        if i < from || i > to {
            *value = Value::Float(random.between(0, 12) as f64);
        } else if random.chance(10) {
            *value = other[i].clone();
        }
    }
    values
}

fn series(random: &mut Random, mut next: impl FnMut(&mut Random) -> FloatHistogram) -> Vec<Value> {
    (0..COUNT).map(|_| Value::Histogram(Arc::new(next(random)))).collect()
}
