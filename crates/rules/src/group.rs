//! Rule groups as they are meant, whatever file they come from.

use crate::Expression;
use service_api::RuleLanguage;
use std::{collections::BTreeMap, fmt, time::Duration};

/// What names a group of a tenant. Both parts may be any text that is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName {
    /// The file it comes from, in Prometheus.
    pub namespace: String,
    pub group: String,
}

/// The longest name of a namespace or a group.
pub const MAX_NAME_BYTES: usize = 180;

/// Rules that are evaluated one after the other, each with what those before it have made.
#[derive(Clone, Debug)]
pub struct RuleGroup {
    pub name: String,
    /// None for the ruler's own.
    pub interval: Option<Duration>,
    /// How far back queries look; none for the ruler's own.
    pub query_offset: Option<Duration>,
    /// Alerts, or series, that one rule may make; 0 is no limit.
    pub limit: usize,
    /// Given to all rules that have no label of the name.
    pub labels: BTreeMap<String, String>,
    /// What its rules are in that do not say so themselves; none if it is found out by reading them.
    pub lang: Option<RuleLanguage>,
    pub rules: Vec<Rule>,
    /// Fields of other systems' that were written and have no effect here. They are not written again, and two
    /// groups that differ in them alone are the same.
    pub ignored: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub kind: RuleKind,
    pub expr: Expression,
    /// Its own and those of the group, of which a file does not repeat those that are the same; values are
    /// templates for alerts. An empty one removes the label.
    pub labels: BTreeMap<String, String>,
    /// As it was written: none if the rule does not say.
    pub lang: Option<RuleLanguage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// The metric that it records.
    Record(String),
    Alert {
        name: String,
        /// `for`: how long it must be active before it fires.
        hold: Duration,
        keep_firing_for: Duration,
        /// Values are templates.
        annotations: BTreeMap<String, String>,
    },
}

impl PartialEq for RuleGroup {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, interval, query_offset, limit, labels, lang, rules, ignored: _ } = self;
        (name, interval, query_offset, limit)
            == (&other.name, &other.interval, &other.query_offset, &other.limit)
            && (labels, lang, rules) == (&other.labels, &other.lang, &other.rules)
    }
}

/// Whether `name` may be that of a namespace or a group; `what` is which of the two.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("the name of a {what} must not be empty"));
    }
    if name.len() > MAX_NAME_BYTES {
        let (is, most) = (name.len(), MAX_NAME_BYTES);
        return Err(format!("the name of a {what} may have {most} bytes, not {is}: choose a shorter one"));
    }
    if let Some(c) = name.chars().find(|c| c.is_control()) {
        let (name, code) = (model::quote(name), u32::from(c));
        return Err(format!(
            "the name of a {what} must not have control characters, but {name} has U+{code:04X}"
        ));
    }
    Ok(())
}

impl Rule {
    /// The metric that it records, or the alert.
    pub fn name(&self) -> &str {
        let (RuleKind::Record(name) | RuleKind::Alert { name, .. }) = &self.kind;
        name
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.group)
    }
}
