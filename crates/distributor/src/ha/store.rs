//! Keeps what is known of elected senders and what the ring's store has of them the same.

use super::{Cluster, Record, Sender, State, Tracker};
use futures::StreamExt;
use hash_ring::{Change, Event, Guard, KvError, Listing};
use hashbrown::HashSet;
use model::TenantId;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// How long to wait before the store is followed anew.
const PAUSE: Duration = Duration::from_secs(2);

/// How often clusters are looked for that nothing is heard of.
const SWEEP: Duration = Duration::from_secs(300);

impl Tracker {
    /// Follows the store until `drain`.
    pub async fn follow(self: Arc<Self>, drain: CancellationToken) -> Result<(), Infallible> {
        let followed = async {
            loop {
                if let Err(error) = self.follow_once().await {
                    self.metrics.ha_store_failures.inc();
                    tracing::warn!(%error, "elected senders are not followed: the last ones count");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            () = drain.cancelled() => Ok(()),
            never = followed => never,
        }
    }

    async fn follow_once(&self) -> Result<(), KvError> {
        let listing = self.kv.list(&self.keys.prefix).await?;
        let from = listing.revision + 1;
        self.take_list(&listing);
        let mut changes = self.kv.watch(&self.keys.prefix, from).await?;
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                biased;
                batch = changes.next() => {
                    let Some(batch) = batch.transpose()? else { return Ok(()) };
                    self.take_events(batch.revision, &batch.events);
                }
                _ = sweep.tick() => self.sweep().await?,
            }
        }
    }

    /// Makes the record of a cluster name `sender`, if it was last written at `revision`. False if somebody else
    /// has written it; it is known then what.
    pub(super) async fn save(
        &self,
        tenant: &TenantId,
        sender: &Sender,
        revision: i64,
    ) -> Result<bool, KvError> {
        let Sender { cluster, replica } = sender;
        let (key, received_at) = (self.keys.of(tenant, cluster), self.clock.now_ms());
        let record = Record { replica: replica.clone(), received_at, by: self.instance.to_string() };
        let written = self.kv.compare_and_swap(&key, revision, record.to_bytes(), None).await?;
        if let Some(revision) = written {
            self.see(&mut self.state.lock(), tenant, cluster, replica, revision);
            return Ok(true);
        }
        let found = self.kv.get(&key).await?;
        let mut state = self.state.lock();
        match found {
            Some(found) => self.see_record(&mut state, &key, &found.value, found.mod_revision),
            None => self.doubt(&mut state, tenant, cluster, 0),
        }
        Ok(false)
    }

    pub(super) fn take_list(&self, listing: &Listing) {
        let mut state = self.state.lock();
        let is_older = |(store, revision)| store != listing.cluster || revision > listing.revision;
        let lost = state.store.is_some_and(is_older);
        if lost {
            tracing::warn!("the ring's store came back without its latest changes: elected senders stay");
        }
        state.store = Some((listing.cluster, listing.revision));
        let listed: HashSet<&str> = listing.entries.iter().map(|entry| &*entry.key).collect();
        let known = state.tenants.iter().flat_map(|(tenant, clusters)| {
            clusters.iter().map(|(name, cluster)| (tenant.clone(), name.clone(), cluster.revision()))
        });
        let missing: Vec<_> = known
            .filter(|(_, _, revision)| *revision > 0 && (lost || *revision <= listing.revision))
            .filter(|(tenant, name, _)| !listed.contains(&*self.keys.of(tenant, name)))
            .collect();
        for (tenant, name, _) in missing {
            if lost {
                self.doubt(&mut state, &tenant, &name, 0);
            } else {
                remove(&mut state, &tenant, &name);
            }
        }
        for entry in &listing.entries {
            let Some((tenant, name)) = self.keys.owner(&entry.key) else { continue };
            let known = state.tenants.get(&tenant).is_some_and(|clusters| clusters.contains_key(name));
            if lost && known {
                self.doubt(&mut state, &tenant, name, entry.mod_revision);
            } else {
                self.see_record(&mut state, &entry.key, &entry.value, entry.mod_revision);
            }
        }
    }

    fn take_events(&self, revision: i64, events: &[Event]) {
        let mut state = self.state.lock();
        if let Some((_, last)) = &mut state.store {
            *last = revision.max(*last);
        }
        for event in events {
            let Some((tenant, name)) = self.keys.owner(&event.key) else { continue };
            let newest = state.tenants.get(&tenant).and_then(|c| c.get(name)).map_or(0, Cluster::revision);
            // Our own changes are known before they come back to us.
            match &event.value {
                _ if event.mod_revision <= newest => {}
                Some(value) => self.see_record(&mut state, &event.key, value, event.mod_revision),
                None => remove(&mut state, &tenant, name),
            }
        }
    }

    fn see_record(&self, state: &mut State, key: &str, value: &[u8], revision: i64) {
        let Some((tenant, name)) = self.keys.owner(key) else { return };
        let newest = state.tenants.get(&tenant).and_then(|c| c.get(name)).map_or(0, Cluster::revision);
        if revision < newest {
            return self.doubt(state, &tenant, name, revision);
        }
        if revision > newest {
            // A record that cannot be read names nobody: in time somebody is elected.
            let replica = Record::parse(value).map(|record| record.replica).unwrap_or_default();
            self.see(state, &tenant, name, &replica, revision);
        }
    }

    fn see(&self, state: &mut State, tenant: &TenantId, name: &str, replica: &str, revision: i64) {
        let (now, spread) = (self.clock.monotonic(), self.spread(name));
        let clusters = state.tenants.entry(tenant.clone()).or_default();
        match clusters.get_mut(name) {
            Some(cluster) => cluster.see(replica, revision, now, self.timeouts, spread),
            None => {
                let cluster = Cluster::new(replica, revision, now, self.timeouts, spread);
                clusters.insert(name.to_owned(), cluster);
            }
        }
    }

    fn doubt(&self, state: &mut State, tenant: &TenantId, name: &str, revision: i64) {
        let known = state.tenants.get_mut(tenant).and_then(|clusters| clusters.get_mut(name));
        if let Some(cluster) = known {
            cluster.doubt(revision, self.clock.monotonic());
        }
    }

    /// 0 to 1: the same for one process and cluster, others for others.
    fn spread(&self, cluster: &str) -> f64 {
        let hash = xxh3_64_with_seed(cluster.as_bytes(), xxh3_64(self.instance.as_bytes()));
        (hash >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Removes clusters of which nothing is heard any more, from the store too, so that those of short lives do
    /// not use up what a tenant may have.
    pub(super) async fn sweep(&self) -> Result<(), KvError> {
        let now = self.clock.monotonic();
        let silent: Vec<_> = {
            let state = self.state.lock();
            let all = state.tenants.iter().flat_map(|(tenant, clusters)| {
                clusters.iter().map(move |(name, cluster)| (tenant, name, cluster))
            });
            all.filter(|(.., cluster)| cluster.is_forgotten(now))
                .map(|(tenant, name, cluster)| (tenant.clone(), name.clone(), cluster.revision()))
                .collect()
        };
        for (tenant, name, mod_revision) in silent {
            let key = self.keys.of(&tenant, &name);
            let gone = mod_revision == 0 || {
                let guard = Guard { key: key.clone(), mod_revision };
                self.kv.commit(&[guard], Change::Delete { key }).await?.is_some()
            };
            let mut state = self.state.lock();
            let clusters = state.tenants.get(&tenant);
            let same = clusters.and_then(|c| c.get(&name)).is_some_and(|c| c.revision() == mod_revision);
            if gone && same {
                remove(&mut state, &tenant, &name);
            }
        }
        Ok(())
    }
}

fn remove(state: &mut State, tenant: &TenantId, cluster: &str) {
    if let Some(clusters) = state.tenants.get_mut(tenant) {
        clusters.remove(cluster);
        if clusters.is_empty() {
            state.tenants.remove(tenant);
        }
    }
}
