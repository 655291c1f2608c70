//! Bounds on one query and on all of them: places, time, memory.

use crate::state::{ApiState, ReadConfig};
use model::TenantId;
use service_api::{Code, Error, ReadContext, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// The places in which queries run, and the queue before them.
#[derive(Clone, Debug)]
pub struct QuerySlots {
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
}

impl QuerySlots {
    pub fn new(config: &ReadConfig) -> Self {
        let places = config.max_concurrent_queries.clamp(1, Semaphore::MAX_PERMITS);
        let running = Arc::new(Semaphore::new(places));
        Self { running, waiting: Arc::default(), max_waiting: config.max_queued_queries }
    }

    async fn take(&self) -> Result<tokio::sync::OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(place);
        }
        let waiting = Waiting(Arc::clone(&self.waiting));
        if waiting.0.fetch_add(1, Ordering::Relaxed) >= self.max_waiting {
            return Err(Error::unavailable("too many queries are running and waiting; try again later"));
        }
        let place = Arc::clone(&self.running).acquire_owned().await;
        place.map_err(|_| Error::unavailable("the process is stopping"))
    }
}

/// Counts one that waits, for as long as it waits (its client may go away meanwhile).
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
    let limits = state.deps.limits.limits(tenant);
    let timeout = timeout.map_or(limits.query_timeout(), |t| t.min(limits.query_timeout()));
    let ctx = ReadContext::new(tenant.clone(), limits.query_memory);
    let _cancel = ctx.cancel.clone().drop_guard();
    let _timer = Timer::start(&ctx, timeout);
    let started = AtomicBool::new(false);
    let answer = async {
        let _place = state.slots.take().await?;
        started.store(true, Ordering::Relaxed);
        work(&ctx).await
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
