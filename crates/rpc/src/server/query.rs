//! One read while it is answered: its limits, its end.

use crate::{metrics::Metrics, status::to_status};
use futures::stream::{self, BoxStream, StreamExt};
use model::TenantId;
use service_api::{Code, Error, LimitsSource, ReadContext, Result};
use std::sync::{Arc, atomic::Ordering};
use tokio::time::Instant;
use tokio_util::sync::DropGuard;
use tonic::Status;

/// Dropped when the caller goes away, which ends the work.
pub struct Query {
    pub ctx: ReadContext,
    deadline: Option<Instant>,
    _cancel: DropGuard,
}

impl Query {
    /// With the tenant's limits of memory and time.
    pub fn new(limits: &dyn LimitsSource, tenant: TenantId) -> Self {
        let limits = limits.limits(&tenant);
        let ctx = ReadContext::within(tenant, &limits);
        let deadline = Instant::now().checked_add(limits.query_timeout());
        let _cancel = ctx.cancel.clone().drop_guard();
        Self { ctx, deadline, _cancel }
    }

    /// Runs a part of the query, until its time is up.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(deadline) = self.deadline else { return work.await };
        tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_| {
            self.ctx.timed_out.store(true, Ordering::Relaxed);
            self.ctx.cancel.cancel();
            Err(Error::new(Code::Timeout, "the query took too long"))
        })
    }

    /// Sends `messages`, each of which is made, off the async threads, when the one before is gone.
    pub fn stream<T: Send + 'static>(
        self,
        metrics: Arc<Metrics>,
        method: &'static str,
        messages: impl Iterator<Item = Result<T>> + Send + 'static,
    ) -> BoxStream<'static, Result<T, Status>> {
        let next = move |(query, messages): (Self, _)| async move {
            let made = query.within(next_of(messages)).await;
            made.map(|(message, messages)| message.map(|message| (message, (query, messages))))
        };
        counted(metrics, method, stream::try_unfold((self, messages), next))
    }
}

/// Takes the next of messages that are made by computing.
async fn next_of<T, I>(mut messages: I) -> Result<(Option<T>, I)>
where
    T: Send + 'static,
    I: Iterator<Item = Result<T>> + Send + 'static,
{
    blocking(move || Ok((messages.next().transpose()?, messages))).await
}

/// Runs what computes for long where it holds nobody up.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = runtime::blocking(work).await;
    done.unwrap_or_else(|_| Err(Error::internal("the work for an answer broke off")))
}

/// The messages of an answer, errors counted and as gRPC has them.
pub fn counted<T: Send + 'static>(
    metrics: Arc<Metrics>,
    method: &'static str,
    messages: impl futures::Stream<Item = Result<T>> + Send + 'static,
) -> BoxStream<'static, Result<T, Status>> {
    let status = move |message: Result<T>| {
        message.map_err(|error| {
            metrics.failed(method, error.code);
            to_status(&error)
        })
    };
    messages.map(status).boxed()
}
