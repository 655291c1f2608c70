//! Templates of alerts' labels and annotations: Go's text/template with Prometheus's functions.

use model::{Labels, Timestamp};
use std::rc::Rc;
use template::{Env, Functions, MissingKey, Options, Struct, Template, TemplateQuerier, Value};

/// What Prometheus calls the data of a template, for errors about fields that it lacks.
const DATA: &str = "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }";

/// Variables, each with the field that has the same value.
const VARIABLES: [(&str, &str); 4] = [
    ("$labels", "Labels"),
    ("$externalLabels", "ExternalLabels"),
    ("$externalURL", "ExternalURL"),
    ("$value", "Value"),
];

/// A template that was parsed once.
pub struct AlertTemplate(Text);

enum Text {
    Plain(String),
    Template(Box<Template>),
}

/// What a template is expanded with.
#[derive(Clone, Copy)]
pub struct Expansion<'a> {
    /// Those of the sample that makes the alert.
    pub labels: &'a Labels,
    pub value: f64,
    pub external_labels: &'a Labels,
    pub external_url: &'a str,
    /// When the rule is evaluated, in milliseconds.
    pub at: Timestamp,
    /// None if nothing may be queried: `query` fails then.
    pub querier: Option<&'a dyn TemplateQuerier>,
}

impl AlertTemplate {
    /// `name` is for errors.
    ///
    /// # Errors
    /// What is wrong with the template, and where.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let options = Options {
            name,
            missing_key: MissingKey::Zero,
            variables: &VARIABLES.map(|(variable, _)| variable),
            ..Options::default()
        };
        let limit = options.limits.template_bytes;
        if !text.contains("{{") && text.len() <= limit {
            return Ok(Self(Text::Plain(text.to_owned())));
        }
        let parsed =
            Template::parse_with(text, &Functions::for_alerts(), &options).map_err(|e| e.to_string())?;
        Ok(Self(Text::Template(Box::new(parsed))))
    }

    /// It has no action at all: it is its own result.
    pub fn is_plain(&self) -> bool {
        matches!(self.0, Text::Plain(_))
    }

    /// It makes queries, so that expanding it may block.
    pub fn queries(&self) -> bool {
        matches!(&self.0, Text::Template(template) if template.calls("query"))
    }

    /// The labels of the alert that it reads by name.
    pub fn labels_read(&self) -> Vec<&str> {
        let Text::Template(template) = &self.0 else { return Vec::new() };
        let mut names: Vec<&str> = template
            .paths()
            .filter_map(|(of, field)| matches!(of, "$labels" | "Labels").then_some(field))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// # Errors
    /// Why the template cannot be executed to its end, or a query of it.
    pub fn expand(&self, with: &Expansion<'_>) -> Result<String, String> {
        let template = match &self.0 {
            Text::Plain(text) => return Ok(text.clone()),
            Text::Template(template) => template,
        };
        let fields = vec![
            ("Labels", Value::Labels(with.labels.clone())),
            ("ExternalLabels", Value::Labels(with.external_labels.clone())),
            ("ExternalURL", Value::str(with.external_url)),
            ("Value", Value::Float(with.value)),
        ];
        let data = Struct { type_name: DATA, fields };
        let variables = VARIABLES
            .map(|(variable, field)| (variable, data.field(field).cloned().unwrap_or_default()))
            .to_vec();
        let env = Env {
            now: with.at.saturating_mul(1_000_000),
            external_url: with.external_url,
            querier: with.querier,
            ..Env::default()
        };
        let mut out = String::new();
        let data = Value::Struct(Rc::new(data));
        template.execute_with(data, variables, &env, &mut out).map_err(|e| e.to_string())?;
        Ok(out)
    }
}
