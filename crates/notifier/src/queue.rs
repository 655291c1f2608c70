//! Alerts that wait for one Alertmanager.

use crate::metrics::Meter;
use model::{Labels, TenantId, Timestamp};
use parking_lot::Mutex;
use service_api::Alert;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};
use tokio::sync::Notify;

/// How long an alert is tried to be sent that is over already.
const PATIENCE_MS: i64 = 5 * 60_000;

/// Of alerts, about.
const MAX_BYTES: usize = 64 << 20;
/// Of a batch.
const BATCH_BYTES: usize = 4 << 20;

/// Holds an alert once by its labels: a newer one takes the place of the older. When it is full the oldest goes.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    capacity: usize,
    pub meter: Meter,
    /// Wakes whoever sends.
    pub work: Notify,
}

#[derive(Default)]
struct Inner {
    /// By age; one that takes the place of another has its age.
    alerts: BTreeMap<u64, Waiting>,
    ages: HashMap<(TenantId, Labels), u64>,
    tenants: BTreeMap<TenantId, Share>,
    bytes: usize,
    next: u64,
}

struct Waiting {
    tenant: TenantId,
    alert: Arc<Alert>,
    /// Tells it from another one that took its place while it was sent.
    version: u64,
    /// From when on it is of no use: what it says would no longer be so.
    expires: Timestamp,
    bytes: usize,
}

#[derive(Default)]
struct Share {
    ages: BTreeSet<u64>,
    bytes: usize,
}

/// Alerts of one tenant that are to be sent. They stay in the queue until that is done.
pub(crate) struct Batch {
    pub tenant: TenantId,
    pub alerts: Vec<Arc<Alert>>,
    /// Age and version of each.
    places: Vec<(u64, u64)>,
}

impl Queue {
    pub fn new(capacity: usize, meter: Meter) -> Self {
        Self { inner: Mutex::default(), capacity, meter, work: Notify::new() }
    }

    pub fn push(&self, tenant: &TenantId, alerts: impl IntoIterator<Item = Arc<Alert>>, now: Timestamp) {
        let mut inner = self.inner.lock();
        let (before, mut dropped) = (inner.alerts.len(), 0);
        for alert in alerts {
            let expires = if alert.ends_at > now { alert.ends_at } else { now.saturating_add(PATIENCE_MS) };
            dropped += self.put(&mut inner, tenant, alert, expires);
        }
        self.count(before, &inner, dropped);
        drop(inner);
        self.work.notify_one();
    }

    /// How many had to go for it.
    fn put(&self, inner: &mut Inner, tenant: &TenantId, alert: Arc<Alert>, expires: Timestamp) -> u64 {
        let share_of = |all: usize| (all / 4).max(1);
        inner.put(tenant, alert, expires);
        let mut dropped = 0;
        while let Some(share) = inner.tenants.get(tenant)
            && (share.ages.len() > share_of(self.capacity) || share.bytes > share_of(MAX_BYTES))
            && let Some(oldest) = share.ages.first().copied()
        {
            inner.remove(oldest);
            dropped += 1;
        }
        while (inner.alerts.len() > self.capacity || inner.bytes > MAX_BYTES)
            && let Some((oldest, _)) = inner.alerts.first_key_value()
        {
            let oldest = *oldest;
            inner.remove(oldest);
            dropped += 1;
        }
        dropped
    }

    /// The oldest alert, and further ones of its tenant; or, behind a batch that failed, those of the tenant that
    /// comes after its one, so that nobody is kept waiting by what is wrong for another. What is of no use any more
    /// goes.
    pub fn batch(&self, most: usize, now: Timestamp, failed: Option<&TenantId>) -> Option<Batch> {
        let mut inner = self.inner.lock();
        let before = inner.alerts.len();
        let late = |inner: &Inner, age: u64| inner.alerts.get(&age).is_some_and(|a| a.expires <= now);
        let first = loop {
            let Some(age) = inner.first(failed) else { break None };
            if !late(&inner, age) {
                break Some(age);
            }
            inner.remove(age);
        };
        let batch = first.and_then(|first| {
            let tenant = inner.alerts.get(&first)?.tenant.clone();
            let ages: Vec<u64> = inner.tenants.get(&tenant)?.ages.iter().copied().collect();
            let mut batch = Batch { tenant, alerts: Vec::new(), places: Vec::new() };
            let mut bytes = 0;
            for age in ages {
                if late(&inner, age) {
                    inner.remove(age);
                    continue;
                }
                let Some(waiting) = inner.alerts.get(&age) else { continue };
                bytes += waiting.bytes;
                if batch.alerts.len() >= most.max(1) || (bytes > BATCH_BYTES && !batch.alerts.is_empty()) {
                    break;
                }
                batch.alerts.push(waiting.alert.clone());
                batch.places.push((age, waiting.version));
            }
            Some(batch)
        });
        let gone = before - inner.alerts.len();
        self.count(before, &inner, gone as u64);
        batch
    }

    /// The batch was taken: it need not wait any more.
    pub fn sent(&self, batch: &Batch) {
        self.settle(batch);
        self.meter.sent.inc_by(batch.alerts.len() as u64);
    }

    /// The batch was refused, and would be again.
    pub fn refused(&self, batch: &Batch) {
        let gone = self.settle(batch);
        self.meter.dropped.inc_by(gone);
    }

    fn settle(&self, batch: &Batch) -> u64 {
        let mut inner = self.inner.lock();
        let before = inner.alerts.len();
        for (age, version) in &batch.places {
            if inner.alerts.get(age).is_some_and(|waiting| waiting.version == *version) {
                inner.remove(*age);
            }
        }
        self.count(before, &inner, 0);
        (before - inner.alerts.len()) as u64
    }

    pub fn len(&self) -> usize {
        self.inner.lock().alerts.len()
    }

    /// Gives all that waits here to others instead.
    pub fn hand_over(&self, others: &[Arc<Queue>]) {
        let taken = {
            let mut inner = self.inner.lock();
            let before = inner.alerts.len();
            let taken = std::mem::take(&mut *inner);
            inner.next = taken.next;
            self.count(before, &inner, 0);
            taken.alerts
        };
        for other in others {
            let mut inner = other.inner.lock();
            let (before, mut dropped) = (inner.alerts.len(), 0);
            for waiting in taken.values() {
                let known = inner.ages.contains_key(&(waiting.tenant.clone(), waiting.alert.labels.clone()));
                // What is there already came later.
                if !known {
                    dropped += other.put(&mut inner, &waiting.tenant, waiting.alert.clone(), waiting.expires);
                }
            }
            other.count(before, &inner, dropped);
            drop(inner);
            other.work.notify_one();
        }
    }

    fn count(&self, before: usize, inner: &Inner, dropped: u64) {
        self.meter.queue_length.inc_by(inner.alerts.len() as i64 - before as i64);
        self.meter.dropped.inc_by(dropped);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let left = self.inner.get_mut().alerts.len();
        self.meter.queue_length.dec_by(left as i64);
        self.meter.dropped.inc_by(left as u64);
    }
}

impl Inner {
    fn first(&self, failed: Option<&TenantId>) -> Option<u64> {
        let Some(failed) = failed else { return self.alerts.keys().next().copied() };
        let mut behind = self.tenants.range((Excluded(failed), Unbounded));
        let (_, share) = behind.next().or_else(|| self.tenants.first_key_value())?;
        share.ages.first().copied()
    }

    fn put(&mut self, tenant: &TenantId, alert: Arc<Alert>, expires: Timestamp) {
        self.next += 1;
        let version = self.next;
        let key = (tenant.clone(), alert.labels.clone());
        let age = *self.ages.entry(key).or_insert(version);
        let bytes = bytes(&alert);
        let new = Waiting { tenant: tenant.clone(), alert, version, expires, bytes };
        let old = self.alerts.insert(age, new).map_or(0, |old| old.bytes);
        let share = self.tenants.entry(tenant.clone()).or_default();
        share.ages.insert(age);
        share.bytes = share.bytes + bytes - old;
        self.bytes = self.bytes + bytes - old;
    }

    fn remove(&mut self, age: u64) {
        let Some(gone) = self.alerts.remove(&age) else { return };
        self.bytes -= gone.bytes;
        if let Some(share) = self.tenants.get_mut(&gone.tenant) {
            share.ages.remove(&age);
            share.bytes -= gone.bytes;
            if share.ages.is_empty() {
                self.tenants.remove(&gone.tenant);
            }
        }
        self.ages.remove(&(gone.tenant, gone.alert.labels.clone()));
    }
}

/// What an alert takes, about.
fn bytes(alert: &Alert) -> usize {
    const FIXED: usize = 512;
    let annotations = alert.annotations.iter().map(|(name, value)| name.len() + value.len() + 48);
    FIXED + 2 * alert.labels.heap_bytes() + annotations.sum::<usize>() + alert.generator_url.len()
}

#[cfg(test)]
mod tests;
