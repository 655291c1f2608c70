//! Answers in the forms that can be asked for.

use super::{
    answer::{Answer, LabelPairs, pairs, read},
    csv,
};
use crate::{table::Table, times};
use anyhow::Result;
use model::{Labels, METRIC_NAME};
use serde_json::{Value, json};
use std::{collections::BTreeSet, io::Write};

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Table,
    /// What the server answered.
    Json,
    /// One row a value or line, one column a label.
    Csv,
    /// Values, or lines of logs, and nothing else.
    Raw,
    /// One JSON object a value or line.
    Lines,
}

/// `forward` is whether lines go from old to new.
pub fn answer(data: &Value, forward: bool, output: Output, out: &mut dyn Write) -> Result<()> {
    if output == Output::Json {
        return Ok(writeln!(out, "{data}")?);
    }
    let answer = read(data, forward)?;
    match (output, &answer) {
        (Output::Table, Answer::Points { is_range: true, series }) => {
            for (at, (labels, points)) in series.iter().enumerate() {
                let before = if at > 0 { "\n" } else { "" };
                writeln!(out, "{before}{}", metric(labels))?;
                for (time, value) in points {
                    writeln!(out, "  {}  {value}", seconds(*time))?;
                }
            }
        }
        (Output::Table, Answer::Points { series, .. }) => {
            let mut table = Table::new(&["series", ">value"]);
            for (labels, points) in series {
                points.iter().for_each(|(_, value)| table.row(vec![metric(labels), value.clone()]));
            }
            table.print(out)?;
        }
        (Output::Table, Answer::Lines(lines)) => {
            for (time, labels, line) in lines {
                writeln!(out, "{}  {}  {}", times::nanos(*time), metric(labels), shown(line))?;
            }
        }
        (Output::Table | Output::Raw, Answer::Scalar(_, value)) => writeln!(out, "{value}")?,
        (Output::Raw, _) => rows(&answer).try_for_each(|(_, _, value)| writeln!(out, "{value}"))?,
        (Output::Lines, _) => {
            let name = if matches!(answer, Answer::Lines(_)) { "line" } else { "value" };
            for (time, labels, value) in rows(&answer) {
                let labels: serde_json::Map<String, Value> =
                    labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                writeln!(out, "{}", json!({ "time": time, "labels": labels, name: value }))?;
            }
        }
        (Output::Csv | Output::Json, _) => in_columns(&answer, out)?,
    }
    Ok(())
}

/// Each value or line with its time in RFC 3339 and its labels.
fn rows(answer: &Answer) -> Box<dyn Iterator<Item = (String, &LabelPairs, &str)> + '_> {
    const NO_LABELS: &LabelPairs = &Vec::new();
    match answer {
        Answer::Scalar(time, value) => Box::new(std::iter::once((seconds(*time), NO_LABELS, value.as_str()))),
        Answer::Points { series, .. } => Box::new(series.iter().flat_map(|(labels, points)| {
            points.iter().map(move |(time, value)| (seconds(*time), labels, value.as_str()))
        })),
        Answer::Lines(lines) => {
            Box::new(lines.iter().map(|(time, labels, line)| (times::nanos(*time), labels, line.as_str())))
        }
    }
}

fn in_columns(answer: &Answer, out: &mut dyn Write) -> Result<()> {
    let names: BTreeSet<&str> =
        rows(answer).flat_map(|(_, labels, _)| labels.iter().map(|(name, _)| name.as_str())).collect();
    let last = if matches!(answer, Answer::Lines(_)) { "line" } else { "value" };
    csv::row(["time"].into_iter().chain(names.iter().copied()).chain([last]), out)?;
    for (time, labels, value) in rows(answer) {
        let cell = |wanted: &&str| {
            let found = labels.binary_search_by(|(name, _)| name.as_str().cmp(wanted));
            found.ok().and_then(|at| labels.get(at)).map_or("", |(_, value)| value.as_str())
        };
        csv::row([time.as_str()].into_iter().chain(names.iter().map(cell)).chain([value]), out)?;
    }
    Ok(())
}

/// Names, values or series.
pub fn names(data: &Value, output: Output, out: &mut dyn Write) -> Result<()> {
    if output == Output::Json {
        return Ok(writeln!(out, "{data}")?);
    }
    for one in data.as_array().into_iter().flatten() {
        match one {
            Value::Object(labels) if output == Output::Lines => writeln!(out, "{}", json!(labels))?,
            Value::Object(labels) => writeln!(out, "{}", metric(&pairs(labels)))?,
            Value::String(text) if output == Output::Csv => csv::row([text.as_str()], out)?,
            Value::String(text) => writeln!(out, "{}", shown(text))?,
            other => writeln!(out, "{other}")?,
        }
    }
    Ok(())
}

fn seconds(time: f64) -> String {
    times::millis((time * 1000.0).round() as i64)
}

/// `up{job="node"}`.
fn metric(labels: &LabelPairs) -> String {
    let all = Labels::from_pairs(labels.iter().map(|(name, value)| (name, value)));
    match all.metric_name() {
        Some(name) if all.len() == 1 => name.to_owned(),
        Some(name) => format!("{name}{}", all.without(|label| label == METRIC_NAME)),
        None => all.to_string(),
    }
}

/// A line without what would make a terminal do something else than show it.
fn shown(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}
