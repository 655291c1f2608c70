//! Samples as OpenMetrics text, as far as that has a form for them, and lines with their time and labels.

use crate::human::nanos;
use model::{
    Buckets, Histogram, HistogramSample, Labels, Lines, METRIC_NAME, NanoRange, Span, Timestamp, is_stale,
};
use serde_json::{Value, json};
use service_api::SampleBuffer;
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// One line a sample: floats first, then histograms, for which OpenMetrics has no form, as JSON.
pub fn samples(labels: &Labels, samples: &SampleBuffer, out: &mut dyn Write) -> io::Result<()> {
    let series = series(labels);
    for (timestamp, value) in samples.timestamps.iter().zip(&samples.values) {
        // What stands behind `#` is passed over by those who read the text.
        let stale = if is_stale(*value) { " # stale" } else { "" };
        writeln!(out, "{series} {} {}{stale}", number(*value), seconds(*timestamp))?;
    }
    for HistogramSample { timestamp, histogram } in &samples.histograms {
        writeln!(out, "# {series} {} {}", histogram_json(histogram), seconds(*timestamp))?;
    }
    Ok(())
}

/// The labels behind the name, as OpenMetrics has it, and in its escapes.
fn series(labels: &Labels) -> String {
    let plain = |text: &str, more: char| {
        let mut chars = text.chars();
        let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == more;
        chars.next().is_some_and(first) && chars.all(|c| first(c) || c.is_ascii_digit())
    };
    let (mut out, mut inside) = (String::new(), Vec::new());
    for (name, value) in labels.iter() {
        match name {
            METRIC_NAME if plain(value, ':') => out.push_str(value),
            METRIC_NAME => inside.insert(0, quoted(value)),
            _ if plain(name, '_') => inside.push(format!("{name}={}", quoted(value))),
            _ => inside.push(format!("{}={}", quoted(name), quoted(value))),
        }
    }
    if !inside.is_empty() {
        let _ = write!(out, "{{{}}}", inside.join(","));
    }
    out
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    format!("{value}")
}

fn seconds(ms: Timestamp) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
}

fn histogram_json(histogram: &Histogram) -> Value {
    let spans = |spans: &[Span]| spans.iter().map(|s| json!([s.offset, s.length])).collect::<Vec<_>>();
    let mut all = json!({
        "schema": histogram.schema, "zero_threshold": histogram.zero_threshold, "sum": number(histogram.sum),
        "positive_spans": spans(&histogram.positive_spans), "negative_spans": spans(&histogram.negative_spans),
        "reset": format!("{:?}", histogram.counter_reset_hint),
    });
    match &histogram.buckets {
        Buckets::Integer { count, zero_count, positive, negative } => {
            all["count"] = json!(count);
            all["zero_count"] = json!(zero_count);
            all["positive_deltas"] = json!(positive);
            all["negative_deltas"] = json!(negative);
        }
        Buckets::Float { count, zero_count, positive, negative } => {
            all["count"] = json!(count);
            all["zero_count"] = json!(zero_count);
            all["positive"] = json!(positive);
            all["negative"] = json!(negative);
        }
    }
    if !histogram.custom_values.is_empty() {
        all["bounds"] = json!(histogram.custom_values);
    }
    all
}

/// Those of a page that lie in the range: time, labels, structured metadata if there is any, line.
pub fn lines(labels: &Labels, lines: &Lines, range: NanoRange, out: &mut dyn Write) -> io::Result<()> {
    let labels = labels.to_string();
    for at in (0..lines.len()).filter(|at| range.contains(lines.timestamps[*at])) {
        write!(out, "{} {labels} ", nanos(lines.timestamps[at]))?;
        let metadata: Vec<_> = lines.metadata(at).map(|(k, v)| format!("{k}={}", quoted(v))).collect();
        if !metadata.is_empty() {
            write!(out, "{{{}}} ", metadata.join(", "))?;
        }
        out.write_all(lines.line(at))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read_again() {
        let given = [
            (Labels::from_pairs([(METRIC_NAME, "up"), ("a", "x\"\\\ny"), ("é b", "1")]), 1.5, -1),
            (Labels::from_pairs([(METRIC_NAME, "my.metric")]), f64::NEG_INFINITY, 1_700_000_000_123),
            (Labels::from_pairs([(METRIC_NAME, "a:b")]), 1e300, 0),
        ];
        for (labels, value, time) in given {
            let mut out = Vec::new();
            let buffer =
                SampleBuffer { timestamps: vec![time], values: vec![value], ..SampleBuffer::default() };
            samples(&labels, &buffer, &mut out).unwrap();
            let read = tsdb::TextParser::default().line(&out).unwrap().unwrap();
            assert_eq!((read.labels, read.value, read.timestamp), (labels, value, time));
        }
        let mut out = Vec::new();
        let (timestamps, values) = (vec![1000], vec![model::stale_nan()]);
        let labels = Labels::from_pairs([(METRIC_NAME, "up"), ("a", "b")]);
        samples(&labels, &SampleBuffer { timestamps, values, ..SampleBuffer::default() }, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "up{a=\"b\"} NaN 1.000 # stale\n");
    }

    #[test]
    fn lines_have_their_time_labels_and_metadata() {
        let (mut page, mut out) = (Lines::default(), Vec::new());
        page.push(1, b"one", []);
        page.push(2, b"two", [("k", "v")]);
        page.push(3, b"three", []);
        let labels = Labels::from_pairs([("app", "a")]);
        lines(&labels, &page, NanoRange::new(1, 2), &mut out).unwrap();
        let expected = "1970-01-01T00:00:00.000000001Z {app=\"a\"} one\n\
                        1970-01-01T00:00:00.000000002Z {app=\"a\"} {k=\"v\"} two\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
