//! Values as scripts write them, for the report of a failure.

use crate::{
    buckets,
    engine::Answer,
    script::{Expect, Pattern},
    series::Value,
};
use histogram::{Buckets, CounterResetHint, FloatHistogram};
use model::Timestamp;
use vectors::Sample;

/// A histogram as a script describes it; the order of fields is Prometheus's.
pub fn written(histogram: &FloatHistogram) -> String {
    let mut fields = Vec::new();
    if histogram.schema != 0 {
        fields.push(format!("schema:{}", histogram.schema));
    }
    for (key, value) in [
        ("count", histogram.count),
        ("sum", histogram.sum),
        ("z_bucket", histogram.zero_count),
        ("z_bucket_w", histogram.zero_threshold),
    ] {
        if value != 0.0 {
            fields.push(format!("{key}:{value}"));
        }
    }
    if !histogram.custom_values.is_empty() {
        fields.push(format!("custom_values:[{}]", joined(histogram.custom_values.iter())));
    }
    match histogram.counter_reset_hint {
        CounterResetHint::Unknown => {}
        CounterResetHint::Reset => fields.push("counter_reset_hint:reset".to_owned()),
        CounterResetHint::NotReset => fields.push("counter_reset_hint:not_reset".to_owned()),
        CounterResetHint::Gauge => fields.push("counter_reset_hint:gauge".to_owned()),
    }
    side("", &histogram.positive, &mut fields);
    side("n_", &histogram.negative, &mut fields);
    format!("{{{{{}}}}}", fields.join(" "))
}

fn side(prefix: &str, side: &Buckets, fields: &mut Vec<String>) {
    let mut counts = buckets::by_number(side);
    counts.retain(|_, count| *count != 0.0);
    let (Some((first, _)), Some((last, _))) = (counts.first_key_value(), counts.last_key_value()) else {
        return;
    };
    let (first, last) = (*first, *last);
    if first != 0 {
        fields.push(format!("{prefix}offset:{first}"));
    }
    let all: Vec<f64> = (first..=last).map(|number| counts.get(&number).copied().unwrap_or(0.0)).collect();
    fields.push(format!("{prefix}buckets:[{}]", joined(all.iter())));
}

fn joined<'a>(values: impl Iterator<Item = &'a f64>) -> String {
    values.map(f64::to_string).collect::<Vec<_>>().join(" ")
}

pub fn sample(sample: &Sample) -> String {
    match sample {
        Sample::Float(value) => value.to_string(),
        Sample::Histogram(histogram) => written(histogram),
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Omitted => "_".to_owned(),
        Value::Float(value) => value.to_string(),
        Value::Histogram(native) => {
            let any = if native.hint_given { "" } else { " (any hint)" };
            format!("{}{any}", written(&native.histogram))
        }
    }
}

/// Values of a line of a script.
pub fn list(values: &[Value]) -> String {
    values.iter().map(value).collect::<Vec<_>>().join(" ")
}

pub fn points(points: &[(Timestamp, Sample)]) -> String {
    at_times(points.iter().map(|(time, s)| (*time, sample(s))))
}

pub fn expected_points(points: &[(Timestamp, &Value)]) -> String {
    at_times(points.iter().map(|(time, v)| (*time, value(v))))
}

/// `[3 @0, 4 @60000]`.
fn at_times(points: impl Iterator<Item = (Timestamp, String)>) -> String {
    format!("[{}]", points.map(|(time, text)| format!("{text} @{time}")).collect::<Vec<_>>().join(", "))
}

pub fn came(answer: &Answer) -> String {
    let lines: Vec<_> = match answer {
        Answer::Scalar(value) => return value.to_string(),
        Answer::String(text) => return format!("{text:?}"),
        Answer::Vector(samples) => {
            samples.iter().map(|(labels, s)| format!("{labels} {}", sample(s))).collect()
        }
        Answer::Matrix(series) => {
            series.iter().map(|series| format!("{} {}", series.labels, points(&series.points))).collect()
        }
    };
    format!("[{}]", lines.join(", "))
}

/// What was expected.
pub fn describe(expect: &Expect) -> String {
    let mut lines = Vec::new();
    let mut patterns = |kind: &str, patterns: &[Pattern]| {
        lines.extend(patterns.iter().map(|p| format!("{kind} {p}")));
    };
    patterns("fail", expect.fail.as_slice());
    patterns("warn", &expect.warn);
    patterns("info", &expect.info);
    lines.extend(expect.scalar.map(|s| s.to_string()));
    lines.extend(expect.string.as_ref().map(|s| format!("{s:?}")));
    lines.extend(expect.series.iter().map(|s| format!("{} {}", s.labels, list(&s.values))));
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n      ") }
}
