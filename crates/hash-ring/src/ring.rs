//! Follows the members of one role in the store, and shows them as views.

mod follow;
mod roster;

use crate::{Change, Kv, Member, RingConfig, RingMetrics, RingView, keys::Keys, metrics::RoleMetrics};
use async_trait::async_trait;
use parking_lot::Mutex;
use roster::Roster;
use runtime::Clock;
use service_api::{Code, Error, Result};
use std::{fmt, sync::Arc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Asks members directly whether they live, for when the store cannot be asked.
#[async_trait]
pub trait Prober: Send + Sync {
    async fn alive(&self, address: &str) -> bool;
}

/// One role's ring. Cheap to clone; clones share the view.
#[derive(Clone)]
pub struct Ring {
    views: Arc<watch::Sender<Arc<RingView>>>,
    /// None if the ring never changes.
    source: Option<Arc<Source>>,
}

struct Source {
    kv: Arc<dyn Kv>,
    keys: Keys,
    config: RingConfig,
    clock: Arc<dyn Clock>,
    prober: Option<Arc<dyn Prober>>,
    metrics: RoleMetrics,
    roster: Mutex<Roster>,
    listed: watch::Sender<bool>,
}

impl Ring {
    /// The ring of a role in a store, without members until `run` has listed them. A role whose
    /// members hold nothing together wants a `config` with a replication factor of 1.
    pub fn new(
        kv: Arc<dyn Kv>,
        role: &str,
        config: &RingConfig,
        prober: Option<Arc<dyn Prober>>,
        clock: Arc<dyn Clock>,
        metrics: &RingMetrics,
    ) -> Self {
        let source = Source {
            kv,
            keys: Keys::new(&config.etcd.prefix, role),
            roster: Mutex::new(Roster::new(config, prober.is_some())),
            config: config.clone(),
            clock,
            prober,
            metrics: metrics.of(role),
            listed: watch::Sender::new(false),
        };
        Self {
            source: Some(Arc::new(source)),
            ..Self::fixed(RingView::new(vec![], config.replication_factor))
        }
    }

    /// A ring that stays as it is: of one process, or of a test.
    pub fn fixed(view: RingView) -> Self {
        Self { views: Arc::new(watch::Sender::new(Arc::new(view))), source: None }
    }

    /// The ring as it is now.
    pub fn view(&self) -> Arc<RingView> {
        self.views.borrow().clone()
    }

    /// Each new view as it comes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<RingView>> {
        self.views.subscribe()
    }

    /// Waits until the members have been listed once since `run` was started.
    pub async fn listed(&self) {
        if let Some(source) = &self.source {
            // It cannot be closed: the source holds the sender.
            let _ = source.listed.subscribe().wait_for(|listed| *listed).await;
        }
    }

    /// Whether the store tells us of changes at present.
    pub fn follows_store(&self) -> bool {
        self.source.as_ref().is_none_or(|source| source.roster.lock().is_connected())
    }

    /// Follows the store until drained. Failures of the store do not end it.
    pub async fn run(&self, drain: CancellationToken) -> Result<()> {
        match &self.source {
            Some(source) => {
                let _ = drain.run_until_cancelled(follow::Follower::new(self, source).run()).await;
            }
            None => drain.cancelled().await,
        }
        Ok(())
    }

    /// Removes a dead member from the ring for good, for an operator who knows that it will not
    /// come back. What it had acknowledged must have been flushed by its peers.
    ///
    /// # Errors
    /// There is no such member, it lives, or too few would be left.
    pub async fn forget(&self, id: &str) -> Result<()> {
        let unknown = || Error::new(Code::NotFound, format!("the ring has no member {id:?}"));
        let source = self.source.as_ref().ok_or_else(unknown)?;
        let guards = source.roster.lock().guards_to_forget(id, &source.keys)?;
        let change = Change::Delete { key: source.keys.record(id) };
        match source.kv.commit(&guards, change).await? {
            Some(_) => {
                tracing::warn!(id, "forgot a member of the ring");
                source.metrics.forgot();
                Ok(())
            }
            None => Err(Error::unavailable("the ring changed meanwhile: look again")),
        }
    }

    fn publish(&self, source: &Source) {
        let now = source.clock.monotonic();
        let mut roster = source.roster.lock();
        roster.settle(now);
        let members: Vec<Member> = roster.members(now, source.clock.now_ms());
        let old = self.view();
        let trusts_zones = roster.trusts_zones(now);
        let same_reads = !old.is_zone_aware() || old.trusts_zones() == trusts_zones;
        if *members == *old.members() && same_reads {
            return;
        }
        let view = RingView::after(Some(&old), members, source.config.replication_factor, trusts_zones);
        if !view.quorums_span_zones() {
            roster.placed_across_zones(now);
        }
        source.metrics.published(&view, view.placements() != old.placements());
        self.views.send_replace(Arc::new(view));
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("view", &self.view()).finish_non_exhaustive()
    }
}
