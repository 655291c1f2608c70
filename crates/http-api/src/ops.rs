//! What operators and orchestrators ask: metrics, readiness, reload, flush, the start page.

use crate::{auth::Routes, error::plain_text, ring, state::ApiState};
use axum::{
    extract::State,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use http::{StatusCode, header};
use service_api::{Code, Error};

pub fn routes() -> Routes<ApiState> {
    Routes::new()
        .read("/", get(index))
        .metrics("/metrics", get(metrics))
        .open("/ready", get(ready))
        .open("/-/ready", get(ready))
        .open("/-/healthy", get(healthy))
        .admin("/-/reload", post(reload).put(reload))
        .admin("/flush", post(flush))
        .admin("/config", get(config))
        .admin("/ring", get(ring::show).post(ring::forget))
        .admin("/ingester/shutdown", post(leave))
}

async fn index() -> Html<&'static str> {
    Html(include_str!("ops/index.html"))
}

async fn metrics(State(state): State<ApiState>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &state.deps.registry) {
        Ok(()) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(e) => plain_text(&Error::internal(format!("cannot print the metrics: {e}"))),
    }
}

async fn healthy() -> &'static str {
    "Yagura is healthy.\n"
}

async fn ready(State(state): State<ApiState>) -> Response {
    match (state.deps.readiness)() {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn reload(State(state): State<ApiState>) -> Response {
    match (state.deps.reload)().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(e) => plain_text(&e),
    }
}

async fn flush(State(state): State<ApiState>) -> Response {
    match (state.deps.flush)().await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => plain_text(&e),
    }
}

/// Cortex's and Loki's name for it. Answers when everything is in the bucket; the process ends after that.
async fn leave(State(state): State<ApiState>) -> Response {
    let Some(leave) = &state.deps.leave else {
        return plain_text(&Error::new(Code::NotFound, "this process is no ingester of a cluster"));
    };
    match leave().await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => plain_text(&e),
    }
}

async fn config(State(state): State<ApiState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], (state.deps.config_yaml)()).into_response()
}
