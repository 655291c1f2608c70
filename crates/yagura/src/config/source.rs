//! Single settings from wherever they come: known by name, brought to the type of the default,
//! traced back to their source when something is wrong with them.

use super::{
    reference,
    units::Unit,
    yaml::{Yaml, line_of},
};
use figment::{
    Figment,
    error::{Actual, Error, Kind},
    providers::{Format, Serialized},
    value::{Dict, Empty, Value},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, sync::Arc};

/// What is wrong with a configuration, one sentence a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Settings of one source.
pub enum Source<'a> {
    /// A YAML text under the name of its file.
    Yaml { name: String, text: &'a str },
    /// One setting as text, under a name such as `--set`.
    Single { name: String, key: String, value: String },
}

/// Puts sources over defaults. `prefix` is shown before each key, `section` is where the keys
/// stand in the reference (both empty or ending in a dot).
pub struct Merge<'a> {
    prefix: &'a str,
    section: &'a str,
    figment: Figment,
    known: Arc<Dict>,
    origins: BTreeMap<String, String>,
    errors: Vec<String>,
}

impl<'a> Merge<'a> {
    pub fn over<T: Serialize>(defaults: &T, prefix: &'a str, section: &'a str) -> Result<Self, ConfigError> {
        let known = Value::serialize(defaults).map_err(|e| ConfigError(vec![e.to_string()]))?;
        let figment = Figment::from(Serialized::defaults(&known));
        let known = Arc::new(known.into_dict().unwrap_or_default());
        Ok(Self { prefix, section, figment, known, origins: BTreeMap::new(), errors: Vec::new() })
    }

    /// Adds a source over those before it.
    pub fn add(&mut self, source: Source<'_>) {
        match source {
            Source::Yaml { name, text } => match parse_yaml(text) {
                Ok(dict) => self.add_dict(dict, &|key| Self::place(&name, text, key)),
                Err(message) => self.errors.push(format!("{name}: {message}")),
            },
            Source::Single { name, key, value } => {
                let nested = key.rsplit('.').fold(Value::from(value), |inner, part| {
                    Value::from(Dict::from([(part.to_owned(), inner)]))
                });
                self.add_dict(nested.into_dict().unwrap_or_default(), &|_| name.clone());
            }
        }
    }

    /// How an error names a key's place in a file.
    pub fn place(name: &str, text: &str, key: &str) -> String {
        line_of(text, key).map_or_else(|| name.to_owned(), |line| format!("{name}, line {line}"))
    }

    /// Adds settings that are parsed already; `origin` tells where a key stands.
    pub fn add_dict(&mut self, given: Dict, origin: &dyn Fn(&str) -> String) {
        let known = Arc::clone(&self.known);
        let taken = self.take("", given, &known, origin);
        self.figment = std::mem::take(&mut self.figment).merge(Serialized::defaults(taken));
    }

    fn take(&mut self, path: &str, given: Dict, known: &Dict, origin: &dyn Fn(&str) -> String) -> Dict {
        let mut taken = Dict::new();
        for (name, value) in given {
            let key = format!("{path}{name}");
            let from = origin(&key);
            match (known.get(&name), value) {
                (None, _) => self.unknown(&key, &from),
                // A key with nothing behind it keeps its default.
                (Some(_), Value::Empty(..)) => {}
                (Some(Value::Dict(_, inner)), Value::Dict(_, value)) => {
                    let inner = self.take(&format!("{key}."), value, inner, origin);
                    taken.insert(name, inner.into());
                }
                (Some(Value::Dict(_, inner)), _) => {
                    let keys: Vec<_> = inner.keys().map(|k| format!("{}{key}.{k}", self.prefix)).collect();
                    self.errors.push(format!(
                        "{}{key} is a section, not a single value: set {} ({from})",
                        self.prefix,
                        keys.join(", ")
                    ));
                }
                (Some(default), value) => {
                    let unit = reference::unit(&format!("{}{key}", self.section));
                    taken.insert(name, coerce(value, default, unit));
                    self.origins.insert(key, from);
                }
            }
        }
        taken
    }

    fn unknown(&mut self, key: &str, from: &str) {
        let mut known = Vec::new();
        leaves("", &self.known, &mut known);
        let hint = nearest(key, &known).map(|k| format!("; did you mean {}{k}?", self.prefix));
        let prefix = self.prefix;
        self.errors.push(format!("{prefix}{key} is not a setting ({from}){}", hint.unwrap_or_default()));
    }

    /// The merged settings, unless anything was wrong. `rules` finds what is wrong with single
    /// values although their types are right: pairs of a key and a sentence.
    pub fn finish<T: DeserializeOwned>(
        mut self,
        rules: impl FnOnce(&T) -> Vec<(String, String)>,
    ) -> Result<T, ConfigError> {
        let merged = self.figment.extract::<T>();
        let problems: Vec<(String, String)> = match &merged {
            Ok(config) => rules(config),
            Err(error) => error.clone().into_iter().map(|e| (e.path.join("."), self.why(&e))).collect(),
        };
        for (key, why) in problems {
            let value = self.shown_value(&key);
            // What is wrong may lie inside of a list, and that has one origin.
            let mut within = std::iter::successors(Some(key.as_str()), |key| Some(key.rsplit_once('.')?.0));
            let from = within.find_map(|key| self.origins.get(key)).map_or("a default", String::as_str);
            self.errors.push(format!("{}{key}: {value}: {why} ({from})", self.prefix));
        }
        match merged {
            Ok(config) if self.errors.is_empty() => Ok(config),
            _ => Err(ConfigError(self.errors)),
        }
    }

    fn shown_value(&self, key: &str) -> String {
        if reference::unit(&format!("{}{key}", self.section)) == Unit::Secret {
            return "***".into();
        }
        match self.figment.find_value(key) {
            Ok(Value::String(_, text)) => format!("{text:?}"),
            Ok(Value::Num(_, n)) => plain(&n.to_actual()),
            Ok(Value::Bool(_, b)) => b.to_string(),
            Ok(Value::Array(..)) => "a list".into(),
            _ => "this value".into(),
        }
    }

    /// What a value's type says against it, for somebody who knows no Rust.
    fn why(&self, error: &Error) -> String {
        let unit = reference::unit(&format!("{}{}", self.section, error.path.join(".")));
        match &error.kind {
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => match expected.as_str() {
                _ if unit.example().is_some() => format!("{} is wanted", unit.example().unwrap_or_default()),
                "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0 is wanted".into(),
                "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number is wanted".into(),
                "f32" | "f64" => "a number is wanted".into(),
                "a sequence" => "a list is wanted".into(),
                "a boolean" => "true or false is wanted".into(),
                "a string" | "path string" | "string" => "a text is wanted; put it in quotes".into(),
                other => format!("{other} is wanted"),
            },
            Kind::UnknownVariant(_, choices) => format!("one of {} is wanted", choices.join(", ")),
            kind => kind.to_string(),
        }
    }
}

pub fn parse_yaml(text: &str) -> Result<Dict, String> {
    let value: Value = if text.trim().is_empty() {
        Value::from(Empty::Unit)
    } else {
        // Behind its first line the message shows the file's text, and with it secrets.
        let first_line = |e: String| e.lines().next().unwrap_or_default().to_owned();
        <Yaml as Format>::from_str(text).map_err(|e| first_line(e.to_string()))?
    };
    match value {
        Value::Dict(_, dict) => Ok(dict),
        Value::Empty(..) => Ok(Dict::new()),
        _ => Err("settings are wanted, such as `http: {listen: 127.0.0.1:9009}`".into()),
    }
}

/// Brings text to the type of the default, so that a password of digits stays a text and
/// `YAGURA__MULTITENANCY__ENABLED=true` does not. What does not fit is left for the error.
fn coerce(value: Value, default: &Value, unit: Unit) -> Value {
    let Value::String(_, text) = &value else { return value };
    let parsed = match default {
        Value::Num(..) => unit.parse(text).map(Value::from).or_else(|| number(text)),
        Value::Bool(..) => text.parse::<bool>().ok().map(Value::from),
        Value::Array(..) => {
            <Yaml as Format>::from_str(text).ok().filter(|v: &Value| matches!(v, Value::Array(..)))
        }
        _ => None,
    };
    parsed.unwrap_or(value)
}

fn number(text: &str) -> Option<Value> {
    let whole = text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from));
    whole.ok().or_else(|| text.parse::<f64>().ok().map(Value::from))
}

fn plain(actual: &Actual) -> String {
    match actual {
        Actual::Unsigned(n) => n.to_string(),
        Actual::Signed(n) => n.to_string(),
        Actual::Float(n) => n.to_string(),
        other => other.to_string(),
    }
}

/// The dotted keys of all single values in a tree.
pub fn leaves(path: &str, tree: &Dict, out: &mut Vec<String>) {
    for (name, value) in tree {
        match value {
            Value::Dict(_, inner) => leaves(&format!("{path}{name}."), inner, out),
            _ => out.push(format!("{path}{name}")),
        }
    }
}

/// The known key that was most likely meant, if one is near enough.
fn nearest<'k>(key: &str, known: &'k [String]) -> Option<&'k str> {
    let last = |k: &str| k.rsplit('.').next().unwrap_or_default().to_owned();
    let by_distance = known.iter().map(|k| (distance(key, k), k)).min();
    let near = by_distance.filter(|(d, _)| *d <= 2.max(key.len() / 4)).map(|(_, k)| k);
    near.or_else(|| known.iter().find(|k| last(k) == last(key))).map(String::as_str)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
