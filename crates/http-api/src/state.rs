//! What the handlers share, and what the binary passes in.

use crate::{
    auth::Auth,
    query::slots::QuerySlots,
    results::ResultCache,
    ring::RoleRing,
    telemetry::HttpMetrics,
    tenant::{Multitenancy, Tenancy, Tenants},
    write::{InFlight, WriteConfig, WriteState},
};
use axum::extract::FromRef;
use futures::future::BoxFuture;
use model::{NANOS_A_MILLI, Nanos, TenantId};
use prometheus_client::registry::Registry;
use rules::RuleStore;
use runtime::Clock;
use serde::{Deserialize, Serialize};
use service_api::{
    DeletionRequests, Limits, LimitsSource, LogsReader, LogsTail, MetricsReader, Push, PushLogs, Result,
    RuleStates,
};
use std::{sync::Arc, time::Duration};
use vectors::Evaluate;

/// Settings of the HTTP API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    pub read: ReadConfig,
    pub write: WriteConfig,
}

/// Bounds of the read side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadConfig {
    /// Queries that run at once.
    pub max_concurrent_queries: usize,
    /// Queries that may wait for a place; more are answered 503.
    pub max_queued_queries: usize,
    /// Bytes of a posted form or of a remote read request.
    pub max_form_bytes: usize,
}

impl Default for ReadConfig {
    fn default() -> Self {
        Self { max_concurrent_queries: 20, max_queued_queries: 200, max_form_bytes: 1 << 20 }
    }
}

/// What `status/buildinfo` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    pub version: String,
    pub revision: String,
    pub branch: String,
    pub build_user: String,
    pub build_date: String,
    /// The compiler's version; clients read it under Prometheus's name, `goVersion`.
    pub compiler: String,
}

/// An action of the process that a request may start.
pub type Action = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// The parts of the API beside what operators ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serves {
    pub reads: bool,
    pub writes: bool,
}

impl Serves {
    pub const ALL: Self = Self { reads: true, writes: true };
}

/// What the API stands on.
#[derive(Clone)]
pub struct Deps {
    pub reader: Arc<dyn MetricsReader>,
    pub logs: Arc<dyn LogsReader>,
    pub tail: Arc<dyn LogsTail>,
    pub push: Arc<dyn Push>,
    pub push_logs: Arc<dyn PushLogs>,
    pub deletions: Arc<dyn DeletionRequests>,
    pub engine: Arc<promql::Engine>,
    pub log_engine: Arc<logql::Engine>,
    /// Evaluates range queries where their blocks are, if it is worth it; none if there is nobody else.
    pub spread: Option<Arc<dyn Evaluate>>,
    /// Where results of range queries are kept; none if they are not.
    pub results: Option<Arc<ResultCache>>,
    /// Rule groups as they are written, and how they fare.
    pub rule_store: Arc<dyn RuleStore>,
    pub rule_states: Arc<dyn RuleStates>,
    /// How often groups are evaluated that do not say it.
    pub rule_interval: Duration,
    pub limits: Arc<dyn LimitsSource>,
    pub clock: Arc<dyn Clock>,
    pub multitenancy: Multitenancy,
    /// The tenant that holds what this process writes of itself, if it does.
    pub own_tenant: Option<TenantId>,
    /// With it every request needs a token; without it everybody may do everything.
    pub auth: Option<Auth>,
    pub config: ApiConfig,
    pub build: BuildInfo,
    pub metrics: HttpMetrics,
    /// Everything that has been registered is shown under `/metrics`.
    pub registry: Arc<Registry>,
    /// Ready, or the sentence that says what is still missing.
    pub readiness: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// The configuration in force as YAML, secrets hidden.
    pub config_yaml: Arc<dyn Fn() -> String + Send + Sync>,
    /// Rereads what can be reread while we run.
    pub reload: Action,
    /// Brings everything that is in memory to the bucket.
    pub flush: Action,
    /// None where there is no cluster to leave.
    pub departure: Option<Arc<dyn Departs>>,
    /// Which parts of the API this process has.
    pub serves: Serves,
    /// What `/ring` shows.
    pub rings: Vec<RoleRing>,
}

/// How an ingester leaves its cluster for good: everything goes to the bucket, then it gives up its place.
pub trait Departs: Send + Sync {
    /// Leaves, and then has the process end.
    fn now(self: Arc<Self>) -> BoxFuture<'static, Result<()>>;

    /// Whether it leaves when the process is next told to stop.
    fn is_prepared(&self) -> bool;

    /// Has it do so, or not. It survives the process.
    fn prepare(&self, wanted: bool) -> BoxFuture<'static, Result<()>>;
}

/// The state of the router.
#[derive(Clone)]
pub struct ApiState {
    pub deps: Arc<Deps>,
    pub slots: QuerySlots,
    pub in_flight: InFlight,
    /// When the API was put together, in milliseconds since the Unix epoch.
    pub started_ms: i64,
}

impl ApiState {
    pub fn new(deps: Deps) -> Self {
        let slots =
            QuerySlots::new(&deps.config.read, deps.multitenancy.enabled, deps.metrics.queries.clone());
        let in_flight = InFlight::new(deps.config.write.max_in_flight_bytes);
        Self { slots, in_flight, started_ms: deps.clock.now_ms(), deps: Arc::new(deps) }
    }

    /// What a query of these tenants may take.
    pub fn limits(&self, tenants: &Tenants) -> Arc<Limits> {
        tenants.limits(&*self.deps.limits)
    }

    pub fn now_nanos(&self) -> Nanos {
        self.deps.clock.now_ms().saturating_mul(NANOS_A_MILLI)
    }
}

impl FromRef<ApiState> for Tenancy {
    fn from_ref(state: &ApiState) -> Self {
        // If it is everybody's anyway there is nothing to guard.
        let own = state.deps.own_tenant.clone().filter(|own| *own != TenantId::anonymous());
        Self { multitenancy: state.deps.multitenancy, own }
    }
}

impl FromRef<ApiState> for ReadConfig {
    fn from_ref(state: &ApiState) -> Self {
        state.deps.config.read.clone()
    }
}

impl FromRef<ApiState> for WriteState {
    fn from_ref(state: &ApiState) -> Self {
        Self {
            push: Arc::clone(&state.deps.push),
            push_logs: Arc::clone(&state.deps.push_logs),
            limits: Arc::clone(&state.deps.limits),
            clock: Arc::clone(&state.deps.clock),
            config: state.deps.config.write.clone(),
            in_flight: state.in_flight.clone(),
        }
    }
}
