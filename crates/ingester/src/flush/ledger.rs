//! What is in the log and not in blocks: by segment, and by tenant and window of time.

use super::Marks;
use crate::{head::window_of, wal::Position};
use hashbrown::HashMap;
use model::{TenantId, Timestamp};
use parking_lot::Mutex;
use std::{collections::BTreeMap, time::Duration};

/// Kept by the applier, read by the flush.
#[derive(Default)]
pub struct Ledger(Mutex<State>);

#[derive(Default)]
struct State {
    /// The last record that is in the head.
    applied: Position,
    /// By segment, the last record with data of a tenant's window.
    segments: BTreeMap<u64, HashMap<(TenantId, Timestamp), Position>>,
    windows: HashMap<TenantId, BTreeMap<Timestamp, Window>>,
}

/// A window of which the head has, or had, data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// When its first data came that is not in a block.
    pub since: Duration,
    /// The last record with data of it.
    pub last: Position,
    /// Whether there may be data that is not in a block.
    pub pending: bool,
    pub flushed: Option<Duration>,
}

impl Ledger {
    /// Notes that a record has been applied, and the windows that it brought data for.
    pub fn note(&self, position: Position, tenant: &TenantId, windows: &[Timestamp], now: Duration) {
        let mut state = self.0.lock();
        state.applied = state.applied.max(position);
        for &start in windows {
            let segment = state.segments.entry(position.segment).or_default();
            match segment.get_mut(&(tenant.clone(), start)) {
                Some(last) => *last = position,
                None => {
                    segment.insert((tenant.clone(), start), position);
                }
            }
            let windows = match state.windows.get_mut(tenant) {
                Some(windows) => windows,
                None => state.windows.entry(tenant.clone()).or_default(),
            };
            let new = Window { since: now, last: position, pending: true, flushed: None };
            let window = windows.entry(start).or_insert(new);
            window.last = position;
            if !window.pending {
                (window.pending, window.since) = (true, now);
            }
        }
    }

    pub fn applied(&self) -> Position {
        self.0.lock().applied
    }

    /// Windows that may have data that is in no block.
    pub fn pending(&self) -> Vec<(TenantId, Timestamp, Window)> {
        let state = self.0.lock();
        let all = state.windows.iter().flat_map(|(tenant, windows)| {
            windows.iter().map(|(start, window)| (tenant.clone(), *start, *window))
        });
        let mut pending: Vec<_> = all.filter(|(_, _, window)| window.pending).collect();
        pending.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        pending
    }

    /// Notes that what came for a window up to `position` is in blocks. Windows that have
    /// been quiet since before `forget` are forgotten.
    pub fn flushed(
        &self,
        tenant: &TenantId,
        start: Timestamp,
        position: Position,
        now: Duration,
        forget: Duration,
    ) {
        let mut state = self.0.lock();
        let Some(windows) = state.windows.get_mut(tenant) else { return };
        if let Some(window) = windows.get_mut(&start) {
            window.pending = window.last > position;
            window.flushed = Some(now);
            window.since = now;
        }
        windows.retain(|_, window| window.pending || window.flushed.is_none_or(|at| at >= forget));
    }

    /// The last segment up to which everything is in blocks, as the marks say; of those
    /// only that are complete up to and including `complete`.
    /// A mark of a window that was shorter, before the block duration was changed, is not enough.
    pub fn removable(&self, complete: u64, marks: &Marks, block_ms: i64) -> Option<u64> {
        let state = self.0.lock();
        let kept = state.segments.range(..=complete).find(|(_, windows)| {
            windows
                .iter()
                .any(|((tenant, start), last)| !marks.covers(tenant, window_of(*start, block_ms), *last))
        });
        match kept {
            Some((&first, _)) => first.checked_sub(1),
            None => Some(complete),
        }
    }

    pub fn removed(&self, up_to: u64) {
        let mut state = self.0.lock();
        state.segments = state.segments.split_off(&(up_to + 1));
    }
}
