//! Of several senders of the same samples listens to one, and to the next when that one falls silent.
//!
//! A pair of Prometheus servers that scrape the same targets is a *cluster*; its two *replicas* differ in one
//! label, which is taken off. Which replica is the elected one is in the ring's store, so that all distributors
//! agree. They watch it there and change it seldom: when they elect another one, and now and then to say that
//! the elected one is still there.
//!
//! Time is only ever measured here, by the clock that no host's date moves: a replica is silent when its record
//! has not changed *before our eyes* for the failover timeout, nor we have had anything of it. The time in a
//! record is for people.
//!
//! Without the store the last state counts. A distributor then elects by itself only if the silent replica had
//! been sending to it as long as the store was there: one that never heard of the replica but through the store
//! cannot tell its silence from the store's. So without the store both replicas can be dropped where senders keep
//! to one distributor each and the elected one dies; but a store that is away does not by itself make any sample
//! count twice. A cluster that nobody knows is taken as it comes.

mod cluster;
mod names;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use names::Names;
pub use record::Keys;

use crate::{config::DistributorConfig, metrics::Metrics};
use cluster::{Cluster, Timeouts, Verdict};
use hash_ring::{Kv, KvError};
use hashbrown::HashMap;
use model::TenantId;
use parking_lot::Mutex;
use record::Record;
use runtime::Clock;
use service_api::{Error, LabelSource, Limits, Result};
use std::{sync::Arc, time::Duration};

/// How long the store is left alone after it failed.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// How often somebody else may be quicker before a sample is refused.
const ATTEMPTS: usize = 4;

/// Which replicas are listened to.
pub struct Tracker {
    kv: Arc<dyn Kv>,
    keys: Keys,
    clock: Arc<dyn Clock>,
    timeouts: Timeouts,
    /// Names this process; makes its updates come at other times than those of others.
    instance: Arc<str>,
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tenants: HashMap<TenantId, HashMap<String, Cluster>>,
    /// The store's name and the last revision that we have of it.
    store: Option<(u64, i64)>,
    /// Until when the store is left alone.
    pause: Duration,
}

/// What a replica calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub cluster: String,
    pub replica: String,
}

impl Sender {
    /// Who sent a batch, by the labels of its first series; none if they do not say it. Names that are too long
    /// are left to the check of labels.
    pub fn of(source: &dyn LabelSource, limits: &Limits) -> Option<Self> {
        let (mut cluster, mut replica) = (String::new(), String::new());
        let most = limits.max_label_value_length;
        source
            .pairs(0, &mut |name, value| {
                if name == limits.ha_cluster_label {
                    value.clone_into(&mut cluster);
                }
                if name == limits.ha_replica_label {
                    value.clone_into(&mut replica);
                }
            })
            .ok()?;
        let fits = |name: &str| !name.is_empty() && name.len() <= most;
        (fits(&cluster) && fits(&replica)).then_some(Self { cluster, replica })
    }
}

impl Tracker {
    pub fn new(
        config: &DistributorConfig,
        (kv, keys): (Arc<dyn Kv>, Keys),
        clock: Arc<dyn Clock>,
        instance: Arc<str>,
        metrics: Metrics,
    ) -> Arc<Self> {
        let timeouts = Timeouts { failover: config.failover_timeout(), update: config.update_timeout() };
        Arc::new(Self { kv, keys, clock, timeouts, instance, metrics, state: Mutex::default() })
    }

    /// Whether what `sender` sends is to be kept.
    ///
    /// # Errors
    /// The tenant has too many clusters, or the election could not be settled.
    pub async fn listens_to(
        self: &Arc<Self>,
        tenant: &TenantId,
        sender: &Sender,
        max_clusters: usize,
    ) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.monotonic();
            let guard = match self.verdict(tenant, sender, max_clusters, now)? {
                Verdict::Take => return Ok(true),
                Verdict::Drop => return Ok(false),
                Verdict::Update(revision) => {
                    self.update(tenant.clone(), sender.clone(), revision);
                    return Ok(true);
                }
                Verdict::Elect(revision) => revision,
            };
            if now < self.state.lock().pause {
                return Ok(self.elect_alone(tenant, sender, now));
            }
            match self.save(tenant, sender, guard).await {
                Ok(true) => {
                    self.metrics.ha_elections.inc();
                    tracing::info!(%tenant, sender.cluster, sender.replica, "another sender is listened to");
                    return Ok(true);
                }
                Ok(false) => {} // somebody else elected: see whom
                Err(error) => {
                    self.store_failed(&error);
                    return Ok(self.elect_alone(tenant, sender, now));
                }
            }
        }
        Err(Error::unavailable(format!("the senders of cluster {} are being elected", sender.cluster)))
    }

    fn verdict(&self, tenant: &TenantId, sender: &Sender, most: usize, now: Duration) -> Result<Verdict> {
        let mut state = self.state.lock();
        let pause = state.pause;
        let clusters = state.tenants.get_mut(tenant);
        let known = clusters.as_ref().map_or(0, |clusters| clusters.len());
        match clusters.and_then(|clusters| clusters.get_mut(&sender.cluster)) {
            Some(cluster) => Ok(cluster.hear(&sender.replica, now, now >= pause, self.timeouts)),
            None if most > 0 && known >= most => Err(Error::bad_request(format!(
                "the samples are of more than {most} clusters of senders (limits.ha_max_clusters)"
            ))),
            None => Ok(Verdict::Elect(0)),
        }
    }

    /// Elects without the store, if it may be done.
    fn elect_alone(&self, tenant: &TenantId, sender: &Sender, now: Duration) -> bool {
        let mut state = self.state.lock();
        let clusters = state.tenants.entry(tenant.clone()).or_default();
        if let Some(cluster) = clusters.get_mut(&sender.cluster) {
            let elected = cluster.replica() == sender.replica;
            let may = elected || cluster.is_known_silent(now, self.timeouts);
            if may && !elected {
                cluster.elect_alone(&sender.replica, now);
                self.metrics.ha_elections.inc();
            }
            return may;
        }
        clusters.insert(sender.cluster.clone(), Cluster::alone(&sender.replica, now));
        self.metrics.ha_elections.inc();
        true
    }

    /// Says in the store that the elected one is there. Nobody waits for it.
    fn update(self: &Arc<Self>, tenant: TenantId, sender: Sender, revision: i64) {
        let tracker = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = tracker.save(&tenant, &sender, revision).await {
                tracker.store_failed(&error);
            }
            let mut state = tracker.state.lock();
            let clusters = state.tenants.get_mut(&tenant);
            if let Some(cluster) = clusters.and_then(|clusters| clusters.get_mut(&sender.cluster)) {
                cluster.updated();
            }
        });
    }

    fn store_failed(&self, error: &KvError) {
        self.metrics.ha_store_failures.inc();
        tracing::warn!(%error, "elected senders cannot be agreed on: the last ones count");
        self.state.lock().pause = self.clock.monotonic() + STORE_PAUSE;
    }
}
