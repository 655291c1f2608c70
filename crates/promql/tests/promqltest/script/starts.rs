//! Start timestamps: `name{label="value"}@st _ -30s -1m-1mx2`, on the line before the samples they are for.

use super::duration::duration;
use model::Labels;
use promql::notation::{self, Description};

/// What one such line says.
pub struct Starts {
    labels: Labels,
    /// For each sample, how many milliseconds after it its start lies; mostly that is below zero.
    offsets: Vec<Option<i64>>,
}

/// Whether a line is one of start timestamps: its first word ends in `@st`.
pub fn are_in(line: &str) -> bool {
    line.split_once([' ', '\t']).is_some_and(|(metric, _)| metric.ends_with("@st"))
}

pub fn parse(line: &str) -> Result<Starts, String> {
    let (metric, items) = line.split_once("@st").ok_or("no start timestamps")?;
    let labels = notation::parse(metric)?.labels;
    let mut offsets = Vec::new();
    for item in items.split_whitespace() {
        take(item, &mut offsets).map_err(|e| format!("malformed start timestamp {item:?}: {e}"))?;
    }
    Ok(Starts { labels, offsets })
}

impl Starts {
    /// The offsets, if they fit the samples that follow.
    pub fn of(self, samples: &Description) -> Result<Vec<Option<i64>>, String> {
        if self.labels != samples.labels {
            return Err(format!("start timestamps of {} before samples of {}", self.labels, samples.labels));
        }
        if self.offsets.len() != samples.values.len() {
            let (starts, values) = (self.offsets.len(), samples.values.len());
            return Err(format!("{starts} start timestamps for {values} samples of {}", self.labels));
        }
        Ok(self.offsets)
    }
}

/// `_`, `_x3`, `-1m`, `-1mx3` or `-30s-1mx3`. As with values, an offset is followed by so many more.
fn take(item: &str, offsets: &mut Vec<Option<i64>>) -> Result<(), String> {
    if item == "_" {
        offsets.push(None);
        return Ok(());
    }
    if let Some(count) = item.strip_prefix("_x") {
        let count = repeat(count).ok().filter(|n| *n > 0).ok_or("malformed repetition")?;
        offsets.extend((0..count).map(|_| None));
        return Ok(());
    }
    let (first, rest) = offset(item)?;
    let (step, count) = if rest.is_empty() {
        (0, 0)
    } else if let Some(count) = rest.strip_prefix('x') {
        (0, repeat(count)?)
    } else {
        let sign = match rest.as_bytes()[0] {
            b'+' => 1,
            b'-' => -1,
            _ => return Err(format!("unexpected {rest:?}")),
        };
        let (step, rest) = offset(&rest[1..])?;
        (sign * step, repeat(rest.strip_prefix('x').ok_or("a step without a count")?)?)
    };
    offsets.extend((0..=count).map(|i| Some(first + i * step)));
    Ok(())
}

fn repeat(text: &str) -> Result<i64, String> {
    text.parse().ok().filter(|n| (0..100_000).contains(n)).ok_or_else(|| "malformed repetition".to_owned())
}

/// A number with one unit at the start of the text, with or without a sign, and what follows it.
fn offset(text: &str) -> Result<(i64, &str), String> {
    let signs = usize::from(text.starts_with(['+', '-']));
    let body = &text[signs..];
    let digits = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
    let unit = |c: char| c.is_ascii_alphabetic() && c != 'x';
    let end = body[digits..].find(|c: char| !unit(c)).map_or(body.len(), |len| digits + len);
    let value = duration(&body[..end])?;
    Ok((if text.starts_with('-') { -value } else { value }, &body[end..]))
}
