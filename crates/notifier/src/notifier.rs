//! Takes alerts of all tenants to where they go.

use crate::{
    address::Networks,
    client::Reach,
    config::Alerting,
    dns::{Lookup, SystemLookup},
    metrics::Metrics,
    pool::{Pool, Shared},
    relabel::Relabel,
    relabelled,
};
use model::TenantId;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use runtime::Clock;
use service_api::{Alert, Notify};
use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long what waits is still sent when the process ends.
const DRAIN: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct NotifierConfig {
    /// Alerts that may wait for one Alertmanager; those of one tenant may be a quarter.
    pub queue_capacity: usize,
    /// Alerts in one request at most.
    pub batch: usize,
    /// Of a request, where the configuration of an Alertmanager says nothing; a tenant's may not say more.
    pub timeout: Duration,
    /// Where Alertmanagers that tenants have named may be, beside public addresses.
    pub tenant_networks: Networks,
}

impl Default for NotifierConfig {
    fn default() -> Self {
        Self {
            queue_capacity: 40_000,
            batch: 256,
            timeout: Duration::from_secs(10),
            tenant_networks: Networks::default(),
        }
    }
}

/// Has a queue and a sender for each Alertmanager, so that none waits for another.
pub struct Notifier {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    operators: Arc<Group>,
    tenants: HashMap<TenantId, Arc<Group>>,
}

/// A configuration as it is at work.
#[derive(Default)]
struct Group {
    relabel: Arc<Relabel>,
    pools: Vec<Arc<Pool>>,
}

impl Notifier {
    pub fn new(config: NotifierConfig, clock: Arc<dyn Clock>, registry: &mut Registry) -> Arc<Self> {
        Self::with_lookup(config, clock, registry, Arc::new(SystemLookup::default()))
    }

    pub(crate) fn with_lookup(
        config: NotifierConfig,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
        lookup: Arc<dyn Lookup>,
    ) -> Arc<Self> {
        let networks = config.tenant_networks.clone();
        let metrics = Metrics::register(config.queue_capacity, registry);
        let reach = Arc::new(Reach { networks, lookup, roots: OnceLock::new() });
        let (fresh, wake) = Default::default();
        let shared = Arc::new(Shared { config, clock, metrics, reach, fresh, wake });
        Arc::new(Self { shared, state: Mutex::default() })
    }

    /// Sets where the alerts of all tenants go that have nothing of their own. Alertmanagers that stay keep what
    /// waits for them.
    pub fn set_operators(&self, alerting: Alerting) {
        let mut state = self.state.lock();
        state.operators = Arc::new(self.replace(&state.operators, alerting, None));
    }

    /// Sets where a tenant's alerts go in place of the operator's Alertmanagers, or, with none, to those again.
    pub fn set_tenants(&self, tenant: &TenantId, alerting: Option<Alerting>) {
        let mut state = self.state.lock();
        let Some(alerting) = alerting else {
            state.tenants.remove(tenant);
            return;
        };
        let old = state.tenants.remove(tenant).unwrap_or_default();
        let new = Arc::new(self.replace(&old, alerting, Some(tenant)));
        state.tenants.insert(tenant.clone(), new);
    }

    /// Whether a tenant may have this: all of its addresses may be connected to.
    ///
    /// # Errors
    /// A sentence that says which one may not.
    pub fn check(&self, alerting: &Alerting) -> Result<(), String> {
        alerting.check_addresses(&self.shared.config.tenant_networks)
    }

    fn replace(&self, old: &Group, alerting: Alerting, tenant: Option<&TenantId>) -> Group {
        let mut left = old.pools.clone();
        let mut stay = |set| left.iter().position(|pool| pool.set == set).map(|at| left.swap_remove(at));
        let kept: Vec<_> = alerting.sets.into_iter().map(|set| (set.clone(), stay(set))).collect();
        // An entry that is changed may have the same servers.
        let queues: HashMap<_, _> = left.iter().flat_map(|pool| pool.queues()).collect();
        let pools = kept.into_iter().map(|(set, kept)| {
            kept.unwrap_or_else(|| Pool::new(set, tenant.cloned(), &self.shared, queues.clone()))
        });
        Group { relabel: alerting.relabel, pools: pools.collect() }
    }

    fn group(&self, tenant: &TenantId) -> Arc<Group> {
        let state = self.state.lock();
        state.tenants.get(tenant).unwrap_or(&state.operators).clone()
    }

    /// Looks for Alertmanagers and sends. When it is told to drain, what waits is sent for five seconds more.
    ///
    /// # Errors
    /// None: what fails is told to the log and counted.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) -> Result<(), Infallible> {
        let mut tasks = JoinSet::new();
        loop {
            for job in std::mem::take(&mut *self.shared.fresh.lock()) {
                tasks.spawn(job.run(drain.clone()));
            }
            tokio::select! {
                () = drain.cancelled() => break,
                () = self.shared.wake.notified() => {}
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a task that sends alerts has ended");
                    }
                }
            }
        }
        let all = async { while tasks.join_next().await.is_some() {} };
        // Those that are late are dropped with the set of tasks.
        let _ = tokio::time::timeout(DRAIN, all).await;
        let state = self.state.lock();
        let groups = state.tenants.values().chain([&state.operators]);
        let left: usize = groups.flat_map(|group| &group.pools).map(|pool| pool.len()).sum();
        if left > 0 {
            tracing::warn!(left, "alerts were not sent before the end");
        }
        Ok(())
    }
}

impl Notify for Notifier {
    fn notify(&self, tenant: &TenantId, alerts: Vec<Alert>) {
        let group = self.group(tenant);
        if group.pools.is_empty() || alerts.is_empty() {
            return;
        }
        let alerts: Vec<Arc<Alert>> = alerts.into_iter().map(Arc::new).collect();
        let alerts = relabelled(&group.relabel, &alerts);
        for pool in &group.pools {
            pool.push(tenant, &alerts);
        }
    }

    fn alertmanagers(&self, tenant: &TenantId) -> Vec<String> {
        let group = self.group(tenant);
        let urls = group.pools.iter().flat_map(|pool| pool.queues()).map(|(url, _)| url);
        urls.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
