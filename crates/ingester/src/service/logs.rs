//! The ingester's side of writes of logs, and of watching them.

use super::Ingester;
use crate::{
    append::{AppendLines, bytes_to_pack, log_error},
    head::{LogHead, Resolved},
};
use async_trait::async_trait;
use model::{Labels, Matcher, NANOS_A_MILLI, Nanos, TenantId};
use service_api::{
    AppendOutcome, Code, Error, IngestLogs, Limits, LogBatch, LogsTail, Refused, Rejection, Result, TailItem,
    Wanted,
};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Bytes of a request that are compressed where they are: less work than a change of threads.
const FEW_BYTES: usize = 32 << 10;

#[async_trait]
impl IngestLogs for Ingester {
    async fn append_logs(
        &self,
        tenant: &TenantId,
        batch: Arc<LogBatch>,
        which: Wanted,
    ) -> Result<AppendOutcome> {
        let Some(bytes) = bytes_to_pack(&batch) else {
            return Err(Error::new(Code::TooLarge, "the request has more lines or text than one may have"));
        };
        if self.traces.memory.is_full() {
            let message = "too many lines wait to be written to the bucket (ingester.max_log_head_bytes)";
            return Err(Error::unavailable(message));
        }
        let _open = self.opened().await?;
        let limits = self.limits.limits(tenant);
        let head = self.log_heads.get_or_create(tenant);
        let mut outcome = AppendOutcome::default();
        let keyed = |index: u32| Some((index, batch.streams.get(index as usize)?.key));
        let resolved = match which {
            Wanted::All => head.resolve((0..).zip(batch.streams.iter().map(|s| s.key)), &mut outcome.unknown),
            Wanted::Keys(indexes) => {
                head.resolve(indexes.iter().copied().filter_map(keyed), &mut outcome.unknown)
            }
            Wanted::Named(named) => {
                self.resolve_streams(&head, &batch, named, limits.max_streams, &mut outcome)
            }
        };
        if resolved.series.is_empty() {
            return Ok(outcome);
        }
        let (answer, answered) = oneshot::channel();
        let traces = Arc::clone(&self.traces);
        let few = bytes <= FEW_BYTES;
        let out_of_order = out_of_order(&limits);
        let new = move || AppendLines::new((head, traces), batch, resolved, out_of_order, outcome, answer);
        let mut append = if few {
            new()?
        } else {
            let packing = runtime::blocking(new);
            packing.await.map_err(|_| Error::internal("packing lines failed"))??
        };
        if append.is_empty() {
            return Ok(std::mem::take(&mut append.outcome));
        }
        let bytes = append.bytes();
        self.wal.append(Box::new(append), bytes).await.map_err(|error| log_error(&error))?;
        answered.await.map_err(|_| Error::unavailable("the ingester is stopping"))?
    }
}

impl LogsTail for Ingester {
    fn tail(&self, tenant: &TenantId, matchers: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>> {
        self.log_heads.get_or_create(tenant).beside.watchers.add(matchers)
    }
}

impl Ingester {
    fn resolve_streams(
        &self,
        head: &LogHead,
        batch: &LogBatch,
        named: Vec<(u32, Labels)>,
        limit: u64,
        outcome: &mut AppendOutcome,
    ) -> Resolved {
        let keyed = named
            .into_iter()
            .filter_map(|(index, labels)| Some((index, batch.streams.get(index as usize)?.key, labels)));
        head.resolve_named(keyed.collect(), limit, |index, labels, reason| {
            let lines = batch.streams[index as usize].entries.len() as u64;
            self.traces.metrics.reject("stream_limit", lines);
            outcome.refused.push(Refused { index, entries: lines as u32 });
            outcome.pushed.reject(lines, || Rejection { reason, labels, timestamp: None });
        })
    }
}

fn out_of_order(limits: &Limits) -> Nanos {
    let seconds = i64::try_from(limits.out_of_order_window).unwrap_or(i64::MAX);
    seconds.saturating_mul(1000 * NANOS_A_MILLI)
}
