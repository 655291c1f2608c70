//! The head of one tenant: everything that is not in blocks yet, in memory.
//!
//! Samples have one writer, the log's applier, so the head after a replay is the head
//! before the crash. Locks are taken in this order: graveyard, keys, log, index, pages, one
//! page. What needs the index while pages are held is put off until they are let go.

mod apply;
mod exemplars;
mod index;
mod keys;
mod metadata;
mod select;
mod series;
mod slab;
mod sweep;
#[cfg(test)]
mod tests;

use crate::log_state::LogState;
use model::{Labels, TenantId, TimeRange, Timestamp};
use parking_lot::{Mutex, RwLock};
use service_api::{RejectReason, SeriesKey};
use std::sync::atomic::{AtomicI64, Ordering};

pub use apply::{Counts, Refusal};
pub use exemplars::Exemplars;
pub use index::{Found, Index};
pub use keys::{Epoch, Keys};
pub use metadata::MetadataStore;
pub use series::{HeadSeries, State, WindowData};
pub use slab::Slab;

/// Series of a batch with their references.
#[derive(Default)]
pub struct Resolved {
    /// Index in the batch, reference.
    pub series: Vec<(u32, u32)>,
    /// Keeps the references valid.
    pub _epoch: Epoch,
}

pub struct Head {
    pub tenant: TenantId,
    pub block_ms: i64,
    pub keys: Keys,
    pub index: RwLock<Index>,
    pub slab: Slab,
    /// What the log's writer knows of the series.
    pub log: Mutex<LogState>,
    pub exemplars: Mutex<Exemplars>,
    pub metadata: RwLock<MetadataStore>,
    graveyard: Mutex<Vec<sweep::Grave>>,
    min_time: AtomicI64,
    max_time: AtomicI64,
}

impl Head {
    pub fn new(tenant: TenantId, block_ms: i64, max_exemplars: usize, max_metadata: usize) -> Self {
        Self {
            tenant,
            block_ms,
            keys: Keys::default(),
            index: RwLock::default(),
            slab: Slab::default(),
            log: Mutex::default(),
            exemplars: Mutex::new(Exemplars::new(max_exemplars)),
            metadata: RwLock::new(MetadataStore::new(max_metadata)),
            graveyard: Mutex::default(),
            min_time: AtomicI64::new(Timestamp::MAX),
            max_time: AtomicI64::new(Timestamp::MIN),
        }
    }

    /// The series whose keys are known; the indexes of the others go to `unknown`.
    pub fn resolve(
        &self,
        keys: impl ExactSizeIterator<Item = SeriesKey>,
        unknown: &mut Vec<u32>,
    ) -> Resolved {
        let table = self.keys.read();
        let mut series = Vec::with_capacity(keys.len());
        for (index, key) in keys.enumerate() {
            match table.get(key) {
                Some(reference) => series.push((index as u32, reference)),
                None => unknown.push(index as u32),
            }
        }
        Resolved { series, _epoch: table.epoch() }
    }

    /// The series with these labels, created where they are new, and their keys remembered.
    /// Those over the limit are handed to `refuse`.
    pub fn resolve_named(
        &self,
        named: Vec<(u32, SeriesKey, Labels)>,
        limit: u64,
        mut refuse: impl FnMut(u32, Labels, RejectReason),
    ) -> Resolved {
        let (mut series, mut keys) = (Vec::with_capacity(named.len()), Vec::with_capacity(named.len()));
        // Held while series are made, so that they cannot be condemned before the epoch is ours.
        let table = self.keys.read();
        let epoch = table.epoch();
        for named in named.chunks(SERIES_A_LOCK) {
            let mut index = self.index.write();
            for (at, key, labels) in named {
                match self.get_or_create(&mut index, labels, limit) {
                    Some(reference) => {
                        series.push((*at, reference));
                        keys.push((*key, reference));
                    }
                    None => refuse(*at, labels.clone(), RejectReason::SeriesLimit(limit)),
                }
            }
        }
        drop(table);
        let max = KEYS_A_SERIES * self.active_series() + 65_536;
        self.keys.insert(&epoch, max, keys.into_iter());
        Resolved { series, _epoch: epoch }
    }

    fn get_or_create(&self, index: &mut Index, labels: &Labels, limit: u64) -> Option<u32> {
        match index.get_or_create(labels, limit).ok()? {
            Found::Known(series) => Some(series),
            Found::Created(series) => {
                self.slab.create(series);
                Some(series)
            }
        }
    }

    /// A series of the log's, whatever the limit is now.
    pub fn replay_series(&self, labels: &Labels) -> Option<u32> {
        self.get_or_create(&mut self.index.write(), labels, 0)
    }

    /// The window of time that a timestamp lies in.
    pub fn window(&self, timestamp: Timestamp) -> TimeRange {
        window_of(timestamp, self.block_ms)
    }

    pub fn active_series(&self) -> usize {
        self.index.read().active()
    }

    /// The first and last time that anything has been stored for.
    pub fn time_range(&self) -> TimeRange {
        TimeRange::new(self.min_time.load(Ordering::Acquire), self.max_time.load(Ordering::Acquire))
    }

    fn widen(&self, range: &TimeRange) {
        self.min_time.fetch_min(range.start, Ordering::AcqRel);
        self.max_time.fetch_max(range.end, Ordering::AcqRel);
    }
}

/// Windows never overlap; the first and the last one of all time are shorter than the others.
pub fn window_of(timestamp: Timestamp, block_ms: i64) -> TimeRange {
    let (into, after) = (timestamp.rem_euclid(block_ms), block_ms - 1 - timestamp.rem_euclid(block_ms));
    TimeRange::new(timestamp.saturating_sub(into), timestamp.saturating_add(after))
}

/// Other orders of its labels are other names of a series; senders of the same kind use the same.
const KEYS_A_SERIES: usize = 8;
/// So that creating many series does not keep reads out for long.
const SERIES_A_LOCK: usize = 256;
