//! What is allowed in rules and likely a mistake.

mod checks;
mod labels;

use crate::{Rule, RuleGroup, RuleKind, file::could_be_logql};
use model::quote;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// How much a lint matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Taste, and habits of the field.
    Info,
    /// It works, and hardly as it is meant.
    Warning,
    /// It cannot work.
    Error,
}

/// One thing that is worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    pub severity: Severity,
    /// Namespace or file, as it was given.
    pub namespace: String,
    pub group: String,
    /// Empty if it is about the group.
    pub rule: String,
    /// Which lint it is: `duplicate`, `ambiguous-language`, …
    pub name: &'static str,
    pub message: String,
}

/// A lint whose place is known.
struct Found {
    severity: Severity,
    name: &'static str,
    message: String,
}

/// Looks through groups, each with its namespace or file, in the order in which they are given.
pub fn lint(groups: &[(String, RuleGroup)]) -> Vec<Lint> {
    let summed: BTreeSet<&str> = groups
        .iter()
        .flat_map(|(_, group)| &group.rules)
        .filter(|rule| matches!(rule.kind, RuleKind::Record(_)) && checks::is_sum(&rule.expr))
        .map(Rule::name)
        .collect();
    let mut known = BTreeMap::new();
    let mut lints = Vec::new();
    for (namespace, group) in groups {
        let mut add = |rule: &str, found: Found| {
            let Found { severity, name, message } = found;
            let (namespace, group, rule) = (namespace.clone(), group.name.clone(), rule.to_owned());
            lints.push(Lint { severity, namespace, group, rule, name, message });
        };
        for field in &group.ignored {
            add("", Found::info("ignored-field", format!("{field} has no effect here")));
        }
        for rule in &group.rules {
            let mut found = Vec::new();
            found.extend(duplicate(namespace, group, rule, &mut known));
            found.extend(ambiguous(group, rule));
            checks::check(rule, &summed, &mut found);
            found.into_iter().for_each(|found| add(rule.name(), found));
        }
    }
    lints
}

/// What tells rules apart: alerts or series, their name and labels.
type Identity<'r> = (bool, &'r str, &'r BTreeMap<String, String>);

fn duplicate<'r>(
    namespace: &'r str,
    group: &'r RuleGroup,
    rule: &'r Rule,
    known: &mut BTreeMap<Identity<'r>, (&'r str, &'r str)>,
) -> Option<Found> {
    let is_alert = matches!(rule.kind, RuleKind::Alert { .. });
    let identity = (is_alert, rule.name(), &rule.labels);
    let Some((other_namespace, other)) = known.get(&identity) else {
        known.insert(identity, (namespace, &group.name));
        return None;
    };
    let place = if *other_namespace == namespace && *other == group.name {
        "a rule before it in this group".to_owned()
    } else {
        format!("a rule of group {} in {other_namespace}", quote(other))
    };
    let what =
        if is_alert { "is the same alert with the same labels as" } else { "records the same series as" };
    Some(Found::warning("duplicate", format!("{what} {place}; give them different labels")))
}

fn ambiguous(group: &RuleGroup, rule: &Rule) -> Option<Found> {
    let is_told = group.lang.or(rule.lang).is_some();
    (!is_told && could_be_logql(&rule.expr)).then(|| {
        let message = "is taken as PromQL and could be LogQL as well: say `lang: promql` or `lang: logql`";
        Found::warning("ambiguous-language", message)
    })
}

impl Found {
    fn info(name: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Info, name, message: message.into() }
    }

    fn warning(name: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::info(name, message) }
    }
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, namespace, group, rule, name, message } = self;
        write!(f, "{}: {namespace}: group {}", severity.as_str(), quote(group))?;
        if !rule.is_empty() {
            write!(f, ", rule {}", quote(rule))?;
        }
        write!(f, ": {message} ({name})")
    }
}
