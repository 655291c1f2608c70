//! What is allowed in rules and likely a mistake.

use crate::RuleGroup;
use std::fmt;

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

/// Looks through groups, each with its namespace or file, in the order in which they are given.
pub fn lint(groups: &[(String, RuleGroup)]) -> Vec<Lint> {
    let _ = groups;
    Vec::new()
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
        write!(f, "{}: {namespace}: group {}", severity.as_str(), model::quote(group))?;
        if !rule.is_empty() {
            write!(f, ", rule {}", model::quote(rule))?;
        }
        write!(f, ": {message} ({name})")
    }
}
