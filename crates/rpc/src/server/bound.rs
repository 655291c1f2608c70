//! Counts the bytes of appends as they arrive, and refuses those that would be too many.

use crate::metrics::Metrics;
use futures::{StreamExt, future::BoxFuture};
use http::{Request, Response};
use http_body_util::{BodyStream, StreamBody};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tonic::{Status, body::Body, server::NamedService};
use tower::Service;

/// Bytes that all appends of a server may hold.
pub struct Bound {
    limit: u64,
    used: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Bound {
    pub fn new(limit: u64, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0), metrics })
    }
}

/// What one append holds; given back when it is answered.
struct Held {
    of: Arc<Bound>,
    bytes: AtomicU64,
}

impl Held {
    fn grow(&self, bytes: usize) -> Result<(), Status> {
        let bytes = bytes as u64;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.of.metrics.in_flight_bytes.inc_by(bytes as i64);
        let before = self.of.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.of.limit {
            return Err(Status::unavailable("too many appends are under way"));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        self.of.used.fetch_sub(bytes, Ordering::Relaxed);
        self.of.metrics.in_flight_bytes.dec_by(bytes as i64);
    }
}

/// A service whose requests are counted.
#[derive(Clone)]
pub struct Bounded<S> {
    inner: S,
    bound: Arc<Bound>,
}

impl<S> Bounded<S> {
    pub fn new(inner: S, bound: Arc<Bound>) -> Self {
        Self { inner, bound }
    }
}

impl<S: NamedService> NamedService for Bounded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let held = Arc::new(Held { of: Arc::clone(&self.bound), bytes: AtomicU64::new(0) });
        let body_held = Arc::clone(&held);
        let request = request.map(|body| {
            Body::new(StreamBody::new(BodyStream::new(body).map(move |frame| {
                let frame = frame?;
                body_held.grow(frame.data_ref().map_or(0, bytes::Bytes::len))?;
                Ok::<_, Status>(frame)
            })))
        });
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(held);
            answer
        })
    }
}
