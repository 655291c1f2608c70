//! Times as people type and read them.

use jiff::Timestamp;
use model::NANOS_A_MILLI;
use query_syntax::parse_duration;

/// Seconds since the epoch, or RFC 3339; in nanoseconds.
///
/// # Errors
/// Says what is wanted.
pub fn absolute(text: &str) -> Result<i64, String> {
    let refused =
        || format!("{text:?} is no time: 2026-01-31T12:00:00Z, seconds since 1970, -1h or now are wanted");
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1_000_000_000).ok_or_else(refused);
    }
    if let Ok(seconds) = text.parse::<f64>() {
        // More digits than those of microseconds are not in a float.
        let micros = (seconds * 1e6).round();
        let nanos = (micros.abs() < i64::MAX as f64).then(|| (micros as i64).checked_mul(1000)).flatten();
        return nanos.ok_or_else(refused);
    }
    let time: Timestamp = text.parse().map_err(|_| refused())?;
    i64::try_from(time.as_nanosecond()).map_err(|_| refused())
}

/// As [`absolute`], in milliseconds.
///
/// # Errors
/// As there.
pub fn absolute_millis(text: &str) -> Result<i64, String> {
    Ok(absolute(text)?.div_euclid(NANOS_A_MILLI))
}

/// As [`absolute`], or `now`, or so long before it (`-1h`) or after it (`+5m`).
///
/// # Errors
/// As there.
pub fn relative(text: &str, now_ms: i64) -> Result<i64, String> {
    let text = text.trim();
    let offset = |text: &str| parse_duration(text).ok().and_then(|ms| ms.checked_mul(NANOS_A_MILLI));
    let now = now_ms.saturating_mul(NANOS_A_MILLI);
    let ago = text.strip_prefix('-').or_else(|| text.strip_prefix("now-")).and_then(offset);
    let ahead = text.strip_prefix('+').or_else(|| text.strip_prefix("now+")).and_then(offset);
    match (text, ago, ahead) {
        ("now", ..) => Ok(now),
        (_, Some(ago), _) => Ok(now.saturating_sub(ago)),
        (_, _, Some(ahead)) => Ok(now.saturating_add(ahead)),
        _ => absolute(text),
    }
}

/// Milliseconds since the epoch in RFC 3339.
pub fn millis(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |time| time.to_string())
}

/// Nanoseconds since the epoch in RFC 3339, with milliseconds, so that lines stand below each other.
pub fn nanos(ns: i64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(ns));
    time.map_or_else(|_| format!("{ns} ns"), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn times_may_be_typed_in_many_ways() {
        for (text, seconds) in [
            ("now", 1000),
            ("-10m", 400),
            ("now-10m", 400),
            ("+1m", 1060),
            ("now+1m", 1060),
            ("1970-01-01T00:00:10Z", 10),
            ("1970-01-01T01:00:10+01:00", 10),
            ("12", 12),
            ("-5", -5),
        ] {
            assert_eq!(relative(text, 1_000_000), Ok(seconds * SECOND), "{text}");
        }
        assert_eq!(relative("1.5", 0), Ok(1_500_000_000));
        for bad in ["", "yesterday", "-1x", "1e30", "99999999999999999"] {
            assert!(relative(bad, 0).unwrap_err().contains("2026-01-31"), "{bad}");
        }
        assert_eq!(absolute_millis("1600000000.25"), Ok(1_600_000_000_250));
        assert_eq!(millis(1_600_000_000_000), "2020-09-13T12:26:40Z");
        assert_eq!(nanos(1_600_000_000_000_000_001), "2020-09-13T12:26:40.000Z");
    }
}
