//! What the API counts of itself.

use crate::{
    complaints::{Complaint, Complaints},
    query::slots::QueryMetrics,
};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use runtime::Clock;
use std::sync::Arc;

/// Requests by route, and how long they took until their answer began.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<Answered, Counter>,
    durations: Family<Route, Histogram>,
    pub(crate) queries: QueryMetrics,
}

/// Upper bounds in seconds, from what a write takes to what a query may.
const SECONDS: [f64; 11] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0];

/// Routes as they are declared, not paths as they are asked: their number is bounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

impl HttpMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            queries: QueryMetrics::register(registry),
        };
        let help = "HTTP requests by route and status";
        registry.register("yagura_http_requests", help, metrics.requests.clone());
        let help = "Seconds from an HTTP request to the start of its answer";
        registry.register("yagura_http_request_duration_seconds", help, metrics.durations.clone());
        metrics
    }

    fn observe(&self, route: String, status: u16, seconds: f64) {
        self.requests.get_or_create(&Answered { route: route.clone(), status }).inc();
        self.durations.get_or_create(&Route { route }).observe(seconds);
    }
}

/// What the middleware needs.
#[derive(Clone)]
pub struct Observer {
    metrics: HttpMetrics,
    clock: Arc<dyn Clock>,
    complaints: Complaints,
}

impl Observer {
    pub fn new(metrics: HttpMetrics, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, complaints: Complaints::new(Arc::clone(&clock)), clock }
    }
}

pub async fn observe(State(observer): State<Observer>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("unknown", MatchedPath::as_str).to_owned();
    let start = observer.clock.monotonic();
    let response = next.run(request).await;
    let took = observer.clock.monotonic().saturating_sub(start);
    if let Some(Complaint(error)) = response.extensions().get() {
        observer.complaints.log(error, &route);
    }
    observer.metrics.observe(route, response.status().as_u16(), took.as_secs_f64());
    response
}
