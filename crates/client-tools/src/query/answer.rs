//! An answer, taken apart.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// Labels, sorted by name.
pub type LabelPairs = Vec<(String, String)>;

#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Series with their points: a time in seconds as it came, and the value.
    Points {
        is_range: bool,
        series: Vec<(LabelPairs, Vec<(f64, String)>)>,
    },
    Scalar(f64, String),
    /// Lines with their streams, in the order that was asked for: nanoseconds and text.
    Lines(Vec<(i64, LabelPairs, String)>),
}

/// Reads the `data` of an answer. `forward` is whether lines were asked for from old to new.
pub fn read(data: &Value, forward: bool) -> Result<Answer> {
    let kind = data.get("resultType").and_then(Value::as_str).context("the answer has no resultType")?;
    let result = data.get("result").context("the answer has no result")?;
    match kind {
        "scalar" | "string" => {
            let (time, value) = point(result)?;
            Ok(Answer::Scalar(time, value))
        }
        "vector" | "matrix" => {
            let series = list(result)?.iter().map(series).collect::<Result<_>>()?;
            Ok(Answer::Points { is_range: kind == "matrix", series })
        }
        "streams" => lines(result, forward),
        other => bail!("the answer is a {other}, which is not known here"),
    }
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("the answer has something else where a list should be")
}

fn series(one: &Value) -> Result<(LabelPairs, Vec<(f64, String)>)> {
    let labels = one.get("metric").and_then(Value::as_object).map(pairs).unwrap_or_default();
    let mut points = Vec::new();
    for name in ["value", "histogram"] {
        points.extend(one.get(name).map(point).transpose()?);
    }
    for name in ["values", "histograms"] {
        for value in one.get(name).map(list).transpose()?.into_iter().flatten() {
            points.push(point(value)?);
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok((labels, points))
}

fn point(value: &Value) -> Result<(f64, String)> {
    let [time, value] = &list(value)?[..] else { bail!("the answer has a point that is none") };
    let time = time.as_f64().context("the answer has a time that is none")?;
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Object(histogram) => histogram_text(histogram),
        other => other.to_string(),
    };
    Ok((time, value))
}

/// As Prometheus's own page shows one: count, sum, buckets.
fn histogram_text(histogram: &Map<String, Value>) -> String {
    let text = |name: &str| histogram.get(name).and_then(Value::as_str).unwrap_or("?");
    let mut out = format!("{{count:{}, sum:{}", text("count"), text("sum"));
    for bucket in histogram.get("buckets").and_then(Value::as_array).into_iter().flatten() {
        let bucket = bucket.as_array().map(Vec::as_slice).unwrap_or_default();
        let [boundaries, low, high, count] = bucket else { continue };
        let (open, close) = match boundaries.as_u64() {
            Some(0) => ('(', ']'),
            Some(1) => ('[', ')'),
            Some(2) => ('(', ')'),
            _ => ('[', ']'),
        };
        let [low, high, count] = [low, high, count].map(|text| text.as_str().unwrap_or("?"));
        out += &format!(", {open}{low},{high}{close}:{count}");
    }
    out.push('}');
    out
}

fn lines(result: &Value, forward: bool) -> Result<Answer> {
    let mut lines = Vec::new();
    for stream in list(result)? {
        let labels = stream.get("stream").and_then(Value::as_object).map(pairs).unwrap_or_default();
        for value in stream.get("values").map(list).transpose()?.into_iter().flatten() {
            let [time, text, ..] = &list(value)?[..] else { bail!("the answer has a line that is none") };
            let time: i64 = time.as_str().and_then(|t| t.parse().ok()).context("a line has no time")?;
            lines.push((time, labels.clone(), text.as_str().unwrap_or_default().to_owned()));
        }
    }
    // Streams come one after the other; people want to see lines by time.
    if forward {
        lines.sort_by_key(|(time, ..)| *time);
    } else {
        lines.sort_by_key(|(time, ..)| std::cmp::Reverse(*time));
    }
    Ok(Answer::Lines(lines))
}

pub fn pairs(object: &Map<String, Value>) -> LabelPairs {
    let mut pairs: LabelPairs = object
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    pairs.sort();
    pairs
}
