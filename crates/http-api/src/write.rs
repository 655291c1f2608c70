//! Remote write, versions 1.0 and 2.0, and what it shares with other ways to write.

pub mod body;
pub mod decode;
pub mod entries;
mod in_flight;
pub mod refusals;
mod v1;
mod v2;
pub mod wire;

#[cfg(test)]
pub mod tests;

pub use decode::WriteConfig;
pub use in_flight::{Held, InFlight};

use crate::{auth::Routes, tenant::Tenant};
use axum::{
    body::Body,
    extract::{FromRef, State},
    response::{IntoResponse, Response},
    routing::post,
};
use body::{Encoding, Sent};
use decode::Protocol;
use http::{HeaderMap, HeaderValue, StatusCode};
use runtime::Clock;
use service_api::{Error, LimitsSource, Push, PushLogs, PushOutcome, Result};
use std::sync::Arc;

/// What the write endpoints need.
#[derive(Clone)]
pub struct WriteState {
    pub push: Arc<dyn Push>,
    pub push_logs: Arc<dyn PushLogs>,
    pub limits: Arc<dyn LimitsSource>,
    pub clock: Arc<dyn Clock>,
    pub config: WriteConfig,
    pub in_flight: InFlight,
}

impl WriteState {
    /// As [`body::receive`].
    pub async fn receive(&self, headers: &HeaderMap, body: Body) -> Result<Sent> {
        body::receive(&self.config, &self.in_flight, headers, body).await
    }

    /// As [`body::decode`].
    pub async fn decode<T: Send + 'static>(
        &self,
        encoding: Encoding,
        sent: &Sent,
        parse: impl FnOnce(Vec<u8>) -> Result<T> + Send + 'static,
    ) -> Result<(T, Held)> {
        body::decode(&self.config, &self.in_flight, encoding, sent, parse).await
    }
}

/// The write endpoints on Prometheus's path and on Cortex's.
pub fn routes<S>() -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    WriteState: FromRef<S>,
    Tenant: axum::extract::FromRequestParts<S>,
{
    Routes::new().write("/api/v1/write", post(remote_write)).write("/api/v1/push", post(remote_write))
}

async fn remote_write(
    tenant: Tenant,
    State(state): State<WriteState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let protocol = match decode::negotiate(&headers) {
        Ok(protocol) => protocol,
        Err(unsupported) => return unsupported.into_response(),
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
    let sent = state.receive(headers, body).await?;
    let (batch, _held) =
        state.decode(Encoding::Snappy, &sent, move |raw| decode::parse(protocol, raw)).await?;
    state.push.push(&tenant, batch).await
}

/// 204, or 400 when entries were refused; the others are kept either way. As in Cortex 202 when all of it was
/// dropped in favour of another sender.
pub fn answer(protocol: Protocol, outcome: &PushOutcome) -> Response {
    let mut response = if outcome.ha_duplicate {
        StatusCode::ACCEPTED.into_response()
    } else if outcome.rejected == 0 {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::BAD_REQUEST, refusals::text(outcome)).into_response()
    };
    add_counts(protocol, outcome, &mut response);
    response
}

pub fn refuse(protocol: Protocol, error: &Error) -> Response {
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
