//! The values that templates work on: those of Go that data, literals and functions have.

use crate::{functions::alerts, time::Time};
use model::Labels;
use std::{borrow::Cow, collections::BTreeMap, rc::Rc};

/// What a template is executed on: Go's `map[string]string` or `map[string]interface {}`.
pub trait Data {
    /// The value of `name`, borrowed if it can be.
    fn field(&self, name: &str) -> Option<Value<'_>>;

    /// All entries, in any order. Read only by templates that ask for the whole.
    fn entries(&self) -> Vec<(Cow<'_, str>, Value<'_>)>;

    /// Whether this is Go's `map[string]string`, whose zero value is the empty text.
    fn holds_strings(&self) -> bool {
        true
    }
}

pub type Map<'a> = BTreeMap<String, Value<'a>>;

/// A value with a fixed set of fields; asking it for another is an error.
#[derive(Clone)]
pub struct Struct<'a> {
    /// The name of the type in Go.
    pub type_name: &'static str,
    /// In the order in which they are printed.
    pub fields: Vec<(&'static str, Value<'a>)>,
}

impl<'a> Struct<'a> {
    pub fn field(&self, name: &str) -> Option<&Value<'a>> {
        self.fields.iter().find_map(|(known, value)| (*known == name).then_some(value))
    }
}

/// A value, as Go's reflection sees it.
#[derive(Clone, Default)]
pub enum Value<'a> {
    /// Go's invalid value: nothing was there. Printed as `<no value>`.
    #[default]
    NoValue,
    /// An `interface {}` that holds nothing.
    Nil,
    Bool(bool),
    /// Go's `int`: literals, `len`, `int`.
    Int(i64),
    /// Go's `int64`: what arithmetic gives.
    Int64(i64),
    /// Go's `uint8`: what indexing text gives.
    Byte(u8),
    Float(f64),
    Str(Cow<'a, str>),
    Time(Time),
    /// Nanoseconds.
    Duration(i64),
    /// Go's `[]interface {}`.
    List(Rc<[Value<'a>]>),
    /// Go's `map[string]interface {}`.
    Map(Rc<Map<'a>>),
    /// Go's `map[string]string`.
    Labels(Labels),
    Struct(Rc<Struct<'a>>),
    Data(&'a dyn Data),
}

impl<'a> Value<'a> {
    pub fn str(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Str(text.into())
    }

    /// The name of the type in Go.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::NoValue | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Byte(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Str(_) => "string",
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Labels(_) => "map[string]string",
            Self::Struct(fields) => fields.type_name,
            Self::List(list) if list.first().is_some_and(alerts::is_sample) => "template.queryResult",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Data(data) if data.holds_strings() => "map[string]string",
            Self::Data(_) => "map[string]interface {}",
        }
    }

    /// Whether the value is not the zero of its type, which is what `if` asks.
    pub fn is_true(&self) -> bool {
        match self {
            Self::NoValue | Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(i) | Self::Int64(i) => *i != 0,
            Self::Byte(b) => *b != 0,
            Self::Float(f) => *f != 0.0,
            Self::Str(text) => !text.is_empty(),
            // Of a duration, alert templates see a pointer, which is never zero.
            Self::Time(_) | Self::Duration(_) | Self::Struct(_) => true,
            Self::Labels(labels) => !labels.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Data(data) => !data.entries().is_empty(),
        }
    }

    pub fn is_nil(&self) -> bool {
        matches!(self, Self::NoValue | Self::Nil)
    }

    /// The entries of a map by key.
    pub(crate) fn sorted_entries(&self) -> Option<Vec<(Cow<'a, str>, Value<'a>)>> {
        match self {
            Self::Map(map) => Some(map.iter().map(|(k, v)| (Cow::Owned(k.clone()), v.clone())).collect()),
            Self::Data(data) => {
                let mut entries = data.entries();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Some(entries)
            }
            Self::Labels(labels) => {
                let owned =
                    |(name, value): (&str, &str)| (Cow::Owned(name.into()), Self::str(value.to_owned()));
                Some(labels.iter().map(owned).collect())
            }
            _ => None,
        }
    }

    /// Bytes of text in the value itself, for what it costs to work on.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Str(text) => text.len(),
            Self::List(list) => list.len() * size_of::<Self>(),
            Self::Map(map) => map.len() * size_of::<Self>(),
            Self::Labels(labels) => labels.as_packed().len(),
            _ => 0,
        }
    }
}
