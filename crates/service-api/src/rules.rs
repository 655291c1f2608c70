//! Rule groups as they fare, and the alerts that come of them.

use crate::{Result, Warned};
use async_trait::async_trait;
use model::{Labels, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// In which language a rule's expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleLanguage {
    Promql,
    Logql,
}

impl RuleLanguage {
    /// Its name in rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promql => "promql",
            Self::Logql => "logql",
        }
    }
}

/// A group of rules that somebody runs, as of its last evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupState {
    pub namespace: String,
    pub name: String,
    pub interval: Duration,
    pub query_offset: Duration,
    /// Alerts, or series, that one rule may make; 0 is no limit.
    pub limit: usize,
    pub rules: Vec<RuleState>,
    /// When its last evaluation was due; none before the first.
    pub last_evaluation: Option<Timestamp>,
    /// How long that one took.
    pub evaluation_time: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RuleState {
    /// The series that it records, or the alert.
    pub name: String,
    pub lang: RuleLanguage,
    /// Its expression as the language's printer writes it.
    pub query: String,
    /// Those of the rule and of its group, templates as they are written.
    pub labels: Labels,
    pub health: RuleHealth,
    pub last_evaluation: Option<Timestamp>,
    pub evaluation_time: Duration,
    pub kind: RuleKindState,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RuleHealth {
    /// Not evaluated yet.
    #[default]
    Unknown,
    Ok,
    /// With what its last evaluation failed.
    Failed(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum RuleKindState {
    Recording,
    Alerting {
        hold: Duration,
        keep_firing_for: Duration,
        /// Sorted by name; templates as they are written.
        annotations: Vec<(String, String)>,
        /// Sorted by labels; those that are pending or firing.
        alerts: Vec<AlertState>,
    },
}

/// How far an alert is; the later, the worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertPhase {
    #[default]
    Inactive,
    Pending,
    Firing,
}

impl AlertPhase {
    /// Its name in Prometheus's API and in `ALERTS{alertstate=…}`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// One active alert of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertState {
    /// With `alertname`.
    pub labels: Labels,
    /// Sorted by name.
    pub annotations: Vec<(String, String)>,
    pub phase: AlertPhase,
    pub active_at: Timestamp,
    /// Since when it fires only because of `keep_firing_for`.
    pub keep_firing_since: Option<Timestamp>,
    pub value: f64,
}

/// Whoever runs rule groups: this process's ruler, another's, or all of them together.
#[async_trait]
pub trait RuleStates: Send + Sync {
    /// The tenant's groups that are run there, sorted by namespace and name. What could not be asked is told in
    /// a warning.
    async fn groups(&self, tenant: &TenantId) -> Result<Warned<Vec<GroupState>>>;

    /// The tenant's rules were changed: they are read anew without waiting for the next look.
    async fn changed(&self, tenant: &TenantId) -> Result<()>;

    /// Where the tenant's alerts are sent to, as URLs of the API that takes them.
    async fn alertmanagers(&self, tenant: &TenantId) -> Result<Vec<String>>;
}

/// An alert as an Alertmanager is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// With `alertname`, without empty values.
    pub labels: Labels,
    /// Sorted by name.
    pub annotations: Vec<(String, String)>,
    pub starts_at: Timestamp,
    /// When it is over, or will be taken for over unless it is sent again.
    pub ends_at: Timestamp,
    /// Where the expression can be looked at.
    pub generator_url: String,
}

/// Takes alerts to where the tenant's go. It never makes anybody wait: what it has no room for is dropped, the
/// oldest first, and counted; whoever evaluates sends alerts again and again.
pub trait Notify: Send + Sync {
    fn notify(&self, tenant: &TenantId, alerts: Vec<Alert>);

    /// As [`RuleStates::alertmanagers`].
    fn alertmanagers(&self, tenant: &TenantId) -> Vec<String>;
}
