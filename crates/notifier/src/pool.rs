//! The Alertmanagers of one entry of the configuration, as they are found, with their queues.

use crate::{
    NotifierConfig,
    client::{Client, Reach},
    config::{AlertmanagerSet, Source, Trust},
    discovery::{Found, find},
    host::HostPort,
    metrics::{Metrics, TENANTS},
    queue::Queue,
    sender::Sender,
};
use model::TenantId;
use parking_lot::Mutex;
use runtime::Clock;
use service_api::Alert;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Of one entry.
const MAX_TARGETS: usize = 256;
const TENANT_TARGETS: usize = 16;

/// After a failure nobody waits longer for the next look.
const RETRY: Duration = Duration::from_secs(10);

/// What all pools share.
pub(crate) struct Shared {
    pub config: NotifierConfig,
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
    pub reach: Arc<Reach>,
    /// Work that is to be begun.
    pub fresh: Mutex<Vec<Job>>,
    pub wake: Notify,
}

pub(crate) struct Pool {
    pub set: Arc<AlertmanagerSet>,
    /// Who has named them, if a tenant has.
    owner: Option<TenantId>,
    shared: Arc<Shared>,
    inner: Mutex<Inner>,
    _ended: DropGuard,
}

struct Inner {
    endpoints: Vec<Endpoint>,
    /// Takes alerts as long as no Alertmanager has been found.
    waiting: Arc<Queue>,
    /// Queues of a pool that this one has replaced, by URL.
    inherited: HashMap<String, Arc<Queue>>,
}

struct Endpoint {
    target: HostPort,
    url: String,
    queue: Arc<Queue>,
    /// Ends its sender.
    _ended: DropGuard,
}

/// A task of a pool.
pub(crate) enum Job {
    Send(Box<Sender>, CancellationToken),
    Discover(Weak<Pool>, Arc<Shared>, CancellationToken),
}

impl Pool {
    pub fn new(
        set: Arc<AlertmanagerSet>,
        owner: Option<TenantId>,
        shared: &Arc<Shared>,
        inherited: HashMap<String, Arc<Queue>>,
    ) -> Arc<Self> {
        let ended = CancellationToken::new();
        let waiting = Queue::new(shared.config.queue_capacity, shared.metrics.undiscovered());
        let inner = Inner { endpoints: Vec::new(), waiting: Arc::new(waiting), inherited };
        let pool = Arc::new(Self {
            set,
            owner,
            shared: shared.clone(),
            inner: Mutex::new(inner),
            _ended: ended.clone().drop_guard(),
        });
        if pool.set.is_discovered() {
            shared.begin(Job::Discover(Arc::downgrade(&pool), shared.clone(), ended));
        } else {
            let targets = pool.set.sources.iter().filter_map(|source| match source {
                Source::Static(targets) => Some(targets),
                _ => None,
            });
            pool.set_targets(targets.flatten().cloned().collect());
        }
        pool
    }

    /// Takes alerts as the group has relabelled them.
    pub fn push(&self, tenant: &TenantId, alerts: &[Arc<Alert>]) {
        let alerts = crate::relabelled(&self.set.relabel, alerts);
        let (now, inner) = (self.shared.clock.now_ms(), self.inner.lock());
        if inner.endpoints.is_empty() && self.set.is_discovered() {
            inner.waiting.push(tenant, alerts, now);
            return;
        }
        for endpoint in &inner.endpoints {
            endpoint.queue.push(tenant, alerts.iter().cloned(), now);
        }
    }

    /// With their URLs.
    pub fn queues(&self) -> Vec<(String, Arc<Queue>)> {
        let inner = self.inner.lock();
        inner.endpoints.iter().map(|endpoint| (endpoint.url.clone(), endpoint.queue.clone())).collect()
    }

    /// All that waits.
    pub fn len(&self) -> usize {
        let inner = self.inner.lock();
        inner.waiting.len() + inner.endpoints.iter().map(|endpoint| endpoint.queue.len()).sum::<usize>()
    }

    /// Takes what was found. Those that stay keep their queue. What waits for one that is gone goes to those that
    /// are new, for a server that is started again may have a new address; or waits until there is one.
    fn set_targets(&self, mut targets: BTreeSet<HostPort>) {
        let most = if self.set.trust == Trust::Tenant { TENANT_TARGETS } else { MAX_TARGETS };
        if targets.len() > most {
            tracing::warn!(
                found = targets.len(),
                most,
                tenant = self.owner.as_ref().map(TenantId::as_str),
                "too many Alertmanagers were found; the others get no alerts"
            );
            targets = targets.into_iter().take(most).collect();
        }
        let mut inner = self.inner.lock();
        let all = std::mem::take(&mut inner.endpoints);
        let (stay, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(|e| targets.contains(&e.target));
        for endpoint in &stay {
            targets.remove(&endpoint.target);
        }
        let new: Vec<Endpoint> = targets.into_iter().map(|t| self.endpoint(t, &inner.inherited)).collect();
        let mut heirs: Vec<Arc<Queue>> = new.iter().map(|endpoint| endpoint.queue.clone()).collect();
        if !heirs.is_empty() {
            inner.waiting.hand_over(&heirs);
        } else if stay.is_empty() {
            heirs.push(inner.waiting.clone());
        }
        if !heirs.is_empty() {
            gone.iter().for_each(|endpoint| endpoint.queue.hand_over(&heirs));
        }
        inner.endpoints = stay;
        inner.endpoints.extend(new);
        if !inner.endpoints.is_empty() {
            inner.inherited.clear();
        }
    }

    fn endpoint(&self, target: HostPort, inherited: &HashMap<String, Arc<Queue>>) -> Endpoint {
        let (set, shared) = (&self.set, &self.shared);
        let url = format!("{}://{target}{}", set.scheme, set.path);
        let queue = inherited.get(&url).cloned().unwrap_or_else(|| {
            let label = if set.trust == Trust::Tenant { TENANTS } else { url.as_str() };
            Arc::new(Queue::new(shared.config.queue_capacity, shared.metrics.server(label)))
        });
        let usual = shared.config.timeout;
        let timeout = match set.trust {
            Trust::Operator => set.timeout.unwrap_or(usual),
            Trust::Tenant => set.timeout.unwrap_or(usual).min(usual),
        };
        let sender = Sender {
            url: url.clone(),
            owner: self.owner.clone(),
            client: Client::new(set.clone(), target.clone(), shared.reach.clone()),
            queue: queue.clone(),
            batch: shared.config.batch,
            timeout,
            clock: shared.clock.clone(),
        };
        let ended = CancellationToken::new();
        shared.begin(Job::Send(Box::new(sender), ended.clone()));
        Endpoint { target, url, queue, _ended: ended.drop_guard() }
    }
}

impl Shared {
    fn begin(&self, job: Job) {
        self.fresh.lock().push(job);
        self.wake.notify_one();
    }
}

impl Job {
    pub async fn run(self, drain: CancellationToken) {
        match self {
            Self::Send(sender, ended) => sender.run(ended, drain).await,
            Self::Discover(pool, shared, ended) => tokio::select! {
                () = discover(pool, shared) => {}
                () = ended.cancelled() => {}
                () = drain.cancelled() => {}
            },
        }
    }
}

/// Looks for a pool's Alertmanagers again and again.
async fn discover(pool: Weak<Pool>, shared: Arc<Shared>) {
    let Some((set, owner)) = pool.upgrade().map(|pool| (pool.set.clone(), pool.owner.clone())) else {
        return;
    };
    let tenant = owner.as_ref().map(TenantId::as_str);
    let mut parts: BTreeMap<(usize, String), Found> = BTreeMap::new();
    let mut failing = BTreeSet::new();
    let mut due = vec![Duration::ZERO; set.sources.len()];
    loop {
        for (at, source) in set.sources.iter().enumerate() {
            if due[at] > shared.clock.monotonic() {
                continue;
            }
            let mut every = match source {
                Source::Static(_) => Duration::MAX,
                Source::Dns { every, .. } | Source::Files { every, .. } => *every,
            };
            for (part, found) in find(source, shared.reach.lookup.as_ref()).await {
                let key = (at, part);
                match found {
                    Ok(found) => {
                        if failing.remove(&key) {
                            tracing::info!(source = key.1, tenant, "Alertmanagers are found again");
                        }
                        parts.insert(key, found);
                    }
                    Err(error) => {
                        shared.metrics.failed_lookups.inc();
                        every = every.min(RETRY);
                        if failing.insert(key.clone()) {
                            tracing::warn!(source = key.1, tenant, error, "cannot look for Alertmanagers");
                        }
                    }
                }
            }
            due[at] = shared.clock.monotonic().saturating_add(every);
        }
        let Some(pool) = pool.upgrade() else { return };
        pool.set_targets(parts.values().flatten().cloned().collect());
        drop(pool);
        let next = due.iter().min().copied().unwrap_or(Duration::MAX);
        tokio::time::sleep(next.saturating_sub(shared.clock.monotonic())).await;
    }
}
