//! Numbers and times as people read them.

use jiff::Timestamp;
use model::NanoRange;

/// 1536 as `1.5 KiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, UNITS[0]);
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    format!("{value:.1} {unit}")
}

/// 1234567 as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 block`, `2 blocks`.
pub fn many(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Milliseconds since the epoch in RFC 3339.
pub fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |time| time.to_string())
}

/// Nanoseconds since the epoch in RFC 3339, always with all nine digits, so that lines stand below each other.
pub fn nanos(ns: i64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(ns));
    time.map_or_else(|_| format!("{ns} ns"), |time| format!("{time:.9}"))
}

/// Seconds since the epoch, or RFC 3339; in nanoseconds.
pub fn parse_time(text: &str) -> Result<i64, String> {
    let refused = || format!("{text} is no time: 2026-01-31T12:00:00Z or seconds since 1970 are wanted");
    if let Ok(seconds) = text.parse::<f64>() {
        let nanos = seconds * 1e9;
        return if nanos.abs() < i64::MAX as f64 { Ok(nanos as i64) } else { Err(refused()) };
    }
    let time: Timestamp = text.parse().map_err(|_| refused())?;
    i64::try_from(time.as_nanosecond()).map_err(|_| refused())
}

/// From one typed time to another, or without end.
pub fn parse_range(start: Option<&str>, end: Option<&str>) -> Result<NanoRange, String> {
    let all = NanoRange::ALL;
    let start = start.map_or(Ok(all.start), parse_time)?;
    Ok(NanoRange::new(start, end.map_or(Ok(all.end), parse_time)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!([0, 1023, 1536, 1 << 30].map(bytes), ["0 B", "1023 B", "1.5 KiB", "1.0 GiB"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1, 2_000].map(|n| many(n, "block")), ["1 block", "2,000 blocks"]);
        assert_eq!(time(1_700_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(nanos(1_700_000_000_000_000_001), "2023-11-14T22:13:20.000000001Z");
    }

    #[test]
    fn typed_times_are_read() {
        assert_eq!(parse_time("1700000000.5"), Ok(1_700_000_000_500_000_000));
        assert_eq!(parse_time("2023-11-14T22:13:20Z"), Ok(1_700_000_000_000_000_000));
        assert!(parse_time("yesterday").unwrap_err().contains("2026-01-31T12:00:00Z"));
        assert!(parse_time("1e40").is_err());
    }
}
