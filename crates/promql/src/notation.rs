//! Series as tests of PromQL and of rules write them: `name{label="value"} 1 2+3x2 _ stale {{…}}`.
//!
//! The notation is that of Prometheus's own tests.

mod buckets;
mod hints;
mod native;
mod number;
mod quoted;
mod written;

pub use buckets::by_number;
pub use hints::OpenChunk;
pub use number::number;
pub use quoted::unquote;
pub use written::written;

use histogram::FloatHistogram;
use model::{Labels, LabelsBuilder, METRIC_NAME, stale_nan};
use std::sync::Arc;

/// What a series has at one time.
#[derive(Clone, Debug)]
pub enum Value {
    Omitted,
    Float(f64),
    Histogram(Native),
}

/// A native histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Native {
    pub histogram: Arc<FloatHistogram>,
    /// The counter reset hint was written. Only then an expectation is about it.
    pub hint_given: bool,
}

/// Bits are compared, so that a stale marker is not just any NaN.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Omitted, Self::Omitted) => true,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Histogram(a), Self::Histogram(b)) => a == b,
            _ => false,
        }
    }
}

/// A series and its values.
#[derive(Clone, Debug)]
pub struct Description {
    pub labels: Labels,
    /// One for each step.
    pub values: Vec<Value>,
}

/// More values than this are a mistake.
const MAX_VALUES: usize = 1_000_000;

/// Reads a line with a series and, if there are any, its values.
///
/// # Errors
/// A sentence that quotes the line and says what is wrong.
pub fn parse(line: &str) -> Result<Description, String> {
    let malformed = |what: &str| format!("malformed series {line:?}: {what}");
    let mut rest = line;
    let labels = metric(&mut rest).map_err(|e| malformed(&e))?;
    let mut values = Vec::new();
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start();
        item(&mut rest, &mut values).map_err(|e| malformed(&e))?;
        if values.len() > MAX_VALUES {
            return Err(malformed("too many values"));
        }
    }
    Ok(Description { labels, values })
}

/// Reads values alone.
///
/// # Errors
/// As `parse`.
pub fn parse_values(text: &str) -> Result<Vec<Value>, String> {
    parse(&format!("{{}} {text}")).map(|description| description.values)
}

/// `name{…}`, `name` or `{…}`; leaves what follows in `rest`.
fn metric(rest: &mut &str) -> Result<Labels, String> {
    let mut labels = LabelsBuilder::new();
    let name_end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
    let (name, after) = rest.split_at(name_end);
    labels.set(METRIC_NAME, name);
    *rest = after;
    let in_braces = after.trim_start();
    // `{{` begins a histogram.
    if in_braces.starts_with('{') && !in_braces.starts_with("{{") {
        *rest = &in_braces[1..];
        label_list(rest, &mut labels)?;
    } else if name.is_empty() {
        return Err("no metric".to_owned());
    }
    Ok(labels.build())
}

fn label_list(rest: &mut &str, labels: &mut LabelsBuilder) -> Result<(), String> {
    loop {
        *rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            *rest = after;
            return Ok(());
        }
        let is_quoted = rest.starts_with(['"', '\'', '`']);
        let name = if is_quoted {
            quoted::take(rest)?
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            *rest = after;
            name.to_owned()
        };
        *rest = rest.trim_start();
        match rest.strip_prefix('=') {
            Some(after) if !name.is_empty() => {
                *rest = after.trim_start();
                labels.set(&name, &quoted::take(rest)?);
            }
            // A quoted metric name stands alone.
            None if is_quoted => {
                labels.set(METRIC_NAME, &name);
            }
            _ if rest.is_empty() => {}
            _ => return Err(format!("a label or a closing brace is wanted, not {:?}", name + *rest)),
        }
        if rest.is_empty() {
            return Err("no closing brace".to_owned());
        }
    }
}

/// One item: `_`, `_x3`, `5`, `5x3`, `5+2x3`, `stale`, `{{…}}`, `{{…}}x3`, `{{…}}+{{…}}x3`.
fn item(rest: &mut &str, values: &mut Vec<Value>) -> Result<(), String> {
    if let Some(after) = rest.strip_prefix('_') {
        *rest = after;
        let count = repeat(rest)?;
        values.extend((0..count.unwrap_or(1)).map(|_| Value::Omitted));
    } else if rest.starts_with("{{") {
        native::take(rest, values)?;
    } else if let Some(after) = rest.strip_prefix("stale") {
        *rest = after;
        values.push(Value::Float(stale_nan()));
    } else {
        floats(rest, values)?;
    }
    if rest.is_empty() || rest.starts_with([' ', '\t']) {
        Ok(())
    } else {
        Err(format!("unexpected {rest:?}"))
    }
}

fn floats(rest: &mut &str, values: &mut Vec<Value>) -> Result<(), String> {
    let mut value = number::take(rest).ok_or_else(|| format!("unexpected {rest:?}"))?;
    let step =
        if rest.starts_with(['+', '-']) { Some(number::take(rest).ok_or("malformed step")?) } else { None };
    let count = repeat(rest)?;
    if step.is_some() && count.is_none() {
        return Err("a step without a count".to_owned());
    }
    // A value is not repeated but followed by so many more.
    for _ in 0..=count.unwrap_or(0) {
        values.push(Value::Float(value));
        value += step.unwrap_or(0.0);
    }
    Ok(())
}

/// `x` and a count.
fn repeat(rest: &mut &str) -> Result<Option<usize>, String> {
    let Some(after) = rest.strip_prefix('x') else { return Ok(None) };
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let count: usize = after[..end].parse().map_err(|_| "malformed repetition")?;
    if count > MAX_VALUES {
        return Err("too many values".to_owned());
    }
    *rest = &after[end..];
    Ok(Some(count))
}

#[cfg(test)]
mod tests;
