//! Loki's read API, under `/loki/api/v1`.

mod bounds;
mod detected;
mod error;
mod labels;
mod query;
mod result;
mod selectors;
mod stats;
mod status;
mod tail;
mod volume;

use crate::state::ApiState;
use axum::{Router, routing::get};

/// Everything but the `tail`, which is no request to be compressed.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/labels", get(labels::names).post(labels::names))
        // Loki's older name of the same.
        .route("/label", get(labels::names).post(labels::names))
        .route("/label/{name}/values", get(labels::values).post(labels::values))
        .route("/series", get(labels::series).post(labels::series))
        .route("/index/stats", get(volume::stats).post(volume::stats))
        .route("/index/volume", get(volume::instant).post(volume::instant))
        .route("/index/volume_range", get(volume::range).post(volume::range))
        .route("/detected_labels", get(labels::detected).post(labels::detected))
        .route("/detected_fields", get(detected::fields).post(detected::fields))
        .route("/detected_field/{name}/values", get(detected::values).post(detected::values))
        .route("/patterns", get(detected::patterns).post(detected::patterns))
        .route("/format_query", get(status::format_query).post(status::format_query))
        .route("/status/buildinfo", get(status::build_info))
        .route("/drilldown-limits", get(status::drilldown_limits))
}

/// The WebSocket.
pub fn tail_routes() -> Router<ApiState> {
    Router::new().route("/tail", get(tail::tail))
}
