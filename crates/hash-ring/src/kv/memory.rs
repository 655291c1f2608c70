//! A store in memory: for one process, and for simulated hosts with a store that can fail.

mod store;

use super::{Batch, Change, Guard, KeyValue, Kv, KvError, LeaseId, Listing, Watch};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use runtime::Clock;
use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use store::Store;
use tokio::sync::Notify;

pub use store::{KvStats, Snapshot};

/// Clones share everything; handles made by [`MemoryKv::another_host`] share the store, but each
/// can be cut off from it alone.
#[derive(Clone)]
pub struct MemoryKv {
    shared: Arc<Shared>,
    cut_off: Arc<AtomicBool>,
}

struct Shared {
    /// One for all hosts, simulated ones too: leases are the store's own business.
    clock: Arc<dyn Clock>,
    store: Mutex<Store>,
    /// Told at each change that watchers may care about, in the order in which they came.
    changed: Notify,
}

impl MemoryKv {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shared = Shared { clock, store: Mutex::default(), changed: Notify::new() };
        Self { shared: Arc::new(shared), cut_off: Arc::default() }
    }

    /// The same store as another host sees it.
    pub fn another_host(&self) -> Self {
        Self { shared: self.shared.clone(), cut_off: Arc::default() }
    }

    /// Cuts this host off from the store, or lets it back.
    pub fn cut_off(&self, cut_off: bool) {
        self.cut_off.store(cut_off, Ordering::SeqCst);
        self.shared.changed.notify_waiters();
    }

    /// Takes the store away from everybody, or brings it back as it was. As etcd does when it has
    /// a new leader, it then gives each lease its whole time again.
    pub fn set_away(&self, away: bool) {
        let now = self.shared.clock.monotonic();
        self.shared.store.lock().set_away(away, now);
        self.shared.changed.notify_waiters();
    }

    /// What a backup holds.
    pub fn snapshot(&self) -> Snapshot {
        self.with_store(|store| store.snapshot())
    }

    /// Brings the store back to what it was then. It is the same cluster to those who ask;
    /// connections break, and leases of then run anew.
    pub fn restore(&self, snapshot: &Snapshot) {
        let now = self.shared.clock.monotonic();
        self.with_store(|store| store.restore(snapshot, now));
    }

    /// A new and empty store in the place of the old one.
    pub fn wipe(&self) {
        self.with_store(Store::wipe);
    }

    /// What has been asked of the store since it was made.
    pub fn stats(&self) -> KvStats {
        self.with_store(|store| store.stats)
    }

    fn with_store<R>(&self, work: impl FnOnce(&mut Store) -> R) -> R {
        let mut store = self.shared.store.lock();
        let before = store.position();
        store.expire(self.shared.clock.monotonic());
        let result = work(&mut store);
        if store.position() != before {
            self.shared.changed.notify_waiters();
        }
        result
    }

    fn reach<R>(&self, work: impl FnOnce(&mut Store) -> Result<R, KvError>) -> Result<R, KvError> {
        self.with_store(|store| {
            if store.is_away() || self.cut_off.load(Ordering::SeqCst) {
                return Err(KvError::Unavailable("it is away".into()));
            }
            work(store)
        })
    }

    /// The next changes for a watcher, waiting for them.
    async fn next(&self, watcher: &mut Watcher) -> Result<Batch, KvError> {
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            let (batch, expiry) = self.reach(|store| {
                if store.epoch() != watcher.epoch {
                    return Err(KvError::Unavailable("the connection broke".into()));
                }
                Ok((store.changes(&watcher.prefix, watcher.from)?, store.next_expiry()))
            })?;
            if let Some(batch) = batch {
                watcher.from = batch.revision + 1;
                return Ok(batch);
            }
            // Nobody else watches over leases: whoever waits for changes lets them end.
            let left = expiry.map(|at| at.saturating_sub(self.shared.clock.monotonic()));
            let expires = tokio::time::sleep(left.unwrap_or(Duration::MAX).max(Duration::from_millis(1)));
            tokio::select! {
                biased;
                () = changed => {}
                () = expires, if left.is_some() => {}
            }
        }
    }
}

struct Watcher {
    prefix: String,
    from: i64,
    epoch: u64,
}

#[async_trait]
impl Kv for MemoryKv {
    async fn get(&self, key: &str) -> Result<Option<KeyValue>, KvError> {
        self.reach(|store| Ok(store.get(key)))
    }

    async fn list(&self, prefix: &str) -> Result<Listing, KvError> {
        self.reach(|store| Ok(store.list(prefix)))
    }

    async fn watch(&self, prefix: &str, from: i64) -> Result<Watch, KvError> {
        let epoch = self.reach(|store| Ok(store.epoch()))?;
        let watcher = Watcher { prefix: prefix.into(), from, epoch };
        let batches = stream::unfold(Some((self.clone(), watcher)), async |state| {
            let (kv, mut watcher) = state?;
            match kv.next(&mut watcher).await {
                Ok(batch) => Some((Ok(batch), Some((kv, watcher)))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(batches.boxed())
    }

    async fn commit(&self, guards: &[Guard], change: Change) -> Result<Option<i64>, KvError> {
        self.reach(|store| store.commit(guards, change))
    }

    async fn grant(&self, ttl: Duration) -> Result<LeaseId, KvError> {
        let now = self.shared.clock.monotonic();
        self.reach(|store| Ok(store.grant(ttl, now)))
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), KvError> {
        let now = self.shared.clock.monotonic();
        self.reach(|store| store.keep_alive(lease, now))
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), KvError> {
        self.reach(|store| {
            store.revoke(lease);
            Ok(())
        })
    }
}

impl fmt::Debug for MemoryKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryKv").finish_non_exhaustive()
    }
}
