//! A peer as the traits of roles: whoever calls it sees no gRPC.

mod changes;
mod evaluate;
mod read;
mod ruler;
mod streams;
mod tail;

pub(crate) use ruler::RulerClient;

use crate::{
    append::{encode_append, encode_append_logs, from_response},
    pool::{Method, Peer},
    proto::{ingester::AppendResponse, reader::Blocks},
};
use async_trait::async_trait;
use model::TenantId;
use service_api::{AppendOutcome, Ingest, IngestLogs, LogBatch, Result, Wanted, WriteBatch};
use std::sync::Arc;

const APPEND: Method = Method { name: "Append", path: "/yagura.ingester.v1.Ingester/Append" };
const APPEND_LOGS: Method = Method { name: "AppendLogs", path: "/yagura.ingester.v1.Ingester/AppendLogs" };

/// An ingester in another process.
pub struct IngesterClient {
    peer: Arc<Peer>,
    /// What is read; none is the ingester's heads. With blocks, it is a querier, and only read from.
    blocks: Option<Blocks>,
    /// Whose data is to be read; empty if nobody minds.
    disk: Arc<str>,
}

impl IngesterClient {
    pub(crate) fn new(peer: Arc<Peer>) -> Self {
        Self { peer, blocks: None, disk: Arc::default() }
    }

    pub(crate) fn of_blocks(peer: Arc<Peer>, blocks: Blocks) -> Self {
        Self { peer, blocks: Some(blocks), disk: Arc::default() }
    }

    pub(crate) fn of_disk(peer: Arc<Peer>, disk: &str) -> Self {
        Self { peer, blocks: None, disk: disk.into() }
    }

    pub fn address(&self) -> &str {
        self.peer.address()
    }
}

#[async_trait]
impl Ingest for IngesterClient {
    async fn append(
        &self,
        tenant: &TenantId,
        batch: Arc<WriteBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome> {
        let encoded = self.peer.shared().appends.get(&batch, &which);
        let body = encoded.bytes(|| encode_append(&batch, &which))?;
        let series = batch.series.len();
        // A peer that hangs shall hold no more than the bytes.
        drop(batch);
        let answer: AppendResponse = self.peer.write(&APPEND, tenant, body).await?;
        from_response(answer, &which, series)
    }
}

#[async_trait]
impl IngestLogs for IngesterClient {
    async fn append_logs(
        &self,
        tenant: &TenantId,
        batch: Arc<LogBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome> {
        let encoded = self.peer.shared().log_appends.get(&batch, &which);
        let body = encoded.bytes(|| encode_append_logs(&batch, &which))?;
        let streams = batch.streams.len();
        drop(batch);
        let answer: AppendResponse = self.peer.write(&APPEND_LOGS, tenant, body).await?;
        from_response(answer, &which, streams)
    }
}
