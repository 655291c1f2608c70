//! What the process says of itself under `status`, and what it has none of: targets.

use crate::{
    answer::{self, Notes},
    error::ApiError,
    json,
    state::ApiState,
    tenant::Tenants,
};
use axum::{extract::State, response::Response};
use service_api::Error;

pub async fn build_info(_: Tenants, State(state): State<ApiState>) -> Response {
    let build = &state.deps.build;
    let fields = [
        ("version", build.version.as_str()),
        ("revision", &build.revision),
        ("branch", &build.branch),
        ("buildUser", &build.build_user),
        ("buildDate", &build.build_date),
        ("goVersion", &build.compiler),
    ];
    let write = |out: &mut Vec<u8>| {
        json::object(out, fields);
        out.pop();
        // Mimir's: by it Grafana knows that rules can be changed under `/config/v1/rules`.
        out.extend_from_slice(br#","features":{"ruler_config_api":"true"}}"#);
    };
    answer::data(write, &Notes::default())
}

pub async fn config(_: Tenants, State(state): State<ApiState>) -> Response {
    let yaml = (state.deps.config_yaml)();
    answer::data(|out| json::object(out, [("yaml", yaml.as_str())]), &Notes::default())
}

/// Prometheus's fields; those that only a Go process has are empty.
pub async fn runtime_info(tenants: Tenants, State(state): State<ApiState>) -> Response {
    let retention = state.limits(&tenants).retention;
    let retention = if retention == 0 { String::new() } else { format!("{retention}s") };
    let (start, now) = (rfc3339(state.started_ms), rfc3339(state.deps.clock.now_ms()));
    answer::data(
        |out| {
            for (key, value) in [
                (r#"{"startTime":"#, start.as_str()),
                (r#","CWD":"","hostname":"","serverTime":"#, now.as_str()),
                (r#","reloadConfigSuccess":true,"lastConfigTime":"#, start.as_str()),
                (
                    r#","corruptionCount":0,"goroutineCount":0,"GOMAXPROCS":0,"GOMEMLIMIT":0,"GOGC":"","GODEBUG":"","storageRetention":"#,
                    retention.as_str(),
                ),
            ] {
                out.extend_from_slice(key.as_bytes());
                json::string(out, value);
            }
            out.push(b'}');
        },
        &Notes::default(),
    )
}

fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|t| t.to_string()).unwrap_or_default()
}

pub async fn flags(_: Tenants) -> Response {
    answer::fixed("{}")
}

pub async fn wal_replay(_: Tenants) -> Response {
    answer::fixed(r#"{"min":0,"max":0,"current":0}"#)
}

pub async fn targets(_: Tenants) -> Response {
    answer::fixed(r#"{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"#)
}

pub async fn target_metadata(_: Tenants) -> Response {
    answer::fixed("[]")
}

pub async fn scrape_pools(_: Tenants) -> Response {
    answer::fixed(r#"{"scrapePools":[]}"#)
}

/// What Prometheus answers unless it is started with its admin API on.
pub async fn admin(_: Tenants) -> ApiError {
    ApiError(Error::unavailable("admin APIs disabled"))
}
