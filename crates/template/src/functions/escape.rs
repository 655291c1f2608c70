//! Escaping for HTML, JavaScript and URLs, as Go does it.

use model::quote;
use std::fmt::Write;

pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

pub fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' | '\0'..' ' => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c if c.is_ascii() => out.push(c),
            // Quoting leaves what can be printed as it is.
            c if !quote(c.encode_utf8(&mut [0; 4])).contains('\\') => out.push(c),
            c => drop(write!(out, "\\u{:04X}", u32::from(c))),
        }
    }
    out
}

/// Go's `url.QueryEscape`.
pub fn url(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            // Writing to a String cannot fail.
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// Go's `url.QueryUnescape`.
pub fn unescape_url(text: &str) -> Result<String, String> {
    unescape(text, true)
}

/// Go's `url.PathUnescape`.
pub fn unescape_path(text: &str) -> Result<String, String> {
    unescape(text, false)
}

fn unescape(text: &str, plus_is_space: bool) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' if plus_is_space => out.push(b' '),
            b'%' => {
                let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte =
                    digits.filter(|d| !d.starts_with('+')).and_then(|d| u8::from_str_radix(d, 16).ok());
                let Some(byte) = byte else {
                    let shown = &text.as_bytes()[text.len() - after.len() - 1..];
                    let shown = String::from_utf8_lossy(&shown[..shown.len().min(3)]).into_owned();
                    return Err(format!("invalid URL escape {}", quote(&shown)));
                };
                out.push(byte);
                rest = &after[2..];
            }
            byte => out.push(*byte),
        }
    }
    Ok(crate::format::text_of(out))
}
