//! Claims: who may run a group, as the ring's store has it.
//!
//! A claim is a key that only one ruler can make, under that ruler's one lease. The store ends the lease a
//! `timeout` after it was last told of; the ruler itself ends it earlier, by its own monotonic clock, for it
//! counts from when it asked. So before somebody else can hold a claim, the one before has stopped writing.

use async_trait::async_trait;
use hash_ring::{Change, Guard, Kv, KvError, LeaseId};
use parking_lot::Mutex;
use runtime::Clock;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Pause between two attempts to reach a store that does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Others who can say whether they reach the store.
#[async_trait]
pub trait Witnesses: Send + Sync {
    /// Whether the store is away for everybody, and not only for us. Then nobody can take what we hold.
    async fn store_is_away(&self) -> bool;
}

/// The groups that this ruler may run.
pub struct Claims {
    kv: Arc<dyn Kv>,
    /// With a `/` at its end.
    prefix: String,
    instance: Arc<str>,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    witnesses: Arc<dyn Witnesses>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lease: Option<LeaseId>,
    /// Until when the lease is ours, by the monotonic clock.
    until: Duration,
    held: BTreeSet<String>,
}

impl Claims {
    pub fn new(
        kv: Arc<dyn Kv>,
        prefix: &str,
        instance: Arc<str>,
        timeout: Duration,
        clock: Arc<dyn Clock>,
        witnesses: Arc<dyn Witnesses>,
    ) -> Self {
        let prefix = format!("{}/ruler-claims/", prefix.trim_end_matches('/'));
        Self { kv, prefix, instance, timeout, clock, witnesses, state: Mutex::default() }
    }

    /// For how long a group may still be written for; none if not at all.
    pub fn left(&self, group: &str) -> Option<Duration> {
        let state = self.state.lock();
        let left = state.until.checked_sub(self.clock.monotonic()).filter(|left| !left.is_zero());
        left.filter(|_| state.held.contains(group))
    }

    pub fn holds(&self, group: &str) -> bool {
        self.left(group).is_some()
    }

    pub fn held(&self) -> usize {
        self.state.lock().held.len()
    }

    /// Keeps the lease until drained, then gives everything up.
    pub async fn run(&self, drain: CancellationToken) {
        while !drain.is_cancelled() {
            let pause = match self.keep().await {
                Ok(()) => self.timeout / 4,
                Err(error) => {
                    tracing::warn!(%error, "the claims of this ruler could not be kept");
                    RETRY.min(self.timeout / 4)
                }
            };
            if drain.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        let lease = {
            let mut state = self.state.lock();
            state.held.clear();
            state.lease.take()
        };
        if let Some(lease) = lease
            && let Err(error) = self.kv.revoke(lease).await
        {
            tracing::warn!(%error, "the claims of this ruler are left to end by themselves");
        }
    }

    /// Tells the store once that we live.
    pub async fn keep(&self) -> Result<(), KvError> {
        let asked = self.clock.monotonic();
        let lease = self.state.lock().lease;
        let kept = match lease {
            Some(lease) => self.kv.keep_alive(lease).await.map(|()| lease),
            None => self.kv.grant(self.timeout).await,
        };
        match kept {
            Ok(lease) => {
                let mut state = self.state.lock();
                state.lease = Some(lease);
                // The last fifth is for writes that are on their way, and for clocks that do not run alike.
                state.until = state.until.max(asked + self.timeout * 4 / 5);
                Ok(())
            }
            Err(KvError::LeaseGone) => {
                *self.state.lock() = State::default();
                Err(KvError::LeaseGone)
            }
            Err(error) => {
                self.ask_witnesses().await;
                Err(error)
            }
        }
    }

    /// Goes on with what we hold if the store is away for everybody. It gives each lease its time again when it
    /// is back.
    async fn ask_witnesses(&self) {
        let asked = self.clock.monotonic();
        let ends_soon = {
            let state = self.state.lock();
            state.until > asked && state.until - asked < self.timeout / 2 && !state.held.is_empty()
        };
        if ends_soon && self.witnesses.store_is_away().await {
            let mut state = self.state.lock();
            state.until = state.until.max(asked + self.timeout * 4 / 5);
        }
    }

    /// Claims those of the wanted groups that nobody holds. Gives the groups that others hold.
    pub async fn claim(&self, wanted: &BTreeSet<String>) -> Result<BTreeSet<String>, KvError> {
        let mut others = BTreeSet::new();
        let (lease, missing) = {
            let state = self.state.lock();
            let missing: Vec<_> = wanted.difference(&state.held).cloned().collect();
            (state.lease, missing)
        };
        let Some(lease) = lease.filter(|_| !missing.is_empty()) else { return Ok(others) };
        let listed = self.kv.list(&self.prefix).await?;
        let taken: BTreeSet<&str> =
            listed.entries.iter().filter_map(|entry| entry.key.strip_prefix(&self.prefix)).collect();
        for group in missing {
            if taken.contains(group.as_str()) {
                others.insert(group);
                continue;
            }
            let key = self.key(&group);
            let guard = Guard { key: key.clone(), mod_revision: 0 };
            let value = self.instance.as_bytes().to_vec();
            match self.kv.commit(&[guard], Change::Put { key, value, lease: Some(lease) }).await? {
                None => drop(others.insert(group)),
                Some(_) => {
                    let mut state = self.state.lock();
                    // The lease may have ended meanwhile, and the claim with it.
                    if state.lease == Some(lease) {
                        state.held.insert(group);
                    }
                }
            }
        }
        Ok(others)
    }

    /// Lets others have the group. Nothing may be written for it any more when this is called.
    pub async fn release(&self, group: &str) -> Result<(), KvError> {
        let lease = {
            let mut state = self.state.lock();
            if !state.held.remove(group) {
                return Ok(());
            }
            state.lease
        };
        // Only what is still ours: if our lease has ended, somebody else may hold it by now.
        let key = self.key(group);
        let ours = self.kv.get(&key).await?.filter(|entry| entry.value == self.instance.as_bytes());
        match ours.filter(|_| lease.is_some()) {
            Some(entry) => {
                let guard = Guard { key: key.clone(), mod_revision: entry.mod_revision };
                self.kv.commit(&[guard], Change::Delete { key }).await.map(|_| ())
            }
            None => Ok(()),
        }
    }

    fn key(&self, group: &str) -> String {
        format!("{}{group}", self.prefix)
    }
}

#[cfg(test)]
mod tests;
