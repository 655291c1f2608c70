//! Remote write, versions 1.0 and 2.0.

mod decode;
mod entries;
mod in_flight;
mod refusals;
mod v1;
mod v2;
mod wire;

#[cfg(test)]
mod tests;

pub use decode::WriteConfig;
pub use in_flight::InFlight;

use crate::{params, tenant::Tenant};
use axum::{
    Router,
    body::Body,
    extract::{FromRef, State},
    response::{IntoResponse, Response},
    routing::post,
};
use decode::{Protocol, Unsupported};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use service_api::{Error, Push, PushOutcome, Result};
use std::sync::Arc;

/// What the write endpoints need.
#[derive(Clone)]
pub struct WriteState {
    pub push: Arc<dyn Push>,
    pub config: WriteConfig,
    pub in_flight: InFlight,
}

/// Bodies up to this size are decoded where they arrive: handing them to another thread
/// would cost more than it saves.
const INLINE_BYTES: usize = 128 << 10;

/// The write endpoints on Prometheus's path and on Cortex's.
pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    WriteState: FromRef<S>,
    Tenant: axum::extract::FromRequestParts<S>,
{
    Router::new().route("/api/v1/write", post(remote_write)).route("/api/v1/push", post(remote_write))
}

async fn remote_write(
    tenant: Tenant,
    State(state): State<WriteState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let protocol = match decode::negotiate(&headers) {
        Ok(protocol) => protocol,
        Err(Unsupported(why)) => return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why + "\n").into_response(),
    };
    match write(&state, tenant, protocol, &headers, body).await {
        Ok(outcome) => answer(protocol, &outcome),
        Err(error) => refuse(protocol, &error),
    }
}

async fn write(
    state: &WriteState,
    Tenant(tenant): Tenant,
    protocol: Protocol,
    headers: &HeaderMap,
    body: Body,
) -> Result<PushOutcome> {
    let config = &state.config;
    let claimed = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let _sent = state.in_flight.hold(claimed.unwrap_or(config.max_body_bytes).min(config.max_body_bytes))?;
    let body = params::read_body(body, config.max_body_bytes).await?;
    let len = decode::decompressed_len(&body, config.max_decompressed_bytes)?;
    let _decompressed = state.in_flight.hold(len)?;
    let batch = if body.len() <= INLINE_BYTES {
        decode::decode(protocol, &body, len)?
    } else {
        tokio::task::spawn_blocking(move || decode::decode(protocol, &body, len))
            .await
            .map_err(|e| Error::internal(format!("decoding failed: {e}")))??
    };
    state.push.push(&tenant, batch).await
}

/// 204, or 400 when entries were refused; the others are kept either way.
fn answer(protocol: Protocol, outcome: &PushOutcome) -> Response {
    let mut response = if outcome.rejected == 0 {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::BAD_REQUEST, refusals::text(outcome)).into_response()
    };
    add_counts(protocol, outcome, &mut response);
    response
}

fn refuse(protocol: Protocol, error: &Error) -> Response {
    let mut response = crate::error::plain_text(error);
    add_counts(protocol, &PushOutcome::default(), &mut response);
    response
}

/// Version 2 wants to hear what was written; version 1 senders must not.
fn add_counts(protocol: Protocol, outcome: &PushOutcome, response: &mut Response) {
    if protocol == Protocol::V1 {
        return;
    }
    for (name, count) in [
        ("x-prometheus-remote-write-samples-written", outcome.samples),
        ("x-prometheus-remote-write-histograms-written", outcome.histograms),
        ("x-prometheus-remote-write-exemplars-written", outcome.exemplars),
    ] {
        response.headers_mut().insert(name, HeaderValue::from(count));
    }
}
