//! When a window of a tenant becomes a block.

use super::{
    Which,
    ledger::{Pending, Window},
};
use crate::{head::Slot, heads::Heads, service::Ingester};
use model::{Signal, TenantId, TimeRange, Timestamp};
use std::{cmp::Reverse, time::Duration};

/// A window that is to be flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub tenant: TenantId,
    pub signal: Signal,
    pub window: TimeRange,
}

/// What decides whether a window is ready.
pub struct Readiness {
    /// The newest time that the head holds.
    pub newest: Timestamp,
    pub out_of_order_ms: i64,
    pub block_ms: i64,
    /// By the monotonic clock.
    pub now: Duration,
}

impl Readiness {
    /// A window is ready when the head's newest sample says that it can get no more, or
    /// when its data has waited for as long as that would take. What still comes for a
    /// window that has been flushed waits for a window's time, so that stragglers share a block.
    pub fn ready(&self, window: &TimeRange, state: &Window) -> bool {
        let block = Duration::from_millis(self.block_ms as u64);
        let waited = self.now.saturating_sub(state.since);
        if state.flushed.is_some() {
            return waited >= block;
        }
        let complete = self.newest >= window.end.saturating_add(self.out_of_order_ms);
        complete || waited >= block + Duration::from_millis(self.out_of_order_ms as u64)
    }
}

impl Ingester {
    pub(super) fn due(&self, which: Which) -> Vec<Due> {
        let mut due = self.due_for_size();
        for pending in self.traces.ledger.pending() {
            let found = match pending.signal {
                Signal::Metrics => self.due_for_time(which, &self.heads, pending),
                Signal::Logs => self.due_for_time(which, &self.log_heads, pending),
            };
            due.extend(found.filter(|found| !due.contains(found)));
        }
        due
    }

    fn due_for_time<S: Slot>(&self, which: Which, heads: &Heads<S>, pending: Pending) -> Option<Due> {
        let Pending { tenant, signal, start, state } = pending;
        let head = heads.get(&tenant)?;
        let window = head.window(start);
        let out_of_order_ms =
            i64::try_from(self.limits.limits(&tenant).out_of_order_window.saturating_mul(1000));
        let readiness = Readiness {
            newest: head.time_range().end,
            out_of_order_ms: out_of_order_ms.unwrap_or(i64::MAX),
            block_ms: head.block_ms,
            now: self.traces.clock.monotonic(),
        };
        let ready = which == Which::All || readiness.ready(&window, &state);
        ready.then_some(Due { tenant, signal, window })
    }

    /// Windows of logs that have enough for a block, or must go so that the heads keep to
    /// their bound; the largest first. They wait for nothing.
    fn due_for_size(&self) -> Vec<Due> {
        let memory = &self.traces.memory;
        let mut windows = Vec::new();
        for head in self.log_heads.all() {
            let of_head = head.beside.memory.windows(head.block_ms).into_iter();
            windows.extend(of_head.map(|(window, bytes)| (head.tenant.clone(), window, bytes)));
        }
        windows.sort_by_key(|(_, _, bytes)| Reverse(bytes.held()));
        let mut excess = memory.excess();
        windows.retain(|(_, _, bytes)| {
            let due = excess > 0 || memory.is_block(bytes);
            excess -= if due { bytes.held() } else { 0 };
            due
        });
        let due = |(tenant, window, _)| Due { tenant, signal: Signal::Logs, window };
        windows.into_iter().map(due).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::Position;

    fn hours(n: u64) -> Duration {
        Duration::from_secs(n * 3600)
    }

    #[test]
    fn a_window_waits_for_late_samples_but_not_for_ever() {
        let window = TimeRange::new(0, 7_199_999);
        let mut state = Window { since: hours(10), last: Position::default(), pending: true, flushed: None };
        let at = |newest_hour: i64, now| Readiness {
            newest: newest_hour * 3_600_000,
            out_of_order_ms: 3_600_000,
            block_ms: 7_200_000,
            now,
        };
        assert!(!at(2, hours(10)).ready(&window, &state));
        assert!(at(3, hours(10)).ready(&window, &state));
        assert!(!at(1, hours(12)).ready(&window, &state));
        assert!(at(1, hours(13)).ready(&window, &state));
        state.flushed = Some(hours(9));
        assert!(!at(9, hours(11)).ready(&window, &state));
        assert!(at(9, hours(12)).ready(&window, &state));
    }
}
