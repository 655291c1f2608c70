//! The `logfmt` parser, with and without expressions.

mod decode;

use super::{
    hints::Hints,
    json::{Buffers, blank_replacements, sanitize},
    label_filter::Guards,
    line_labels::LineLabels,
    stage::LOGFMT_ERROR,
};
use decode::{Decoder, Field, unquote};

/// What the parser takes.
#[derive(Debug)]
pub struct Logfmt {
    /// Stop at the first error, and say so.
    pub strict: bool,
    /// Fields without a value become empty labels.
    pub keep_empty: bool,
    /// Labels and the fields they are made of; if there are none, every field becomes a label.
    pub expressions: Vec<(String, String)>,
}

impl Logfmt {
    /// Parses a line; whether it is kept.
    pub fn parse(
        &self,
        line: &str,
        labels: &mut LineLabels,
        hints: &Hints,
        guards: &Guards,
        buffers: &mut Buffers,
    ) -> bool {
        if self.expressions.is_empty() {
            self.parse_all(line, labels, hints, guards, buffers)
        } else {
            self.parse_named(line, labels, hints, buffers);
            true
        }
    }

    fn parse_all(
        &self,
        line: &str,
        labels: &mut LineLabels,
        hints: &Hints,
        guards: &Guards,
        buffers: &mut Buffers,
    ) -> bool {
        for field in Decoder::new(line) {
            let field = match field {
                Ok(field) => field,
                Err(error) if self.strict => {
                    labels.set_parser_error(LOGFMT_ERROR, Some(&error.to_string()), hints);
                    break;
                }
                Err(_) => continue,
            };
            if field.value.is_empty() && !self.keep_empty {
                continue;
            }
            let name = sanitized(field.key, &mut buffers.name);
            if name.is_empty() {
                continue;
            }
            let Some(key) = labels.key(name, hints) else { continue };
            let value = value(&field, &mut buffers.value);
            labels.set(key, value, hints);
            if guards.drop(labels.key_text(key), value) {
                return false;
            }
            if labels.all_extracted(hints) {
                break;
            }
        }
        true
    }

    fn parse_named(&self, line: &str, labels: &mut LineLabels, hints: &Hints, buffers: &mut Buffers) {
        for (label, _) in &self.expressions {
            if !labels.is_taken(label) {
                labels.set_named(label, "", hints);
            }
        }
        for field in Decoder::new(line) {
            let field = match field {
                Ok(field) => field,
                Err(error) if self.strict => {
                    labels.set_parser_error(LOGFMT_ERROR, Some(&error.to_string()), hints);
                    break;
                }
                Err(_) => continue,
            };
            let name = sanitized(field.key, &mut buffers.name);
            for (label, _) in self.expressions.iter().filter(|(_, field)| field == name) {
                // What gets a suffix is taken once, as if it were not named.
                let key = match labels.is_taken(label) {
                    true => labels.key(label, hints),
                    false => Some(labels.named_key(label)),
                };
                let Some(key) = key else { continue };
                let value = value(&field, &mut buffers.value);
                labels.set(key, value, hints);
            }
        }
    }
}

fn sanitized<'b>(key: &'b str, buffer: &'b mut String) -> &'b str {
    if key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') {
        return key;
    }
    buffer.clear();
    sanitize(key.trim(), buffer);
    buffer
}

fn value<'b>(field: &Field<'b>, buffer: &'b mut String) -> &'b str {
    if !field.escaped && !field.value.contains(char::REPLACEMENT_CHARACTER) {
        return field.value;
    }
    buffer.clear();
    if field.escaped {
        unquote(field.value, buffer);
    } else {
        buffer.push_str(field.value);
    }
    blank_replacements(buffer);
    buffer
}

/// The field that an expression names.
///
/// # Errors
/// What is wrong, in words.
pub fn parse_expression(text: &str) -> Result<String, String> {
    let text = text.trim();
    if let Some(quoted) = text.strip_prefix('"') {
        return Ok(quoted.split(['"', ']']).next().unwrap_or_default().to_owned());
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() {
        return Err("syntax error: unexpected $end".to_owned());
    }
    match text.chars().enumerate().find(|(at, c)| !word(*c) || (*at == 0 && c.is_ascii_digit())) {
        Some((_, c)) => Err(format!("unexpected char {c}")),
        None => Ok(text.to_owned()),
    }
}
