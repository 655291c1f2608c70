//! What a test expects, and what it got, in one form.

use super::file::{AlertTest, ExpectedSample};
use model::{Labels, go_g};
use promql::notation::{self, Native, Value};
use vectors::Sample;

/// The label that holds an alert's name.
const ALERT_NAME: &str = "alertname";

/// The labels and annotations of alerts. Nobody has to write the name into the labels.
pub fn expected_alerts(test: &AlertTest) -> Vec<(Labels, Labels)> {
    let alert = |alert: &super::file::ExpectedAlert| {
        let name = (ALERT_NAME, test.alertname.as_str());
        let labels = alert.exp_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        (Labels::from_pairs(labels.chain([name])), Labels::from_pairs(&alert.exp_annotations))
    };
    test.exp_alerts.iter().map(alert).collect()
}

/// An alert for people, in lines of which one has one label.
pub fn alert_lines((labels, annotations): &(Labels, Labels)) -> Vec<String> {
    let mut lines = vec![format!("labels: {labels}")];
    for (at, (name, value)) in annotations.iter().enumerate() {
        if at == 0 {
            lines.push("annotations:".to_owned());
        }
        lines.push(format!("  {name}: {}", model::quote(value)));
    }
    lines
}

/// The sample that is expected.
///
/// # Errors
/// Says what of it cannot be read.
pub fn sample(expected: &ExpectedSample) -> Result<(Labels, Value), String> {
    let labels = match expected.labels.trim() {
        "" => Labels::empty(),
        text => {
            let description = notation::parse(text)?;
            if !description.values.is_empty() {
                return Err(format!("labels {text:?} have values behind them: put them into `value`"));
            }
            description.labels
        }
    };
    if expected.histogram.is_empty() {
        return Ok((labels, Value::Float(expected.value)));
    }
    match &notation::parse_values(&expected.histogram)?[..] {
        [Value::Histogram(native)] => Ok((labels, Value::Histogram(native.clone()))),
        _ => {
            Err(format!("{} is not one histogram: {{{{schema:0 count:1 …}}}} is wanted", expected.histogram))
        }
    }
}

/// Whether a value is as expected. Any NaN is any other.
pub fn is_expected(expected: &Value, got: &Sample, fuzzy: bool) -> bool {
    match (expected, got) {
        (Value::Float(expected), Sample::Float(got)) => {
            expected == got
                || (expected.is_nan() && got.is_nan())
                || (fuzzy && (*got == expected.next_up() || *got == expected.next_down()))
        }
        (Value::Histogram(Native { histogram, .. }), Sample::Histogram(got)) => {
            notation::written(histogram) == notation::written(got)
        }
        _ => false,
    }
}

pub fn expected_line((labels, value): &(Labels, Value)) -> String {
    let value = match value {
        Value::Omitted => "_".to_owned(),
        Value::Float(value) => go_g(*value, None),
        Value::Histogram(native) => notation::written(&native.histogram),
    };
    format!("{labels} {value}")
}

pub fn got_line((labels, sample): &(Labels, Sample)) -> String {
    let value = match sample {
        Sample::Float(value) => go_g(*value, None),
        Sample::Histogram(histogram) => notation::written(histogram),
    };
    format!("{labels} {value}")
}
