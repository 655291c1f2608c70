//! Durations as Prometheus writes them: `1h30m`, `5ms`.

use model::quote;
use std::fmt::Write;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    #[error("empty duration string")]
    Empty,
    #[error("not a valid duration string: {}", quote(.0))]
    Syntax(String),
    #[error("unknown unit {} in duration {}", quote(.unit), quote(.duration))]
    Unit { unit: String, duration: String },
    #[error("duration out of range")]
    OutOfRange,
}

/// Units in the order in which they must stand, with their milliseconds, and whether they
/// are printed only when nothing smaller follows (90d reads better than 12w6d).
const UNITS: [(&str, i64, bool); 7] = [
    ("y", 365 * DAY, true),
    ("w", 7 * DAY, true),
    ("d", DAY, false),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1000, false),
    ("ms", 1, false),
];
const DAY: i64 = 86_400_000;

/// Prometheus counts nanoseconds in 64 bits.
const MAX_MS: i64 = i64::MAX / 1_000_000;

/// The milliseconds of a duration such as `1h30m`. Each unit may stand once, larger ones
/// first; `0` needs no unit.
pub fn parse_duration(text: &str) -> Result<i64, InvalidDuration> {
    match text {
        "" => return Err(InvalidDuration::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || InvalidDuration::Syntax(text.to_owned());
    let (mut rest, mut units, mut total) = (text, UNITS.iter(), 0_i64);
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (name, after) = split(after, |c| !c.is_ascii_digit());
        let count: i64 = digits.parse().map_err(|_| invalid())?;
        if name.is_empty() {
            return Err(invalid());
        }
        if UNITS.iter().all(|(known, ..)| *known != name) {
            return Err(InvalidDuration::Unit { unit: name.to_owned(), duration: text.to_owned() });
        }
        // Going on from the unit before means that larger units come first.
        let (_, factor, _) = units.find(|(unit, ..)| *unit == name).ok_or_else(invalid)?;
        total = match count.checked_mul(*factor).and_then(|ms| ms.checked_add(total)) {
            Some(sum) if sum <= MAX_MS => sum,
            _ => return Err(InvalidDuration::OutOfRange),
        };
        rest = after;
    }
    Ok(total)
}

fn split(text: &str, inside: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !inside(c)).unwrap_or(text.len()))
}

/// The duration of so many milliseconds, as Prometheus prints it; the sign comes first.
pub fn format_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::from(if ms < 0 { "-" } else { "" });
    let mut rest = ms.unsigned_abs();
    for (unit, factor, only_whole) in UNITS {
        let factor = factor.unsigned_abs();
        if rest < factor || (only_whole && !rest.is_multiple_of(factor)) {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(out, "{}{unit}", rest / factor);
        rest %= factor;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_add_up() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("1h30m", 5_400_000),
            ("5ms", 5),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
            ("1m0s", 60_000),
        ] {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn bad_durations_say_why() {
        for text in ["1", "h", "1h1h", "30m1h", "-1h", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), Err(InvalidDuration::Syntax(text.to_owned())), "{text}");
        }
        assert_eq!(parse_duration("293y"), Err(InvalidDuration::OutOfRange));
        for (text, unit) in [("1 h", " h"), ("1hs", "hs"), ("5µs", "µs"), ("1H", "H"), ("1.5h", ".")] {
            let error = parse_duration(text).unwrap_err().to_string();
            assert_eq!(error, format!("unknown unit {unit:?} in duration {text:?}"));
        }
    }

    #[test]
    fn printing_takes_the_largest_units_that_read_well() {
        for (ms, text) in [
            (0, "0s"),
            (90 * DAY, "90d"),
            (14 * DAY, "2w"),
            (730 * DAY, "2y"),
            (5_400_000, "1h30m"),
            (-1_001, "-1s1ms"),
        ] {
            assert_eq!(format_duration(ms), text);
        }
        assert_eq!(format_duration(i64::MIN), "-106751991167d7h12m55s808ms");
    }

    proptest! {
        #[test]
        fn printed_durations_parse_to_themselves(ms in 0..MAX_MS) {
            prop_assert_eq!(parse_duration(&format_duration(ms)), Ok(ms));
        }
    }
}
