//! Bounds on one query and on all of them: places, time, memory.

use crate::state::{ApiState, ReadConfig};
use model::TenantId;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use service_api::{Code, Error, ReadContext, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places in which queries run, and the queue before them.
#[derive(Clone, Debug)]
pub struct QuerySlots {
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
    metrics: QueryMetrics,
}

/// How busy the places are.
#[derive(Clone, Debug, Default)]
pub struct QueryMetrics {
    running: Gauge,
    waiting: Gauge,
    refused: Counter,
}

impl QueryMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Queries that run, or whose answer is being sent";
        registry.register("yagura_queries_running", help, metrics.running.clone());
        let help = "Queries that wait for a place";
        registry.register("yagura_queries_waiting", help, metrics.waiting.clone());
        let help = "Queries refused because too many were running and waiting";
        registry.register("yagura_queries_refused", help, metrics.refused.clone());
        metrics
    }
}

/// A query's place. Whoever sends the answer keeps it until the answer is out: until then
/// the result is in memory.
#[derive(Debug)]
pub struct Place {
    running: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.dec();
    }
}

impl QuerySlots {
    pub fn new(config: &ReadConfig, metrics: QueryMetrics) -> Self {
        let places = config.max_concurrent_queries.clamp(1, Semaphore::MAX_PERMITS);
        let running = Arc::new(Semaphore::new(places));
        Self { running, waiting: Arc::default(), max_waiting: config.max_queued_queries, metrics }
    }

    async fn take(&self) -> Result<Place> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(self.place(permit));
        }
        let waiting = Waiting { count: Arc::clone(&self.waiting), gauge: self.metrics.waiting.clone() };
        waiting.gauge.inc();
        if waiting.count.fetch_add(1, Ordering::Relaxed) >= self.max_waiting {
            self.metrics.refused.inc();
            return Err(Error::unavailable("too many queries are running and waiting; try again later"));
        }
        let permit = Arc::clone(&self.running).acquire_owned().await;
        Ok(self.place(permit.map_err(|_| Error::unavailable("the process is stopping"))?))
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        self.metrics.running.inc();
        Place { running: self.metrics.running.clone(), _permit: permit }
    }
}

/// Counts one that waits, for as long as it waits (its client may go away meanwhile).
struct Waiting {
    count: Arc<AtomicUsize>,
    gauge: Gauge,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.gauge.dec();
    }
}

/// Runs `work` in a place of its own with the tenant's memory budget and until its timeout,
/// or until the client goes away (then this future is dropped, which cancels the work).
pub async fn run<T>(
    state: &ApiState,
    tenant: &TenantId,
    timeout: Option<Duration>,
    work: impl AsyncFnOnce(&ReadContext) -> Result<T>,
) -> Result<T> {
    run_keeping_place(state, tenant, timeout, work).await.map(|(found, _place)| found)
}

/// As `run`, for an answer that may be large and is sent piece by piece.
pub async fn run_keeping_place<T>(
    state: &ApiState,
    tenant: &TenantId,
    timeout: Option<Duration>,
    work: impl AsyncFnOnce(&ReadContext) -> Result<T>,
) -> Result<(T, Place)> {
    let limits = state.deps.limits.limits(tenant);
    let timeout = timeout.map_or(limits.query_timeout(), |t| t.min(limits.query_timeout()));
    let ctx = ReadContext::new(tenant.clone(), limits.query_memory);
    let _cancel = ctx.cancel.clone().drop_guard();
    let _timer = Timer::start(&ctx, timeout);
    let started = AtomicBool::new(false);
    let answer = async {
        let place = state.slots.take().await?;
        started.store(true, Ordering::Relaxed);
        Ok((work(&ctx).await?, place))
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        () = ctx.cancel.cancelled() => {
            let stage = if started.load(Ordering::Relaxed) { "expression evaluation" } else { "query queue" };
            Err(Error::new(Code::Timeout, format!("query timed out in {stage}")))
        }
    }
}

/// Runs CPU work where it keeps no other request waiting.
pub async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::internal(format!("a query's work failed: {e}")))
}

/// Ends a query when its time is up. A task of its own, so that it fires even while the
/// query keeps its own task busy.
struct Timer(tokio::task::JoinHandle<()>);

impl Timer {
    fn start(ctx: &ReadContext, timeout: Duration) -> Self {
        let (cancel, timed_out) = (ctx.cancel.clone(), Arc::clone(&ctx.timed_out));
        Self(tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            timed_out.store(true, Ordering::Relaxed);
            cancel.cancel();
        }))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
