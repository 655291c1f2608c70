//! Numbers as Go's constants are written.

use crate::ast::Number;
use model::quote;
use query_syntax::{Span, unquote_bytes};

pub fn parse(text: &str) -> Result<Number, String> {
    let looks_float = text.contains(['.', 'e', 'E', 'p', 'P']);
    let is_hex = text.len() > 2 && text.starts_with("0x") | text.starts_with("0X");
    let is_float = looks_float && (!is_hex || text.contains(['p', 'P']));
    let number = |int, float| Number { text: text.to_owned(), int, float, is_float };
    if let Some(int) = parse_integer(text) {
        return Ok(match i64::try_from(int) {
            Ok(int) => number(Some(int), Some(int as f64)),
            Err(_) => number(None, Some(int as f64)),
        });
    }
    let float: Option<f64> = text.parse().ok().filter(|f: &f64| f.is_finite());
    match float {
        Some(_) if !looks_float => Err(format!("integer overflow: {}", quote(text))),
        Some(f) => {
            let is_whole = f.fract() == 0.0 && f.abs() < 9.3e18;
            Ok(number(is_whole.then_some(f as i64), Some(f)))
        }
        None => Err(format!("illegal number syntax: {}", quote(text))),
    }
}

/// A signed or unsigned integer of 64 bits, with any of Go's prefixes.
pub fn parse_integer(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let lower = rest.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, &*lower),
    };
    let prefixed = digits.len() < lower.len();
    let separators =
        !digits.ends_with('_') && !digits.contains("__") && (prefixed || !digits.starts_with('_'));
    if digits.is_empty() || !separators || digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    let value = if negative { -value } else { value };
    // A sign makes it a signed number.
    let max = if text.starts_with(['+', '-']) { i128::from(i64::MAX) } else { i128::from(u64::MAX) };
    (i128::from(i64::MIN)..=max).contains(&value).then_some(value)
}

/// A character between single quotes.
pub fn parse_char(text: &str) -> Result<Number, String> {
    let bytes = unquote_bytes(text, Span::default()).map_err(|_| "invalid syntax".to_owned())?;
    let value = match (std::str::from_utf8(&bytes), bytes.as_slice()) {
        (Ok(inner), _) => {
            let mut chars = inner.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => u32::from(c),
                (None, _) => return Err("invalid syntax".to_owned()),
                _ => return Err(format!("malformed character constant: {text}")),
            }
        }
        (Err(_), [byte]) => u32::from(*byte),
        (Err(_), _) => return Err(format!("malformed character constant: {text}")),
    };
    let number = i64::from(value);
    Ok(Number { text: text.to_owned(), int: Some(number), float: Some(number as f64), is_float: false })
}
