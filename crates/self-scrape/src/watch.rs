//! Counts what goes wrong, and says it in the log not more often than once a minute.

use crate::SelfScrapeMetrics;
use model::Signal;
use parking_lot::Mutex;
use runtime::Clock;
use service_api::{Error, PushOutcome, Result};
use std::{sync::Arc, time::Duration};

const LOG_EVERY: Duration = Duration::from_secs(60);

/// While a process starts it may take a moment until somebody takes its writes.
const GRACE: Duration = Duration::from_secs(10);

pub struct Watch {
    clock: Arc<dyn Clock>,
    pub metrics: SelfScrapeMetrics,
    /// Before that nothing is said; and what was not said since.
    quiet: Mutex<(Duration, u64)>,
}

impl Watch {
    pub fn new(clock: Arc<dyn Clock>, metrics: SelfScrapeMetrics) -> Self {
        let quiet = Mutex::new((clock.monotonic().saturating_add(GRACE), 0));
        Self { clock, metrics, quiet }
    }

    /// Whether all of the write was done, refused entries included.
    pub fn is_done(&self, signal: Signal, result: &Result<PushOutcome>) -> bool {
        let problem = match result {
            Ok(outcome) if outcome.rejected == 0 => return true,
            Ok(outcome) => {
                self.metrics.refused_entries(signal).inc_by(outcome.rejected);
                let first = outcome.rejections.first().map_or("", |rejection| rejection.reason.word());
                format!("{} entries were refused: {first}", outcome.rejected)
            }
            Err(Error { message, .. }) => {
                self.metrics.failed_writes(signal).inc();
                message.to_string()
            }
        };
        if let Some(left_out) = self.may_say() {
            tracing::warn!(%signal, problem, left_out, "cannot write all of this process's own data (monitoring.self_scrape)");
        }
        result.is_ok()
    }

    /// How many were not said since the last time; none if it is not yet time.
    fn may_say(&self) -> Option<u64> {
        let now = self.clock.monotonic();
        let mut quiet = self.quiet.lock();
        if now < quiet.0 {
            quiet.1 += 1;
            return None;
        }
        let (_, left_out) = std::mem::replace(&mut *quiet, (now.saturating_add(LOG_EVERY), 0));
        Some(left_out)
    }
}
