//! The `unpack` parser: takes apart what Promtail's `pack` stage put together.

use super::{
    hints::Hints,
    json::{Buffers, JsonError, Kind, each_field, sanitize, string_text},
    label_filter::Guards,
    line_labels::LineLabels,
    stage::JSON_ERROR,
};

/// The field that holds the line itself.
const ENTRY: &str = "_entry";

/// What becomes of the line.
pub enum Unpacked {
    /// It stays as it is.
    Same,
    /// It is what was packed, which is in the buffer.
    Entry,
    Dropped,
}

/// Unpacks a line. Labels are set only if there is a packed line in it.
pub fn unpack(
    line: &str,
    labels: &mut LineLabels,
    hints: &Hints,
    guards: &Guards,
    buffers: &mut Buffers,
    entry: &mut String,
) -> Unpacked {
    if line.is_empty() {
        return Unpacked::Same;
    }
    let result = match line.starts_with('{') {
        true => find_entry(line, entry).map_err(|error| error.to_string()),
        false => Err("expecting json object(6), but it is not".to_owned()),
    };
    match result {
        Ok(true) => {}
        Ok(false) => return Unpacked::Same,
        Err(error) => {
            labels.set_parser_error(JSON_ERROR, Some(&error), hints);
            return Unpacked::Same;
        }
    }
    if hints.no_labels() || set_labels(line, labels, hints, guards, buffers) {
        Unpacked::Entry
    } else {
        Unpacked::Dropped
    }
}

/// Puts the packed line into `entry`; whether there is one.
fn find_entry(line: &str, entry: &mut String) -> Result<bool, JsonError> {
    let mut found = false;
    each_field(line, |key, raw| {
        if raw.kind == Kind::String && key == ENTRY {
            entry.clear();
            super::json::unescape(raw.text, entry).ok_or(JsonError::MalformedEscape)?;
            found = true;
        }
        Ok(())
    })
    .map(|()| found)
}

/// Sets the other fields as labels; whether the line is kept.
fn set_labels(
    line: &str,
    labels: &mut LineLabels,
    hints: &Hints,
    guards: &Guards,
    buffers: &mut Buffers,
) -> bool {
    let Buffers { value, name, .. } = buffers;
    let result: Result<(), Option<JsonError>> = each_field(line, |key, raw| {
        if raw.kind != Kind::String || key == ENTRY {
            return Ok(());
        }
        name.clear();
        sanitize(key.trim(), name);
        let Some(key) = labels.key(name, hints) else { return Ok(()) };
        let text = string_text(raw.text, value);
        labels.set(key, text, hints);
        if guards.drop(labels.key_text(key), text) { Err(None) } else { Ok(()) }
    });
    // The line was read once before: there are no other errors.
    result.is_ok()
}
