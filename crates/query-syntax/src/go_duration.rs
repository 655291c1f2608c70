//! Durations as Go writes them: `1.5s`, `1h0m30s`, `-250µs`.

use model::quote;
use std::fmt::Write;

/// A text that is no duration; the message is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGoDuration {
    #[error("time: invalid duration {}", quote(.0))]
    Syntax(String),
    #[error("time: missing unit in duration {}", quote(.0))]
    MissingUnit(String),
    #[error("time: unknown unit {} in duration {}", quote(.unit), quote(.duration))]
    Unit { unit: String, duration: String },
}

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds of each unit; `µ` is written with either of two characters.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1000),
    ("µs", 1000),
    ("μs", 1000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
];

/// The nanoseconds of a duration such as `1h15m30.918s`, by the rules of Go's
/// `time.ParseDuration`: units in any order and as often as one likes, `0` without a unit.
pub fn parse_go_duration(text: &str) -> Result<i64, InvalidGoDuration> {
    let invalid = || InvalidGoDuration::Syntax(text.to_owned());
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = split(rest, |c| c.is_ascii_digit());
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split(after, |c| c.is_ascii_digit()),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let (unit, after) = split(after, |c| c != '.' && !c.is_ascii_digit());
        if unit.is_empty() {
            return Err(InvalidGoDuration::MissingUnit(text.to_owned()));
        }
        let nanos =
            UNITS.iter().find(|(name, _)| *name == unit).map(|(_, nanos)| *nanos).ok_or_else(|| {
                InvalidGoDuration::Unit { unit: unit.to_owned(), duration: text.to_owned() }
            })?;
        let part = part(whole, fraction, nanos).ok_or_else(invalid)?;
        total = total.checked_add(part).filter(|sum| *sum <= i64::MIN.unsigned_abs()).ok_or_else(invalid)?;
        rest = after;
    }
    match negative {
        // The most negative number has no positive counterpart.
        true => Ok(0_i64.wrapping_sub_unsigned(total)),
        false => i64::try_from(total).map_err(|_| invalid()),
    }
}

fn split(text: &str, inside: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !inside(c)).unwrap_or(text.len()))
}

/// Digits of the fraction that no longer fit are dropped.
fn part(whole: &str, fraction: &str, nanos: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let (mut digits, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes().map(|b| u64::from(b - b'0')) {
        let Some(more) = digits.checked_mul(10).and_then(|n| n.checked_add(digit)) else { break };
        (digits, scale) = (more, scale * 10.0);
    }
    let fraction = (digits as f64 * (nanos as f64 / scale)) as u64;
    whole.checked_mul(nanos)?.checked_add(fraction)
}

/// So many nanoseconds in seconds, rounded as Go's `Duration.Seconds` rounds: the whole seconds
/// and the rest are divided apart.
pub fn go_seconds(nanos: i64) -> f64 {
    let second = SECOND as i64;
    (nanos / second) as f64 + (nanos % second) as f64 / 1e9
}

/// So many nanoseconds as Go's `Duration.String` has them: `1h0m0s`, `1.5ms`.
pub fn format_go_duration(nanos: i64) -> String {
    let mut out = String::from(if nanos < 0 { "-" } else { "" });
    let size = nanos.unsigned_abs();
    // Writing to a String cannot fail.
    let _ = match size {
        0 => write!(out, "0s"),
        1..1000 => write!(out, "{size}ns"),
        1000..1_000_000 => write!(out, "{}µs", decimal(size, 1000)),
        1_000_000..SECOND => write!(out, "{}ms", decimal(size, 1_000_000)),
        _ => {
            let (minutes, rest) = (size / (60 * SECOND), size % (60 * SECOND));
            if minutes >= 60 {
                out.push_str(&format!("{}h", minutes / 60));
            }
            if minutes > 0 {
                out.push_str(&format!("{}m", minutes % 60));
            }
            write!(out, "{}s", decimal(rest, SECOND))
        }
    };
    out
}

/// `value / unit`, without zeros at the end; `unit` is a power of ten.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_worth_what_go_says() {
        for (text, nanos) in [
            ("0", 0),
            ("+0", 0),
            ("5s", 5_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1h15m30.918s", 4_530_918_000_000),
            ("-250µs", -250_000),
            ("3μs", 3000),
            (".5ms", 500_000),
            ("1.ns", 1),
            ("2m1h", 3_720_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("0.9223372036854775807999h", 3_320_413_933_267),
        ] {
            assert_eq!(parse_go_duration(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn bad_durations_say_why_in_go_words() {
        for (text, reason) in [
            ("", r#"time: invalid duration """#),
            ("-", r#"time: invalid duration "-""#),
            ("abc", r#"time: invalid duration "abc""#),
            (".s", r#"time: invalid duration ".s""#),
            ("5", r#"time: missing unit in duration "5""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("3000000h", r#"time: invalid duration "3000000h""#),
        ] {
            assert_eq!(parse_go_duration(text).unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn printing_is_that_of_go() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (300_000_000_000, "5m0s"),
            (-3_600_000_000_000, "-1h0m0s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(format_go_duration(nanos), text);
        }
    }

    proptest! {
        #[test]
        fn printed_durations_parse_to_themselves(nanos: i64) {
            // Fractions go through floating point, as they do in Go.
            let nanos = nanos % 1_000_000_000_000_000;
            prop_assert_eq!(parse_go_duration(&format_go_duration(nanos)), Ok(nanos));
        }
    }
}
