//! Rule files: YAML as Prometheus, Loki, Cortex and Mimir write it, and what is wrong with it.

mod fields;
mod language;
mod read;
mod write;
mod yaml;

use crate::{RuleGroup, check_name};
use model::quote;
use read::Reader;
use service_api::RuleLanguage;
use std::{collections::BTreeMap, fmt};
use yaml::Node;

pub(crate) use language::could_be_logql;
pub use write::{write_group, write_namespaces, write_rule_file};

/// The longest rule file.
pub const MAX_FILE_BYTES: usize = 10 << 20;
/// The most rules in one file.
pub const MAX_RULES: usize = 100_000;

/// How a file is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Of rules and groups that do not say; none to find it out.
    pub lang: Option<RuleLanguage>,
    pub promql: promql::ParseOptions,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; none if it is about the whole file.
    pub line: Option<usize>,
    /// Empty if it is about no group.
    pub group: String,
    /// The series that is recorded, or the alert; empty if it is about no rule, or one without a name.
    pub rule: String,
    pub message: String,
}

/// A file of rules, as the tools of Cortex and Mimir have them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleFile {
    /// Where the groups belong, if the file says it.
    pub namespace: Option<String>,
    pub groups: Vec<RuleGroup>,
}

/// Reads a file of groups, which lie under `groups`.
///
/// # Errors
/// All that is wrong with it, by line.
pub fn read_file(text: &str, reading: &Reading) -> Result<Vec<RuleGroup>, Vec<Problem>> {
    read_rule_file(text, reading).map(|file| file.groups)
}

/// As [`read_file`], with the namespace that the file may name.
///
/// # Errors
/// As [`read_file`].
pub fn read_rule_file(text: &str, reading: &Reading) -> Result<RuleFile, Vec<Problem>> {
    read(text, reading, |reader, node| reader.file(node))
}

/// Reads one group alone.
///
/// # Errors
/// All that is wrong with it, by line.
pub fn read_group(text: &str, reading: &Reading) -> Result<RuleGroup, Vec<Problem>> {
    let group = read(text, reading, |reader, node| {
        let group = reader.group(node);
        if group.is_none() && reader.is_fine() {
            reader.problem(Some(node.line), "there is no group: a mapping with name and rules is wanted");
        }
        group
    })?;
    group.ok_or_else(|| vec![Problem::whole("there is no group: a mapping with name and rules is wanted")])
}

/// Reads groups by namespace, as Cortex lists them.
///
/// # Errors
/// All that is wrong with it, by line.
pub fn read_namespaces(
    text: &str,
    reading: &Reading,
) -> Result<BTreeMap<String, Vec<RuleGroup>>, Vec<Problem>> {
    read(text, reading, |reader, node| reader.namespaces(node))
}

fn read<T: Default>(
    text: &str,
    reading: &Reading,
    make: impl FnOnce(&mut Reader<'_>, &Node) -> T,
) -> Result<T, Vec<Problem>> {
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the file has {} bytes, at most {MAX_FILE_BYTES} are allowed", text.len());
        return Err(vec![Problem::whole(message)]);
    }
    let (node, problems) = yaml::read(text)?;
    let mut reader = Reader::new(reading, problems);
    let made = node.map(|node| make(&mut reader, &node)).unwrap_or_default();
    reader.finish().map(|()| made)
}

impl Problem {
    fn whole(message: impl Into<String>) -> Self {
        Self { line: None, group: String::new(), rule: String::new(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(line) = self.line {
            parts.push(format!("line {line}"));
        }
        let names = [("group", &self.group), ("rule", &self.rule)];
        let named: Vec<_> = names
            .iter()
            .filter(|(_, name)| !name.is_empty())
            .map(|(what, name)| format!("{what} {}", quote(name)))
            .collect();
        if !named.is_empty() {
            parts.push(named.join(", "));
        }
        parts.push(self.message.replace('\n', " "));
        f.write_str(&parts.join(": "))
    }
}

impl std::error::Error for Problem {}
