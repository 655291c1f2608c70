//! What a field's values look like.

use query_syntax::{parse_bytes, parse_go_duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    String,
    Int,
    Float,
    Boolean,
    Duration,
    Bytes,
}

impl FieldType {
    pub fn of(value: &str) -> Self {
        if value.parse::<i64>().is_ok() {
            Self::Int
        } else if value.parse::<f64>().is_ok() {
            Self::Float
        } else if matches!(
            value,
            "t" | "T" | "f" | "F" | "true" | "TRUE" | "True" | "false" | "FALSE" | "False"
        ) {
            Self::Boolean
        } else if parse_go_duration(value).is_ok() {
            Self::Duration
        } else if parse_bytes(value).is_ok() {
            Self::Bytes
        } else {
            Self::String
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::Bytes => "bytes",
        }
    }
}
