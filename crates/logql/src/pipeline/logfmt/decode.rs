//! A reader of logfmt: `key=value key="quoted value" key`.
//!
//! It reads as Loki's fork of go-logfmt does, down to what it says of errors and where.

use memchr::memchr2;
use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    InvalidKey,
    Unexpected(char),
    InvalidQuoted,
    Unterminated,
}

/// What is wrong, and where, counted in bytes from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("logfmt syntax error at pos {at} : {}", reason.text())]
pub struct LogfmtError {
    at: usize,
    reason: Reason,
}

impl Reason {
    fn text(self) -> String {
        match self {
            Self::InvalidKey => "invalid key".to_owned(),
            Self::Unexpected(c) => format!("unexpected '{c}'"),
            Self::InvalidQuoted => "invalid quoted value".to_owned(),
            Self::Unterminated => "unterminated quoted value".to_owned(),
        }
    }
}

/// A field. Its value has escapes to be decoded if `quoted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'l> {
    pub key: &'l str,
    pub value: &'l str,
    pub escaped: bool,
}

/// Reads fields one after the other. After an error it goes on with the next field.
pub struct Decoder<'l> {
    line: &'l str,
    at: usize,
}

impl<'l> Decoder<'l> {
    pub fn new(line: &'l str) -> Self {
        Self { line, at: 0 }
    }

    /// Where the next byte at or behind `from` is that `stops`; otherwise the end.
    fn next_at(&self, from: usize, stops: impl Fn(u8) -> bool) -> usize {
        self.line.as_bytes()[from..].iter().position(|b| stops(*b)).map_or(self.line.len(), |n| from + n)
    }

    fn byte(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn field(&mut self) -> Result<Field<'l>, LogfmtError> {
        let start = self.at;
        // All bytes that end a key or a value are ASCII: what lies between is text.
        self.at = self.next_at(start, |b| matches!(b, b'=' | b'"' | 0..=b' '));
        let key = &self.line[start..self.at];
        let plain = Field { key, value: "", escaped: false };
        match self.byte() {
            Some(b'"') => return Err(self.unexpected('"')),
            Some(b'=') if key.is_empty() => return Err(self.unexpected('=')),
            next => {
                if key.contains(char::REPLACEMENT_CHARACTER) {
                    let error = self.error(Reason::InvalidKey);
                    if next == Some(b'=') {
                        self.skip_value();
                    }
                    return Err(error);
                }
                if next != Some(b'=') {
                    return Ok(plain);
                }
            }
        }
        self.at += 1;
        if self.byte() == Some(b'"') {
            return self.quoted(plain);
        }
        let start = self.at;
        self.at = self.next_at(start, |b| matches!(b, b'=' | b'"' | 0..=b' '));
        match self.byte() {
            Some(b'=') => Err(self.unexpected('=')),
            Some(b'"') => Err(self.unexpected('"')),
            _ => Ok(Field { value: &self.line[start..self.at], ..plain }),
        }
    }

    fn quoted(&mut self, plain: Field<'l>) -> Result<Field<'l>, LogfmtError> {
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            let rest = self.line.as_bytes().get(at..).unwrap_or_default();
            let Some(offset) = memchr2(b'"', b'\\', rest) else {
                self.at = self.line.len();
                return Err(self.error(Reason::Unterminated));
            };
            at += offset;
            if rest[offset] == b'"' {
                break;
            }
            escaped = true;
            at += 2;
        }
        self.at = at + 1;
        let value = &self.line[start..at];
        if escaped && !is_valid(value) {
            return Err(self.error(Reason::InvalidQuoted));
        }
        Ok(Field { value, escaped, ..plain })
    }

    fn skip_value(&mut self) {
        self.at = self.next_at(self.at, |b| b <= b' ');
    }

    fn unexpected(&mut self, c: char) -> LogfmtError {
        let error = self.error(Reason::Unexpected(c));
        self.skip_value();
        error
    }

    fn error(&self, reason: Reason) -> LogfmtError {
        LogfmtError { at: self.at + 1, reason }
    }
}

impl<'l> Iterator for Decoder<'l> {
    type Item = Result<Field<'l>, LogfmtError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.at = self.next_at(self.at, |b| b > b' ');
        (self.at < self.line.len()).then(|| self.field())
    }
}

/// Whether all escapes of a quoted value are valid.
fn is_valid(value: &str) -> bool {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            continue;
        }
        match bytes.next() {
            Some(b'"' | b'\\' | b'/' | b'\'' | b'b' | b'f' | b'n' | b'r' | b't') => {}
            Some(b'u') => {
                if !(0..4).all(|_| bytes.next().is_some_and(|b| b.is_ascii_hexdigit())) {
                    return false;
                }
            }
            _ => return false,
        }
    }
    true
}

/// Appends a valid quoted value with its escapes decoded.
pub fn unquote(value: &str, out: &mut String) {
    let mut rest = value;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let Some(kind) = escape.chars().next() else { return };
        rest = &escape[kind.len_utf8()..];
        match kind {
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => rest = unicode(rest, out),
            other => out.push(other),
        }
    }
    out.push_str(rest);
}

/// Decodes what is behind `\u`, together with the second half of a pair, and answers the rest.
fn unicode<'v>(rest: &'v str, out: &mut String) -> &'v str {
    let unit = |text: &'v str| Some((u32::from_str_radix(text.get(..4)?, 16).ok()?, &text[4..]));
    let Some((high, after)) = unit(rest) else { return rest };
    if let Some(c) = char::from_u32(high) {
        out.push(c);
        return after;
    }
    let low = after.strip_prefix("\\u").and_then(unit);
    match low {
        Some((low @ 0xdc00..=0xdfff, after)) if high < 0xdc00 => {
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            after
        }
        _ => {
            out.push(char::REPLACEMENT_CHARACTER);
            after
        }
    }
}
