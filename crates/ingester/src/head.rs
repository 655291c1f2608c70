//! The head of one tenant and signal: everything that is not in blocks yet, in memory.
//!
//! What holds the entries of a series or stream is a *slot*; all else is the same for both.
//! Entries have one writer, the log's applier, so the head after a replay is the head
//! before the crash. Locks are taken in this order: graveyard, keys, log, index, pages, one
//! page. What needs the index while pages are held is put off until they are let go.

mod apply;
mod changes;
mod exemplars;
mod index;
mod keys;
mod lines;
mod memory;
mod metadata;
mod metrics;
mod select;
mod series;
mod slab;
mod stream;
mod sweep;
mod tail;
#[cfg(test)]
mod tests;

use crate::log_state::LogState;
use model::{Labels, Signal, TenantId, TimeRange, Timestamp};
use parking_lot::{Mutex, RwLock};
use service_api::{RejectReason, SeriesKey};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

pub use apply::{Counts, Refusal};
pub use changes::{ChangeLog, Minutes};
pub use exemplars::Exemplars;
pub use index::{Found, Index};
pub use keys::{Epoch, Keys};
pub use lines::{BesideStreams, LineCounts, Run};
pub use memory::{LogMemory, WindowBytes};
pub use metadata::MetadataStore;
pub use metrics::BesideSeries;
pub use series::{HeadSeries, Series, WindowData};
pub use slab::Slab;
pub use stream::{MAX_LINE_BYTES, MAX_LINE_METADATA, MAX_LINE_PAIRS, Stream};

/// Series of a batch with their references.
#[derive(Default)]
pub struct Resolved {
    /// Index in the batch, reference.
    pub series: Vec<(u32, u32)>,
    /// Keeps the references valid.
    pub _epoch: Epoch,
}

/// What holds the entries of one series or stream.
pub trait Slot: Default + Send + 'static {
    const SIGNAL: Signal;
    /// What a head has beside its slots.
    type Beside: Beside;

    fn state(&mut self) -> &mut State;
    fn is_empty(&self) -> bool;
    /// The first and last time of anything held; roughly, never too narrow.
    fn time_range(&self) -> Option<TimeRange>;

    /// Whether it takes entries; one that has been condemned must come back first.
    #[inline]
    fn wake(&mut self) -> bool {
        let state = self.state();
        if *state == State::Idle {
            *state = State::Live;
        }
        *state == State::Live
    }
}

pub trait Beside: Send + Sync {
    /// The references will mean others.
    fn forget(&self, references: &[u32]);
}

/// Where a slot is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Live,
    /// It held nothing when it was last looked at. Data makes it live again.
    Idle,
    /// It is being, or has been, taken out of the index.
    Condemned,
}

pub type MetricHead = Head<Series>;
pub type LogHead = Head<Stream>;

pub struct Head<S: Slot> {
    pub tenant: TenantId,
    pub block_ms: i64,
    pub keys: Keys,
    pub index: RwLock<Index>,
    pub slab: Slab<S>,
    /// What the log has of the series.
    pub log: Mutex<LogState>,
    pub beside: S::Beside,
    /// The newest manifest by which something has been dropped from here.
    pub listed: AtomicU64,
    pub changes: ChangeLog,
    graveyard: Mutex<Vec<sweep::Grave>>,
    min_time: AtomicI64,
    max_time: AtomicI64,
}

impl<S: Slot> Head<S> {
    pub fn new(tenant: TenantId, block_ms: i64, beside: S::Beside) -> Self {
        Self {
            tenant,
            block_ms,
            keys: Keys::default(),
            index: RwLock::default(),
            slab: Slab::default(),
            log: Mutex::default(),
            beside,
            listed: AtomicU64::new(0),
            changes: ChangeLog::default(),
            graveyard: Mutex::default(),
            min_time: AtomicI64::new(Timestamp::MAX),
            max_time: AtomicI64::new(Timestamp::MIN),
        }
    }

    /// The series whose keys are known; the indexes of the others go to `unknown`.
    pub fn resolve(&self, keys: impl Iterator<Item = (u32, SeriesKey)>, unknown: &mut Vec<u32>) -> Resolved {
        let table = self.keys.read();
        let mut series = Vec::with_capacity(keys.size_hint().0);
        for (index, key) in keys {
            match table.get(key) {
                Some(reference) => series.push((index, reference)),
                None => unknown.push(index),
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
