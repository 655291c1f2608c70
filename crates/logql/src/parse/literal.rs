//! What numbers, durations and sizes in a query are worth.

use query_syntax::{parse_bytes, parse_duration, parse_go_duration};

const NANOS_A_MILLI: i64 = 1_000_000;

/// Nanoseconds of a duration as Prometheus writes it, or else as Go does.
pub fn parse_nanos(text: &str) -> Option<i64> {
    match parse_duration(text) {
        Ok(ms) => ms.checked_mul(NANOS_A_MILLI),
        Err(_) => parse_go_duration(text).ok(),
    }
}

/// Nanoseconds of what stands in brackets, where only Prometheus's durations do.
pub fn parse_range(text: &str) -> Result<i64, String> {
    // What Prometheus reads fits 64 bits of nanoseconds.
    parse_duration(text).map(|ms| ms.saturating_mul(NANOS_A_MILLI)).map_err(|e| e.to_string())
}

/// Whether the text is a size as a query has it: its letters must be of the usual case.
pub fn is_bytes(text: &str) -> bool {
    let known = |c: char| c.is_ascii_digit() || ".BikKMGTP".contains(c);
    text.chars().all(known) && parse_bytes(text).is_ok()
}
