//! From the keys under which senders name series to the head's references.

use hashbrown::HashTable;
use parking_lot::{RwLock, RwLockReadGuard};
use service_api::SeriesKey;
use std::sync::Arc;

/// Held by an append from the moment it looks references up until they have been used. A
/// reference is freed only when no append of its epoch or an older one is left.
pub type Epoch = Arc<()>;

/// One table behind one lock that is taken once a batch: a lookup then costs one cache miss
/// and no atomic operation.
#[derive(Default)]
pub struct Keys(RwLock<Table>);

#[derive(Default)]
pub struct Table {
    entries: HashTable<Entry>,
    epoch: Epoch,
}

/// The key in halves, so that an entry takes 24 bytes and not 32.
struct Entry {
    low: u64,
    high: u64,
    series: u32,
}

impl Keys {
    pub fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read()
    }

    /// Remembers keys, unless series have been condemned since `epoch`: then the references
    /// may be among them, and the senders will name their series once more.
    /// Above `max`, which one series by many names may reach, all that went before is forgotten.
    pub fn insert(&self, epoch: &Epoch, max: usize, keys: impl Iterator<Item = (SeriesKey, u32)>) {
        let mut table = self.0.write();
        if !Arc::ptr_eq(&table.epoch, epoch) {
            return;
        }
        if table.entries.len() > max {
            table.entries.clear();
        }
        for (key, series) in keys {
            let (low, high) = halves(key);
            let entry = table
                .entries
                .entry(low, |e| e.low == low && e.high == high, |e| e.low)
                .or_insert(Entry { low, high, series });
            entry.into_mut().series = series;
        }
    }

    /// Runs `condemn`, which says which references are to be forgotten, while nobody looks
    /// keys up; then starts a new epoch and returns the old one.
    pub fn retire<D: Fn(u32) -> bool>(&self, condemn: impl FnOnce() -> D) -> Epoch {
        let mut table = self.0.write();
        let dead = condemn();
        table.entries.retain(|e| !dead(e.series));
        if table.entries.capacity() > 4 * table.entries.len() + 1024 {
            table.entries.shrink_to_fit(|e| e.low);
        }
        std::mem::take(&mut table.epoch)
    }
}

impl Table {
    pub fn get(&self, key: SeriesKey) -> Option<u32> {
        let (low, high) = halves(key);
        self.entries.find(low, |e| e.low == low && e.high == high).map(|e| e.series)
    }

    pub fn epoch(&self) -> Epoch {
        Arc::clone(&self.epoch)
    }
}

/// The low half is also the table's hash: keys are hashes already.
fn halves(key: SeriesKey) -> (u64, u64) {
    (key.0 as u64, (key.0 >> 64) as u64)
}
