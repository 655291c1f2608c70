//! Functions of alert templates that ask for samples and work on them, and on text.

use super::{Call, Function, Kind, regexes, str_arg, text, title};
use crate::value::{Struct, Value};
use model::Labels;
use std::rc::Rc;

/// The type of a sample in Prometheus.
pub const SAMPLE: &str = "*template.sample";

/// More than this, nobody reads.
const MAX_SAMPLES: usize = 10_000;

const ONE: &[Kind] = &[Kind::Str];
const SAMPLES: &[Kind] = &[Kind::Samples];

pub const FUNCTIONS: &[Function] = &[
    Function::new("query", ONE, query),
    Function::new("first", SAMPLES, first),
    Function::new("label", &[Kind::Str, Kind::Sample], |_, args| Ok(label(args.get(1), str_arg(args, 0)))),
    Function::new("strvalue", &[Kind::Sample], |_, args| Ok(label(args.first(), "__value__"))),
    Function::new("value", &[Kind::Sample], |_, args| Ok(sample(args.first(), "Value"))),
    Function::new("sortByLabel", &[Kind::Str, Kind::Samples], sort_by_label),
    Function::variadic("args", &[Kind::Any], numbered),
    Function::with_pattern("match", &[Kind::Str, Kind::Str], |call, args| {
        Ok(Value::Bool(call.regex(str_arg(args, 0))?.is_match(str_arg(args, 1))))
    }),
    Function::with_pattern("reReplaceAll", &[Kind::Str, Kind::Str, Kind::Str], |call, args| {
        let (pattern, replacement, text) = (str_arg(args, 0), str_arg(args, 1), str_arg(args, 2));
        call.regex(pattern).map_err(|error| format!("regexp: Compile(`{pattern}`): {error}"))?;
        regexes::replace(call, pattern, text, replacement)
    }),
    // Nothing here is HTML, so nothing is escaped.
    Function::new("safeHtml", ONE, |_, args| Ok(super::part_of(args, 0, |text| text))),
    Function::new("title", ONE, |_, args| Ok(Value::str(title::title(str_arg(args, 0))))),
    Function::new("toUpper", ONE, |_, args| Ok(text::changed(args, char::to_uppercase))),
    Function::new("toLower", ONE, |_, args| Ok(text::changed(args, char::to_lowercase))),
];

pub fn is_sample(value: &Value<'_>) -> bool {
    matches!(value, Value::Struct(fields) if fields.type_name == SAMPLE)
}

fn query<'a>(call: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let querier = call.env.querier.ok_or("no queries can be made here")?;
    let samples = querier.query(str_arg(args, 0))?;
    if samples.len() > MAX_SAMPLES {
        return Err(format!("the query gives {} samples, at most {MAX_SAMPLES} are allowed", samples.len()));
    }
    let sample = |(labels, value)| {
        let fields = vec![("Labels", Value::Labels(labels)), ("Value", Value::Float(value))];
        Value::Struct(Rc::new(Struct { type_name: SAMPLE, fields }))
    };
    Ok(Value::List(samples.into_iter().map(sample).collect()))
}

fn first<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let Some(Value::List(samples)) = args.first() else { return Ok(Value::Nil) };
    samples.first().cloned().ok_or_else(|| "first() called on vector with no elements".to_owned())
}

/// A field of a sample.
fn sample<'a>(of: Option<&Value<'a>>, name: &str) -> Value<'a> {
    match of {
        Some(Value::Struct(fields)) => fields.field(name).cloned().unwrap_or_default(),
        _ => Value::NoValue,
    }
}

fn labels_of(value: Option<&Value<'_>>) -> Labels {
    match sample(value, "Labels") {
        Value::Labels(labels) => labels,
        _ => Labels::empty(),
    }
}

fn label<'a>(of: Option<&Value<'a>>, name: &str) -> Value<'a> {
    Value::str(labels_of(of).get(name).unwrap_or_default().to_owned())
}

fn sort_by_label<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let Some(Value::List(samples)) = args.get(1) else { return Ok(Value::Nil) };
    let name = str_arg(args, 0);
    let mut sorted: Vec<_> = samples
        .iter()
        .map(|sample| (labels_of(Some(sample)).get(name).unwrap_or_default().to_owned(), sample.clone()))
        .collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Value::List(sorted.into_iter().map(|(_, sample)| sample).collect()))
}

/// The arguments by the names `arg0`, `arg1` and so on.
fn numbered<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let entries = args.iter().enumerate().map(|(i, arg)| (format!("arg{i}"), arg.clone()));
    Ok(Value::Map(Rc::new(entries.collect())))
}
