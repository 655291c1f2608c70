//! Hints of histograms that were loaded.

use super::CounterResetHint::{Gauge, NotReset, Unknown};
use super::*;
use crate::notation::{self, Value};

const MINUTE: Timestamp = 60_000;

/// The hints of a series with a sample each minute; none for a float.
fn hints_from(start: Timestamp, values: &str) -> Vec<Option<CounterResetHint>> {
    let mut chunk = OpenChunk::default();
    let values = notation::parse(&format!("m {values}")).unwrap().values;
    let hint = |(i, value): (usize, &Value)| match value {
        Value::Histogram(native) => Some(chunk.append(start + i as i64 * MINUTE, &native.histogram)),
        _ => {
            chunk = OpenChunk::default();
            None
        }
    };
    values.iter().enumerate().map(hint).collect()
}

fn hints(values: &str) -> Vec<CounterResetHint> {
    hints_from(0, values).into_iter().flatten().collect()
}

#[test]
fn only_the_first_of_a_chunk_may_be_a_reset() {
    assert_eq!(hints("{{count:1 buckets:[1]}}+{{count:1 buckets:[1]}}x2"), [Unknown, NotReset, NotReset]);
    assert_eq!(hints("{{count:2}} {{count:1}} {{count:1}}"), [Unknown, Unknown, NotReset]);
    assert_eq!(
        hints("{{count:1}} {{count:2 counter_reset_hint:reset}} {{count:2}}"),
        [Unknown, Unknown, NotReset]
    );
    assert_eq!(hints("{{count:2}} {{count:1 counter_reset_hint:not_reset}}"), [Unknown, Unknown]);
    assert_eq!(hints_from(0, "{{}} {{}} 1 {{}}"), [Some(Unknown), Some(NotReset), None, Some(Unknown)]);
}

#[test]
fn counters_are_followed_bucket_by_bucket() {
    for (values, second) in [
        ("{{count:5 buckets:[2 1]}} {{count:6 buckets:[1 5]}}", Unknown),
        ("{{count:5 buckets:[2 1]}} {{count:6 buckets:[2]}}", Unknown),
        ("{{count:5 buckets:[2 0]}} {{count:6 buckets:[2]}}", NotReset),
        ("{{count:5 offset:1 buckets:[2]}} {{count:6 buckets:[0 3 1]}}", NotReset),
        ("{{count:5 n_buckets:[2]}} {{count:6 n_buckets:[1]}}", Unknown),
        ("{{count:5 z_bucket:2}} {{count:6 z_bucket:1}}", Unknown),
        ("{{z_bucket_w:1}} {{z_bucket_w:2}}", Unknown),
        ("{{schema:1}} {{schema:0}}", Unknown),
        ("{{schema:-53 custom_values:[1]}} {{schema:-53 custom_values:[1 2]}}", Unknown),
        (
            "{{schema:-53 custom_values:[1] buckets:[1]}} {{schema:-53 custom_values:[1] buckets:[2]}}",
            NotReset,
        ),
    ] {
        assert_eq!(hints(values), [Unknown, second], "{values}");
    }
}

#[test]
fn gauges_have_chunks_of_their_own() {
    let gauge = "{{count:5 counter_reset_hint:gauge}}";
    assert_eq!(
        hints(&format!("{{{{}}}} {gauge} {gauge} {{{{count:6}}}} {{{{count:6}}}}")),
        [Unknown, Gauge, Gauge, Unknown, NotReset]
    );
}

#[test]
fn a_day_ends_a_chunk() {
    let day = 24 * 60 * MINUTE;
    assert_eq!(hints_from(day - 2 * MINUTE, "{{}}x3"), [Unknown, NotReset, Unknown, NotReset].map(Some));
}
