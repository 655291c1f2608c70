//! Rule files as they are read back.

use super::RuleFile;
use crate::{Rule, RuleGroup, RuleKind};
use model::quote_char;
use query_syntax::format_duration;
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// One group alone, as it is posted.
pub fn write_group(group: &RuleGroup) -> String {
    let mut out = Out::default();
    out.group(group, 0);
    out.0
}

/// A file of groups, with its namespace if it has one.
pub fn write_rule_file(file: &RuleFile) -> String {
    let mut out = Out::default();
    if let Some(namespace) = &file.namespace {
        out.field(0, "namespace", namespace);
    }
    if file.groups.is_empty() {
        out.0.push_str("groups: []\n");
    } else {
        out.0.push_str("groups:\n");
        out.groups(&file.groups);
    }
    out.0
}

/// Groups by namespace, as Cortex lists them.
pub fn write_namespaces(groups: &BTreeMap<String, Vec<RuleGroup>>) -> String {
    let mut out = Out::default();
    if groups.is_empty() {
        return "{}\n".to_owned();
    }
    for (namespace, groups) in groups {
        let name = scalar(namespace);
        let empty = if groups.is_empty() { " []" } else { "" };
        out.line(0, format_args!("{name}:{empty}"));
        out.groups(groups);
    }
    out.0
}

#[derive(Default)]
struct Out(String);

impl Out {
    fn line(&mut self, indent: usize, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{:indent$}{line}", "");
    }

    fn field(&mut self, indent: usize, name: &str, value: &str) {
        match literal(value, indent + 2) {
            Some(block) => self.line(indent, format_args!("{name}: {block}")),
            None => self.line(indent, format_args!("{name}: {}", scalar(value))),
        }
    }

    fn duration(&mut self, indent: usize, name: &str, value: Duration) {
        let ms = i64::try_from(value.as_millis()).unwrap_or(i64::MAX);
        self.line(indent, format_args!("{name}: {}", format_duration(ms)));
    }

    fn texts<'t>(
        &mut self,
        indent: usize,
        name: &str,
        texts: impl Iterator<Item = (&'t String, &'t String)>,
    ) {
        let mut is_first = true;
        for (key, value) in texts {
            if std::mem::take(&mut is_first) {
                self.line(indent, format_args!("{name}:"));
            }
            self.field(indent + 2, &scalar(key), value);
        }
    }

    /// Items of a list, each of whose first lines gets the dash.
    fn item(&mut self, indent: usize, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        write(self);
        self.0.replace_range(start + indent..start + indent + 1, "-");
    }

    fn groups(&mut self, groups: &[RuleGroup]) {
        for group in groups {
            self.item(2, |out| out.group(group, 4));
        }
    }

    fn group(&mut self, group: &RuleGroup, indent: usize) {
        let RuleGroup { name, interval, query_offset, limit, labels, lang, rules, ignored: _ } = group;
        self.field(indent, "name", name);
        if let Some(interval) = interval {
            self.duration(indent, "interval", *interval);
        }
        if let Some(offset) = query_offset {
            self.duration(indent, "query_offset", *offset);
        }
        if *limit > 0 {
            self.line(indent, format_args!("limit: {limit}"));
        }
        self.texts(indent, "labels", labels.iter());
        if let Some(lang) = lang {
            self.line(indent, format_args!("lang: {}", lang.as_str()));
        }
        if rules.is_empty() {
            self.line(indent, format_args!("rules: []"));
            return;
        }
        self.line(indent, format_args!("rules:"));
        for rule in rules {
            self.item(indent + 2, |out| out.rule(rule, labels, indent + 4));
        }
    }

    fn rule(&mut self, rule: &Rule, of_group: &BTreeMap<String, String>, indent: usize) {
        match &rule.kind {
            RuleKind::Record(name) => self.field(indent, "record", name),
            RuleKind::Alert { name, .. } => self.field(indent, "alert", name),
        }
        if let Some(lang) = rule.lang {
            self.line(indent, format_args!("lang: {}", lang.as_str()));
        }
        self.field(indent, "expr", rule.expr.text());
        if let RuleKind::Alert { hold, keep_firing_for, .. } = &rule.kind {
            for (name, value) in [("for", hold), ("keep_firing_for", keep_firing_for)] {
                if !value.is_zero() {
                    self.duration(indent, name, *value);
                }
            }
        }
        let own = rule.labels.iter().filter(|(name, value)| of_group.get(*name) != Some(*value));
        self.texts(indent, "labels", own);
        if let RuleKind::Alert { annotations, .. } = &rule.kind {
            self.texts(indent, "annotations", annotations.iter());
        }
    }
}

/// A text on one line: plain where no reader, new or old, would take it for anything else.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| matches!(c, ' '..='~'))
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !is_word(text);
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// Words that mean something else than their letters.
fn is_word(text: &str) -> bool {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) || text.parse::<f64>().is_ok()
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_shown(c) => out.push(c),
            // Writing to a String cannot fail.
            c if u32::from(c) < 0x10000 => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => drop(write!(out, "\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Whether a reader keeps the character as it is.
fn is_shown(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_ascii() && c != '\u{feff}' && !quote_char(c).starts_with("'\\"))
}

/// A text of several lines as a block, if it comes back the same from one.
fn literal(text: &str, indent: usize) -> Option<String> {
    let (body, mark) = match text.strip_suffix('\n') {
        Some(body) => (body, "|"),
        None => (text, "|-"),
    };
    let is_safe = |line: &str| !line.ends_with(' ') && line.chars().all(is_shown);
    let fits = text.contains('\n')
        && !body.is_empty()
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && body.split('\n').all(is_safe);
    if !fits {
        return None;
    }
    let mut block = mark.to_owned();
    for line in body.split('\n') {
        block.push('\n');
        if !line.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(block, "{:indent$}{line}", "");
        }
    }
    Some(block)
}
