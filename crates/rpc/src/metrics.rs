//! What is counted of calls, on either side.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use runtime::Clock;
use service_api::{Code, Result};
use std::{sync::Arc, time::Duration};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    method: &'static str,
    code: &'static str,
}

/// Of all clients of a pool, or of a server.
pub struct Metrics {
    requests: Family<Method, Counter>,
    errors: Family<Failure, Counter>,
    seconds: Family<Method, Histogram, fn() -> Histogram>,
    pub in_flight_bytes: Gauge,
    clock: Arc<dyn Clock>,
}

impl Metrics {
    /// `side` is `client` or `server`.
    pub fn register(side: &str, clock: Arc<dyn Clock>, registry: &mut Registry) -> Arc<Self> {
        let registry = registry.sub_registry_with_prefix("yagura_rpc").sub_registry_with_prefix(side);
        let metrics = Self {
            requests: Family::default(),
            errors: Family::default(),
            seconds: Family::new_with_constructor(buckets),
            in_flight_bytes: Gauge::default(),
            clock,
        };
        registry.register("requests", "Calls that ended, by method", metrics.requests.clone());
        registry.register("errors", "Calls that ended with an error, by code", metrics.errors.clone());
        let help = "How long calls took; those that stream, until their first message";
        registry.register("request_seconds", help, metrics.seconds.clone());
        let help = "Bytes of appends that are not answered yet";
        registry.register("in_flight_bytes", help, metrics.in_flight_bytes.clone());
        Arc::new(metrics)
    }

    /// Runs a call and counts it; one that is dropped on the way counts as canceled.
    pub async fn observe<T>(&self, method: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        let mut running = Running { metrics: self, method, start: self.clock.monotonic(), ended: None };
        let result = call.await;
        running.ended = Some(result.as_ref().err().map(|e| e.code));
        result
    }

    /// Counts an error of a stream that began well.
    pub fn failed(&self, method: &'static str, code: Code) {
        self.errors.get_or_create(&Failure { method, code: word(code) }).inc();
    }
}

struct Running<'a> {
    metrics: &'a Metrics,
    method: &'static str,
    start: Duration,
    ended: Option<Option<Code>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let (metrics, method) = (self.metrics, self.method);
        metrics.requests.get_or_create(&Method { method }).inc();
        let took = metrics.clock.monotonic().saturating_sub(self.start);
        metrics.seconds.get_or_create(&Method { method }).observe(took.as_secs_f64());
        if let Some(code) = self.ended.unwrap_or(Some(Code::Canceled)) {
            metrics.failed(method, code);
        }
    }
}

fn buckets() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

fn word(code: Code) -> &'static str {
    match code {
        Code::BadRequest => "bad_request",
        Code::Unauthenticated => "unauthenticated",
        Code::Forbidden => "forbidden",
        Code::NotFound => "not_found",
        Code::TooLarge => "too_large",
        Code::RateLimited => "rate_limited",
        Code::Unprocessable => "unprocessable",
        Code::Timeout => "timeout",
        Code::Canceled => "canceled",
        Code::Unavailable => "unavailable",
        Code::Internal => "internal",
    }
}
