//! Sends what waits for one Alertmanager, batch after batch.

use crate::{
    body::body,
    client::{Client, Failure},
    queue::{Batch, Queue},
};
use model::TenantId;
use runtime::Clock;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Between a failure and the next try; twice as long each time.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

pub(crate) struct Sender {
    pub url: String,
    /// Who has named it, if a tenant has.
    pub owner: Option<TenantId>,
    pub client: Client,
    pub queue: Arc<Queue>,
    pub batch: usize,
    pub timeout: Duration,
    pub clock: Arc<dyn Clock>,
}

/// How an Alertmanager fares, as far as the log was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Unknown,
    Works,
    Refuses,
    Fails,
}

impl Sender {
    /// Ends when `ended` says that nothing is to be sent there any more, or when there is a `drain` and the queue
    /// is empty.
    pub async fn run(mut self, ended: CancellationToken, drain: CancellationToken) {
        let (mut condition, mut pause, mut draining) = (Condition::Unknown, PAUSE, false);
        // Whose batch failed last, and whether that was the last one of all.
        let (mut failing, mut failed) = (None, false);
        while let Some(batch) = self.next(&ended, &drain, failing.as_ref().filter(|_| failed)).await {
            let start = self.clock.monotonic();
            let result = tokio::select! {
                biased;
                () = ended.cancelled() => return,
                result = self.send(&batch) => result,
            };
            let now = self.settle(&batch, &result, self.clock.monotonic().saturating_sub(start));
            failed = now == Condition::Fails;
            // What works for one tenant says nothing of another for whom it does not.
            if now != condition && (failed || failing.as_ref().is_none_or(|tenant| *tenant == batch.tenant)) {
                self.tell(now, result.err());
                condition = now;
                failing = None;
            }
            if !failed {
                pause = PAUSE;
                continue;
            }
            failing = Some(batch.tenant);
            tokio::select! {
                () = ended.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                // There is no time for long pauses any more.
                () = drain.cancelled(), if !draining => (draining, pause) = (true, PAUSE),
            }
        }
    }

    async fn next(
        &self,
        ended: &CancellationToken,
        drain: &CancellationToken,
        failed: Option<&TenantId>,
    ) -> Option<Batch> {
        loop {
            if let Some(batch) = self.queue.batch(self.batch, self.clock.now_ms(), failed) {
                return Some(batch);
            }
            tokio::select! {
                biased;
                () = ended.cancelled() => return None,
                () = self.queue.work.notified() => {}
                () = drain.cancelled() => return None,
            }
        }
    }

    async fn send(&mut self, batch: &Batch) -> Result<(), Failure> {
        let body = body(&batch.alerts).map_err(|e| Failure::Refused(e.to_string()))?;
        let late = || Failure::Failed(format!("it did not answer within {:?}", self.timeout));
        let posted = tokio::time::timeout(self.timeout, self.client.post(&batch.tenant, body)).await;
        posted.unwrap_or_else(|_elapsed| Err(late()))
    }

    fn settle(&self, batch: &Batch, result: &Result<(), Failure>, took: Duration) -> Condition {
        let meter = &self.queue.meter;
        match result {
            Ok(()) => {
                meter.took(took);
                self.queue.sent(batch);
                Condition::Works
            }
            Err(Failure::Refused(_)) => {
                meter.failed.inc_by(batch.alerts.len() as u64);
                self.queue.refused(batch);
                Condition::Refuses
            }
            Err(Failure::Failed(_)) => {
                meter.failed.inc_by(batch.alerts.len() as u64);
                Condition::Fails
            }
        }
    }

    fn tell(&self, condition: Condition, failure: Option<Failure>) {
        let (alertmanager, tenant) = (&self.url, self.owner.as_ref().map(TenantId::as_str));
        match failure {
            None => tracing::info!(alertmanager, tenant, "alerts are sent and taken"),
            Some(Failure::Refused(error)) => {
                tracing::warn!(alertmanager, tenant, error, "alerts are refused, and dropped");
            }
            Some(Failure::Failed(error)) => {
                tracing::warn!(alertmanager, tenant, error, "alerts cannot be sent; they wait");
            }
        }
        tracing::debug!(alertmanager, ?condition, "its condition has changed");
    }
}
