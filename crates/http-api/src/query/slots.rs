//! Bounds on one query and on all of them: places, time, memory.

mod queue;

use crate::{
    state::{ApiState, ReadConfig},
    tenant::Tenants,
};
use model::TenantId;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use queue::{Queue, Wait};
use service_api::{Code, Error, ReadContext, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The places in which queries run, and the queue before them.
#[derive(Clone, Debug)]
pub struct QuerySlots {
    queue: Arc<Queue>,
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
    queue: Arc<Queue>,
    tenant: TenantId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.leave(&self.tenant);
    }
}

impl QuerySlots {
    /// With `many_tenants` none of them can hold all places, or fill all of the queue.
    pub fn new(config: &ReadConfig, many_tenants: bool, metrics: QueryMetrics) -> Self {
        Self { queue: Arc::new(Queue::new(config, many_tenants, metrics)) }
    }

    /// Waits for a place. `bound` is how many the tenant may have at once; 0 is no bound.
    async fn take(&self, tenant: &TenantId, bound: u64) -> Result<Place> {
        match Queue::enter(&self.queue, tenant, bound)? {
            Wait::Over(place) => Ok(place),
            Wait::For(turn) => turn.await,
        }
    }
}

/// Runs `work` in a place of its own with the tenants' memory budget and until its timeout,
/// or until the client goes away (then this future is dropped, which cancels the work).
pub async fn run<T>(
    state: &ApiState,
    tenants: &Tenants,
    timeout: Option<Duration>,
    work: impl AsyncFnOnce(&ReadContext) -> Result<T>,
) -> Result<T> {
    run_keeping_place(state, tenants, timeout, work).await.map(|(found, _place)| found)
}

/// As `run`, for an answer that may be large and is sent piece by piece.
pub async fn run_keeping_place<T>(
    state: &ApiState,
    tenants: &Tenants,
    timeout: Option<Duration>,
    work: impl AsyncFnOnce(&ReadContext) -> Result<T>,
) -> Result<(T, Place)> {
    let limits = state.limits(tenants);
    let timeout = timeout.map_or(limits.query_timeout(), |t| t.min(limits.query_timeout()));
    let ctx = tenants.context(&limits);
    let _cancel = ctx.cancel.clone().drop_guard();
    let _deadline = ctx.end_after(timeout);
    let started = AtomicBool::new(false);
    let answer = async {
        let place = state.slots.take(&tenants.first, limits.max_concurrent_queries).await?;
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
    runtime::blocking(work).await.map_err(|e| Error::internal(format!("a query's work failed: {e}")))
}
