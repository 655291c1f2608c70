//! A lenient reader of JSON text: it finds where values end and checks little else.
//!
//! It takes and refuses what Loki's reader (grafana/jsonparser) takes and refuses, and names
//! errors as that does, for they are shown in `__error_details__`.

use memchr::{memchr, memchr2, memchr3};
use std::borrow::Cow;
use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    #[error("Unknown value type")]
    UnknownValueType,
    #[error("Malformed JSON error")]
    MalformedJson,
    #[error("Value is string, but can't find closing '\"' symbol")]
    MalformedString,
    #[error("Value is array, but can't find closing ']' symbol")]
    MalformedArray,
    #[error("Value looks like object, but can't find closing '}}' symbol")]
    MalformedObject,
    #[error("Encountered an invalid escape sequence in a string")]
    MalformedEscape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    Number,
    Object,
    Array,
    Boolean,
    Null,
}

/// A value as it is written; a string without its quotes.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'t> {
    pub text: &'t str,
    pub kind: Kind,
}

/// Where the first byte is that is not white space.
pub fn next_token(text: &str) -> Option<usize> {
    text.bytes().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t'))
}

/// What comes behind white space; `None` if nothing does.
pub fn skip_space(text: &str) -> Option<&str> {
    next_token(text).map(|at| &text[at..])
}

/// Where the quote lies that ends a string, of which the opening quote has been read, and
/// whether there are escapes before it.
pub fn string_end(text: &str) -> Option<(usize, bool)> {
    let bytes = text.as_bytes();
    let (mut at, mut escaped) = (0, false);
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some((at, escaped));
        }
        escaped = true;
        at += 2;
    }
}

/// The length of the object or array that `text` begins with. Brackets of the other kind are
/// not looked at.
pub fn block_end(text: &str, open: u8, close: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut level, mut at) = (0_usize, 0);
    loop {
        at += memchr3(b'"', open, close, bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            // Quotes are ASCII: what is behind one is text.
            at += string_end(&text[at + 1..])?.0 + 2;
            continue;
        }
        level = if bytes[at] == open { level + 1 } else { level.saturating_sub(1) };
        at += 1;
        if level == 0 {
            return Some(at);
        }
    }
}

/// Reads the value that `text` begins with, behind white space, and answers what is behind it.
pub fn value(text: &str) -> Result<(Raw<'_>, &str), JsonError> {
    let text = skip_space(text).ok_or(JsonError::MalformedJson)?;
    let (kind, end) = match text.as_bytes()[0] {
        b'"' => {
            let (end, _) = string_end(&text[1..]).ok_or(JsonError::MalformedString)?;
            return Ok((Raw { text: &text[1..=end], kind: Kind::String }, &text[end + 2..]));
        }
        b'[' => (Kind::Array, block_end(text, b'[', b']').ok_or(JsonError::MalformedArray)?),
        b'{' => (Kind::Object, block_end(text, b'{', b'}').ok_or(JsonError::MalformedObject)?),
        first => {
            let ends = |b| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b',' | b'}' | b']');
            let end = text.bytes().position(ends).unwrap_or(text.len());
            let kind = match (first, &text[..end]) {
                (_, "true" | "false") => Kind::Boolean,
                (_, "null") => Kind::Null,
                (b'0'..=b'9' | b'-', _) => Kind::Number,
                _ => return Err(JsonError::UnknownValueType),
            };
            (kind, end)
        }
    };
    Ok((Raw { text: &text[..end], kind }, &text[end..]))
}

/// Calls `each` with the keys and values of an object, until it fails or the object ends.
pub fn each_field<'t, E: From<JsonError>>(
    object: &'t str,
    mut each: impl FnMut(&str, Raw<'t>) -> Result<(), E>,
) -> Result<(), E> {
    let text = skip_space(object).ok_or(JsonError::MalformedObject)?;
    let inside = text.strip_prefix('{').ok_or(JsonError::MalformedObject)?;
    let mut rest = skip_space(inside).ok_or(JsonError::MalformedJson)?;
    loop {
        if rest.starts_with('}') {
            return Ok(());
        }
        let quoted = rest.strip_prefix('"').ok_or(JsonError::MalformedObject)?;
        let (end, escaped) = string_end(quoted).ok_or(JsonError::MalformedJson)?;
        let key = key_text(&quoted[..end], escaped).ok_or(JsonError::MalformedEscape)?;
        let colon = skip_space(&quoted[end + 1..]).ok_or(JsonError::MalformedJson)?;
        let behind = colon.strip_prefix(':').ok_or(JsonError::MalformedJson)?;
        let (raw, after) = value(behind)?;
        each(&key, raw)?;
        rest = skip_space(after).ok_or(JsonError::MalformedArray)?;
        match rest.as_bytes()[0] {
            b'}' => return Ok(()),
            b',' => rest = skip_space(&rest[1..]).ok_or(JsonError::MalformedArray)?,
            _ => return Err(JsonError::MalformedObject.into()),
        }
    }
}

/// The text of a key; `None` if an escape in it is not valid. Keys with escapes are rare, and
/// the only ones to be copied.
pub fn key_text(raw: &str, escaped: bool) -> Option<Cow<'_, str>> {
    if !escaped {
        return Some(raw.into());
    }
    let mut text = String::new();
    unescape(raw, &mut text).map(|()| text.into())
}

/// Appends a string with its escapes decoded; `None` where one is not valid. What is in `out`
/// then is of no use.
pub fn unescape(text: &str, out: &mut String) -> Option<()> {
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let (decoded, length) = match escape.as_bytes().get(1)? {
            b'"' => ('"', 2),
            b'\\' => ('\\', 2),
            b'/' => ('/', 2),
            b'b' => ('\x08', 2),
            b'f' => ('\x0c', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => unicode_escape(escape)?,
            _ => return None,
        };
        out.push(decoded);
        rest = escape.get(length..)?;
    }
    out.push_str(rest);
    Some(())
}

/// Decodes `\uXXXX`, or two of them that stand for one character.
fn unicode_escape(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = escape.get(at + 2..at + 6).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let high = unit(0)?;
    if let Some(c) = char::from_u32(high) {
        return Some((c, 6));
    }
    let low = unit(6).filter(|low| *low >= 0xdc00)?;
    let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    Some((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12))
}

/// The text of a string value: decoded, without U+FFFD, and empty if an escape is not valid.
pub fn string_text<'t>(raw: &'t str, buffer: &'t mut String) -> &'t str {
    let bytes = raw.as_bytes();
    // U+FFFD begins with this byte, and few other characters do.
    if memchr2(b'\\', 0xef, bytes).is_none() {
        return raw;
    }
    buffer.clear();
    if unescape(raw, buffer).is_none() {
        return "";
    }
    blank_replacements(buffer);
    buffer
}

/// Puts a space for each U+FFFD, as Loki does.
pub fn blank_replacements(text: &mut String) {
    if text.contains(char::REPLACEMENT_CHARACTER) {
        *text = text.replace(char::REPLACEMENT_CHARACTER, " ");
    }
}
