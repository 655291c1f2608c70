//! Checks, limits and places incoming writes.

mod annexes;
mod histograms;
mod labels;
mod rate;
mod retain;
mod samples;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use model::{Labels, LabelsBuilder, TenantId};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use rate::Rates;
use runtime::Clock;
use service_api::{
    Code, Error, Ingest, Limits, LimitsSource, Push, PushOutcome, RejectReason, Rejection, Result, WriteBatch,
};
use std::sync::Arc;

/// The public side of a write.
pub struct Distributor {
    ingester: Arc<dyn Ingest>,
    limits: Arc<dyn LimitsSource>,
    clock: Arc<dyn Clock>,
    rates: Rates,
    metrics: Metrics,
}

#[derive(Default)]
struct Metrics {
    received_samples: Counter,
    refused_entries: Counter,
    rate_limited_samples: Counter,
    dropped_annexes: Counter,
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("yagura_distributor");
        registry.register(
            "received_samples",
            "Samples received, refused ones included",
            self.received_samples.clone(),
        );
        registry.register("refused_entries", "Entries refused one by one", self.refused_entries.clone());
        registry.register(
            "rate_limited_samples",
            "Samples refused because the tenant was over its rate",
            self.rate_limited_samples.clone(),
        );
        registry.register(
            "dropped_annexes",
            "Exemplars and metadata dropped because they were too long",
            self.dropped_annexes.clone(),
        );
    }
}

impl Distributor {
    pub fn new(
        ingester: Arc<dyn Ingest>,
        limits: Arc<dyn LimitsSource>,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        let metrics = Metrics::default();
        metrics.register(registry);
        Self { ingester, limits, clock, rates: Rates::default(), metrics }
    }

    fn check_rate(&self, tenant: &TenantId, limits: &Limits, entries: u64) -> Result<()> {
        if self.rates.admit(tenant, limits, self.clock.monotonic(), entries) {
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

    /// The checked labels of the series that the ingester did not know. Series with bad
    /// labels are refused here, with all their entries.
    fn name(
        &self,
        batch: &WriteBatch,
        unknown: &[u32],
        limits: &Limits,
        outcome: &mut PushOutcome,
    ) -> Result<Vec<(u32, Labels)>> {
        let mut builder = LabelsBuilder::new();
        let mut named = Vec::with_capacity(unknown.len());
        for &index in unknown {
            match labels::read(batch, index as usize, limits, &mut builder)? {
                Ok(labels) => named.push((index, labels)),
                Err(rejection) => {
                    let series = &batch.series[index as usize];
                    let entries = series.samples.len() + series.histograms.len() + series.exemplars.len();
                    outcome.reject((entries as u64).max(1), || rejection);
                }
            }
        }
        Ok(named)
    }
}

#[async_trait]
impl Push for Distributor {
    async fn push(&self, tenant: &TenantId, mut batch: WriteBatch) -> Result<PushOutcome> {
        let limits = self.limits.limits(tenant);
        let entries = (batch.samples.len() + batch.histograms.len()) as u64;
        self.metrics.received_samples.inc_by(entries);
        self.check_rate(tenant, &limits, entries)?;

        let mut outcome = PushOutcome::default();
        samples::drop_out_of_bounds(&mut batch, &limits, self.clock.now_ms(), &mut outcome);
        histograms::drop_invalid(&mut batch, &mut outcome);
        self.metrics.dropped_annexes.inc_by(annexes::drop_too_long(&mut batch));
        let batch = Arc::new(batch);
        let appended = self.ingester.append(tenant, Arc::clone(&batch), None).await?;
        outcome.merge(appended.pushed);
        if !appended.unknown.is_empty() {
            let named = self.name(&batch, &appended.unknown, &limits, &mut outcome)?;
            if !named.is_empty() {
                let appended = self.ingester.append(tenant, batch, Some(named)).await?;
                outcome.merge(appended.pushed);
            }
        }
        self.metrics.refused_entries.inc_by(outcome.rejected);
        Ok(outcome)
    }
}

/// The labels of a series for a message to its sender: as sent, checked or not.
fn labels_for_message(batch: &WriteBatch, index: usize) -> Labels {
    let mut builder = LabelsBuilder::new();
    // Labels that cannot be read are refused elsewhere; here an empty set will do.
    let _ = batch.labels.pairs(index, &mut |name, value| {
        builder.set(name, value);
    });
    builder.build()
}

/// One refused entry of series `index`.
fn entry_rejection(batch: &WriteBatch, index: usize, reason: RejectReason, timestamp: i64) -> Rejection {
    Rejection { reason, labels: labels_for_message(batch, index), timestamp: Some(timestamp) }
}
