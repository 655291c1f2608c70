//! What is in a store in memory: keys, leases, and the changes that watchers may still want.

use super::super::{Batch, Change, Event, Guard, KeyValue, KvError, LeaseId, Listing};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    time::Duration,
};

/// Changes that are kept for watchers who are behind.
const HISTORY: usize = 10_000;

/// How often the store was asked for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvStats {
    pub reads: u64,
    pub lists: u64,
    /// Keys written or deleted, also by the end of a lease.
    pub writes: u64,
    pub keep_alives: u64,
    /// Events handed to watchers, each counted for each of them.
    pub events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    value: Vec<u8>,
    mod_revision: i64,
    lease: Option<LeaseId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Lease {
    ttl: Duration,
    ends: Duration,
}

#[derive(Clone, Debug)]
struct Contents {
    keys: BTreeMap<String, Stored>,
    leases: BTreeMap<LeaseId, Lease>,
    revision: i64,
    last_lease: LeaseId,
}

/// The contents of a store at one time.
#[derive(Clone, Debug)]
pub struct Snapshot(Contents);

pub(super) struct Store {
    contents: Contents,
    history: VecDeque<Event>,
    /// Changes up to this revision are no longer in the history.
    compacted: i64,
    cluster: u64,
    /// Counts the times that all connections broke.
    epoch: u64,
    away: bool,
    pub stats: KvStats,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            contents: Contents::new(),
            history: VecDeque::new(),
            compacted: 0,
            cluster: 1,
            epoch: 0,
            away: false,
            stats: KvStats::default(),
        }
    }
}

impl Contents {
    fn new() -> Self {
        Self { keys: BTreeMap::new(), leases: BTreeMap::new(), revision: 1, last_lease: 0 }
    }

    fn renew_leases(&mut self, now: Duration) {
        self.leases.values_mut().for_each(|lease| lease.ends = now + lease.ttl);
    }
}

impl Store {
    pub fn get(&mut self, key: &str) -> Option<KeyValue> {
        self.stats.reads += 1;
        self.contents.keys.get(key).map(|stored| key_value(key, stored))
    }

    pub fn list(&mut self, prefix: &str) -> Listing {
        self.stats.lists += 1;
        let after = (Bound::Included(prefix), Bound::Unbounded);
        let keys = self.contents.keys.range::<str, _>(after).take_while(|(key, _)| key.starts_with(prefix));
        let entries = keys.map(|(key, stored)| key_value(key, stored)).collect();
        Listing { entries, revision: self.contents.revision, cluster: self.cluster }
    }

    pub fn commit(&mut self, guards: &[Guard], change: Change) -> Result<Option<i64>, KvError> {
        let holds = |guard: &Guard| {
            self.contents.keys.get(&guard.key).map_or(0, |stored| stored.mod_revision) == guard.mod_revision
        };
        if !guards.iter().all(holds) {
            return Ok(None);
        }
        match change {
            Change::Put { key, value, lease } => {
                if lease.is_some_and(|lease| !self.contents.leases.contains_key(&lease)) {
                    return Err(KvError::LeaseGone);
                }
                self.contents.revision += 1;
                let mod_revision = self.contents.revision;
                self.log(Event { key: key.clone(), value: Some(value.clone()), mod_revision });
                self.contents.keys.insert(key, Stored { value, mod_revision, lease });
            }
            Change::Delete { key } => self.delete(&[key]),
        }
        Ok(Some(self.contents.revision))
    }

    /// Deletes keys at one revision.
    fn delete(&mut self, keys: &[String]) {
        let revision = self.contents.revision + 1;
        for key in keys {
            if self.contents.keys.remove(key).is_some() {
                self.contents.revision = revision;
                self.log(Event { key: key.clone(), value: None, mod_revision: revision });
            }
        }
    }

    fn log(&mut self, event: Event) {
        self.stats.writes += 1;
        self.history.push_back(event);
        while self.history.len() > HISTORY
            && let Some(old) = self.history.pop_front()
        {
            self.compacted = old.mod_revision;
        }
    }

    /// What has changed under the prefix from a revision on; none if nothing has.
    pub fn changes(&mut self, prefix: &str, from: i64) -> Result<Option<Batch>, KvError> {
        if from <= self.compacted {
            return Err(KvError::Compacted(from));
        }
        let start = self.history.partition_point(|event| event.mod_revision < from);
        let events = self.history.range(start..).filter(|event| event.key.starts_with(prefix));
        let events: Vec<_> = events.cloned().collect();
        self.stats.events += events.len() as u64;
        let batch = Batch { revision: self.contents.revision, events };
        Ok((!batch.events.is_empty()).then_some(batch))
    }

    pub fn grant(&mut self, ttl: Duration, now: Duration) -> LeaseId {
        self.contents.last_lease += 1;
        let id = self.contents.last_lease;
        self.contents.leases.insert(id, Lease { ttl, ends: now + ttl });
        id
    }

    pub fn keep_alive(&mut self, lease: LeaseId, now: Duration) -> Result<(), KvError> {
        self.stats.keep_alives += 1;
        let lease = self.contents.leases.get_mut(&lease).ok_or(KvError::LeaseGone)?;
        lease.ends = now + lease.ttl;
        Ok(())
    }

    pub fn revoke(&mut self, lease: LeaseId) {
        self.contents.leases.remove(&lease);
        let under = self.contents.keys.iter().filter(|(_, stored)| stored.lease == Some(lease));
        let keys: Vec<_> = under.map(|(key, _)| key.clone()).collect();
        self.delete(&keys);
    }

    /// Ends the leases whose time is up. A store that is away ends none.
    pub fn expire(&mut self, now: Duration) {
        let over = |lease: &Lease| lease.ends <= now && !self.away;
        let ids: Vec<_> = self.contents.leases.iter().filter(|(_, l)| over(l)).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.revoke(id));
    }

    pub fn next_expiry(&self) -> Option<Duration> {
        self.contents.leases.values().map(|lease| lease.ends).min()
    }

    pub fn set_away(&mut self, away: bool, now: Duration) {
        if self.away && !away {
            self.contents.renew_leases(now);
        }
        self.away = away;
        self.epoch += 1;
    }

    pub fn is_away(&self) -> bool {
        self.away
    }

    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Moves when there is something new for watchers.
    pub fn position(&self) -> (u64, i64) {
        (self.epoch, self.contents.revision)
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.contents.clone())
    }

    pub fn restore(&mut self, snapshot: &Snapshot, now: Duration) {
        self.replace(snapshot.0.clone());
        self.contents.renew_leases(now);
    }

    pub fn wipe(&mut self) {
        self.replace(Contents::new());
        self.cluster += 1;
    }

    fn replace(&mut self, contents: Contents) {
        self.compacted = contents.revision;
        // Leases keep other names than those of before, as etcd's do: theirs are random.
        let last_lease = self.contents.last_lease;
        self.contents = Contents { last_lease, ..contents };
        self.history.clear();
        self.epoch += 1;
    }
}

fn key_value(key: &str, stored: &Stored) -> KeyValue {
    KeyValue { key: key.into(), value: stored.value.clone(), mod_revision: stored.mod_revision }
}
