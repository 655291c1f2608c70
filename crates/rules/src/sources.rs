//! What rules stand on: queries, a place for results, and a place for the rules themselves.

use crate::{Expression, GroupName, RuleGroup};
use async_trait::async_trait;
use model::{Labels, Matcher, Sample, TenantId, TimeRange, Timestamp};
use service_api::{PushOutcome, Result};

/// An instant vector. A scalar is one sample without labels.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Each label set once.
    pub samples: Vec<(Labels, vectors::Sample)>,
    pub warnings: Vec<String>,
}

/// Answers what rules ask.
#[async_trait]
pub trait Queries: Send + Sync {
    /// Evaluates an expression at one time, in milliseconds.
    async fn instant(&self, tenant: &TenantId, expr: &Expression, at: Timestamp) -> Result<Answer>;

    /// The last float of each series of metrics, stale markers included, sorted by labels: to find out what an earlier
    /// run of a group has left.
    async fn last(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<(Labels, Sample)>>;
}

/// One sample that a rule has made.
#[derive(Clone, Debug)]
pub struct ResultSample {
    /// With the metric's name.
    pub labels: Labels,
    pub timestamp: Timestamp,
    /// A stale marker where the series has ended.
    pub value: vectors::Sample,
}

/// Takes what rules make, as samples of the tenant.
#[async_trait]
pub trait Results: Send + Sync {
    /// Returns when they can be queried. Entries that are refused one by one are in the outcome.
    async fn write(&self, tenant: &TenantId, samples: Vec<ResultSample>) -> Result<PushOutcome>;
}

/// A group with where it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredGroup {
    pub namespace: String,
    pub group: RuleGroup,
    /// It comes from a file of the operator's and cannot be changed by requests.
    pub is_fixed: bool,
}

/// Where rule groups are kept.
#[async_trait]
pub trait RuleStore: Send + Sync {
    /// All groups of the tenant, or those of one namespace; sorted by namespace and name.
    async fn groups(&self, tenant: &TenantId, namespace: Option<&str>) -> Result<Vec<StoredGroup>>;

    /// Adds the group or replaces the one of its name.
    ///
    /// # Errors
    /// It is over a limit of the tenant's, or fixed.
    async fn put(&self, tenant: &TenantId, namespace: &str, group: RuleGroup) -> Result<()>;

    /// # Errors
    /// `Code::NotFound`, or the group is fixed.
    async fn delete(&self, tenant: &TenantId, name: &GroupName) -> Result<()>;

    /// Removes all groups of a namespace.
    ///
    /// # Errors
    /// As `delete`.
    async fn delete_namespace(&self, tenant: &TenantId, namespace: &str) -> Result<()>;

    /// The tenant's own Alertmanagers, as the YAML that it gave; none if it gave none.
    async fn alerting(&self, tenant: &TenantId) -> Result<Option<String>>;

    /// Sets them, or removes them.
    ///
    /// # Errors
    /// The tenant may not have its own, or the YAML is wrong.
    async fn set_alerting(&self, tenant: &TenantId, yaml: Option<&str>) -> Result<()>;
}
