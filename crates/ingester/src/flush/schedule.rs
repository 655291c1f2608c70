//! When a window of a tenant becomes a block.

use super::{Which, ledger::Window};
use crate::service::Ingester;
use model::{TenantId, TimeRange, Timestamp};
use std::time::Duration;

/// A window that is to be flushed.
pub struct Due {
    pub tenant: TenantId,
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
        let now = self.traces.clock.monotonic();
        let mut due = Vec::new();
        for (tenant, start, state) in self.traces.ledger.pending() {
            let Some(head) = self.head(&tenant) else { continue };
            let window = head.window(start);
            let limits = self.limits.limits(&tenant);
            let out_of_order_ms = i64::try_from(limits.out_of_order_window.saturating_mul(1000));
            let readiness = Readiness {
                newest: head.time_range().end,
                out_of_order_ms: out_of_order_ms.unwrap_or(i64::MAX),
                block_ms: head.block_ms,
                now,
            };
            if which == Which::All || readiness.ready(&window, &state) {
                due.push(Due { tenant, window });
            }
        }
        due
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
