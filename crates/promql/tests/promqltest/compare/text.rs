//! Values as scripts write them, for the report of a failure.

use crate::{
    engine::Answer,
    script::{Expect, Pattern},
};
use model::Timestamp;
use promql::notation::{Value, written};
use vectors::Sample;

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
