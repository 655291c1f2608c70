//! Numbers from values of any type, as the cast library gives them to sprig's functions:
//! what is no number is zero.

use crate::value::Value;

pub fn to_int(value: &Value<'_>) -> i64 {
    match value {
        Value::Int(i) | Value::Int64(i) => *i,
        Value::Byte(byte) => i64::from(*byte),
        Value::Bool(b) => i64::from(*b),
        Value::Float(f) => float_to_int(*f),
        Value::Str(text) => {
            let number = crate::parse::parse_integer(without_decimals(text));
            number.and_then(|number| i64::try_from(number).ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

pub fn to_float(value: &Value<'_>) -> f64 {
    match value {
        Value::Int(i) | Value::Int64(i) => *i as f64,
        Value::Byte(byte) => f64::from(*byte),
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Float(f) => *f,
        Value::Str(text) => parse_float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Go's conversion on amd64, where what does not fit becomes the least integer.
pub fn float_to_int(value: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    if fits { value as i64 } else { i64::MIN }
}

/// As `parse_float`, and in Go's words what is wrong.
pub fn parse_go_float(text: &str) -> Result<f64, String> {
    parse_float(text).ok_or_else(|| {
        let number = text.replace('_', "").parse::<f64>();
        let is_large = number.is_ok_and(|number| number.is_infinite());
        let reason = if is_large { "value out of range" } else { "invalid syntax" };
        format!("strconv.ParseFloat: parsing {}: {reason}", model::quote(text))
    })
}

/// Go's `strconv.ParseFloat`, without hexadecimal numbers.
fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_apart = |(at, _)| {
        let digit =
            |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
        digit(usize::checked_sub(at, 1)) && digit(Some(at + 1))
    };
    if !text.match_indices('_').all(is_apart) {
        return None;
    }
    let number: f64 = text.replace('_', "").parse().ok()?;
    let is_named = unsigned.starts_with(|c: char| c.is_ascii_alphabetic());
    (is_named || number.is_finite()).then_some(number)
}

/// `3.7` as `3`; text that is not of that form as it is.
fn without_decimals(text: &str) -> &str {
    let Some((whole, decimals)) = text.split_once('.') else { return text };
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let is_decimal = [digits, decimals].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    match (is_decimal, digits) {
        (false, _) => text,
        (true, "") => "0",
        (true, _) => whole,
    }
}
