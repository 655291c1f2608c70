//! Functions that templates call: a table from names to parameters and code.

pub(crate) mod alerts;
mod builtins;
mod cast;
mod compare;
mod data;
mod dates;
mod decimal;
mod escape;
mod humanize;
mod links;
mod math;
mod regexes;
mod text;
mod title;
mod units;

use crate::{limits::Limits, regexes::Regexes, template::Env, value::Value};
use regex::Regex;
use std::{borrow::Cow, collections::BTreeMap};

/// What a parameter takes. As in Go, nothing is converted: what is an `int64` is no `int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Any,
    Str,
    Int,
    Float,
    Time,
    /// What a query of an alert template gives.
    Samples,
    /// One of them.
    Sample,
}

impl Kind {
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Time => "time.Time",
            Self::Samples => "template.queryResult",
            Self::Sample => alerts::SAMPLE,
        }
    }
}

/// What runs. Arguments fit the parameters; an error is the reason alone, in Go's words.
pub type Run = for<'a> fn(&Call<'_, 'a>, &[Value<'a>]) -> Result<Value<'a>, String>;

#[derive(Clone, Copy)]
pub struct Function {
    pub name: &'static str,
    pub(crate) params: &'static [Kind],
    /// The last parameter takes any number of arguments.
    pub(crate) is_variadic: bool,
    /// The first parameter is a regular expression.
    pub(crate) takes_pattern: bool,
    pub(crate) code: Code,
}

#[derive(Clone, Copy)]
pub(crate) enum Code {
    Run(Run),
    /// Their arguments are evaluated as far as needed.
    And,
    Or,
    /// Go's `call`, to which no value here is a function.
    CallValue,
}

impl Function {
    pub const fn new(name: &'static str, params: &'static [Kind], run: Run) -> Self {
        Self { name, params, is_variadic: false, takes_pattern: false, code: Code::Run(run) }
    }

    pub const fn variadic(name: &'static str, params: &'static [Kind], run: Run) -> Self {
        Self { is_variadic: true, ..Self::new(name, params, run) }
    }

    const fn with_pattern(name: &'static str, params: &'static [Kind], run: Run) -> Self {
        Self { takes_pattern: true, ..Self::new(name, params, run) }
    }

    const fn special(name: &'static str, code: Code) -> Self {
        let params = &[Kind::Any, Kind::Any];
        Self { name, params, is_variadic: true, takes_pattern: false, code }
    }
}

/// The functions that a template may name. Every table has those of Go's text/template.
#[derive(Clone)]
pub struct Functions {
    table: BTreeMap<&'static str, Function>,
}

impl Functions {
    /// Go's own.
    pub fn builtins() -> Self {
        let mut functions = Self { table: BTreeMap::new() };
        functions.extend(builtins::FUNCTIONS);
        functions
    }

    /// Those of LogQL's `line_format` and `label_format`, as Loki has them.
    pub fn for_logs() -> Self {
        let mut functions = Self::builtins();
        for group in [text::FUNCTIONS, math::FUNCTIONS, dates::FUNCTIONS, data::FUNCTIONS, regexes::FUNCTIONS]
        {
            functions.extend(group);
        }
        functions.extend(units::FUNCTIONS);
        functions
    }

    /// Those of the labels and annotations of alerts, as Prometheus has them.
    pub fn for_alerts() -> Self {
        let mut functions = Self::builtins();
        for group in [alerts::FUNCTIONS, humanize::FUNCTIONS, links::FUNCTIONS] {
            functions.extend(group);
        }
        functions
    }

    /// Adds functions; a later one takes the place of an earlier one of its name.
    pub fn extend(&mut self, functions: &[Function]) {
        self.table.extend(functions.iter().map(|function| (function.name, *function)));
    }

    pub fn get(&self, name: &str) -> Option<&Function> {
        self.table.get(name)
    }
}

/// What a function can see beside its arguments.
pub struct Call<'c, 'a> {
    pub env: &'c Env<'a>,
    pub(crate) limits: &'c Limits,
    pub(crate) regexes: &'c Regexes,
}

impl Call<'_, '_> {
    /// Whether a text of so many bytes may be made.
    pub fn fits(&self, bytes: usize) -> Result<(), String> {
        let limit = self.limits.output_bytes;
        if bytes > limit { Err(format!("text is longer than {limit} bytes")) } else { Ok(()) }
    }

    /// A regular expression in Go's syntax that matches anywhere in a text.
    pub fn regex(&self, pattern: &str) -> Result<Regex, String> {
        self.regexes.get(pattern)
    }
}

/// The text of an argument of [`Kind::Str`].
fn str_arg<'v>(args: &'v [Value<'_>], index: usize) -> &'v str {
    match args.get(index) {
        Some(Value::Str(text)) => text,
        _ => "",
    }
}

/// The number of an argument of [`Kind::Int`].
fn int_arg(args: &[Value<'_>], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    }
}

/// A part of an argument's text, borrowed if the argument is.
fn part_of<'a>(args: &[Value<'a>], index: usize, part: impl Fn(&str) -> &str) -> Value<'a> {
    match args.get(index) {
        Some(Value::Str(Cow::Borrowed(text))) => {
            let text: &'a str = text;
            Value::Str(Cow::Borrowed(part(text)))
        }
        Some(Value::Str(Cow::Owned(text))) => Value::str(part(text).to_owned()),
        _ => Value::str(""),
    }
}
