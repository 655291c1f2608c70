//! Checks, limits and places incoming writes.

mod annexes;
mod append;
mod batch;
mod bounds;
mod config;
mod detached;
mod ha;
mod histograms;
mod ingesters;
mod labels;
mod lines;
mod local_limits;
mod metrics;
mod plan;
mod quorum;
mod rate;
mod replicate;
mod retain;
mod samples;
mod starts;
mod tenants;

#[cfg(test)]
mod tests;

pub use config::DistributorConfig;
pub use ingesters::Connect;
pub use local_limits::{local_limit, local_limits};

use async_trait::async_trait;
use batch::Batch;
use bounds::Bounds;
use detached::Detached;
use ha::{Keys, Sender, Tracker};
use hash_ring::{Kv, Ring};
use ingesters::Ingesters;
use metrics::Metrics;
use model::{Signal, TenantId};
use prometheus_client::registry::Registry;
use rate::{Rate, Rates};
use replicate::Write;
use runtime::Clock;
use service_api::{
    Code, Error, LabelSource, Limits, LimitsSource, LogBatch, Push, PushLogs, PushOutcome, RejectReason,
    Rejection, Result, SeriesKey, WriteBatch,
};
use std::{convert::Infallible, sync::Arc};
use tenants::TenantMetrics;
use tokio_util::sync::CancellationToken;

/// What a distributor works with.
pub struct Dependencies {
    /// The ring of ingesters.
    pub ring: Ring,
    pub connect: Connect,
    /// How many distributors share a tenant's rates: those that are active and healthy, this one included.
    pub distributors: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Where the elected ones among senders of the same samples are kept, and what its keys start with.
    pub kv: Arc<dyn Kv>,
    pub kv_prefix: String,
    pub limits: Arc<dyn LimitsSource>,
    pub clock: Arc<dyn Clock>,
    /// Names this distributor.
    pub instance: Arc<str>,
}

/// The public side of a write of either signal.
pub struct Distributor {
    config: DistributorConfig,
    ingesters: Ingesters,
    distributors: Arc<dyn Fn() -> usize + Send + Sync>,
    limits: Arc<dyn LimitsSource>,
    clock: Arc<dyn Clock>,
    sample_rates: Rates<TenantId>,
    log_rates: Rates<TenantId>,
    /// A stream that comes under two keys has its rate twice.
    stream_rates: Rates<(TenantId, SeriesKey)>,
    detached: Arc<Detached>,
    tracker: Arc<Tracker>,
    ha_names: ha::Names,
    metrics: Metrics,
    tenants: TenantMetrics,
}

impl Distributor {
    /// `config` is a valid one.
    pub fn new(config: DistributorConfig, dependencies: Dependencies, registry: &mut Registry) -> Self {
        let Dependencies { ring, connect, distributors, kv, kv_prefix, limits, clock, instance } =
            dependencies;
        let metrics = Metrics::register(registry);
        let tenants = TenantMetrics::register(registry);
        let store = (kv, Keys::new(&kv_prefix));
        let tracker = Tracker::new(&config, store, Arc::clone(&clock), instance, metrics.clone());
        Self {
            ingesters: Ingesters::new(ring, connect, &metrics),
            distributors,
            limits,
            clock,
            sample_rates: Rates::default(),
            log_rates: Rates::default(),
            stream_rates: Rates::default(),
            detached: Detached::new(config.max_detached_bytes, metrics.detached_bytes.clone()),
            tracker,
            ha_names: ha::Names::new(config.ha_series_cache),
            metrics,
            tenants,
            config,
        }
    }

    /// Follows what other distributors elect among senders of the same samples, until `drain`.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) -> std::result::Result<(), Infallible> {
        Arc::clone(&self.tracker).follow(drain).await
    }

    /// Whether another sender of the same samples is the elected one. Otherwise the batch no longer tells who
    /// sent it.
    async fn is_duplicate(&self, tenant: &TenantId, limits: &Limits, batch: &mut WriteBatch) -> Result<bool> {
        if !limits.ha_dedup || batch.series.is_empty() {
            return Ok(false);
        }
        let Some(sender) = Sender::of(&*batch.labels, limits) else { return Ok(false) };
        if !self.tracker.listens_to(tenant, &sender, limits.ha_max_clusters).await? {
            return Ok(true);
        }
        self.ha_names.take_off(tenant, &limits.ha_replica_label, batch)?;
        Ok(false)
    }

    /// Hands a checked batch on and adds to `outcome` what became of it.
    async fn append<B: Batch>(
        &self,
        tenant: &TenantId,
        limits: Arc<Limits>,
        batch: B,
        outcome: &mut PushOutcome,
    ) -> Result<()> {
        let known = self.ingesters.now(&self.metrics);
        if let Some(only) = known.only() {
            return append::append(batch, (tenant, &limits), &*only.client, &self.metrics, outcome).await;
        }
        let write = Write::new(tenant.clone(), limits, batch, known);
        outcome.merge(write.run(self.config.write_timeout(), &self.detached, &self.metrics).await?);
        Ok(())
    }

    fn check_sample_rate(&self, tenant: &TenantId, limits: &Limits, entries: u64) -> Result<()> {
        let rate = Rate::new(limits.ingestion_rate, limits.ingestion_burst).share((self.distributors)());
        if self.sample_rates.admit(tenant.clone(), rate, self.clock.monotonic(), entries) {
            return Ok(());
        }
        self.metrics.rate_limited_samples.inc_by(entries);
        self.tenants.refused(tenant, Signal::Metrics, entries);
        Err(Error::new(
            Code::RateLimited,
            format!(
                "ingestion rate limit ({} samples/s, burst {}) exceeded by a request of {entries} samples \
                 (limits.ingestion_rate)",
                limits.ingestion_rate, limits.ingestion_burst
            ),
        ))
    }

    fn check_log_rate(&self, tenant: &TenantId, limits: &Limits, lines: u64, bytes: u64) -> Result<()> {
        let rate = Rate::new(limits.log_rate as f64, limits.log_burst).share((self.distributors)());
        if self.log_rates.admit(tenant.clone(), rate, self.clock.monotonic(), bytes) {
            return Ok(());
        }
        self.metrics.rate_limited_lines.inc_by(lines);
        self.tenants.refused(tenant, Signal::Logs, lines);
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
    /// through what fits, and it is not shared out: a stream's agent keeps its connection to one distributor.
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
        let rate = Rate::new(limits.stream_rate as f64, limits.stream_burst);
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
        self.tenants.received(tenant, Signal::Metrics, entries);
        if self.is_duplicate(tenant, &limits, &mut batch).await? {
            self.metrics.ha_dropped_samples.inc_by(entries);
            return Ok(PushOutcome { ha_duplicate: true, ..batch.counts() });
        }
        self.check_sample_rate(tenant, &limits, entries)?;

        let mut outcome = PushOutcome::default();
        let bounds = Bounds::new(&limits, self.clock.now_ms());
        samples::drop_out_of_bounds(&mut batch, bounds, &self.metrics, &mut outcome);
        histograms::drop_invalid(&mut batch, &self.metrics, &mut outcome);
        starts::forget_impossible(&mut batch);
        self.metrics.dropped_annexes.inc_by(annexes::drop_too_long(&mut batch));
        self.append(tenant, limits, batch, &mut outcome).await?;
        self.metrics.refused_entries.inc_by(outcome.rejected);
        self.tenants.refused(tenant, Signal::Metrics, outcome.rejected);
        Ok(outcome)
    }
}

#[async_trait]
impl PushLogs for Distributor {
    async fn push_logs(&self, tenant: &TenantId, mut batch: LogBatch) -> Result<PushOutcome> {
        let limits = self.limits.limits(tenant);
        self.metrics.received_lines.inc_by(batch.entries.len() as u64);
        self.tenants.received(tenant, Signal::Logs, batch.entries.len() as u64);
        self.metrics.received_line_bytes.inc_by(line_bytes(&batch));

        // As in Loki only good lines count against the rate.
        let mut outcome = PushOutcome::default();
        let bounds = Bounds::new(&limits, self.clock.now_ms());
        lines::drop_out_of_bounds(&mut batch, &limits, bounds, &self.metrics, &mut outcome);
        self.check_log_rate(tenant, &limits, batch.entries.len() as u64, line_bytes(&batch))?;
        self.limit_streams(tenant, &limits, &mut batch, &mut outcome);
        if !batch.entries.is_empty() {
            self.append(tenant, limits, batch, &mut outcome).await?;
        }
        self.metrics.refused_entries.inc_by(outcome.rejected);
        self.tenants.refused(tenant, Signal::Logs, outcome.rejected);
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
