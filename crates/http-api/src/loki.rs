//! Loki's API but for pushes, under `/loki/api/v1`.

mod amount;
mod bounds;
mod delete;
mod detected;
mod error;
mod kept;
mod labels;
mod query;
mod result;
mod selectors;
mod stats;
mod status;
mod tail;
mod volume;

use crate::{auth::Routes, state::ApiState};
use axum::routing::get;

/// Everything but the `tail`, which is no request to be compressed.
pub fn routes() -> Routes<ApiState> {
    Routes::new()
        .read("/query", get(query::instant).post(query::instant))
        .read("/query_range", get(query::range).post(query::range))
        .read("/labels", get(labels::names).post(labels::names))
        // Loki's older name of the same.
        .read("/label", get(labels::names).post(labels::names))
        .read("/label/{name}/values", get(labels::values).post(labels::values))
        .read("/series", get(labels::series).post(labels::series))
        .read("/index/stats", get(volume::stats).post(volume::stats))
        .read("/index/volume", get(volume::instant).post(volume::instant))
        .read("/index/volume_range", get(volume::range).post(volume::range))
        .read("/detected_labels", get(labels::detected).post(labels::detected))
        .read("/detected_fields", get(detected::fields).post(detected::fields))
        .read("/detected_field/{name}/values", get(detected::values).post(detected::values))
        .read("/patterns", get(detected::patterns).post(detected::patterns))
        .read("/format_query", get(status::format_query).post(status::format_query))
        .admin("/delete", delete::methods())
        .read("/status/buildinfo", get(status::build_info))
        .read("/drilldown-limits", get(status::drilldown_limits))
}

/// The WebSocket.
pub fn tail_routes() -> Routes<ApiState> {
    Routes::new().read("/tail", get(tail::tail))
}
