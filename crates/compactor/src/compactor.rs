//! Makes rounds through all tenants.

use crate::{CompactorConfig, CompactorMetrics, Job, Plan, job::Worker, patience::Patience};
use block_store::{Manifest, Manifests, Ulid, apply_retention, collect_garbage};
use model::{Signal, TenantId, Timestamp};
use parking_lot::Mutex;
use runtime::Clock;
use service_api::{LimitsSource, Result};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Objects are looked through so often at most: for each tenant that is a listing of all of them.
const GARBAGE_EVERY: Duration = Duration::from_secs(1800);

/// Longer than any query, and than any time between a block's upload and its listing.
const GRACE: Duration = Duration::from_secs(3600);

/// Of one tenant and signal in one round, so that nobody waits for all of another's.
const JOBS_AT_ONCE: usize = 8;

/// Whether this process does what is to be done for a tenant's signal, of the day that begins then; if there is
/// none, what is to be done for all of it.
pub type Owns = Arc<dyn Fn(&TenantId, Signal, Option<Timestamp>) -> bool + Send + Sync>;

pub struct Compactor {
    config: CompactorConfig,
    manifests: Arc<Manifests>,
    limits: Arc<dyn LimitsSource>,
    clock: Arc<dyn Clock>,
    new_id: Arc<dyn Fn() -> Ulid + Send + Sync>,
    owns: Owns,
    metrics: CompactorMetrics,
    patience: Mutex<Patience>,
}

/// What a round has seen.
#[derive(Debug, Default)]
struct Seen {
    /// Jobs of ours that were not done.
    waiting: usize,
    damaged: usize,
    failed: bool,
}

impl Compactor {
    pub fn new(
        config: CompactorConfig,
        manifests: Arc<Manifests>,
        limits: Arc<dyn LimitsSource>,
        clock: Arc<dyn Clock>,
        new_id: Arc<dyn Fn() -> Ulid + Send + Sync>,
        owns: Owns,
        metrics: CompactorMetrics,
    ) -> Self {
        Self { config, manifests, limits, clock, new_id, owns, metrics, patience: Mutex::default() }
    }

    /// Makes its rounds, the first one at once, until it is to stop. What it is at then is given up.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Infallible> {
        let mut garbage_at = Duration::ZERO;
        while !stop.is_cancelled() {
            let now = self.clock.monotonic();
            let collects = now >= garbage_at;
            if collects {
                garbage_at = now + GARBAGE_EVERY;
            }
            let waiting = self.round(collects, &stop).await;
            // Where there is more to do than a round does, the next one follows.
            let pause = if waiting > 0 { Duration::from_millis(100) } else { self.config.interval() };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Does for each tenant what is to be done and ours. Gives how many jobs wait that can be done now; a tenant
    /// whose turn failed has none.
    pub async fn round(&self, collects_garbage: bool, stop: &CancellationToken) -> usize {
        let mut seen = Seen::default();
        match stop.run_until_cancelled(self.manifests.tenants()).await {
            None => return 0,
            Some(Err(error)) => self.failed(&mut seen, None, &error),
            Some(Ok(tenants)) => {
                for (tenant, signal) in tenants.iter().flat_map(|t| Signal::ALL.map(|signal| (t, signal))) {
                    if stop.is_cancelled() {
                        return 0;
                    }
                    if let Err(error) = self.tenant(tenant, signal, collects_garbage, stop, &mut seen).await
                        && !stop.is_cancelled()
                    {
                        self.failed(&mut seen, Some(tenant), &error);
                    }
                }
            }
        }
        self.patience.lock().forget(self.clock.monotonic());
        self.metrics.waiting_jobs.set(seen.waiting as i64);
        self.metrics.damaged_blocks.set(seen.damaged as i64);
        if !seen.failed {
            self.metrics.last_round.set(self.clock.now_ms() / 1000);
        }
        seen.waiting
    }

    fn failed(&self, seen: &mut Seen, tenant: Option<&TenantId>, error: &service_api::Error) {
        seen.failed = true;
        self.metrics.failed_rounds.inc();
        let tenant = tenant.map(TenantId::as_str);
        tracing::warn!(tenant, %error, "a compactor's round failed; the next one tries again");
    }

    async fn tenant(
        &self,
        tenant: &TenantId,
        signal: Signal,
        collects_garbage: bool,
        stop: &CancellationToken,
        seen: &mut Seen,
    ) -> Result<()> {
        // Asked once a round, for of ten thousand tenants each question is one of ten thousand.
        let mut manifest = self.manifests.refresh(tenant, signal).await?;
        if (self.owns)(tenant, signal, None) {
            seen.damaged += manifest.blocks.iter().filter(|block| block.damaged.is_some()).count();
            if self.expire(tenant, signal, &manifest).await? {
                manifest = self.manifests.refresh(tenant, signal).await?;
            }
            if collects_garbage {
                let now = self.clock.now_ms();
                let collected = collect_garbage(&self.manifests, tenant, signal, now, GRACE).await?;
                self.metrics.removed_objects.inc_by(collected.blocks + collected.manifests);
            }
        }
        self.merge(tenant, signal, &manifest, stop, seen).await;
        Ok(())
    }

    /// Drops what is past its retention; false if nothing is.
    async fn expire(&self, tenant: &TenantId, signal: Signal, manifest: &Manifest) -> Result<bool> {
        let now = self.clock.now_ms();
        let retention = Duration::from_secs(self.limits.limits(tenant).retention);
        let oldest = now.saturating_sub_unsigned(retention.as_millis().try_into().unwrap_or(u64::MAX));
        if retention.is_zero() || manifest.blocks.iter().all(|block| block.max_time >= oldest) {
            return Ok(false);
        }
        let expired = apply_retention(&self.manifests, tenant, signal, now, retention).await?;
        self.metrics.expired_blocks.inc_by(expired.len() as u64);
        Ok(true)
    }

    async fn merge(
        &self,
        tenant: &TenantId,
        signal: Signal,
        manifest: &Manifest,
        stop: &CancellationToken,
        seen: &mut Seen,
    ) {
        let mut jobs = self.jobs(tenant, signal, manifest);
        let left = jobs.split_off(jobs.len().min(JOBS_AT_ONCE));
        for job in &jobs {
            if stop.is_cancelled() {
                return;
            }
            self.work(job, stop).await;
        }
        seen.waiting += left.len();
    }

    /// What is to be done here, and has not failed just now.
    fn jobs(&self, tenant: &TenantId, signal: Signal, manifest: &Manifest) -> Vec<Job> {
        let plan = Plan {
            now: self.clock.now_ms(),
            delay: Duration::from_secs(self.config.delay),
            block_bytes: self.config.block_bytes,
        };
        let (now, patience) = (self.clock.monotonic(), self.patience.lock());
        let ours = |job: &Job| (self.owns)(tenant, signal, Some(job.day()));
        let mut jobs = plan.jobs(tenant, signal, &manifest.blocks);
        jobs.retain(|job| ours(job) && patience.may_try(job, now));
        jobs
    }

    async fn work(&self, job: &Job, stop: &CancellationToken) {
        let worker = Worker {
            manifests: &self.manifests,
            config: &self.config,
            new_id: &*self.new_id,
            metrics: &self.metrics,
            stop,
        };
        match worker.run(job).await {
            Ok(()) => self.patience.lock().done(job),
            Err(_) if stop.is_cancelled() => {}
            Err(error) => {
                self.metrics.failed_merges.inc();
                let wait = self.patience.lock().failed(job, self.clock.monotonic());
                let Job { tenant, signal, window, inputs } = job;
                tracing::warn!(
                    %tenant, %signal, window = window.start, inputs = inputs.len(), %error,
                    "blocks could not be merged; trying again in {wait:?}"
                );
            }
        }
    }
}
