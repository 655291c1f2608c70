//! Checks, limits and places incoming writes.

mod annexes;
mod append;
mod bounds;
mod histograms;
mod labels;
mod lines;
mod metrics;
mod rate;
mod retain;
mod samples;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use bounds::Bounds;
use metrics::Metrics;
use model::TenantId;
use prometheus_client::registry::Registry;
use rate::{Rate, Rates};
use runtime::Clock;
use service_api::{
    Code, Error, Ingest, IngestLogs, LabelSource, Limits, LimitsSource, LogBatch, Push, PushLogs,
    PushOutcome, RejectReason, Rejection, Result, SeriesKey, WriteBatch,
};
use std::sync::Arc;

/// The public side of a write of either signal.
pub struct Distributor {
    ingester: Arc<dyn Ingest>,
    logs: Arc<dyn IngestLogs>,
    limits: Arc<dyn LimitsSource>,
    clock: Arc<dyn Clock>,
    sample_rates: Rates<TenantId>,
    log_rates: Rates<TenantId>,
    /// A stream that comes under two keys has its rate twice.
    stream_rates: Rates<(TenantId, SeriesKey)>,
    metrics: Metrics,
}

impl Distributor {
    pub fn new(
        ingester: Arc<dyn Ingest>,
        logs: Arc<dyn IngestLogs>,
        limits: Arc<dyn LimitsSource>,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        Self {
            ingester,
            logs,
            limits,
            clock,
            sample_rates: Rates::default(),
            log_rates: Rates::default(),
            stream_rates: Rates::default(),
            metrics: Metrics::register(registry),
        }
    }

    fn check_sample_rate(&self, tenant: &TenantId, limits: &Limits, entries: u64) -> Result<()> {
        let rate = Rate { per_second: limits.ingestion_rate, burst: limits.ingestion_burst };
        if self.sample_rates.admit(tenant.clone(), rate, self.clock.monotonic(), entries) {
            return Ok(());
        }
        self.metrics.rate_limited_samples.inc_by(entries);
        Err(Error::new(
            Code::RateLimited,
            format!(
                "ingestion rate limit ({} samples/s, burst {}) exceeded by a request of {entries} samples",
                limits.ingestion_rate, limits.ingestion_burst
            ),
        ))
    }

    fn check_log_rate(&self, tenant: &TenantId, limits: &Limits, lines: u64, bytes: u64) -> Result<()> {
        let rate = Rate { per_second: limits.log_rate as f64, burst: limits.log_burst };
        if self.log_rates.admit(tenant.clone(), rate, self.clock.monotonic(), bytes) {
            return Ok(());
        }
        self.metrics.rate_limited_lines.inc_by(lines);
        // The first words are Loki's, which senders and dashboards look for.
        Err(Error::new(
            Code::RateLimited,
            format!(
                "ingestion rate limit exceeded for user {tenant} (limit: {} bytes/sec) while attempting to \
                 ingest '{lines}' lines totaling '{bytes}' bytes (limits.log_rate)",
                limits.log_rate
            ),
        ))
    }

    /// Refuses the lines that their streams have no bytes left for. Other than a tenant's rate this lets
    /// through what fits.
    fn limit_streams(
        &self,
        tenant: &TenantId,
        limits: &Limits,
        batch: &mut LogBatch,
        outcome: &mut PushOutcome,
    ) {
        if limits.stream_rate == 0 {
            return;
        }
        let rate = Rate { per_second: limits.stream_rate as f64, burst: limits.stream_burst };
        let now = self.clock.monotonic();
        let admit =
            |key, bytes: u32| self.stream_rates.admit((tenant.clone(), key), rate, now, u64::from(bytes));
        let keys: Vec<_> = batch.streams.iter().map(|stream| stream.key).collect();
        lines::refuse(batch, limits, &self.metrics, outcome, |stream, entry| {
            let admitted = admit(keys[stream], entry.line.len);
            (!admitted).then_some(RejectReason::StreamRate(limits.stream_rate))
        });
    }
}

#[async_trait]
impl Push for Distributor {
    async fn push(&self, tenant: &TenantId, mut batch: WriteBatch) -> Result<PushOutcome> {
        let limits = self.limits.limits(tenant);
        let entries = (batch.samples.len() + batch.histograms.len()) as u64;
        self.metrics.received_samples.inc_by(entries);
        self.check_sample_rate(tenant, &limits, entries)?;

        let mut outcome = PushOutcome::default();
        let bounds = Bounds::new(&limits, self.clock.now_ms());
        samples::drop_out_of_bounds(&mut batch, bounds, &self.metrics, &mut outcome);
        histograms::drop_invalid(&mut batch, &self.metrics, &mut outcome);
        self.metrics.dropped_annexes.inc_by(annexes::drop_too_long(&mut batch));
        append::append(batch, &limits, &self.metrics, &mut outcome, |b, named| {
            self.ingester.append(tenant, b, named)
        })
        .await?;
        self.metrics.refused_entries.inc_by(outcome.rejected);
        Ok(outcome)
    }
}

#[async_trait]
impl PushLogs for Distributor {
    async fn push_logs(&self, tenant: &TenantId, mut batch: LogBatch) -> Result<PushOutcome> {
        let limits = self.limits.limits(tenant);
        self.metrics.received_lines.inc_by(batch.entries.len() as u64);
        self.metrics.received_line_bytes.inc_by(line_bytes(&batch));

        // As in Loki only good lines count against the rate.
        let mut outcome = PushOutcome::default();
        let bounds = Bounds::new(&limits, self.clock.now_ms());
        lines::drop_out_of_bounds(&mut batch, &limits, bounds, &self.metrics, &mut outcome);
        self.check_log_rate(tenant, &limits, batch.entries.len() as u64, line_bytes(&batch))?;
        self.limit_streams(tenant, &limits, &mut batch, &mut outcome);
        if !batch.entries.is_empty() {
            append::append(batch, &limits, &self.metrics, &mut outcome, |b, named| {
                self.logs.append_logs(tenant, b, named)
            })
            .await?;
        }
        self.metrics.refused_entries.inc_by(outcome.rejected);
        Ok(outcome)
    }
}

fn line_bytes(batch: &LogBatch) -> u64 {
    batch.entries.iter().map(|entry| u64::from(entry.line.len)).sum()
}

/// One refused entry of series or stream `index`; `discover` is whether it gets a `service_name`.
fn entry_rejection(
    source: &dyn LabelSource,
    index: usize,
    discover: bool,
    reason: RejectReason,
    timestamp: i64,
) -> Rejection {
    Rejection { reason, labels: labels::for_message(source, index, discover), timestamp: Some(timestamp) }
}
