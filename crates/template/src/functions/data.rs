//! Encodings, JSON, and values in place of others.

use super::{Call, Function, Kind, escape, str_arg};
use crate::{format::text_of, value::Value};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::rc::Rc;

const ONE: &[Kind] = &[Kind::Str];

pub const FUNCTIONS: &[Function] = &[
    Function::new("urlencode", ONE, |_, args| Ok(Value::str(escape::url(str_arg(args, 0))))),
    Function::new("urldecode", ONE, |_, args| escape::unescape_url(str_arg(args, 0)).map(Value::str)),
    Function::new("b64enc", ONE, |_, args| Ok(Value::str(STANDARD.encode(str_arg(args, 0))))),
    Function::new("b64dec", ONE, |_, args| Ok(Value::str(decode_base64(str_arg(args, 0))))),
    Function::new("fromJson", ONE, |_, args| Ok(from_json(str_arg(args, 0)))),
    Function::variadic("default", &[Kind::Any, Kind::Any], default),
];

/// The second argument, or the first if that is empty.
fn default<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let given = args.get(1).filter(|given| given.is_true());
    Ok(given.or(args.first()).cloned().unwrap_or_default())
}

/// Padding may be left out. What is wrong is said in place of the text.
fn decode_base64(text: &str) -> String {
    let padding = match text.len() % 4 {
        2 => "==",
        3 => "=",
        _ => "",
    };
    // As in Go, line ends do not count.
    let padded = format!("{text}{padding}").replace(['\r', '\n'], "");
    match STANDARD.decode(&padded) {
        Ok(bytes) => text_of(bytes),
        Err(error) => {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
                    padded.len() / 4 * 4
                }
            };
            format!("illegal base64 data at input byte {at}")
        }
    }
}

/// What cannot be read is no value.
fn from_json<'a>(text: &str) -> Value<'a> {
    serde_json::from_str(text).map_or(Value::Nil, value_of)
}

fn value_of<'a>(json: serde_json::Value) -> Value<'a> {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(b),
        // Go reads every number as a float.
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(0.0)),
        Json::String(text) => Value::str(text),
        Json::Array(items) => Value::List(items.into_iter().map(value_of).collect()),
        Json::Object(entries) => {
            Value::Map(Rc::new(entries.into_iter().map(|(key, value)| (key, value_of(value))).collect()))
        }
    }
}
