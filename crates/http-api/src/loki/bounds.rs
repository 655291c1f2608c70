//! Times, steps, limits and directions as Loki's API takes them.

use crate::params::{Params, duration_nanos};
use logql::engine::Direction;
use model::{NanoRange, Nanos, quote};
use service_api::{Error, Result};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
/// Points of one series that a range query may ask for.
const MAX_POINTS: i64 = 11_000;

/// `start` and `end` of a request; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub start: Nanos,
    pub end: Nanos,
}

impl Bounds {
    /// By default the hour, or what `since` says, before the end, which is by default now.
    pub fn of(params: &Params, now: Nanos) -> Result<Self> {
        let named = |name: &'static str| {
            move |why: String| Error::bad_request(format!("could not parse '{name}' parameter: {why}"))
        };
        let since = match params.get("since") {
            "" => HOUR,
            text => query_syntax::parse_duration(text)
                .map_err(|e| named("since")(e.to_string()))?
                .saturating_mul(1_000_000),
        };
        let end = time(params.get("end"), now).map_err(named("end"))?;
        let start = time(params.get("start"), end.min(now).saturating_sub(since)).map_err(named("start"))?;
        Ok(Self { start, end })
    }

    /// As `of`, and the end must not be before the start.
    pub fn ordered(params: &Params, now: Nanos) -> Result<Self> {
        let bounds = Self::of(params, now)?;
        if bounds.end < bounds.start {
            return Err(Error::bad_request("end timestamp must not be before or equal to start time"));
        }
        Ok(bounds)
    }

    pub fn range(&self) -> NanoRange {
        NanoRange::new(self.start, self.end.saturating_sub(1).max(self.start))
    }

    /// Nanoseconds between points, of which there must not be too many.
    pub fn step(&self, params: &Params) -> Result<i64> {
        let length = self.end.saturating_sub(self.start);
        let step = match params.get("step") {
            "" => (length / SECOND / 250).max(1) * SECOND,
            text => duration_nanos(text).map_err(Error::bad_request)?,
        };
        if step <= 0 {
            let why =
                "zero or negative query resolution step widths are not accepted. Try a positive integer";
            return Err(Error::bad_request(why));
        }
        if length / step > MAX_POINTS {
            let why = "exceeded maximum resolution of 11,000 points per time series. Try decreasing the query resolution (?step=XX)";
            return Err(Error::bad_request(why));
        }
        Ok(step)
    }
}

/// A time: with a dot float seconds, up to ten digits seconds, otherwise nanoseconds; or RFC 3339.
pub fn time(text: &str, default: Nanos) -> Result<Nanos, String> {
    if text.is_empty() {
        return Ok(default);
    }
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
        && seconds.abs() < i64::MAX as f64 / 1e9
    {
        // Milliseconds are as fine as a float can tell.
        let whole = seconds.trunc() as i64 * SECOND;
        return Ok(whole + (seconds.fract() * 1000.0).round() as i64 * 1_000_000);
    }
    let refused = || format!("cannot parse {} to a valid timestamp", quote(text));
    match text.parse::<i64>() {
        Ok(seconds) if text.len() <= 10 => Ok(seconds.saturating_mul(SECOND)),
        Ok(nanos) => Ok(nanos),
        Err(_) => {
            let time: jiff::Timestamp = text.parse().map_err(|_| refused())?;
            Nanos::try_from(time.as_nanosecond()).map_err(|_| refused())
        }
    }
}

/// `interval`: the least time between two lines of a stream that are given out.
pub fn interval(params: &Params) -> Result<i64> {
    let interval = match params.get("interval") {
        "" => 0,
        text => duration_nanos(text).map_err(Error::bad_request)?,
    };
    if interval < 0 {
        return Err(Error::bad_request("interval must be >= 0"));
    }
    Ok(interval)
}

pub fn direction(params: &Params) -> Result<Direction> {
    match params.get("direction").to_ascii_lowercase().as_str() {
        "" | "backward" => Ok(Direction::Backward),
        "forward" => Ok(Direction::Forward),
        _ => Err(Error::bad_request(format!("invalid direction '{}'", params.get("direction")))),
    }
}

/// A count that must be more than 0; `default` if it is not given.
pub fn positive(params: &Params, name: &str, default: u64) -> Result<u64> {
    match params.count(name)? {
        None if params.get(name).is_empty() => Ok(default),
        Some(count) if count > 0 => Ok(count as u64),
        _ => Err(Error::bad_request("limit must be a positive value")),
    }
}

/// The `limit` on lines, which the tenant's limits bound.
pub fn line_limit(params: &Params, name: &str, max: u64) -> Result<u64> {
    let limit = positive(params, name, 100)?;
    if max > 0 && limit > max {
        return Err(Error::bad_request(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {max})"
        )));
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_nanoseconds_or_rfc_3339() {
        for (text, nanos) in [
            ("", 7),
            ("1700000000", 1_700_000_000 * SECOND),
            ("-5", -5 * SECOND),
            ("1700000000.5", 1_700_000_000_500_000_000),
            ("1700000000.1234", 1_700_000_000_123_000_000),
            ("1700000000123456789", 1_700_000_000_123_456_789),
            ("12345678901", 12_345_678_901),
            ("2023-11-14T22:13:20.000000001Z", 1_700_000_000_000_000_001),
            ("2023-11-14T23:13:20+01:00", 1_700_000_000 * SECOND),
        ] {
            assert_eq!(time(text, 7), Ok(nanos), "{text}");
        }
        for text in ["now", "1.2.3", "99999999999999999999", "1e400.0"] {
            assert!(time(text, 7).is_err(), "{text}");
        }
    }
}
