//! The functions of Go's text/template itself.

use super::{Call, Code, Function, Kind, compare, escape};
use crate::{format, value::Value};
use std::rc::Rc;

const ANY: &[Kind] = &[Kind::Any];
const TWO: &[Kind] = &[Kind::Any, Kind::Any];

pub const FUNCTIONS: &[Function] = &[
    Function::special("and", Code::And),
    Function::special("or", Code::Or),
    Function::special("call", Code::CallValue),
    Function::new("not", ANY, |_, args| Ok(Value::Bool(!args.iter().any(Value::is_true)))),
    Function::new("len", ANY, length),
    Function::variadic("index", TWO, index),
    Function::variadic("slice", TWO, slice),
    Function::variadic("print", ANY, |call, args| Ok(Value::str(format::sprint(args, room(call))))),
    Function::variadic("println", ANY, |call, args| Ok(Value::str(format::sprintln(args, room(call))))),
    Function::variadic("printf", &[Kind::Str, Kind::Any], printf),
    Function::variadic("html", ANY, |call, args| Ok(Value::str(escape::html(&joined(call, args))))),
    Function::variadic("js", ANY, |call, args| Ok(Value::str(escape::js(&joined(call, args))))),
    Function::variadic("urlquery", ANY, |call, args| Ok(Value::str(escape::url(&joined(call, args))))),
    Function::variadic("eq", TWO, |_, args| compare::equal(args).map(Value::Bool)),
    Function::new("ne", TWO, |_, args| compare::equal(args).map(|equal| Value::Bool(!equal))),
    Function::new("lt", TWO, |_, args| compare::less(args).map(Value::Bool)),
    Function::new("le", TWO, |_, args| compare::less_or_equal(args).map(Value::Bool)),
    Function::new("gt", TWO, |_, args| compare::less_or_equal(args).map(|le| Value::Bool(!le))),
    Function::new("ge", TWO, |_, args| compare::less(args).map(|less| Value::Bool(!less))),
];

fn room(call: &Call<'_, '_>) -> usize {
    call.limits.output_bytes
}

fn printf<'a>(call: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let text = format::printf(super::str_arg(args, 0), args.get(1..).unwrap_or_default(), room(call));
    Ok(Value::str(text))
}

/// The arguments as `print` shows them; nothing is `<no value>` here.
fn joined(call: &Call<'_, '_>, args: &[Value<'_>]) -> String {
    let args: Vec<_> =
        args.iter().map(|arg| if arg.is_nil() { Value::str("<no value>") } else { arg.clone() }).collect();
    format::sprint(&args, room(call))
}

fn length<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let length = match args.first() {
        Some(Value::Str(text)) => text.len(),
        Some(Value::List(list)) => list.len(),
        Some(Value::Map(map)) => map.len(),
        Some(Value::Data(data)) => data.entries().len(),
        Some(Value::Labels(labels)) => labels.len(),
        Some(Value::Nil) => return Err("len of nil pointer".to_owned()),
        Some(Value::NoValue) | None => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        Some(other) => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// An index into something that has so many items, or one more.
fn position(index: &Value<'_>, end: usize) -> Result<usize, String> {
    let number = match index {
        Value::Int(i) | Value::Int64(i) => *i,
        Value::Byte(byte) => i64::from(*byte),
        Value::NoValue | Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    let out_of_range = || format!("index out of range: {number}");
    usize::try_from(number).ok().filter(|at| *at <= end).ok_or_else(out_of_range)
}

fn index<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let [item, indexes @ ..] = args else { return Ok(Value::NoValue) };
    if item.is_nil() {
        return Err("index of untyped nil".to_owned());
    }
    indexes.iter().try_fold(item.clone(), |item, index| index_once(&item, index))
}

fn index_once<'a>(item: &Value<'a>, index: &Value<'_>) -> Result<Value<'a>, String> {
    match item {
        Value::Str(text) => {
            let at = position(index, text.len())?;
            let byte = text.as_bytes().get(at).copied().map(Value::Byte);
            byte.ok_or_else(|| "reflect: string index out of range".to_owned())
        }
        Value::List(list) => {
            let at = position(index, list.len())?;
            list.get(at).cloned().ok_or_else(|| "reflect: slice index out of range".to_owned())
        }
        Value::Map(_) | Value::Data(_) | Value::Labels(_) => {
            let key = match index {
                Value::Str(key) => key,
                _ if index.is_nil() => return Err("value is nil; should be of type string".to_owned()),
                other => return Err(format!("value has type {}; should be string", other.type_name())),
            };
            Ok(match item {
                Value::Map(map) => map.get(&**key).cloned().unwrap_or(Value::Nil),
                Value::Data(data) => match data.field(key) {
                    Some(value) => value,
                    None if data.holds_strings() => Value::str(""),
                    None => Value::Nil,
                },
                Value::Labels(labels) => Value::str(labels.get(key).unwrap_or_default().to_owned()),
                _ => Value::Nil,
            })
        }
        Value::NoValue | Value::Nil => Err("index of nil pointer".to_owned()),
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let [item, indexes @ ..] = args else { return Ok(Value::NoValue) };
    if item.is_nil() {
        return Err("slice of untyped nil".to_owned());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let end = match item {
        Value::Str(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Value::Str(text) => text.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, end, end];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(index, end)?;
    }
    for (from, to) in [(bounds[0], bounds[1]), (bounds[1], bounds[2])] {
        if from > to {
            return Err(format!("invalid slice index: {from} > {to}"));
        }
    }
    let range = bounds[0]..bounds[1];
    Ok(match item {
        Value::Str(_) => super::text::bytes_of(args, 0, range),
        Value::List(list) => Value::List(Rc::from(list.get(range).unwrap_or_default())),
        _ => Value::NoValue,
    })
}
