//! Functions on text. Positions and lengths are in bytes where sprig's are.

use super::{Call, Function, Kind, int_arg, part_of, str_arg};
use crate::{format::text_of, value::Value};
use std::{borrow::Cow, ops::Range};

const ONE: &[Kind] = &[Kind::Str];
const TWO: &[Kind] = &[Kind::Str, Kind::Str];
const THREE: &[Kind] = &[Kind::Str, Kind::Str, Kind::Str];
const COUNTED: &[Kind] = &[Kind::Int, Kind::Str];

pub const FUNCTIONS: &[Function] = &[
    Function::new("lower", ONE, |_, args| Ok(changed(args, char::to_lowercase))),
    Function::new("upper", ONE, |_, args| Ok(changed(args, char::to_uppercase))),
    Function::new("ToLower", ONE, |_, args| Ok(changed(args, char::to_lowercase))),
    Function::new("ToUpper", ONE, |_, args| Ok(changed(args, char::to_uppercase))),
    Function::new("title", ONE, |_, args| Ok(Value::str(title(str_arg(args, 0))))),
    Function::new("trunc", COUNTED, truncate),
    Function::new("substr", &[Kind::Int, Kind::Int, Kind::Str], substring),
    Function::new("contains", TWO, |_, args| Ok(Value::Bool(str_arg(args, 1).contains(str_arg(args, 0))))),
    Function::new("hasPrefix", TWO, |_, args| {
        Ok(Value::Bool(str_arg(args, 1).starts_with(str_arg(args, 0))))
    }),
    Function::new("hasSuffix", TWO, |_, args| Ok(Value::Bool(str_arg(args, 1).ends_with(str_arg(args, 0))))),
    Function::new("indent", COUNTED, |call, args| indent(call, args, "")),
    Function::new("nindent", COUNTED, |call, args| indent(call, args, "\n")),
    Function::new("replace", THREE, |call, args| {
        replace(call, str_arg(args, 2), str_arg(args, 0), str_arg(args, 1), -1)
    }),
    Function::new("Replace", &[Kind::Str, Kind::Str, Kind::Str, Kind::Int], |call, args| {
        replace(call, str_arg(args, 0), str_arg(args, 1), str_arg(args, 2), int_arg(args, 3))
    }),
    Function::new("repeat", COUNTED, repeat),
    Function::new("trim", ONE, |_, args| Ok(part_of(args, 0, str::trim))),
    Function::new("TrimSpace", ONE, |_, args| Ok(part_of(args, 0, str::trim))),
    Function::new("trimAll", TWO, |_, args| Ok(trimmed(args, 1, 0, true, true))),
    Function::new("Trim", TWO, |_, args| Ok(trimmed(args, 0, 1, true, true))),
    Function::new("TrimLeft", TWO, |_, args| Ok(trimmed(args, 0, 1, true, false))),
    Function::new("TrimRight", TWO, |_, args| Ok(trimmed(args, 0, 1, false, true))),
    Function::new("trimPrefix", TWO, |_, args| Ok(without_prefix(args, 1, 0))),
    Function::new("TrimPrefix", TWO, |_, args| Ok(without_prefix(args, 0, 1))),
    Function::new("trimSuffix", TWO, |_, args| Ok(without_suffix(args, 1, 0))),
    Function::new("TrimSuffix", TWO, |_, args| Ok(without_suffix(args, 0, 1))),
    Function::new("alignLeft", COUNTED, |call, args| align(call, args, true)),
    Function::new("alignRight", COUNTED, |call, args| align(call, args, false)),
    Function::new("__line__", &[], |call, _| Ok(Value::str(call.env.line))),
];

/// Characters changed one by one: as in Go, none becomes more than one.
pub fn changed<'a, C: Iterator<Item = char>>(args: &[Value<'a>], change: fn(char) -> C) -> Value<'a> {
    let one = |c| {
        let mut changed = change(c);
        let first = changed.next().unwrap_or(c);
        if changed.next().is_none() { first } else { c }
    };
    let text = str_arg(args, 0);
    if text.chars().all(|c| one(c) == c) {
        return part_of(args, 0, |text| text);
    }
    Value::str(text.chars().map(one).collect::<String>())
}

/// The first letter of each word in upper case.
fn title(text: &str) -> String {
    let mut at_start = true;
    let capital = |c: char| {
        let starts = std::mem::replace(&mut at_start, is_separator(c));
        let mut upper = c.to_uppercase();
        match (starts, upper.next(), upper.next()) {
            (true, Some(upper), None) => upper,
            _ => c,
        }
    };
    text.chars().map(capital).collect()
}

fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !c.is_alphanumeric() && c.is_whitespace()
}

/// Some bytes of an argument's text. Characters cut in two become U+FFFD, as when Go writes
/// them as JSON.
pub fn bytes_of<'a>(args: &[Value<'a>], index: usize, range: Range<usize>) -> Value<'a> {
    if let Some(Value::Str(Cow::Borrowed(text))) = args.get(index)
        && let Some(part) = text.get(range.clone())
    {
        return Value::Str(Cow::Borrowed(part));
    }
    let bytes = str_arg(args, index).as_bytes().get(range).unwrap_or_default();
    Value::str(text_of(bytes.to_vec()))
}

fn truncate<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let (count, len) = (int_arg(args, 0), str_arg(args, 1).len());
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let range = match count {
        _ if wanted >= len => 0..len,
        0.. => 0..wanted,
        _ => len - wanted..len,
    };
    Ok(bytes_of(args, 1, range))
}

fn substring<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let (start, end, len) = (int_arg(args, 0), int_arg(args, 1), str_arg(args, 2).len());
    let signed_len = i64::try_from(len).unwrap_or(i64::MAX);
    let (from, to) = match (start, end) {
        (..0, _) => (0, end),
        (_, ..0) => (start, signed_len),
        _ => (start, if end > signed_len { signed_len } else { end }),
    };
    let problem = || {
        if to > signed_len || to < 0 {
            format!("runtime error: slice bounds out of range [:{to}]{}", with_length(to, len))
        } else {
            format!("runtime error: slice bounds out of range [{from}:{to}]")
        }
    };
    let bounds = (usize::try_from(from).ok()).zip(usize::try_from(to).ok());
    let (from, to) = bounds.filter(|(from, to)| from <= to && *to <= len).ok_or_else(problem)?;
    Ok(bytes_of(args, 2, from..to))
}

/// Go names the length only where an index is beyond it.
fn with_length(index: i64, len: usize) -> String {
    if index < 0 { String::new() } else { format!(" with length {len}") }
}

fn indent<'a>(call: &Call<'_, 'a>, args: &[Value<'a>], before: &str) -> Result<Value<'a>, String> {
    let text = str_arg(args, 1);
    let spaces = count(int_arg(args, 0))?;
    let lines = text.matches('\n').count() + 1;
    call.fits(spaces.saturating_mul(lines).saturating_add(text.len()))?;
    let pad = " ".repeat(spaces);
    Ok(Value::str(format!("{before}{pad}{}", text.replace('\n', &format!("\n{pad}")))))
}

fn repeat<'a>(call: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let (count, text) = (count(int_arg(args, 0))?, str_arg(args, 1));
    call.fits(count.saturating_mul(text.len()))?;
    Ok(Value::str(if text.is_empty() { String::new() } else { text.repeat(count) }))
}

fn count(count: i64) -> Result<usize, String> {
    usize::try_from(count).map_err(|_| "strings: negative Repeat count".to_owned())
}

/// Replaces the first `limit` occurrences, or all if that is negative.
fn replace<'a>(
    call: &Call<'_, 'a>,
    text: &str,
    old: &str,
    new: &str,
    limit: i64,
) -> Result<Value<'a>, String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = text.matches(old).take(limit).count();
    call.fits(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::str(text.replacen(old, new, limit)))
}

/// An argument's text without the characters of another at its ends.
fn trimmed<'a>(args: &[Value<'a>], text: usize, set: usize, left: bool, right: bool) -> Value<'a> {
    let set = str_arg(args, set);
    part_of(args, text, |text| {
        let text = if left { text.trim_start_matches(|c| set.contains(c)) } else { text };
        if right { text.trim_end_matches(|c| set.contains(c)) } else { text }
    })
}

fn without_prefix<'a>(args: &[Value<'a>], text: usize, prefix: usize) -> Value<'a> {
    let prefix = str_arg(args, prefix);
    part_of(args, text, |text| text.strip_prefix(prefix).unwrap_or(text))
}

fn without_suffix<'a>(args: &[Value<'a>], text: usize, suffix: usize) -> Value<'a> {
    let suffix = str_arg(args, suffix);
    part_of(args, text, |text| text.strip_suffix(suffix).unwrap_or(text))
}

/// Fills or cuts to a width in characters.
fn align<'a>(call: &Call<'_, 'a>, args: &[Value<'a>], left: bool) -> Result<Value<'a>, String> {
    let text = str_arg(args, 1);
    let Ok(width) = usize::try_from(int_arg(args, 0)) else { return Ok(part_of(args, 1, |text| text)) };
    let length = text.chars().count();
    if width > length {
        let fill = width - length;
        call.fits(fill.saturating_add(text.len()))?;
        let fill = " ".repeat(fill);
        return Ok(Value::str(if left { format!("{text}{fill}") } else { format!("{fill}{text}") }));
    }
    let cut = |text: &str, at: usize| text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
    let range = if left { 0..cut(text, width) } else { cut(text, length - width)..text.len() };
    Ok(bytes_of(args, 1, range))
}
