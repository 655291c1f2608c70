//! The `json` parser: fields of objects become labels, those of nested objects under names
//! joined with `_`.

mod path;
mod scan;

pub use path::{JsonPath, JsonPaths};
pub use scan::{JsonError, Kind, Raw, blank_replacements, each_field, string_text, unescape};

use super::{hints::Hints, label_filter::Guards, line_labels::LineLabels, stage::JSON_ERROR};

/// Objects that nest deeper, or under longer names, are not taken apart. Each field inside has
/// the names around it in its own, so there has to be some bound; no logger comes near these.
const MAX_DEPTH: usize = 100;
const MAX_PREFIX: usize = 1024;

/// Buffers of parsers.
#[derive(Default)]
pub struct Buffers {
    /// The sanitized names of the objects around a field, joined.
    prefix: String,
    pub name: String,
    pub value: String,
}

/// Why a parser stops before its end.
pub enum Stop {
    Error(JsonError),
    /// All labels are found that are used.
    Complete,
    /// A label was found for which a filter behind drops the line.
    Dropped,
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Error(error)
    }
}

/// Parses a line; whether it is kept.
pub fn parse(
    line: &str,
    labels: &mut LineLabels,
    hints: &Hints,
    guards: &Guards,
    buffers: &mut Buffers,
) -> bool {
    let Buffers { prefix, value, .. } = buffers;
    prefix.clear();
    let mut parser = Parser { labels, hints, guards, prefix, value };
    match parser.object(line, 0) {
        Err(Stop::Dropped) => return false,
        Err(Stop::Error(error)) => labels.set_parser_error(JSON_ERROR, Some(&error.to_string()), hints),
        Ok(()) | Err(Stop::Complete) => {}
    }
    true
}

struct Parser<'p> {
    labels: &'p mut LineLabels,
    hints: &'p Hints,
    guards: &'p Guards,
    prefix: &'p mut String,
    value: &'p mut String,
}

impl Parser<'_> {
    fn object(&mut self, object: &str, depth: usize) -> Result<(), Stop> {
        each_field(object, |key, raw| {
            let outer = self.prefix.len();
            append_sanitized(self.prefix, key);
            let result = if raw.kind == Kind::Object {
                let bounded = depth < MAX_DEPTH && self.prefix.len() <= MAX_PREFIX;
                if bounded && self.hints.wants_prefix(self.prefix) {
                    self.object(raw.text, depth + 1)
                } else {
                    Ok(())
                }
            } else {
                self.field(raw)
            };
            self.prefix.truncate(outer);
            result
        })
    }

    /// Sets the label whose name is in `prefix`.
    fn field(&mut self, raw: Raw<'_>) -> Result<(), Stop> {
        let text = match raw.kind {
            Kind::Null | Kind::Array | Kind::Object => None,
            _ if self.prefix.is_empty() => None,
            _ => self.labels.key(self.prefix, self.hints),
        };
        if let Some(key) = text {
            let value = match raw.kind {
                Kind::String => string_text(raw.text, self.value),
                _ => raw.text,
            };
            self.labels.set(key, value, self.hints);
            if self.guards.drop(self.labels.key_text(key), value) {
                return Err(Stop::Dropped);
            }
        }
        if self.labels.all_extracted(self.hints) { Err(Stop::Complete) } else { Ok(()) }
    }
}

/// Appends a field's name to those around it, as far as it can be part of a label's name.
fn append_sanitized(prefix: &mut String, key: &str) {
    let key = key.trim();
    if key.is_empty() {
        return;
    }
    if !prefix.is_empty() {
        prefix.push('_');
    }
    sanitize(key, prefix);
}

/// Appends `key` with what cannot be in a label's name replaced by `_`, and a `_` before it if
/// it would come first and is a digit.
pub fn sanitize(key: &str, out: &mut String) {
    if out.is_empty() && key.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if key.bytes().all(|b| plain(b.into())) {
        out.push_str(key);
    } else {
        out.extend(key.chars().map(|c| if plain(c) { c } else { '_' }));
    }
}
