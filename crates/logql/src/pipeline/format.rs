//! The stages `line_format` and `label_format`.

use super::{
    hints::{Hints, Used},
    line_labels::{LineLabels, View},
    stage::TEMPLATE_ERROR,
};
use crate::ast;
use service_api::{Error, Result};
use std::borrow::Cow;
use template::{Data, Env, Functions, Options, Template, Value};

/// A template over the labels of a line.
pub struct Format(Template);

impl Format {
    /// `what` is named in errors.
    pub fn new(what: &str, text: &str) -> Result<Self> {
        let options = Options { name: what, ..Options::default() };
        let template = Template::parse_with(text, &Functions::for_logs(), &options)
            .map_err(|error| Error::bad_request(format!("invalid {what} template: {error}")))?;
        Ok(Self(template))
    }

    /// The labels that the template reads.
    pub fn used(&self, used: &mut Vec<Used>) {
        let fields = self.0.fields();
        used.extend(fields.names.iter().cloned().map(Used::Label));
        used.extend(fields.all.then_some(Used::Unknown));
    }

    /// Writes a new line to `out`; false if that fails, which is an error of the line.
    pub fn line(&self, labels: &mut LineLabels, env: &Env<'_>, out: &mut String) -> bool {
        out.clear();
        if let Some(field) = self.0.single_field() {
            out.push_str(labels.get(field).unwrap_or_default());
            return true;
        }
        match self.0.execute(&labels.view(), env, out) {
            Ok(()) => true,
            Err(error) => {
                labels.set_error(TEMPLATE_ERROR, Some(&error.to_string()));
                false
            }
        }
    }
}

impl Data for View<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        self.get(name).map(Value::str)
    }

    fn entries(&self) -> Vec<(Cow<'_, str>, Value<'_>)> {
        self.iter().map(|(_, name, value)| (name.into(), Value::str(value))).collect()
    }
}

/// What `label_format` does, in order.
pub struct LabelFormats(Vec<LabelFormat>);

enum LabelFormat {
    Rename { label: String, from: String },
    Template { label: String, format: Format },
}

impl LabelFormats {
    pub fn new(formats: &[ast::LabelFormat]) -> Result<Self> {
        let compiled = formats.iter().map(|format| {
            Ok(match format.clone() {
                ast::LabelFormat::Rename { label, from } => LabelFormat::Rename { label, from },
                ast::LabelFormat::Template { label, template } => {
                    LabelFormat::Template { label, format: Format::new("label", &template)? }
                }
            })
        });
        compiled.collect::<Result<_>>().map(Self)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn used(&self, used: &mut Vec<Used>) {
        for format in &self.0 {
            match format {
                LabelFormat::Rename { from, .. } => used.push(Used::Label(from.clone())),
                LabelFormat::Template { format, .. } => format.used(used),
            }
        }
    }

    /// Sets the labels. All templates see the labels as they are before the first of them;
    /// renames see what came before them.
    pub fn apply(&self, labels: &mut LineLabels, hints: &Hints, env: &Env<'_>, buffer: &mut String) {
        let mut has_snapshot = false;
        for format in &self.0 {
            let (label, format) = match format {
                LabelFormat::Rename { label, from } => {
                    labels.rename(from, label, hints);
                    continue;
                }
                LabelFormat::Template { label, format } => (label, format),
            };
            if !has_snapshot {
                labels.take_snapshot();
                has_snapshot = true;
            }
            buffer.clear();
            match format.0.execute(&labels.snapshot(), env, buffer) {
                Ok(()) => labels.set_named(label, buffer, hints),
                Err(error) => labels.set_error(TEMPLATE_ERROR, Some(&error.to_string())),
            }
        }
    }
}
