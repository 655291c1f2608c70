//! `bytes` and `duration`: numbers from text with units.

use super::{Function, Kind, str_arg};
use crate::value::Value;
use query_syntax::{go_seconds, parse_bytes, parse_go_duration};

const ONE: &[Kind] = &[Kind::Str];

pub const FUNCTIONS: &[Function] = &[
    Function::new("bytes", ONE, |_, args| bytes(str_arg(args, 0))),
    Function::new("duration", ONE, |_, args| seconds(str_arg(args, 0))),
    Function::new("duration_seconds", ONE, |_, args| seconds(str_arg(args, 0))),
];

fn bytes(text: &str) -> Result<Value<'static>, String> {
    parse_bytes(text).map(|bytes| Value::Float(bytes as f64)).map_err(|error| error.to_string())
}

fn seconds(text: &str) -> Result<Value<'static>, String> {
    parse_go_duration(text).map(|nanos| Value::Float(go_seconds(nanos))).map_err(|error| error.to_string())
}
