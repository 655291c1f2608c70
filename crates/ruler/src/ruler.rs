//! The ruler: keeps what runs in step with which rules there are and which of them are ours.

use crate::{
    Claims, RulerConfig, RulerMetrics, Stored,
    places::Places,
    running::{Common, Running},
    schedule::GroupKey,
    store::Catalogue,
};
use async_trait::async_trait;
use futures::future::join_all;
use hash_ring::Ring;
use model::{Labels, TenantId};
use notifier::{Alerting, Trust};
use parking_lot::Mutex;
use rules::{GroupName, Queries, Results, RunConfig, StoredGroup, Timing};
use runtime::Clock;
use service_api::{GroupState, Notify, Result, RuleStates, Warned};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify as Bell, mpsc},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Pause between two attempts to take over what another ruler still holds.
const CLAIM_EVERY: Duration = Duration::from_secs(1);

/// Changes that come together are looked at together.
const SETTLE: Duration = Duration::from_millis(50);

/// How long resolved alerts are sent, as in Prometheus.
const RESOLVED_RETENTION: Duration = Duration::from_secs(15 * 60);

/// Whether the group with this token on the ring is ours.
pub type Owns = Arc<dyn Fn(u64) -> bool + Send + Sync>;

/// Sends a tenant's alerts to Alertmanagers of its own, or again to everybody's.
pub type SetAlerting = Arc<dyn Fn(&TenantId, Option<Alerting>) + Send + Sync>;

pub struct Dependencies {
    pub store: Arc<Stored>,
    pub queries: Arc<dyn Queries>,
    pub results: Arc<dyn Results>,
    pub notifier: Arc<dyn Notify>,
    pub set_alerting: SetAlerting,
    pub claims: Arc<Claims>,
    /// Of rulers: when it changes, so may what is ours.
    pub ring: Ring,
    pub owns: Owns,
    pub clock: Arc<dyn Clock>,
    pub metrics: RulerMetrics,
}

pub struct Ruler {
    store: Arc<Stored>,
    notifier: Arc<dyn Notify>,
    set_alerting: SetAlerting,
    claims: Arc<Claims>,
    ring: Ring,
    owns: Owns,
    clock: Arc<dyn Clock>,
    metrics: RulerMetrics,
    common: Arc<Common>,
    poll_interval: Duration,
    running: Mutex<BTreeMap<GroupKey, Running>>,
    /// Rung when rules were changed.
    bell: Bell,
    /// Groups that are being stopped.
    stops: TaskTracker,
}

/// What the main loop remembers.
#[derive(Default)]
struct Loop {
    catalogue: Catalogue,
    /// Groups that are being stopped.
    stopping: HashSet<GroupKey>,
    /// Tenants that have Alertmanagers of their own, with the YAML.
    alerting: HashMap<TenantId, String>,
    /// Others still hold what is ours.
    waits: bool,
}

impl Ruler {
    pub fn new(config: &RulerConfig, external_url: String, dependencies: Dependencies) -> Arc<Self> {
        let Dependencies {
            store,
            queries,
            results,
            notifier,
            set_alerting,
            claims,
            ring,
            owns,
            clock,
            metrics,
        } = dependencies;
        let seconds = Duration::from_secs;
        // A ruler that has never reached the bucket has not looked since it was started.
        metrics.last_poll.set(clock.now_ms() / 1000);
        let common = Common {
            queries,
            results,
            notifier: Arc::clone(&notifier),
            claims: Arc::clone(&claims),
            clock: Arc::clone(&clock),
            config: Arc::new(RunConfig {
                resend_delay: seconds(config.resend_delay),
                outage_tolerance: seconds(config.outage_tolerance),
                grace_period: seconds(config.grace_period),
                resolved_retention: RESOLVED_RETENTION,
            }),
            timing: Timing {
                interval: seconds(config.evaluation_interval.max(1)),
                query_offset: seconds(config.query_offset),
            },
            // What is wrong has been found when the configuration was checked.
            external_labels: config.external_labels().unwrap_or_else(|_| Labels::empty()),
            external_url,
            promql: store.reading().promql,
            places: Places::new(config.concurrent_evaluations),
            metrics: metrics.clone(),
        };
        Arc::new(Self {
            store,
            notifier,
            set_alerting,
            claims,
            ring,
            owns,
            clock,
            metrics,
            common: Arc::new(common),
            poll_interval: config.poll_interval(),
            running: Mutex::default(),
            bell: Bell::new(),
            stops: TaskTracker::new(),
        })
    }

    /// Runs our groups until drained; then ends evaluations that have begun, and lets others have the groups.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) -> Result<(), Infallible> {
        let keeps = CancellationToken::new();
        // However this ends, the claims are not kept any longer.
        let _ends = keeps.clone().drop_guard();
        let keeping = tokio::spawn({
            let (claims, keeps) = (Arc::clone(&self.claims), keeps.clone());
            async move { claims.run(keeps).await }
        });
        let _ended = drain.run_until_cancelled(self.watch()).await;
        let running = std::mem::take(&mut *self.running.lock());
        join_all(running.into_iter().map(|(key, group)| self.hand_over(key, group))).await;
        self.stops.close();
        self.stops.wait().await;
        keeps.cancel();
        let _ = keeping.await;
        Ok(())
    }

    async fn hand_over(&self, key: GroupKey, group: Running) {
        group.stop(false).await;
        self.claims.release(&key.claim()).await;
    }

    async fn watch(&self) {
        let (mut state, mut views) = (Loop::default(), self.ring.subscribe());
        let (stopped, mut stops) = mpsc::unbounded_channel();
        let mut poll_at = Duration::ZERO;
        loop {
            let now = self.clock.monotonic();
            if now >= poll_at {
                self.poll(&mut state).await;
                poll_at = now + self.poll_interval;
            }
            self.settle(&mut state, &stopped).await;
            let left = poll_at.saturating_sub(self.clock.monotonic());
            let pause = if state.waits { CLAIM_EVERY.min(left) } else { left };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.bell.notified() => {
                    sleep(SETTLE).await;
                    poll_at = Duration::ZERO;
                }
                // It cannot be closed: the ring holds the sender.
                _ = views.changed() => {}
                () = self.claims.changed() => {}
                Some(key) = stops.recv() => { state.stopping.remove(&key); }
            }
        }
    }

    async fn poll(&self, state: &mut Loop) {
        let (catalogue, problems) = self.store.catalogue().await;
        for error in &problems {
            tracing::warn!(%error, "not all rules could be looked for; those that are known go on");
        }
        match problems.is_empty() {
            true => drop(self.metrics.last_poll.set(self.clock.now_ms() / 1000)),
            false => drop(self.metrics.failed_polls.inc()),
        }
        self.set_alerting(state, &catalogue);
        self.common.places.retain(|tenant| catalogue.groups.contains_key(tenant));
        state.catalogue = catalogue;
    }

    /// Where tenants' alerts go.
    fn set_alerting(&self, state: &mut Loop, catalogue: &Catalogue) {
        for (tenant, yaml) in &catalogue.alerting {
            if state.alerting.get(tenant) != Some(yaml) {
                match Alerting::parse(yaml, Trust::Tenant) {
                    Ok(alerting) => (self.set_alerting)(tenant, Some(alerting)),
                    Err(why) => tracing::error!(%tenant, why, "the tenant's Alertmanagers cannot be used"),
                }
            }
        }
        for tenant in state.alerting.keys().filter(|tenant| !catalogue.alerting.contains_key(tenant)) {
            (self.set_alerting)(tenant, None);
        }
        state.alerting.clone_from(&catalogue.alerting);
    }

    /// Starts, changes and stops groups until what runs is what is ours and claimed.
    async fn settle(&self, state: &mut Loop, stopped: &mpsc::UnboundedSender<GroupKey>) {
        let mut ours: BTreeMap<GroupKey, &Arc<StoredGroup>> = BTreeMap::new();
        let mut all: BTreeSet<GroupKey> = BTreeSet::new();
        for (tenant, groups) in &state.catalogue.groups {
            for stored in groups {
                let name =
                    GroupName { namespace: stored.namespace.clone(), group: stored.group.name.clone() };
                let key = GroupKey { tenant: tenant.clone(), name };
                if (self.owns)(key.token()) {
                    ours.insert(key.clone(), stored);
                }
                all.insert(key);
            }
        }
        let wanted: BTreeSet<String> = ours.keys().map(GroupKey::claim).collect();
        let others = self.claims.claim(&wanted).await;
        let mut running = self.running.lock();
        let runs: Vec<GroupKey> = running.keys().cloned().collect();
        for key in runs {
            let claim = key.claim();
            let is_ours = ours.contains_key(&key) && !others.contains(&claim);
            // What was lost and is held again may have been run by somebody else meanwhile.
            let held = self.claims.of(&claim);
            let is_another = |group: &Running| held.as_ref().is_some_and(|held| *held != group.claim);
            let is_over = running.get(&key).is_some_and(|group| group.has_ended() || is_another(group));
            if (!is_ours || is_over)
                && let Some(group) = running.remove(&key)
            {
                state.stopping.insert(key.clone());
                let (claims, is_gone, stopped) =
                    (Arc::clone(&self.claims), !all.contains(&key), stopped.clone());
                self.stops.spawn(async move {
                    group.stop(is_gone).await;
                    if !is_ours {
                        claims.release(&claim).await;
                    }
                    let _ = stopped.send(key);
                });
            }
        }
        let mut held = 0;
        for (key, stored) in ours {
            let Some(claim) = self.claims.of(&key.claim()) else { continue };
            held += 1;
            if let Some(running) = running.get(&key) {
                running.define(stored);
            } else if !state.stopping.contains(&key) {
                let group = Running::start(Arc::clone(&self.common), key.clone(), claim, Arc::clone(stored));
                running.insert(key, group);
            }
        }
        state.waits = held.min(running.len()) < wanted.len();
        self.metrics.groups.set(running.len() as i64);
        self.metrics.waiting_groups.set(wanted.len().saturating_sub(held) as i64);
        self.metrics.claims.set(self.claims.held() as i64);
    }
}

#[async_trait]
impl RuleStates for Ruler {
    async fn groups(&self, tenant: &TenantId) -> Result<Warned<Vec<GroupState>>> {
        let running = self.running.lock();
        let of_tenant = running.iter().filter(|(key, _)| key.tenant == *tenant);
        Ok(of_tenant.filter_map(|(_, running)| running.state()).collect::<Vec<_>>().into())
    }

    async fn changed(&self, _: &TenantId) -> Result<()> {
        self.bell.notify_one();
        Ok(())
    }

    async fn alertmanagers(&self, tenant: &TenantId) -> Result<Vec<String>> {
        Ok(self.notifier.alertmanagers(tenant))
    }
}

#[cfg(test)]
mod tests;
