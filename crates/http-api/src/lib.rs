//! Public HTTP and JSON shapes.

mod answer;
mod auth;
mod cardinality;
mod complaints;
mod deletions;
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
mod results;
mod ring;
mod rules;
mod state;
mod status;
mod telemetry;
mod tenant;
mod write;

#[cfg(test)]
mod tests;

pub use auth::{Auth, AuthConfig, Grants, TenantSet, Token, Tokens};
pub use push::{parse_push_json, parse_push_protobuf};
pub use results::{ResultCache, ResultMetrics};
pub use ring::RoleRing;
pub use state::{Action, ApiConfig, BuildInfo, Departs, Deps, ReadConfig, Serves};
pub use telemetry::HttpMetrics;
pub use tenant::{Multitenancy, TENANT_HEADER, Tenant};
pub use write::WriteConfig;

use auth::{Guard, Routes};
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
    let auth = deps.auth.clone();
    let (router, access) = routes(deps.serves).into_parts();
    let state = ApiState::new(deps);
    let mut router = router.fallback(not_found).method_not_allowed_fallback(method_not_allowed);
    if let Some(auth) = auth {
        let guard = Guard::new(auth, access);
        router = router.layer(middleware::from_fn_with_state(guard, auth::check));
    }
    router
        .layer(middleware::from_fn(panics::contain))
        .layer(middleware::from_fn_with_state(observer, telemetry::observe))
        .with_state(state)
}

fn routes(serves: Serves) -> Routes<ApiState> {
    let mut routes = ops::routes();
    if serves.reads {
        routes = routes.merge(read_routes());
    }
    if serves.writes {
        routes = routes.merge(write::routes()).merge(push::routes()).merge(otlp::routes());
    }
    routes
}

fn read_routes() -> Routes<ApiState> {
    Routes::new()
        .nest("/api/v1", read_api())
        .nest("/prometheus/api/v1", read_api())
        .read("/federate", get(federate::federate))
        .nest("/loki/api/v1", loki::routes())
        .merge(rules::routes())
        // Prometheus compresses as fast as it can too; the time goes into the query.
        .within(|router| router.layer(CompressionLayer::new().quality(CompressionLevel::Fastest)))
        .read("/api/v1/read", post(remote_read::read))
        .read("/prometheus/api/v1/read", post(remote_read::read))
        .read("/api/v1/user_stats", get(cardinality::user_stats))
        .nest("/loki/api/v1", loki::tail_routes())
}

/// Prometheus's read API, under each of its prefixes.
fn read_api() -> Routes<ApiState> {
    Routes::new()
        .read("/query", get(query::instant).post(query::instant))
        .read("/query_range", get(query::range).post(query::range))
        .read("/query_exemplars", get(exemplars::exemplars).post(exemplars::exemplars))
        .read("/format_query", get(query::format).post(query::format))
        .read("/parse_query", get(query::parse).post(query::parse))
        .read("/labels", get(labels::names).post(labels::names))
        .read("/label/{name}/values", get(labels::values))
        .read("/series", get(labels::series).post(labels::series))
        .read("/metadata", get(metadata::metadata))
        .read("/targets", get(status::targets))
        .read("/targets/metadata", get(status::target_metadata))
        .read("/scrape_pools", get(status::scrape_pools))
        .read("/alertmanagers", get(rules::alertmanagers))
        .read("/status/buildinfo", get(status::build_info))
        .admin("/status/config", get(status::config))
        .read("/status/flags", get(status::flags))
        .read("/status/runtimeinfo", get(status::runtime_info))
        .read("/status/tsdb", get(cardinality::tsdb))
        .read("/status/walreplay", get(status::wal_replay))
        .read("/cardinality/label_names", get(cardinality::label_names).post(cardinality::label_names))
        .read("/cardinality/label_values", get(cardinality::label_values).post(cardinality::label_values))
        .admin("/admin/tsdb/delete_series", deletions::methods())
        .admin("/admin/tsdb/cancel_delete_request", post(deletions::cancel).put(deletions::cancel))
        .admin("/admin/tsdb/clean_tombstones", post(status::admin).put(status::admin))
        .admin("/admin/tsdb/snapshot", post(status::admin).put(status::admin))
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

async fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n").into_response()
}
