//! Loki's push API.

mod json;
mod lines;
mod protobuf;
mod refusals;

#[cfg(test)]
mod tests;

pub use json::parse as parse_push_json;
pub use lines::{LabelForm, Lines, push_error, push_pair};
pub use protobuf::parse as parse_push_protobuf;
pub use refusals::{Refusals, status};

use crate::{
    auth::Routes,
    error::plain_text,
    tenant::Tenant,
    write::{
        self, WriteState,
        body::{Encoding, Sent},
        decode::{self, Protocol},
    },
};
use axum::{
    body::Body,
    extract::{FromRef, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, StatusCode, header};
use model::{Signal, TenantId};
use service_api::{Code, Error, LogBatch, PushOutcome, Result, WriteBatch};

/// The push endpoint, and the old one that Loki and Cortex both have.
pub fn routes<S>() -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    WriteState: FromRef<S>,
    Tenant: axum::extract::FromRequestParts<S>,
{
    Routes::new().write("/loki/api/v1/push", post(push)).write("/api/prom/push", post(push_either))
}

/// In which form a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json(Encoding),
    /// Always compressed with snappy.
    Protobuf,
}

async fn push(
    Tenant(tenant): Tenant,
    State(state): State<WriteState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match receive(&state, &tenant, &headers, body).await {
        Ok(outcome) => answer(&state, &tenant, &outcome),
        Err(error) => plain_text(&error),
    }
}

async fn receive(
    state: &WriteState,
    tenant: &TenantId,
    headers: &HeaderMap,
    body: Body,
) -> Result<PushOutcome> {
    let form = form(headers)?;
    let sent = state.receive(headers, body).await?;
    let (batch, _held) = match form {
        Form::Json(encoding) => state.decode(encoding, &sent, json::parse).await?,
        Form::Protobuf => {
            let decoded = state.decode(Encoding::Snappy, &sent, protobuf::parse).await;
            decoded.map_err(|error| perhaps_json(error, &sent))?
        }
    };
    push_batch(state, tenant, batch).await
}

/// What is mostly wrong with a body that is no protobuf: JSON by hand whose header does not say so.
fn perhaps_json(error: Error, sent: &Sent) -> Error {
    if error.code == Code::BadRequest && sent.begins_as_json() {
        return Error::bad_request(format!("{error}; JSON needs the header Content-Type: application/json"));
    }
    error
}

/// A body that may be of either signal.
enum Either {
    Logs(LogBatch),
    Metrics(WriteBatch),
}

/// JSON is logs; protobuf is told by what is in it, unless it says to be remote write 2.0.
async fn push_either(
    Tenant(tenant): Tenant,
    State(state): State<WriteState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if matches!(form(&headers), Ok(Form::Json(_))) {
        return push(Tenant(tenant), State(state), headers, body).await;
    }
    let protocol = match decode::negotiate(&headers) {
        Ok(protocol) => protocol,
        Err(unsupported) => return unsupported.into_response(),
    };
    match receive_either(&state, &tenant, protocol, &headers, body).await {
        Ok((Signal::Logs, outcome)) => answer(&state, &tenant, &outcome),
        Ok((Signal::Metrics, outcome)) => write::answer(protocol, &outcome),
        Err(error) => write::refuse(protocol, &error),
    }
}

async fn receive_either(
    state: &WriteState,
    tenant: &TenantId,
    protocol: Protocol,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Signal, PushOutcome)> {
    let sent = state.receive(headers, body).await?;
    let parse = move |raw: Vec<u8>| {
        if protocol == Protocol::V1 && protobuf::is_logs(&raw) {
            protobuf::parse(raw).map(Either::Logs)
        } else {
            decode::parse(protocol, raw).map(Either::Metrics)
        }
    };
    match state.decode(Encoding::Snappy, &sent, parse).await? {
        (Either::Logs(batch), _held) => Ok((Signal::Logs, push_batch(state, tenant, batch).await?)),
        (Either::Metrics(batch), _held) => Ok((Signal::Metrics, state.push.push(tenant, batch).await?)),
    }
}

/// Hands a batch on, unless there is nothing in it.
async fn push_batch(state: &WriteState, tenant: &TenantId, batch: LogBatch) -> Result<PushOutcome> {
    if batch.streams.is_empty() {
        // Loki's words and status, 422.
        return Err(Error::unprocessable("error at least one valid stream is required for ingestion"));
    }
    state.push_logs.push_logs(tenant, batch).await
}

/// 204, or what was refused; the other lines are kept either way.
fn answer(state: &WriteState, tenant: &TenantId, outcome: &PushOutcome) -> Response {
    if outcome.rejected == 0 {
        return StatusCode::NO_CONTENT.into_response();
    }
    let limits = state.limits.limits(tenant);
    let text = Refusals { tenant, limits: &limits, now_ms: state.clock.now_ms() }.text(outcome);
    (status(outcome), text + "\n").into_response()
}

/// Which form a body has. As in Loki a content type must be there, and one that is not JSON is protobuf.
fn form(headers: &HeaderMap) -> Result<Form> {
    let header =
        |name| headers.get(name).map_or("", |v: &http::HeaderValue| v.to_str().unwrap_or("?").trim());
    let unsupported = || {
        let encoding = header(header::CONTENT_ENCODING);
        Error::bad_request(format!("Content-Encoding {encoding:?} not supported"))
    };
    let encoding = match header(header::CONTENT_ENCODING) {
        "" | "identity" => None,
        "snappy" => Some(Encoding::Snappy),
        "gzip" => Some(Encoding::Gzip),
        "deflate" => Some(Encoding::Deflate),
        _ => return Err(unsupported()),
    };
    let content_type = header(header::CONTENT_TYPE).split(';').next().unwrap_or("").trim();
    match (content_type.to_ascii_lowercase().as_str(), encoding) {
        ("", _) => Err(Error::bad_request("mime: no media type")),
        // Some senders say "snappy" of JSON that is not, and Loki lets them.
        ("application/json", Some(Encoding::Snappy) | None) => Ok(Form::Json(Encoding::Identity)),
        ("application/json", Some(encoding)) => Ok(Form::Json(encoding)),
        (_, Some(Encoding::Snappy) | None) => Ok(Form::Protobuf),
        (_, Some(_)) => Err(unsupported()),
    }
}
