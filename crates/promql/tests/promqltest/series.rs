//! Series as scripts write them: `name{label="value"} 1 2+3x2 _ stale {{…}}`.

use model::{Labels, LabelsBuilder, METRIC_NAME, stale_nan};

#[derive(Clone, Copy, Debug)]
pub enum Value {
    Omitted,
    Float(f64),
    /// A native histogram; what is in it is not read yet.
    Histogram,
}

/// Bits are compared, so that a stale marker is not just any NaN.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Omitted, Self::Omitted) | (Self::Histogram, Self::Histogram) => true,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Description {
    pub labels: Labels,
    /// One for each step.
    pub values: Vec<Value>,
}

/// More values than this are a mistake in the script.
const MAX_VALUES: usize = 100_000;

pub fn parse(line: &str) -> Result<Description, String> {
    let malformed = |what: &str| format!("malformed series {line:?}: {what}");
    let mut rest = line;
    let labels = metric(&mut rest).map_err(|e| malformed(&e))?;
    let mut values = Vec::new();
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start();
        item(&mut rest, &mut values).map_err(|e| malformed(&e))?;
        if values.len() > MAX_VALUES {
            return Err(malformed("too many values"));
        }
    }
    Ok(Description { labels, values })
}

/// `name{…}`, `name` or `{…}`; leaves what follows in `rest`.
fn metric(rest: &mut &str) -> Result<Labels, String> {
    let mut labels = LabelsBuilder::new();
    let name_end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
    let (name, after) = rest.split_at(name_end);
    labels.set(METRIC_NAME, name);
    *rest = after;
    let in_braces = after.trim_start();
    // `{{` begins a histogram.
    if in_braces.starts_with('{') && !in_braces.starts_with("{{") {
        *rest = &in_braces[1..];
        label_list(rest, &mut labels)?;
    } else if name.is_empty() {
        return Err("no metric".to_owned());
    }
    Ok(labels.build())
}

fn label_list(rest: &mut &str, labels: &mut LabelsBuilder) -> Result<(), String> {
    loop {
        *rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            *rest = after;
            return Ok(());
        }
        let name = if rest.starts_with(['"', '\'', '`']) {
            quoted(rest)?
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            *rest = after;
            name.to_owned()
        };
        *rest = rest.trim_start();
        match rest.strip_prefix('=') {
            Some(after) => {
                *rest = after.trim_start();
                labels.set(&name, &quoted(rest)?);
            }
            // A quoted metric name stands alone.
            None => {
                labels.set(METRIC_NAME, &name);
            }
        }
        if rest.is_empty() {
            return Err("no closing brace".to_owned());
        }
    }
}

/// Takes a quoted string off the start of `rest`.
fn quoted(rest: &mut &str) -> Result<String, String> {
    let quote = rest.chars().next().filter(|c| "\"'`".contains(*c)).ok_or("no quoted string")?;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            let text = unquote(&rest[..=at])?;
            *rest = &rest[at + 1..];
            return Ok(text);
        }
        escaped = c == '\\' && !escaped && quote != '`';
    }
    Err("unterminated string".to_owned())
}

/// The text of a quoted string with Go's common escapes.
pub fn unquote(text: &str) -> Result<String, String> {
    let quote = text.chars().next().filter(|c| "\"'`".contains(*c)).ok_or("no quoted string")?;
    let inner = text[1..].strip_suffix(quote).ok_or("unterminated string")?;
    if quote == '`' {
        return Ok(inner.to_owned());
    }
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some(c @ ('\\' | '"' | '\'')) => c,
            Some('x') => code_point(&mut chars, 2)?,
            Some('u') => code_point(&mut chars, 4)?,
            other => return Err(format!("unknown escape {other:?}")),
        });
    }
    Ok(out)
}

fn code_point(chars: &mut std::str::Chars<'_>, digits: usize) -> Result<char, String> {
    let text: String = chars.take(digits).collect();
    u32::from_str_radix(&text, 16)
        .ok()
        .and_then(char::from_u32)
        .ok_or_else(|| format!("bad code point {text}"))
}

/// One item: `_`, `_x3`, `5`, `5x3`, `5+2x3`, `stale`, `{{…}}`, `{{…}}+{{…}}x3`.
fn item(rest: &mut &str, values: &mut Vec<Value>) -> Result<(), String> {
    if let Some(after) = rest.strip_prefix('_') {
        *rest = after;
        let count = repeat(rest)?;
        values.extend((0..count.unwrap_or(1)).map(|_| Value::Omitted));
        return Ok(());
    }
    if rest.starts_with("{{") {
        return histogram(rest, values);
    }
    if let Some(after) = rest.strip_prefix("stale") {
        *rest = after;
        values.push(Value::Float(stale_nan()));
        return Ok(());
    }
    let mut value = take_number(rest).ok_or_else(|| format!("unexpected {rest:?}"))?;
    let step = if rest.starts_with(['+', '-']) { take_number(rest).ok_or("malformed step")? } else { 0.0 };
    // A value is not repeated but followed by so many more.
    for _ in 0..=repeat(rest)?.unwrap_or(0) {
        values.push(Value::Float(value));
        value += step;
    }
    if rest.is_empty() || rest.starts_with([' ', '\t']) {
        Ok(())
    } else {
        Err(format!("unexpected {rest:?}"))
    }
}

fn histogram(rest: &mut &str, values: &mut Vec<Value>) -> Result<(), String> {
    loop {
        let end = rest.find("}}").ok_or("unterminated histogram")?;
        *rest = &rest[end + 2..];
        if rest.starts_with("+{{") || rest.starts_with("-{{") {
            *rest = &rest[1..];
        } else {
            break;
        }
    }
    values.extend((0..=repeat(rest)?.unwrap_or(0)).map(|_| Value::Histogram));
    Ok(())
}

/// `x` and a count.
fn repeat(rest: &mut &str) -> Result<Option<usize>, String> {
    let Some(after) = rest.strip_prefix('x') else { return Ok(None) };
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let count: usize = after[..end].parse().map_err(|_| "malformed repetition")?;
    if count > MAX_VALUES {
        return Err("too many values".to_owned());
    }
    *rest = &after[end..];
    Ok(Some(count))
}

/// Takes a decimal number off the start; `x` repeats, so there are no hexadecimal ones.
fn take_number(rest: &mut &str) -> Option<f64> {
    let sign = usize::from(rest.starts_with(['+', '-']));
    let body = &rest[sign..];
    let lower = body.get(..3).unwrap_or("").to_ascii_lowercase();
    let len = if lower == "inf" || lower == "nan" { 3 } else { decimal_len(body.as_bytes()) };
    let value: f64 = rest[..sign + len].parse().ok()?;
    *rest = &rest[sign + len..];
    Some(value)
}

fn decimal_len(bytes: &[u8]) -> usize {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut len = digits(0);
    if bytes.get(len) == Some(&b'.') {
        len += 1 + digits(len + 1);
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    len
}

/// A line that is nothing but a number, hexadecimal ones included.
pub fn number(line: &str) -> Option<f64> {
    let (sign, body) = match line.strip_prefix('-') {
        Some(body) => (-1.0, body),
        None => (1.0, line.strip_prefix('+').unwrap_or(line)),
    };
    if let Some(hex) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok().map(|n| sign * n as f64);
    }
    line.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Vec<Value> {
        parse(line).unwrap().values
    }

    fn floats(values: &[f64]) -> Vec<Value> {
        values.iter().map(|v| Value::Float(*v)).collect()
    }

    #[test]
    fn values_are_repeated_and_stepped() {
        assert_eq!(
            values("m 1+2x2 5x1 -1-1x1 .5 1e3x1"),
            floats(&[1.0, 3.0, 5.0, 5.0, 5.0, -1.0, -2.0, 0.5, 1e3, 1e3])
        );
        assert_eq!(values("m 0x2 NaN -Inf"), floats(&[0.0, 0.0, 0.0, f64::NAN, f64::NEG_INFINITY]));
        let with_gaps = [Value::Omitted, Value::Omitted, Value::Omitted, Value::Float(stale_nan())];
        assert_eq!(values("m _ _x2 stale"), with_gaps);
        assert_eq!(values("m {{schema:1 sum:3}}x1 {{}}+{{sum:1}}x2"), [Value::Histogram; 5]);
    }

    #[test]
    fn metrics_may_be_quoted() {
        let labels = |line| parse(line).unwrap().labels.to_string();
        assert_eq!(labels(r#"up{job="a\"b", i='x'} 1"#), r#"{__name__="up", i="x", job="a\"b"}"#);
        assert_eq!(labels(r#"{"my.metric", "a.b"="c"} 1"#), r#"{__name__="my.metric", "a.b"="c"}"#);
        assert_eq!(labels("{} 1"), "{}");
    }

    #[test]
    fn mistakes_are_refused() {
        for line in ["m 1y", "m{a=1} 1", "m{a=\"1\" 1", "m 1x", "m 5x999999999", ""] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
