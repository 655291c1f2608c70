//! The `json` parser with expressions: values at paths such as `servers[0].name`.

use super::{Buffers, JsonError, Kind, Raw, scan, string_text};
use crate::pipeline::{hints::Hints, line_labels::LineLabels, stage::JSON_ERROR};

/// A path into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Element(usize),
}

impl JsonPath {
    /// Parses `a.b`, `a["b c"]`, `a[0]`, and chains of these.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            if first == '[' {
                let (step, after) = bracket(rest[1..].trim_start())?;
                steps.push(step);
                rest = after.trim_start();
                continue;
            }
            if !steps.is_empty() {
                rest = rest.strip_prefix('.').ok_or_else(|| unexpected(first))?.trim_start();
            }
            let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
            if end == 0 || rest.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(rest.chars().next().map_or_else(end_of_input, unexpected));
            }
            steps.push(Step::Field(rest[..end].to_owned()));
            rest = rest[end..].trim_start();
        }
        if steps.is_empty() { Err(end_of_input()) } else { Ok(Self(steps)) }
    }
}

/// What stands behind `[`, and the text behind `]`.
fn bracket(inside: &str) -> Result<(Step, &str), String> {
    let (step, rest) = if let Some(quoted) = inside.strip_prefix('"') {
        let (name, rest) = quoted.split_once('"').ok_or_else(end_of_input)?;
        (Step::Field(name.to_owned()), rest)
    } else {
        let end = inside.find(|c: char| !c.is_ascii_digit()).unwrap_or(inside.len());
        let (digits, rest) = inside.split_at(end);
        if rest.starts_with('.') && end > 0 {
            return Err("cannot use float as array index".to_owned());
        }
        let index = digits.parse().map_err(|_| {
            rest.chars().next().map_or_else(end_of_input, |c| format!("non-integer value: {c}"))
        })?;
        (Step::Element(index), rest)
    };
    let rest = rest.trim_start();
    match rest.strip_prefix(']') {
        Some(rest) => Ok((step, rest)),
        None => Err(rest.chars().next().map_or_else(end_of_input, unexpected)),
    }
}

fn unexpected(c: char) -> String {
    format!("unexpected char {c}")
}

fn end_of_input() -> String {
    "syntax error: unexpected $end".to_owned()
}

/// Labels and the paths of their values.
#[derive(Debug)]
pub struct JsonPaths(pub Vec<(String, JsonPath)>);

impl JsonPaths {
    /// Steps of all paths.
    pub fn steps(&self) -> usize {
        self.0.iter().map(|(_, path)| path.0.len()).sum()
    }

    /// Sets every label: to nothing where there is no such value.
    pub fn parse(&self, line: &str, labels: &mut LineLabels, hints: &Hints, buffers: &mut Buffers) {
        if line.is_empty() {
            return;
        }
        if !line.starts_with(['"', '{', '[']) {
            labels.set_parser_error(JSON_ERROR, None, hints);
            return;
        }
        for (label, path) in &self.0 {
            match find(line, &path.0) {
                Ok(Some(raw)) => {
                    let value = match raw.kind {
                        Kind::Null => "",
                        Kind::Object => raw.text,
                        _ => string_text(raw.text, &mut buffers.value),
                    };
                    let key = labels.named_key(label);
                    labels.set(key, value, hints);
                    continue;
                }
                Ok(None) => {}
                Err(error) => labels.set_parser_error(JSON_ERROR, Some(&error.to_string()), hints),
            }
            if labels.get(label).is_none() {
                labels.set_named(label, "", hints);
            }
        }
    }
}

/// Where a search ends. It answers nothing where there is no such value, or where what comes
/// before it cannot be read: Loki does not look at that.
enum Found<'t> {
    Value(Raw<'t>),
    Error(JsonError),
}

/// The value at a path.
fn find<'t>(text: &'t str, path: &[Step]) -> Result<Option<Raw<'t>>, JsonError> {
    let mut at = text;
    let mut steps = path.iter();
    let mut found = None;
    while let Some(step) = steps.next() {
        let search = match step {
            Step::Field(name) => field(at, name, steps.len() == 0),
            Step::Element(index) => element(at, *index),
        };
        match search {
            Some(Found::Value(raw)) => (found, at) = (Some(raw), raw.text),
            Some(Found::Error(error)) => return Err(error),
            None => return Ok(None),
        }
    }
    Ok(found)
}

/// The value of a field. The last one of a path must be whole; on the way to it, an object may
/// be cut off, as long as what is looked for is there.
fn field<'t>(object: &'t str, name: &str, last: bool) -> Option<Found<'t>> {
    let mut rest = scan::skip_space(object)?.strip_prefix('{')?;
    loop {
        let quoted = scan::skip_space(rest)?.strip_prefix('"')?;
        let (end, escaped) = scan::string_end(quoted)?;
        let key = scan::key_text(&quoted[..end], escaped)?;
        let behind = scan::skip_space(&quoted[end + 1..])?.strip_prefix(':')?;
        match (scan::value(behind), key == name) {
            (Ok((raw, _)), true) => return Some(Found::Value(raw)),
            (Err(_), true) if !last => {
                // Cut off: the rest of the line is all that there is of it.
                return scan::skip_space(behind).map(|text| Found::Value(Raw { text, kind: Kind::Object }));
            }
            (Err(error), true) => return Some(Found::Error(error)),
            (Err(_), false) => return None,
            (Ok((_, after)), false) => rest = scan::skip_space(after)?.strip_prefix(',')?,
        }
    }
}

fn element(array: &str, index: usize) -> Option<Found<'_>> {
    let mut rest = scan::skip_space(array)?.strip_prefix('[')?;
    for at in 0.. {
        if scan::skip_space(rest)?.starts_with(']') {
            return None;
        }
        let (raw, after) = scan::value(rest).ok()?;
        if at == index {
            return Some(Found::Value(raw));
        }
        rest = scan::skip_space(after)?.strip_prefix(',')?;
    }
    None
}
