//! Claims: who may run a group, as the ring's store has it.
//!
//! A claim is a key that only one ruler can make, under that ruler's one lease. The store ends the lease a
//! `timeout` after it was last told of; the ruler itself ends it earlier, by its own monotonic clock, for it
//! counts from when it asked. So before somebody else can hold a claim, the one before has stopped writing.

use async_trait::async_trait;
use futures::{StreamExt, stream};
use hash_ring::{Change, Guard, Kv, KvError, LeaseId};
use parking_lot::Mutex;
use runtime::Clock;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Pause between two attempts to reach a store that does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Claims that are looked at at once.
const AT_ONCE: usize = 32;

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
    /// Told when there is a lease, or none any more.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    lease: Option<LeaseId>,
    /// Until when the lease is ours, by the monotonic clock.
    until: Duration,
    /// Under the lease.
    held: BTreeSet<String>,
    /// Let go of, and perhaps still in the store.
    released: BTreeSet<String>,
    /// The store and its newest revision that we have seen.
    seen: Option<(u64, i64)>,
}

impl State {
    /// Nothing is held any more.
    fn lose(&mut self) {
        *self = Self { seen: self.seen, ..Self::default() };
    }
}

/// A group as it is held: what is held again after it was lost is held otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    group: String,
    lease: LeaseId,
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
        let (state, changed) = Default::default();
        Self { kv, prefix, instance, timeout, clock, witnesses, state, changed }
    }

    /// For how long a group may still be written for; none if not at all.
    pub fn left(&self, claim: &Claim) -> Option<Duration> {
        let state = self.state.lock();
        let left = state.until.checked_sub(self.clock.monotonic()).filter(|left| !left.is_zero());
        left.filter(|_| state.lease == Some(claim.lease) && state.held.contains(&claim.group))
    }

    pub fn holds(&self, claim: &Claim) -> bool {
        self.left(claim).is_some()
    }

    /// The claim on a group that we hold, though perhaps not sure of it at the moment.
    pub fn of(&self, group: &str) -> Option<Claim> {
        let state = self.state.lock();
        let lease = state.lease.filter(|_| state.held.contains(group))?;
        Some(Claim { group: group.to_owned(), lease })
    }

    pub fn held(&self) -> usize {
        self.state.lock().held.len()
    }

    /// Waits until a lease has come or gone.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Keeps the lease until drained, then gives everything up.
    pub async fn run(&self, drain: CancellationToken) {
        while !drain.is_cancelled() {
            let pause = match self.keep().await {
                Ok(()) => self.timeout / 4,
                Err(error) => {
                    tracing::warn!(%error, "the claims of this ruler could not be kept");
                    RETRY.min(self.timeout / 8)
                }
            };
            if drain.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        let lease = {
            let mut state = self.state.lock();
            let lease = state.lease;
            state.lose();
            lease
        };
        if let Some(lease) = lease
            && let Err(error) = self.kv.revoke(lease).await
        {
            tracing::warn!(%error, "the claims of this ruler are left to end by themselves");
        }
    }

    /// Tells the store once that we live. For the one task that does so.
    pub(crate) async fn keep(&self) -> Result<(), KvError> {
        let asked = self.clock.monotonic();
        let lease = self.state.lock().lease;
        let keeping = async {
            let kept = match lease {
                Some(lease) => self.kv.keep_alive(lease).await.map(|()| lease)?,
                None => self.kv.grant(self.timeout).await?,
            };
            // No tenant has such a name: the listing tells how the store is, and nothing else.
            let listing = self.kv.list(&format!("{}@", self.prefix)).await?;
            Ok((kept, (listing.cluster, listing.revision)))
        };
        // A store that is silent must leave time to ask others.
        let kept = tokio::time::timeout(self.timeout / 6, keeping).await;
        match kept.unwrap_or_else(|_| Err(KvError::Unavailable("no answer".into()))) {
            Ok((kept, now)) => {
                let before = self.state.lock().seen.replace(now);
                if lease.is_some() && before.is_some_and(|seen| seen.0 != now.0 || seen.1 > now.1) {
                    return self.start_anew(kept).await;
                }
                {
                    let mut state = self.state.lock();
                    state.lease = Some(kept);
                    // The last fifth is for writes that are on their way, and for clocks that do not run alike.
                    state.until = state.until.max(asked + self.timeout * 4 / 5);
                }
                if lease.is_none() {
                    self.changed.notify_one();
                }
                self.remove_released(kept).await;
                Ok(())
            }
            Err(KvError::LeaseGone) => {
                self.state.lock().lose();
                self.changed.notify_one();
                Err(KvError::LeaseGone)
            }
            Err(error) => {
                self.ask_witnesses().await;
                Err(error)
            }
        }
    }

    /// For a store that is not what it was: claims of ours may be gone, and such as we gave up be there again. All go
    /// with the lease.
    async fn start_anew(&self, lease: LeaseId) -> Result<(), KvError> {
        tracing::warn!("the ring's store has been set back: groups are claimed anew");
        self.state.lock().lose();
        self.changed.notify_one();
        self.kv.revoke(lease).await?;
        Err(KvError::LeaseGone)
    }

    /// Goes on with what we hold if the store is away for everybody. It gives each lease its time again when it
    /// is back.
    async fn ask_witnesses(&self) {
        let asked = self.clock.monotonic();
        let is_held = {
            let state = self.state.lock();
            state.until > asked && !state.held.is_empty()
        };
        if is_held && self.witnesses.store_is_away().await {
            let mut state = self.state.lock();
            // What has ended meanwhile stays ended.
            if state.until > self.clock.monotonic() {
                state.until = state.until.max(asked + self.timeout * 4 / 5);
            }
        }
    }

    /// Claims those of the wanted groups that nobody holds. Gives the groups that others hold.
    pub async fn claim(&self, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        let (lease, missing) = {
            let state = self.state.lock();
            let missing: Vec<_> = wanted.difference(&state.held).cloned().collect();
            (state.lease, missing)
        };
        let Some(lease) = lease else { return BTreeSet::new() };
        let claims = missing.into_iter().map(|group| async move {
            let outcome = self.claim_one(&group, lease).await;
            (group, outcome)
        });
        let outcomes: BTreeMap<_, _> = stream::iter(claims).buffer_unordered(AT_ONCE).collect().await;
        if let Some(error) = outcomes.values().find_map(|outcome| outcome.as_ref().err()) {
            // What we hold goes on, and what is missing is tried again.
            tracing::warn!(%error, "groups could not be claimed");
        }
        outcomes.into_iter().filter(|(_, outcome)| *outcome == Ok(false)).map(|(group, _)| group).collect()
    }

    /// Whether the group is ours now. An earlier attempt may have got through without our having heard of it.
    async fn claim_one(&self, group: &str, lease: LeaseId) -> Result<bool, KvError> {
        let key = self.key(group);
        let is_ours = match self.kv.get(&key).await? {
            Some(entry) => entry.value == self.value(lease),
            None => {
                let guard = Guard { key: key.clone(), mod_revision: 0 };
                let change = Change::Put { key, value: self.value(lease), lease: Some(lease) };
                self.kv.commit(&[guard], change).await?.is_some()
            }
        };
        let mut state = self.state.lock();
        // The lease may have ended meanwhile, and the claim with it.
        if is_ours && state.lease == Some(lease) {
            state.released.remove(group);
            state.held.insert(group.to_owned());
        }
        Ok(is_ours)
    }

    /// Lets others have the group. Nothing may be written for it any more when this is called.
    pub async fn release(&self, group: &str) {
        let lease = {
            let mut state = self.state.lock();
            if !state.held.remove(group) {
                return;
            }
            state.released.insert(group.to_owned());
            state.lease
        };
        if let Some(lease) = lease {
            self.remove(group, lease).await;
        }
    }

    /// What could not be removed when it was let go of.
    async fn remove_released(&self, lease: LeaseId) {
        let released: Vec<_> = self.state.lock().released.iter().cloned().collect();
        for group in released {
            self.remove(&group, lease).await;
        }
    }

    async fn remove(&self, group: &str, lease: LeaseId) {
        let removing = async {
            let key = self.key(group);
            // Only what is still ours: if our lease has ended, somebody else may hold it by now.
            let entry = self.kv.get(&key).await?.filter(|entry| entry.value == self.value(lease));
            let Some(entry) = entry.filter(|_| self.state.lock().released.contains(group)) else {
                return Ok(());
            };
            let guard = Guard { key: key.clone(), mod_revision: entry.mod_revision };
            self.kv.commit(&[guard], Change::Delete { key }).await.map(drop)
        };
        match removing.await {
            Ok(()) => drop(self.state.lock().released.remove(group)),
            Err::<_, KvError>(error) => {
                tracing::warn!(%error, "a group could not be let go of; it is tried again");
            }
        }
    }

    fn key(&self, group: &str) -> String {
        format!("{}{group}", self.prefix)
    }

    /// Who holds it: an instance that was started again has another lease.
    fn value(&self, lease: LeaseId) -> Vec<u8> {
        format!("{} {lease:x}", self.instance).into_bytes()
    }
}

#[cfg(test)]
mod tests;
