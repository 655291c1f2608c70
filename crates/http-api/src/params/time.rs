//! Times and durations as Prometheus's API takes them.

use model::{Timestamp, quote};
use query_syntax::parse_duration;

/// The earliest and the latest time that Prometheus's API takes, in milliseconds.
pub const MIN_TIME: Timestamp = (i64::MIN / 1000 + 62_135_596_801) * 1000;
pub const MAX_TIME: Timestamp = (i64::MAX / 1000 - 62_135_596_801) * 1000 + 999;

/// How Prometheus prints those two; clients send them back.
const MIN_TIME_TEXT: &str = "-292273086-05-16T16:47:06Z";
const MAX_TIME_TEXT: &str = "292277025-08-18T07:12:54.999999999Z";

/// Seconds with a fraction, or RFC 3339.
pub fn timestamp(text: &str) -> Result<Timestamp, String> {
    let refused = || format!("cannot parse {} to a valid timestamp", quote(text));
    if let Ok(seconds) = text.parse::<f64>() {
        let (whole, fraction) = (seconds.trunc(), seconds.fract());
        let in_range = (MIN_TIME / 1000..=MAX_TIME / 1000).contains(&(whole as i64));
        if !seconds.is_finite() || !in_range {
            return Err(refused());
        }
        return Ok(whole as i64 * 1000 + (fraction * 1000.0).round() as i64);
    }
    match text {
        MIN_TIME_TEXT => Ok(MIN_TIME),
        MAX_TIME_TEXT => Ok(MAX_TIME),
        _ => {
            let time: jiff::Timestamp = text.parse().map_err(|_| refused())?;
            Ok(time.as_nanosecond().div_euclid(1_000_000) as i64)
        }
    }
}

/// Seconds with a fraction, or Prometheus's notation (`1h30m`), in nanoseconds.
pub fn duration_nanos(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        let nanos = seconds * 1e9;
        return if nanos.is_nan() {
            Err(format!("cannot parse {} to a valid duration", quote(text)))
        } else if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
            Err(format!("cannot parse {} to a valid duration. It overflows int64", quote(text)))
        } else {
            Ok(nanos as i64)
        };
    }
    let refused = |_| format!("cannot parse {} to a valid duration", quote(text));
    Ok(parse_duration(text).map_err(refused)? * 1_000_000)
}
