//! Public HTTP and JSON shapes.

mod answer;
mod cardinality;
mod complaints;
mod error;
mod exemplars;
mod federate;
mod json;
mod labels;
mod loki;
mod metadata;
mod names;
mod ops;
mod otlp;
mod panics;
mod params;
mod push;
mod query;
mod remote_read;
mod state;
mod status;
mod telemetry;
mod tenant;
mod write;

#[cfg(test)]
mod tests;

pub use push::{parse_push_json, parse_push_protobuf};
pub use state::{Action, ApiConfig, BuildInfo, Deps, ReadConfig};
pub use telemetry::HttpMetrics;
pub use tenant::{Multitenancy, TENANT_HEADER, Tenant};
pub use write::WriteConfig;

use axum::{
    Router, middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use state::ApiState;
use std::sync::Arc;
use telemetry::Observer;
use tower_http::{CompressionLevel, compression::CompressionLayer};

/// Every public path, ready to be served.
pub fn router(deps: Deps) -> Router {
    let observer = Observer::new(deps.metrics.clone(), Arc::clone(&deps.clock));
    let state = ApiState::new(deps);
    Router::new()
        .nest("/api/v1", read_api())
        .nest("/prometheus/api/v1", read_api())
        .route("/federate", get(federate::federate))
        .nest("/loki/api/v1", loki::routes())
        // Prometheus compresses as fast as it can too; the time goes into the query.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .route("/api/v1/read", post(remote_read::read))
        .route("/prometheus/api/v1/read", post(remote_read::read))
        .route("/api/v1/user_stats", get(cardinality::user_stats))
        .nest("/loki/api/v1", loki::tail_routes())
        .merge(write::routes())
        .merge(push::routes())
        .merge(otlp::routes())
        .merge(ops::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(panics::contain))
        .layer(middleware::from_fn_with_state(observer, telemetry::observe))
        .with_state(state)
}

/// Prometheus's read API, under each of its prefixes.
fn read_api() -> Router<ApiState> {
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(exemplars::exemplars).post(exemplars::exemplars))
        .route("/format_query", get(query::format).post(query::format))
        .route("/parse_query", get(query::parse).post(query::parse))
        .route("/labels", get(labels::names).post(labels::names))
        .route("/label/{name}/values", get(labels::values))
        .route("/series", get(labels::series).post(labels::series))
        .route("/metadata", get(metadata::metadata))
        .route("/targets", get(status::targets))
        .route("/targets/metadata", get(status::target_metadata))
        .route("/scrape_pools", get(status::scrape_pools))
        .route("/alertmanagers", get(status::alertmanagers))
        .route("/rules", get(status::rules))
        .route("/alerts", get(status::alerts))
        .route("/status/buildinfo", get(status::build_info))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/tsdb", get(cardinality::tsdb))
        .route("/status/walreplay", get(status::wal_replay))
        .route("/cardinality/label_names", get(cardinality::label_names).post(cardinality::label_names))
        .route("/cardinality/label_values", get(cardinality::label_values).post(cardinality::label_values))
        .route("/admin/tsdb/delete_series", post(status::admin).put(status::admin))
        .route("/admin/tsdb/clean_tombstones", post(status::admin).put(status::admin))
        .route("/admin/tsdb/snapshot", post(status::admin).put(status::admin))
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

async fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n").into_response()
}
