//! What operators and orchestrators ask: metrics, readiness, reload, flush, the start page.

use crate::{
    auth::Routes,
    error::plain_text,
    ring,
    state::{ApiState, Departs},
};
use axum::{
    extract::State,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use http::{Method, StatusCode, header};
use service_api::{Code, Error};
use std::sync::Arc;

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
        .admin("/ingester/prepare-shutdown", get(prepare).post(prepare).delete(prepare))
        .admin("/ingester/prepare_shutdown", get(prepare).post(prepare).delete(prepare))
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
    done((state.deps.flush)().await)
}

/// Cortex's and Loki's name for it. Answers when everything is in the bucket; the process ends after that.
async fn leave(State(state): State<ApiState>) -> Response {
    match departure(&state) {
        Ok(departure) => done(departure.now().await),
        Err(e) => plain_text(&e),
    }
}

/// As Mimir and Loki have it: what leaves when it is told to stop, so that whoever watches over processes need
/// not start again what has left.
async fn prepare(method: Method, State(state): State<ApiState>) -> Response {
    let departure = match departure(&state) {
        Ok(departure) => departure,
        Err(e) => return plain_text(&e),
    };
    match method {
        Method::POST => done(departure.prepare(true).await),
        Method::DELETE => done(departure.prepare(false).await),
        _ if departure.is_prepared() => "set\n".into_response(),
        _ => "unset\n".into_response(),
    }
}

fn departure(state: &ApiState) -> Result<Arc<dyn Departs>, Error> {
    let departure = state.deps.departure.clone();
    departure.ok_or_else(|| Error::new(Code::NotFound, "this process is no ingester of a cluster"))
}

fn done(result: Result<(), Error>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => plain_text(&e),
    }
}

async fn config(State(state): State<ApiState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], (state.deps.config_yaml)()).into_response()
}
