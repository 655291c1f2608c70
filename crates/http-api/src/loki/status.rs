//! `format_query`, `status/buildinfo`, `drilldown-limits`.

use super::error::LokiError;
use crate::{answer, json, params::Params, state::ApiState, tenant::Tenants};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;

pub async fn format_query(_: Tenants, params: Params) -> Response {
    let (status, name, key, text) = match logql::parse(params.get("query")) {
        Ok(expr) => (StatusCode::OK, "success", "data", logql::pretty(&expr)),
        Err(error) => (StatusCode::BAD_REQUEST, "invalid-query", "error", error.to_string()),
    };
    let mut out = format!(r#"{{"status":"{name}","{key}":"#).into_bytes();
    json::string(&mut out, &text);
    out.push(b'}');
    (status, answer::whole(out)).into_response()
}

/// Loki's own shape: the fields and nothing around them.
pub async fn build_info(State(state): State<ApiState>) -> Response {
    let build = &state.deps.build;
    let mut out = Vec::new();
    json::object(
        &mut out,
        [
            ("version", build.version.as_str()),
            ("revision", &build.revision),
            ("branch", &build.branch),
            ("buildUser", &build.build_user),
            ("buildDate", &build.build_date),
            ("goVersion", &build.compiler),
        ],
    );
    answer::whole(out)
}

/// What Grafana's Logs Drilldown asks before it draws.
pub async fn drilldown_limits(
    tenants: Tenants,
    State(state): State<ApiState>,
) -> Result<Response, LokiError> {
    let limits = state.limits(&tenants);
    let mut out = format!(
        r#"{{"limits":{{"discover_log_levels":false,"log_level_fields":[],"max_entries_limit_per_query":{},"max_line_size_truncate":{},"max_query_bytes_read":"0B","max_query_length":"{}s","max_query_lookback":"0s","max_query_range":"0s","max_query_series":{},"metric_aggregation_enabled":false,"otlp_config":null,"pattern_persistence_enabled":false,"query_timeout":"{}s","retention_period":"{}s","retention_stream":[],"volume_enabled":true,"volume_max_series":{}}},"pattern_ingester_enabled":true,"version":"#,
        limits.max_query_lines,
        limits.truncate_long_lines,
        limits.max_query_range,
        limits.max_query_series,
        limits.query_timeout,
        limits.retention,
        limits.max_query_series,
    )
    .into_bytes();
    json::string(&mut out, &state.deps.build.version);
    out.push(b'}');
    Ok(answer::whole(out))
}
