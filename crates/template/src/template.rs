//! A parsed template and what it is executed with.

use crate::{
    ast::Node,
    error::{ExecError, ParseError},
    exec::Exec,
    functions::Functions,
    limits::Limits,
    regexes::Regexes,
    value::{Data, Value},
};
use model::Labels;
use std::collections::{BTreeMap, BTreeSet};

/// What a field of a map is that the map does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value, printed as `<no value>`.
    NoValue,
    /// The zero of the map's values: nothing is printed for a map of strings.
    #[default]
    Zero,
    /// The template fails.
    Error,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'o> {
    /// The template's name, for errors: `line`, `label`.
    pub name: &'o str,
    pub missing_key: MissingKey,
    pub limits: Limits,
    /// Variables that are there from the start, with their `$`; [`Template::execute_with`] sets them.
    pub variables: &'o [&'o str],
}

/// Answers the queries of alert templates.
pub trait TemplateQuerier: Send + Sync {
    /// The samples of an instant query; it may block.
    ///
    /// # Errors
    /// Why there is no answer.
    fn query(&self, expr: &str) -> Result<Vec<(Labels, f64)>, String>;
}

/// What is around one execution.
#[derive(Clone, Copy, Default)]
pub struct Env<'a> {
    /// Nanoseconds since the Unix epoch, for `now`.
    pub now: i64,
    /// For `__line__`.
    pub line: &'a str,
    /// Nanoseconds since the Unix epoch, for `__timestamp__`.
    pub timestamp: i64,
    /// Where users find this server, for `externalURL`.
    pub external_url: &'a str,
    /// For `query`, which fails if there is none.
    pub querier: Option<&'a dyn TemplateQuerier>,
}

/// The fields of the data that a template reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Sorted, each once.
    pub names: Vec<String>,
    /// The template also takes the data as a whole, and so any field of it.
    pub all: bool,
}

/// A template that has been parsed once to be executed often, by many threads.
pub struct Template {
    pub(crate) name: String,
    pub(crate) text: String,
    /// The template under its own name, and those that it defines.
    pub(crate) bodies: BTreeMap<String, Vec<Node>>,
    pub(crate) missing_key: MissingKey,
    pub(crate) limits: Limits,
    pub(crate) regexes: Regexes,
    known: Box<Known>,
}

/// What is known of a template without executing it.
struct Known {
    fields: Fields,
    /// The functions that it calls.
    calls: BTreeSet<&'static str>,
    paths: BTreeSet<(String, String)>,
}

impl Template {
    /// Parses with the default options.
    pub fn parse(text: &str, functions: &Functions) -> Result<Self, ParseError> {
        Self::parse_with(text, functions, &Options::default())
    }

    pub fn parse_with(text: &str, functions: &Functions, options: &Options<'_>) -> Result<Self, ParseError> {
        let limit = options.limits.template_bytes;
        if text.len() > limit {
            let message = format!("template is longer than {limit} bytes");
            return Err(ParseError { name: options.name.to_owned(), line: 1, message });
        }
        let bodies = crate::parse::parse(options, text, functions)?;
        let reads = crate::reads::Reads::of(options.name, &bodies);
        let regexes = Regexes::new(&reads.patterns);
        let names = reads.fields.iter().map(|name| String::from(*name)).collect();
        let fields = Fields { names, all: reads.all };
        let paths = reads.paths.iter().map(|(a, b)| (String::from(*a), String::from(*b))).collect();
        let known = Box::new(Known { fields, calls: reads.calls, paths });
        Ok(Self {
            name: options.name.to_owned(),
            text: text.to_owned(),
            bodies,
            missing_key: options.missing_key,
            limits: options.limits,
            regexes,
            known,
        })
    }

    /// Appends what the template makes of `data` to `out`. At an error, `out` keeps what was
    /// written before it.
    pub fn execute<'a>(
        &'a self,
        data: &'a dyn Data,
        env: &Env<'a>,
        out: &mut String,
    ) -> Result<(), ExecError> {
        Exec::new(self, env, out).run(Value::Data(data), Vec::new())
    }

    /// As `execute`, on any value, with values for variables that the template was parsed with.
    pub fn execute_with<'a>(
        &'a self,
        data: Value<'a>,
        variables: Vec<(&'a str, Value<'a>)>,
        env: &Env<'a>,
        out: &mut String,
    ) -> Result<(), ExecError> {
        Exec::new(self, env, out).run(data, variables)
    }

    /// Whether it calls the function anywhere.
    pub fn calls(&self, function: &str) -> bool {
        self.known.calls.contains(function)
    }

    /// Fields of variables and of fields that it reads: `$labels.job`, and `.Labels.job` as `Labels` and `job`.
    pub fn paths(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.paths.iter().map(|(of, field)| (of.as_str(), field.as_str()))
    }

    /// The fields of the data that this template reads, for parsers that can leave out others.
    pub fn fields(&self) -> &Fields {
        &self.known.fields
    }

    /// The one field that the template consists of: `{{.msg}}` can be copied.
    pub fn single_field(&self) -> Option<&str> {
        crate::reads::single_field(self.bodies.get(&self.name)?)
    }
}
