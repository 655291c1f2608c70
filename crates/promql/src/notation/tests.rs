//! Series descriptions, good and bad.

use super::*;
use histogram::{CounterResetHint, Span};

fn values(line: &str) -> Vec<Value> {
    parse(line).unwrap().values
}

fn floats(values: &[f64]) -> Vec<Value> {
    values.iter().map(|v| Value::Float(*v)).collect()
}

fn natives(line: &str) -> Vec<Native> {
    let native = |value| match value {
        Value::Histogram(native) => native,
        other => panic!("{other:?}"),
    };
    values(line).into_iter().map(native).collect()
}

#[test]
fn values_are_repeated_and_stepped() {
    assert_eq!(
        values("m 1+2x2 5x1 -1-1x1 .5 1e3x1"),
        floats(&[1.0, 3.0, 5.0, 5.0, 5.0, -1.0, -2.0, 0.5, 1e3, 1e3])
    );
    assert_eq!(values("m 0x2 NaN -Inf"), floats(&[0.0, 0.0, 0.0, f64::NAN, f64::NEG_INFINITY]));
    let with_gaps = [Value::Omitted, Value::Omitted, Value::Omitted, Value::Float(stale_nan())];
    assert_eq!(values("m _ _x2 stale"), with_gaps);
    assert_eq!(natives("m {{schema:1 sum:3}}x1 {{}}").len(), 3);
}

#[test]
fn histograms_have_all_their_fields() {
    let [exponential] = &natives(
        "m {{schema:1 sum:-3 count:22 z_bucket:2 z_bucket_w:0.001 buckets:[5 10 NaN] offset:-2 \
         n_buckets:[1.5] n_offset:7 counter_reset_hint:gauge }}",
    )[..] else {
        panic!()
    };
    assert!(exponential.hint_given);
    let h = &exponential.histogram;
    assert_eq!((h.schema, h.sum, h.count, h.zero_count, h.zero_threshold), (1, -3.0, 22.0, 2.0, 0.001));
    assert_eq!(h.counter_reset_hint, CounterResetHint::Gauge);
    assert_eq!(h.positive.spans, [Span { offset: -2, length: 3 }]);
    assert_eq!(h.positive.counts[..2], [5.0, 10.0]);
    assert!(h.positive.counts[2].is_nan());
    assert_eq!(
        (&h.negative.spans[..], &h.negative.counts[..]),
        (&[Span { offset: 7, length: 1 }][..], &[1.5][..])
    );

    let custom = &natives("m {{schema:-53 custom_values:[5 10] buckets:[1 4]}}")[0];
    assert!(!custom.hint_given);
    assert_eq!((custom.histogram.schema, &custom.histogram.custom_values[..]), (-53, &[5.0, 10.0][..]));
}

#[test]
fn histograms_are_stepped() {
    let counts =
        |line: &str| natives(line).iter().map(|n| n.histogram.positive.counts.clone()).collect::<Vec<_>>();
    assert_eq!(
        counts("m {{count:3 buckets:[1 2]}}+{{count:1 buckets:[0 1]}}x2"),
        [[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]
    );
    assert_eq!(counts("m {{count:3 buckets:[1 2]}}-{{count:1 buckets:[1]}}x1"), [[1.0, 2.0], [0.0, 2.0]]);
}

#[test]
fn the_step_says_whether_a_hint_was_given() {
    let hints = |line: &str| {
        natives(line).iter().map(|n| (n.hint_given, n.histogram.counter_reset_hint)).collect::<Vec<_>>()
    };
    use CounterResetHint::{Gauge, NotReset, Unknown};
    assert_eq!(hints("m {{counter_reset_hint:gauge}}+{{}}x1"), [(false, Gauge), (false, Gauge)]);
    assert_eq!(hints("m {{}}+{{counter_reset_hint:gauge}}x1"), [(true, Unknown), (true, Gauge)]);
    assert_eq!(
        hints("m {{counter_reset_hint:not_reset}}-{{counter_reset_hint:not_reset}}x1"),
        [(true, NotReset), (true, NotReset)]
    );
    assert_eq!(hints("m {{counter_reset_hint:unknown}} {{}}"), [(true, Unknown), (false, Unknown)]);
}

#[test]
fn metrics_may_be_quoted() {
    let labels = |line| parse(line).unwrap().labels.to_string();
    assert_eq!(labels(r#"up{job="a\"b", i='x'} 1"#), r#"{__name__="up", i="x", job="a\"b"}"#);
    assert_eq!(labels(r#"{"my.metric", "a.b"="c"} 1"#), r#"{__name__="my.metric", "a.b"="c"}"#);
    assert_eq!(labels("{} 1"), "{}");
}

#[test]
fn mistakes_are_refused() {
    for line in [
        "m 1y",
        "m{a=1} 1",
        "m{a=\"1\" 1",
        "m{a=\"1\" 0+0x3",
        "m{a=\"1\", +",
        "m{a",
        "m{=\"1\"} 1",
        "m{a} 1",
        "m 1x",
        "m 1+2",
        "m 5x999999999",
        "",
        "m {{count:1",
        "m {{count:1 count:1}}",
        "m {{counts:1}}",
        "m {{schema:1.5}}",
        "m {{buckets:[1 2}}",
        "m {{counter_reset_hint:perhaps}}",
        "m {{}}+{{}}",
        "m {{}}y",
        "m {{schema:1}}+{{schema:0}}x1",
        "m {{schema:-53}}+{{schema:0}}x1",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}
