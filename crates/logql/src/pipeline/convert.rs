//! Values of labels as numbers, read as Go reads them, with errors in its words.

use crate::ast::Conversion;
use query_syntax::{go_seconds, parse_bytes, parse_float, parse_go_duration};

/// The value that `unwrap` makes of a label: bytes, seconds, or the number that it is.
pub fn unwrap(text: &str, conversion: Option<Conversion>) -> Result<f64, String> {
    match conversion {
        None => parse_float(text),
        Some(Conversion::Bytes) => {
            parse_bytes(text).map(|bytes| bytes as f64).map_err(|error| error.to_string())
        }
        Some(Conversion::Duration | Conversion::DurationSeconds) => {
            parse_go_duration(text).map(go_seconds).map_err(|error| error.to_string())
        }
    }
}
