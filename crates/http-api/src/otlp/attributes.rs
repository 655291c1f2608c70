//! Attributes: names with values of several kinds.

use crate::{
    json,
    write::wire::{Reader, Value, WireError},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::borrow::Cow;

/// How deep values may nest.
const MAX_DEPTH: usize = 64;

/// An attribute's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AnyValue<'a> {
    Empty,
    String(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// The message with its elements.
    Array(&'a [u8]),
    /// The message with its pairs.
    Map(&'a [u8]),
    Bytes(&'a [u8]),
}

impl<'a> AnyValue<'a> {
    pub fn read(message: &'a [u8]) -> Result<Self, WireError> {
        let mut any = Self::Empty;
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.field()? {
            any = match field {
                1 => Self::String(value.bytes(1)?),
                2 => Self::Bool(value.varint(2)? != 0),
                3 => Self::Int(value.varint(3)? as i64),
                4 => Self::Double(value.double(4)?),
                5 => Self::Array(value.bytes(5)?),
                6 => Self::Map(value.bytes(6)?),
                7 => Self::Bytes(value.bytes(7)?),
                _ => any,
            };
        }
        Ok(any)
    }

    /// The value as text: strings as they are, nothing as nothing, what has parts as JSON.
    pub fn text(self) -> Result<Cow<'a, str>, WireError> {
        Ok(match self {
            Self::Empty => Cow::Borrowed(""),
            Self::String(bytes) => String::from_utf8_lossy(bytes),
            Self::Bool(v) => Cow::Borrowed(if v { "true" } else { "false" }),
            Self::Int(v) => Cow::Owned(v.to_string()),
            Self::Double(v) => Cow::Owned(double(v)),
            Self::Bytes(bytes) => Cow::Owned(BASE64_STANDARD.encode(bytes)),
            Self::Array(_) | Self::Map(_) => {
                let mut out = Vec::new();
                self.write_json(&mut out, 0)?;
                Cow::Owned(String::from_utf8_lossy(&out).into_owned())
            }
        })
    }

    fn write_json(self, out: &mut Vec<u8>, depth: usize) -> Result<(), WireError> {
        check_depth(depth)?;
        match self {
            Self::Empty => out.extend_from_slice(b"null"),
            Self::String(_) | Self::Bytes(_) => json::string(out, &self.text()?),
            Self::Double(v) if !v.is_finite() => json::string(out, &double(v)),
            Self::Bool(_) | Self::Int(_) | Self::Double(_) => out.extend_from_slice(self.text()?.as_bytes()),
            Self::Array(message) => {
                out.push(b'[');
                let mut comma = false;
                for_each(message, 1, |element| {
                    if std::mem::replace(&mut comma, true) {
                        out.push(b',');
                    }
                    Self::read(element)?.write_json(out, depth + 1)
                })?;
                out.push(b']');
            }
            Self::Map(message) => {
                let mut pairs = Vec::new();
                for_each(message, 1, |pair| {
                    pairs.push(read_pair(pair)?);
                    Ok(())
                })?;
                // As in Go's JSON of a map: whatever the sender's order, the text is the same, and so is the series.
                pairs.sort_by_key(|(key, _)| *key);
                out.push(b'{');
                let mut comma = false;
                for (i, (key, value)) in pairs.iter().enumerate() {
                    // Of equal keys the last one counts.
                    if pairs.get(i + 1).is_some_and(|(next, _)| next == key) {
                        continue;
                    }
                    if std::mem::replace(&mut comma, true) {
                        out.push(b',');
                    }
                    json::string(out, &String::from_utf8_lossy(key));
                    out.push(b':');
                    value.write_json(out, depth + 1)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

/// Refuses what nests too deeply.
pub fn check_depth(depth: usize) -> Result<(), WireError> {
    if depth > MAX_DEPTH { Err(WireError::Depth(MAX_DEPTH)) } else { Ok(()) }
}

/// A `KeyValue`.
pub fn read_pair(message: &[u8]) -> Result<(&[u8], AnyValue<'_>), WireError> {
    let (mut key, mut any) = (&b""[..], AnyValue::Empty);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => key = value.bytes(1)?,
            2 => any = AnyValue::read(value.bytes(2)?)?,
            _ => {}
        }
    }
    Ok((key, any))
}

/// The messages of a repeated field.
pub fn for_each<'a>(
    message: &'a [u8],
    number: u32,
    mut each: impl FnMut(&'a [u8]) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        if field == number {
            each(value.bytes(number)?)?;
        }
    }
    Ok(())
}

/// The last message of a field, which is the one that counts; empty if there is none.
pub fn last(message: &[u8], number: u32) -> Result<&[u8], WireError> {
    let mut found = &b""[..];
    for_each(message, number, |value| {
        found = value;
        Ok(())
    })?;
    Ok(found)
}

/// The identifier of a trace or span in hexadecimal; nothing if it is all zeros.
pub fn identifier(value: Value<'_>, field: u32) -> Result<String, WireError> {
    let bytes = value.bytes(field)?;
    // A trace's has 16 bytes, and no sender has more to say.
    if bytes.len() > 16 || bytes.iter().all(|b| *b == 0) {
        return Ok(String::new());
    }
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// A number as Go writes it in JSON; with a word for what JSON has no number for.
fn double(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if v == 0.0 || (1e-6..1e21).contains(&v.abs()) {
        return v.to_string();
    }
    let text = format!("{v:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_go_does() {
        for (v, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(double(v), text);
        }
    }
}
