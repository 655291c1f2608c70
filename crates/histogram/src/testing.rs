//! Histograms for tests: written as text, or random.

use crate::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram, Span};
use proptest::prelude::*;

/// Reads `hint=gauge schema=1 zero=2@0.5 count=9 sum=1.5 pos=-2[1,2]1[4] neg=0[1] bounds=1,2`, of which all
/// may be left out. Sides are spans: an offset and the counts.
pub fn histogram(text: &str) -> FloatHistogram {
    let mut h = FloatHistogram::default();
    for word in text.split_whitespace().filter(|word| *word != "empty") {
        let (key, value) = word.split_once('=').unwrap();
        match key {
            "hint" => h.counter_reset_hint = hint(value),
            "schema" if value == "custom" => h.schema = CUSTOM_BUCKETS_SCHEMA,
            "schema" => h.schema = value.parse().unwrap(),
            "zero" => {
                let (count, threshold) = value.split_once('@').unwrap();
                (h.zero_count, h.zero_threshold) = (number(count), number(threshold));
            }
            "count" => h.count = number(value),
            "sum" => h.sum = number(value),
            "pos" => h.positive = side(value),
            "neg" => h.negative = side(value),
            "bounds" => h.custom_values = numbers(value).into(),
            _ => panic!("what is {word}?"),
        }
    }
    h
}

fn hint(text: &str) -> CounterResetHint {
    match text {
        "reset" => CounterResetHint::Reset,
        "not_reset" => CounterResetHint::NotReset,
        "gauge" => CounterResetHint::Gauge,
        _ => panic!("what is {text}?"),
    }
}

pub fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(',').filter(|number| !number.is_empty()).map(number).collect()
}

fn side(text: &str) -> Buckets {
    let mut side = Buckets::default();
    for span in text.split_terminator(']') {
        let (offset, counts) = span.split_once('[').unwrap();
        let counts = numbers(counts);
        side.spans.push(Span { offset: offset.parse().unwrap(), length: counts.len() as u32 });
        side.counts.extend(counts);
    }
    side
}

/// Blocks of lines between empty lines, without comments.
pub fn blocks(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split("\n\n")
        .map(|block| block.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect())
        .filter(|block: &Vec<&str>| !block.is_empty())
}

/// Equal but for the last digits, of which decimal fractions differ when added.
pub fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// The same histogram, with numbers that are close.
#[track_caller]
pub fn assert_close(got: &FloatHistogram, expected: &FloatHistogram, of: &str) {
    let numbers = |h: &FloatHistogram| {
        let totals = [h.zero_threshold, h.zero_count, h.count, h.sum];
        let parts = [&totals[..], &h.positive.counts, &h.negative.counts, &h.custom_values];
        parts.concat()
    };
    let layout = |h: &FloatHistogram| {
        (h.schema, h.counter_reset_hint, h.positive.spans.clone(), h.negative.spans.clone())
    };
    let (a, b) = (numbers(got), numbers(expected));
    let same = layout(got) == layout(expected) && a.len() == b.len();
    assert!(same && a.iter().zip(&b).all(|(a, b)| close(*a, *b)), "{of}:\n{got:?}\nis not\n{expected:?}");
}

fn any_side() -> impl Strategy<Value = Buckets> {
    let count = prop_oneof![2 => Just(0.0), 5 => (1..50_u32).prop_map(f64::from)];
    let span = (0..4_i32, prop::collection::vec(count, 1..4));
    (-6..6_i32, prop::collection::vec(span, 0..4)).prop_map(|(first, spans)| {
        let mut side = Buckets::default();
        for (at, (offset, counts)) in spans.into_iter().enumerate() {
            let offset = if at == 0 { first } else { offset };
            side.spans.push(Span { offset, length: counts.len() as u32 });
            side.counts.extend(counts);
        }
        side
    })
}

/// Exponential histograms with whole counts, so that sums are exact; some buckets are empty.
pub fn any_exponential() -> impl Strategy<Value = FloatHistogram> {
    let zero_threshold = prop_oneof![Just(0.0), Just(0.001), Just(0.5), Just(2.0), 0.0..3.0];
    (-1..4_i32, zero_threshold, 0..9_u32, any_side(), any_side()).prop_map(
        |(schema, zero_threshold, zero_count, positive, negative)| {
            let zero_count = f64::from(zero_count);
            let count = positive.counts.iter().chain(&negative.counts).sum::<f64>() + zero_count;
            FloatHistogram {
                schema,
                zero_threshold,
                zero_count,
                count,
                sum: count * 2.0,
                positive,
                negative,
                ..FloatHistogram::default()
            }
        },
    )
}

/// Histograms with custom buckets, with some of ten bounds and whole counts.
pub fn any_custom() -> impl Strategy<Value = FloatHistogram> {
    prop::collection::btree_map(-3..7_i32, 0..20_u32, 0..10).prop_flat_map(|buckets| {
        (Just(buckets), 0..20_u32).prop_map(|(buckets, last)| {
            let counts = buckets.values().copied().chain([last]).map(f64::from);
            let positive = (0..).zip(counts).collect::<Buckets>();
            let count = positive.counts.iter().sum();
            FloatHistogram {
                schema: CUSTOM_BUCKETS_SCHEMA,
                count,
                sum: count * 2.0,
                positive,
                custom_values: buckets.keys().map(|bound| f64::from(*bound)).collect(),
                ..FloatHistogram::default()
            }
        })
    })
}

/// Two histograms that can be added.
pub fn any_pair() -> impl Strategy<Value = (FloatHistogram, FloatHistogram)> {
    prop_oneof![(any_exponential(), any_exponential()), (any_custom(), any_custom())]
}

/// The sum of all bucket counts.
pub fn in_buckets(h: &FloatHistogram) -> f64 {
    h.buckets().map(|bucket| bucket.count).sum()
}
