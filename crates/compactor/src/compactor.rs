//! Makes rounds through all tenants.

use crate::{CompactorConfig, CompactorMetrics, Job, Owed, Plan, job::Worker, patience::Patience};
use block_store::{Manifest, Manifests, Ulid, apply_retention, collect_garbage};
use model::{Signal, TenantId, Timestamp};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use removal::Retention;
use runtime::Clock;
use service_api::{Error, LimitsSource, Result};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Objects are looked through so often at most: for each tenant that is a listing of all of them.
const GARBAGE_EVERY: Duration = Duration::from_secs(1800);

/// Longer than any query, and than any time between a block's upload and its listing.
const GRACE: Duration = Duration::from_secs(3600);

/// Of one tenant and signal in one round, so that nobody waits for all of another's.
const JOBS_AT_ONCE: usize = 8;

/// Days that are rolled up, likewise: each reads all of its blocks.
const ROLLUPS_AT_ONCE: usize = 4;

/// Blocks whose indexes are looked through in one round for what is to be left out, likewise.
const LOOKS_AT_ONCE: usize = 64;

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
        let limits = self.limits.limits(tenant);
        let retention = Retention::new(&limits);
        let retention = retention.map_err(|e| Error::internal(format!("limits.retention_rules: {e}")))?;
        if (self.owns)(tenant, signal, None) {
            seen.damaged += manifest.blocks.iter().filter(|block| block.damaged.is_some()).count();
            let forgets = self.forget(tenant, signal, &manifest, &retention).await?;
            if self.drop_rollups(tenant, signal, &manifest, limits.downsampling).await? || forgets {
                manifest = self.manifests.refresh(tenant, signal).await?;
            }
            if collects_garbage {
                let now = self.clock.now_ms();
                let collected = collect_garbage(&self.manifests, tenant, signal, now, GRACE).await?;
                self.metrics.removed_objects.inc_by(collected.blocks + collected.manifests);
            }
        }
        let (retention, now) = (Arc::new(retention), self.clock.now_ms());
        let owed = Owed { manifest, retention, now };
        let rolls_up = limits.downsampling && signal == Signal::Metrics;
        self.work(tenant, signal, &owed, rolls_up, stop, seen).await
    }

    /// Drops all figures of a tenant that is not to have any; false if there are none.
    async fn drop_rollups(
        &self,
        tenant: &TenantId,
        signal: Signal,
        manifest: &Manifest,
        may_have: bool,
    ) -> Result<bool> {
        let drops = !may_have && !manifest.rollups.is_empty();
        if drops {
            self.manifests.drop_rollups(tenant, signal, |_| true).await?;
        }
        Ok(drops)
    }

    /// Drops blocks of which all is past its retention, and what nobody needs to know any more of deletions;
    /// false if there is nothing.
    async fn forget(
        &self,
        tenant: &TenantId,
        signal: Signal,
        manifest: &Manifest,
        retention: &Retention,
    ) -> Result<bool> {
        let now = self.clock.now_ms();
        let is_up = |oldest: &Timestamp| manifest.blocks.iter().any(|block| block.max_time < *oldest);
        let oldest = retention.oldest(now).filter(is_up);
        if let Some(oldest) = oldest {
            let expired = apply_retention(&self.manifests, tenant, signal, oldest).await?;
            self.metrics.expired_blocks.inc_by(expired.len() as u64);
        }
        let forgets = manifest.without_old_deletions(now).is_some();
        if forgets {
            let forget = |current: &Manifest| current.without_old_deletions(now);
            self.manifests.update(tenant, signal, forget).await?;
        }
        Ok(oldest.is_some() || forgets)
    }

    /// Does of what is to be done as much as one round does.
    async fn work(
        &self,
        tenant: &TenantId,
        signal: Signal,
        owed: &Owed,
        rolls_up: bool,
        stop: &CancellationToken,
        seen: &mut Seen,
    ) -> Result<()> {
        let plan = Plan {
            owed,
            delay: Duration::from_secs(self.config.delay),
            block_bytes: self.config.block_bytes,
        };
        let mut merges = plan.merges(tenant, signal);
        let mut rewrites = plan.rewrites(tenant, signal, &merges);
        let mut rollups = if rolls_up { plan.rollups(tenant, &merges) } else { Vec::new() };
        self.keep_ours(&mut merges);
        self.keep_ours(&mut rollups);
        self.keep_ours(&mut rewrites);
        let worker = Worker {
            manifests: &self.manifests,
            owed,
            config: &self.config,
            new_id: &*self.new_id,
            metrics: &self.metrics,
            stop,
        };
        seen.waiting += self.settle(&worker, &rewrites).await?;
        for job in merges.iter().take(JOBS_AT_ONCE) {
            if stop.is_cancelled() {
                return Ok(());
            }
            self.attempt(&worker, job, worker.run(job), &self.metrics.failed_merges).await;
        }
        for job in rollups.iter().take(ROLLUPS_AT_ONCE) {
            if stop.is_cancelled() {
                return Ok(());
            }
            self.attempt(&worker, job, worker.roll_up(job), &self.metrics.failed_rollups).await;
        }
        seen.waiting += merges.len().saturating_sub(JOBS_AT_ONCE);
        seen.waiting += rollups.len().saturating_sub(ROLLUPS_AT_ONCE);
        Ok(())
    }

    /// What is to be done here, and has not failed just now.
    fn keep_ours(&self, jobs: &mut Vec<Job>) {
        let (now, patience) = (self.clock.monotonic(), self.patience.lock());
        let ours = |job: &Job| (self.owns)(&job.tenant, job.signal, Some(job.day()));
        jobs.retain(|job| ours(job) && patience.may_try(job, now));
    }

    /// Writes blocks again that hold what is to be left out of them, and notes of the others that they do not: of
    /// all in one step, for a deletion can concern thousands that it does not touch. Gives how many wait.
    async fn settle(&self, worker: &Worker<'_>, rewrites: &[Job]) -> Result<usize> {
        let (mut settled, mut looked, mut written) = (Vec::new(), 0, 0);
        for job in rewrites.iter().take(LOOKS_AT_ONCE) {
            if worker.stop.is_cancelled() || written == JOBS_AT_ONCE {
                break;
            }
            looked += 1;
            match self.attempt(worker, job, worker.settle(job), &self.metrics.failed_merges).await {
                Some(Some(one)) => settled.extend(job.inputs.iter().map(|input| (input.id, one.clone()))),
                _ => written += 1,
            }
        }
        if let Some(job) = rewrites.first().filter(|_| !settled.is_empty()) {
            self.manifests.settle(&job.tenant, job.signal, &settled).await?;
            self.metrics.settled_blocks.inc_by(settled.len() as u64);
        }
        Ok(rewrites.len() - looked)
    }

    /// What a job gives; none if it failed, which is counted, and is to be tried again later.
    async fn attempt<T>(
        &self,
        worker: &Worker<'_>,
        job: &Job,
        done: impl Future<Output = Result<T>>,
        failures: &Counter,
    ) -> Option<T> {
        match done.await {
            Ok(done) => {
                self.patience.lock().done(job);
                return Some(done);
            }
            Err(_) if worker.stop.is_cancelled() => {}
            Err(error) => {
                failures.inc();
                let wait = self.patience.lock().failed(job, self.clock.monotonic());
                let Job { tenant, signal, window, inputs } = job;
                tracing::warn!(
                    %tenant, %signal, window = window.start, inputs = inputs.len(), %error,
                    "a merge or a rollup failed; it is tried again in {wait:?}"
                );
            }
        }
        None
    }
}
