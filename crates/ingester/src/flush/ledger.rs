//! What is in the log and not in blocks: by segment, and by tenant, signal and window of time.

use super::Marks;
use crate::{head::window_of, wal::Position};
use hashbrown::HashMap;
use model::{Signal, TenantId, Timestamp};
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
    segments: BTreeMap<u64, HashMap<(TenantId, Signal, Timestamp), Position>>,
    /// One for each signal.
    windows: [HashMap<TenantId, BTreeMap<Timestamp, Window>>; 2],
}

/// A window of a tenant that may have data that is in no block.
pub struct Pending {
    pub tenant: TenantId,
    pub signal: Signal,
    pub start: Timestamp,
    pub state: Window,
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
    pub fn note(
        &self,
        position: Position,
        tenant: &TenantId,
        signal: Signal,
        windows: &[Timestamp],
        now: Duration,
    ) {
        let mut state = self.0.lock();
        state.applied = state.applied.max(position);
        for &start in windows {
            let segment = state.segments.entry(position.segment).or_default();
            segment.insert((tenant.clone(), signal, start), position);
            let of_signal = &mut state.windows[signal as usize];
            let windows = match of_signal.get_mut(tenant) {
                Some(windows) => windows,
                None => of_signal.entry(tenant.clone()).or_default(),
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
    pub fn pending(&self) -> Vec<Pending> {
        let state = self.0.lock();
        let mut pending = Vec::new();
        for signal in Signal::ALL {
            for (tenant, windows) in &state.windows[signal as usize] {
                let of_tenant = windows.iter().filter(|(_, window)| window.pending);
                pending.extend(of_tenant.map(|(&start, &state)| Pending {
                    tenant: tenant.clone(),
                    signal,
                    start,
                    state,
                }));
            }
        }
        pending.sort_by(|a, b| (&a.tenant, a.signal, a.start).cmp(&(&b.tenant, b.signal, b.start)));
        pending
    }

    /// Notes that what came for a window up to `position` is in blocks. Windows that have
    /// been quiet since before `forget` are forgotten.
    pub fn flushed(
        &self,
        (tenant, signal): (&TenantId, Signal),
        start: Timestamp,
        position: Position,
        now: Duration,
        forget: Duration,
    ) {
        let mut state = self.0.lock();
        let Some(windows) = state.windows[signal as usize].get_mut(tenant) else { return };
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
            windows.iter().any(|((tenant, signal, start), last)| {
                !marks.covers((tenant, *signal), window_of(*start, block_ms), *last)
            })
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
