//! `bytes` and `duration`: numbers from text with units.

use super::{Function, Kind, str_arg};
use crate::value::Value;
use model::quote;

const ONE: &[Kind] = &[Kind::Str];

pub const FUNCTIONS: &[Function] = &[
    Function::new("bytes", ONE, |_, args| parse_bytes(str_arg(args, 0)).map(Value::Float)),
    Function::new("duration", ONE, |_, args| parse_seconds(str_arg(args, 0)).map(Value::Float)),
    Function::new("duration_seconds", ONE, |_, args| parse_seconds(str_arg(args, 0)).map(Value::Float)),
];

const KILO: f64 = 1000.0;
const KIBI: f64 = 1024.0;

/// Multiples of a byte by the letter of their unit.
const MULTIPLES: [(char, i32); 6] = [('k', 1), ('m', 2), ('g', 3), ('t', 4), ('p', 5), ('e', 6)];

/// Bytes from a number and a unit such as `KB` or `MiB`, in any case, cut to whole ones.
pub fn parse_bytes(text: &str) -> Result<f64, String> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ','))).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.replace(',', "");
    let value: f64 = number
        .parse()
        .map_err(|_| format!("strconv.ParseFloat: parsing {}: invalid syntax", quote(&number)))?;
    let unit = unit.trim().to_lowercase();
    let factor = unit_factor(&unit).ok_or_else(|| format!("unhandled size name: {unit}"))?;
    let bytes = value * factor;
    if bytes >= 18_446_744_073_709_551_615.0 {
        return Err(format!("too large: {text}"));
    }
    Ok(bytes.trunc())
}

fn unit_factor(unit: &str) -> Option<f64> {
    let mut letters = unit.chars();
    let first = match letters.next() {
        None => return Some(1.0),
        Some('b') if unit == "b" => return Some(1.0),
        Some(first) => first,
    };
    let (_, power) = MULTIPLES.iter().find(|(letter, _)| *letter == first)?;
    match letters.as_str() {
        "" | "b" => Some(KILO.powi(*power)),
        "i" | "ib" => Some(KIBI.powi(*power)),
        _ => None,
    }
}

/// Nanoseconds in the units of Go's durations, longer names first.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1000),
    ("µs", 1000),
    ("μs", 1000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Seconds of a duration as Go writes them: `1h30m`, `-1.5s`.
pub fn parse_seconds(text: &str) -> Result<f64, String> {
    let nanos = parse_duration(text)?;
    // In two steps, as Go does: whole seconds, and the rest.
    Ok((nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9)
}

fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && decimals.is_empty()) || decimals.contains('.') {
            return Err(invalid());
        }
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        let factor = factor
            .ok_or_else(|| format!("time: unknown unit {} in duration {}", quote(unit), quote(text)))?;
        total = add(total, whole, decimals, factor).ok_or_else(invalid)?;
        rest = after;
    }
    let signed = if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
    signed.ok_or_else(invalid)
}

fn add(total: u64, whole: &str, decimals: &str, factor: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // More digits than these change nothing.
    let decimals = &decimals[..decimals.len().min(18)];
    let fraction: u64 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let scale = 10_f64.powi(i32::try_from(decimals.len()).ok()?);
    let part = (fraction as f64 * (factor as f64 / scale)) as u64;
    total.checked_add(whole.checked_mul(factor)?)?.checked_add(part).filter(|sum| *sum <= 1 << 63)
}
