//! `eq`, `lt` and what follows from them. Only what is of one kind can be compared.

use crate::{format::shown, value::Value};
use std::cmp::Ordering;

const BAD_TYPE: &str = "invalid type for comparison";

/// Whether the first argument is one of the others.
pub fn equal(args: &[Value<'_>]) -> Result<bool, String> {
    let [first, others @ ..] = args else { return Ok(false) };
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equal_two(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal_two(a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    if a.is_nil() || b.is_nil() {
        return Ok(a.is_nil() && b.is_nil());
    }
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return Ok(a == b);
    }
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Str(a), Value::Str(b)) => Ok(a == b),
        (Value::Time(a), Value::Time(b)) => Ok((a.seconds, a.nanos) == (b.seconds, b.nanos)),
        _ if is_basic(a) || is_basic(b) => Err(incompatible(a, b)),
        _ => Err(format!("non-comparable type {}: {}", shown(b), b.type_name())),
    }
}

pub fn less(args: &[Value<'_>]) -> Result<bool, String> {
    let [a, b] = args else { return Ok(false) };
    if !is_basic(a) || !is_basic(b) {
        return Err(BAD_TYPE.to_owned());
    }
    let order = match (a, b) {
        (Value::Bool(_), Value::Bool(_)) => return Err(BAD_TYPE.to_owned()),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => match (integer(a), integer(b)) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => return Err(incompatible(a, b)),
        },
    };
    Ok(order == Some(Ordering::Less))
}

pub fn less_or_equal(args: &[Value<'_>]) -> Result<bool, String> {
    Ok(less(args)? || equal(args)?)
}

fn integer(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(i) | Value::Int64(i) => Some(*i),
        Value::Byte(byte) => Some(i64::from(*byte)),
        _ => None,
    }
}

fn is_basic(value: &Value<'_>) -> bool {
    integer(value).is_some() || matches!(value, Value::Bool(_) | Value::Float(_) | Value::Str(_))
}

fn incompatible(a: &Value<'_>, b: &Value<'_>) -> String {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name())
}
