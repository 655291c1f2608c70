//! The fields of one mapping, each of which is asked for once.

use super::{
    read::Reader,
    yaml::{Entry, Kind, Node},
};
use model::quote;
use query_syntax::parse_duration;
use service_api::RuleLanguage;
use std::{collections::BTreeMap, rc::Rc, time::Duration};

pub struct Fields {
    /// Where the mapping begins.
    pub line: usize,
    entries: Vec<Entry>,
}

/// A text and its line.
pub struct Text {
    pub line: usize,
    pub text: String,
}

impl Fields {
    /// `None`, and a problem, if the node is no mapping. Fields that are not `allowed` are problems.
    pub fn of(node: &Node, what: &str, allowed: &[&str], reader: &mut Reader<'_>) -> Option<Self> {
        let entries = match &node.kind {
            Kind::Map(entries) => entries,
            // An empty item would be taken for one with all fields empty.
            _ => {
                let message = format!("{what} must be a mapping of fields, not {}", node.what());
                reader.problem(Some(node.line), message);
                return None;
            }
        };
        for entry in entries.iter().filter(|entry| !allowed.contains(&&*entry.key)) {
            let (key, allowed) = (quote(&entry.key), allowed.join(", "));
            reader.problem(Some(entry.line), format!("unknown field {key}: {what} may have {allowed}"));
        }
        Some(Self { line: node.line, entries: entries.clone() })
    }

    /// The node of a field; `None` if it is not there or has no value.
    pub fn node(&self, name: &str) -> Option<Rc<Node>> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        (!matches!(entry.value.kind, Kind::Null)).then(|| Rc::clone(&entry.value))
    }

    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == name)
    }

    /// Where the field stands, or the mapping begins.
    pub fn line_of(&self, name: &str) -> usize {
        self.entries.iter().find(|entry| entry.key == name).map_or(self.line, |entry| entry.line)
    }

    pub fn text(&self, name: &str, reader: &mut Reader<'_>) -> Option<Text> {
        let node = self.node(name)?;
        match &node.kind {
            Kind::Text(text) => Some(Text { line: node.line, text: text.clone() }),
            _ => {
                reader.problem(Some(node.line), format!("{name} must be a text, not {}", node.what()));
                None
            }
        }
    }

    pub fn duration(&self, name: &str, reader: &mut Reader<'_>) -> Option<Duration> {
        let text = self.text(name, reader)?;
        match parse_duration(&text.text) {
            Ok(ms) => Some(Duration::from_millis(ms.unsigned_abs())),
            Err(error) => {
                let message = format!("{name}: {error}; write it as 30s or 1h30m");
                reader.problem(Some(text.line), message);
                None
            }
        }
    }

    /// Below 0 is none, as in Prometheus.
    pub fn limit(&self, name: &str, reader: &mut Reader<'_>) -> usize {
        let Some(text) = self.text(name, reader) else { return 0 };
        match text.text.parse::<i64>() {
            Ok(limit) => usize::try_from(limit).unwrap_or(0),
            Err(_) => {
                let message = format!("{name} must be a whole number, not {}", quote(&text.text));
                reader.problem(Some(text.line), message);
                0
            }
        }
    }

    pub fn lang(&self, reader: &mut Reader<'_>) -> Option<RuleLanguage> {
        let text = self.text("lang", reader)?;
        let known = [RuleLanguage::Promql, RuleLanguage::Logql];
        let found = known.into_iter().find(|lang| lang.as_str() == text.text);
        if found.is_none() {
            let message = format!("lang must be promql or logql, not {}", quote(&text.text));
            reader.problem(Some(text.line), message);
        }
        found
    }

    /// A mapping of texts, each with its line.
    pub fn texts(&self, name: &str, reader: &mut Reader<'_>) -> BTreeMap<String, Text> {
        let mut texts = BTreeMap::new();
        let Some(node) = self.node(name) else { return texts };
        let Kind::Map(entries) = &node.kind else {
            let message = format!("{name} must be a mapping of texts, not {}", node.what());
            reader.problem(Some(node.line), message);
            return texts;
        };
        for entry in entries {
            let text = match &entry.value.kind {
                Kind::Text(text) => text.clone(),
                Kind::Null => String::new(),
                _ => {
                    let (key, what) = (quote(&entry.key), entry.value.what());
                    reader.problem(Some(entry.line), format!("{key} in {name} must be a text, not {what}"));
                    continue;
                }
            };
            texts.insert(entry.key.clone(), Text { line: entry.line, text });
        }
        texts
    }
}
