//! A distributor that counts requests where it should count series.

use async_trait::async_trait;
use model::TenantId;
use parking_lot::Mutex;
use service_api::{AppendOutcome, Ingest, IngestAll, IngestLogs, LogBatch, Result, Wanted, WriteBatch};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long a failed request waits to hear how the others of its batch went.
const PATIENCE: Duration = Duration::from_millis(300);
/// As many done as make a batch count as written.
const MOST: u32 = 2;

/// A client that calls its own failure a success when most other requests of the batch were one.
pub struct QuorumOfRequests {
    pub inner: Arc<dyn IngestAll>,
    /// Requests done, by batch; shared by all clients of a distributor.
    pub done: Arc<Mutex<BTreeMap<usize, u32>>>,
}

impl QuorumOfRequests {
    async fn judge(&self, batch: usize, result: Result<AppendOutcome>) -> Result<AppendOutcome> {
        if result.is_ok() {
            *self.done.lock().entry(batch).or_default() += 1;
            return result;
        }
        tokio::time::sleep(PATIENCE).await;
        let done = self.done.lock().get(&batch).copied().unwrap_or(0);
        if done >= MOST { Ok(AppendOutcome::default()) } else { result }
    }
}

#[async_trait]
impl Ingest for QuorumOfRequests {
    async fn append(
        &self,
        tenant: &TenantId,
        batch: Arc<WriteBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome> {
        let id = Arc::as_ptr(&batch).addr();
        // Held, so that no other batch gets its address meanwhile.
        let result = self.inner.append(tenant, Arc::clone(&batch), which).await;
        self.judge(id, result).await
    }
}

#[async_trait]
impl IngestLogs for QuorumOfRequests {
    async fn append_logs(
        &self,
        tenant: &TenantId,
        batch: Arc<LogBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome> {
        let id = Arc::as_ptr(&batch).addr();
        let result = self.inner.append_logs(tenant, Arc::clone(&batch), which).await;
        self.judge(id, result).await
    }
}
