//! Native histograms: `{{schema:1 count:22 buckets:[5 10 7]}}`, alone, repeated or stepped.

use super::{Native, Value, number, repeat};
use histogram::{CounterResetHint, FloatHistogram, Span};
use std::sync::Arc;

/// Takes `{{…}}`, `{{…}}x3` or `{{…}}+{{…}}x3` off the start of `rest`.
pub fn take(rest: &mut &str, values: &mut Vec<Value>) -> Result<(), String> {
    let first = described(rest)?;
    let stepped = rest.starts_with(['+', '-']);
    if !stepped {
        let value = value(first.histogram, first.hint_given);
        values.extend((0..=repeat(rest)?.unwrap_or(0)).map(|_| value.clone()));
        return Ok(());
    }
    let subtracts = rest.starts_with('-');
    *rest = &rest[1..];
    let step = described(rest)?;
    let count = repeat(rest)?.ok_or("a step without a count")?;
    let mut next = first.histogram;
    // Whether the hint was given with the step decides for all, the first one included.
    values.push(value(next.clone(), step.hint_given));
    for _ in 0..count {
        if next.schema > step.histogram.schema {
            return Err("a step of lower resolution".to_owned());
        }
        let combined = if subtracts { next.sub(&step.histogram) } else { next.add(&step.histogram) };
        combined.map_err(|e| e.to_string())?;
        values.push(value(next.clone(), step.hint_given));
    }
    Ok(())
}

fn value(histogram: FloatHistogram, hint_given: bool) -> Value {
    Value::Histogram(Native { histogram: Arc::new(histogram), hint_given })
}

#[derive(Default)]
struct Described {
    histogram: FloatHistogram,
    hint_given: bool,
}

/// Takes one `{{…}}`.
fn described(rest: &mut &str) -> Result<Described, String> {
    let body = rest.strip_prefix("{{").ok_or("no histogram")?;
    let end = body.find("}}").ok_or("unterminated histogram")?;
    *rest = &body[end + 2..];
    let mut described = Described::default();
    let (mut offset, mut negative_offset) = (0, 0);
    let histogram = &mut described.histogram;
    for (key, text) in fields(&body[..end])? {
        match key.as_str() {
            "schema" => histogram.schema = integer(text)?,
            "count" => histogram.count = float(text)?,
            "sum" => histogram.sum = float(text)?,
            "z_bucket" => histogram.zero_count = float(text)?,
            "z_bucket_w" => histogram.zero_threshold = float(text)?,
            "custom_values" => histogram.custom_values = list(text)?.into(),
            "buckets" => histogram.positive.counts = list(text)?,
            "n_buckets" => histogram.negative.counts = list(text)?,
            "offset" => offset = integer(text)?,
            "n_offset" => negative_offset = integer(text)?,
            "counter_reset_hint" => {
                histogram.counter_reset_hint = hint(text)?;
                described.hint_given = true;
            }
            _ => return Err(format!("a histogram has no {key:?}")),
        }
    }
    histogram.positive.spans = spans(offset, &histogram.positive.counts);
    histogram.negative.spans = spans(negative_offset, &histogram.negative.counts);
    Ok(described)
}

/// The `key:value` pairs, keys in lower case; a value in brackets may have spaces.
fn fields(body: &str) -> Result<Vec<(String, &str)>, String> {
    let mut fields: Vec<(String, &str)> = Vec::new();
    let mut rest = body.trim_start();
    while !rest.is_empty() {
        let (key, value) = rest.split_once(':').ok_or_else(|| format!("no key in {rest:?}"))?;
        let key = key.to_ascii_lowercase();
        let len = if value.starts_with('[') {
            value.find(']').ok_or("no closing bracket")? + 1
        } else {
            value.find(char::is_whitespace).unwrap_or(value.len())
        };
        if fields.iter().any(|(earlier, _)| *earlier == key) {
            return Err(format!("{key} comes twice"));
        }
        fields.push((key, &value[..len]));
        rest = value[len..].trim_start();
    }
    Ok(fields)
}

fn float(text: &str) -> Result<f64, String> {
    number(text).ok_or_else(|| format!("{text:?} is no number"))
}

fn integer(text: &str) -> Result<i32, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number"))
}

fn list(text: &str) -> Result<Vec<f64>, String> {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    inner.ok_or_else(|| format!("{text:?} is no list"))?.split_whitespace().map(float).collect()
}

fn hint(text: &str) -> Result<CounterResetHint, String> {
    match text.to_ascii_lowercase().as_str() {
        "unknown" => Ok(CounterResetHint::Unknown),
        "reset" => Ok(CounterResetHint::Reset),
        "not_reset" => Ok(CounterResetHint::NotReset),
        "gauge" => Ok(CounterResetHint::Gauge),
        _ => Err(format!("{text:?} is no counter reset hint")),
    }
}

fn spans(offset: i32, counts: &[f64]) -> Vec<Span> {
    if counts.is_empty() { Vec::new() } else { vec![Span { offset, length: counts.len() as u32 }] }
}
