//! OTLP over HTTP: logs as Loki takes them, metrics as Prometheus takes them.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

mod answer;
mod attributes;
mod json;
mod logs;
mod metrics;
mod schema;

#[cfg(test)]
mod tests;

use crate::{
    auth::Routes,
    push::{Refusals, status},
    tenant::Tenant,
    write::{WriteState, body::Encoding, refusals},
};
use answer::{Entries, Format};
use axum::{
    body::Body,
    extract::{FromRef, State},
    response::Response,
    routing::post,
};
use http::{HeaderMap, StatusCode, header};
use model::{NANOS_A_MILLI, TenantId};
use schema::Message;
use service_api::{Code, Error, PushOutcome, Result};

/// The endpoints on Loki's paths and on Prometheus's.
pub fn routes<S>() -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    WriteState: FromRef<S>,
    Tenant: axum::extract::FromRequestParts<S>,
{
    Routes::new()
        .write("/otlp/v1/logs", post(export_logs))
        .write("/otlp/v1/metrics", post(export_metrics))
        .write("/api/v1/otlp/v1/metrics", post(export_metrics))
}

async fn export_logs(
    Tenant(tenant): Tenant,
    State(state): State<WriteState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (format, encoding) = match negotiate(&headers) {
        Ok(negotiated) => negotiated,
        Err((format, why)) => return answer::unsupported(format, &why),
    };
    match receive_logs(&state, &tenant, format, encoding, &headers, body).await {
        Ok(outcome) if outcome.rejected == 0 => answer::accepted(format, Entries::LogRecords, 0, ""),
        Ok(outcome) => {
            let limits = state.limits.limits(&tenant);
            let text =
                Refusals { tenant: &tenant, limits: &limits, now_ms: state.clock.now_ms() }.text(&outcome);
            // Lines that were over a limit are to be sent again; those that are there already will not be
            // stored twice.
            if status(&outcome) == StatusCode::TOO_MANY_REQUESTS {
                return answer::failed(format, &Error::new(Code::RateLimited, text));
            }
            answer::accepted(format, Entries::LogRecords, outcome.rejected, &text)
        }
        Err(error) => answer::failed(format, &error),
    }
}

async fn receive_logs(
    state: &WriteState,
    tenant: &TenantId,
    format: Format,
    encoding: Encoding,
    headers: &HeaderMap,
    body: Body,
) -> Result<PushOutcome> {
    let now = state.clock.now_ms().saturating_mul(NANOS_A_MILLI);
    let sent = state.receive(headers, body).await?;
    let (batch, _held) = state
        .decode(encoding, &sent, move |raw| logs::parse(protobuf(format, raw, Message::LogsRequest)?, now))
        .await?;
    if batch.entries.is_empty() {
        return Ok(PushOutcome::default());
    }
    state.push_logs.push_logs(tenant, batch).await
}

async fn export_metrics(
    Tenant(tenant): Tenant,
    State(state): State<WriteState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (format, encoding) = match negotiate(&headers) {
        Ok(negotiated) => negotiated,
        Err((format, why)) => return answer::unsupported(format, &why),
    };
    match receive_metrics(&state, &tenant, format, encoding, &headers, body).await {
        Ok((outcome, left_out, mut reasons)) => {
            if outcome.rejected > 0 {
                reasons.push(refusals::text(&outcome).trim_end().to_owned());
            }
            answer::accepted(format, Entries::DataPoints, left_out + outcome.rejected, &reasons.join("\n"))
        }
        Err(error) => answer::failed(format, &error),
    }
}

/// What became of the points that could be series, how many could not, and why.
async fn receive_metrics(
    state: &WriteState,
    tenant: &TenantId,
    format: Format,
    encoding: Encoding,
    headers: &HeaderMap,
    body: Body,
) -> Result<(PushOutcome, u64, Vec<String>)> {
    let sent = state.receive(headers, body).await?;
    let (metrics, _held) = state
        .decode(encoding, &sent, move |raw| metrics::parse(protobuf(format, raw, Message::MetricsRequest)?))
        .await?;
    let outcome = state.push.push(tenant, metrics.batch).await?;
    Ok((outcome, metrics.left_out, metrics.reasons))
}

fn protobuf(format: Format, raw: Vec<u8>, request: Message) -> Result<Vec<u8>> {
    match format {
        Format::Protobuf => Ok(raw),
        Format::Json => json::to_protobuf(&raw, request),
    }
}

/// The format of a request, which is that of its answer too, or the reason why it is not read.
fn negotiate(headers: &HeaderMap) -> Result<(Format, Encoding), (Format, String)> {
    let header =
        |name| headers.get(name).map_or("", |v: &http::HeaderValue| v.to_str().unwrap_or("?").trim());
    let format = match header(header::CONTENT_TYPE).split(';').next().unwrap_or("").trim() {
        "application/x-protobuf" => Format::Protobuf,
        "application/json" => Format::Json,
        other => {
            return Err((Format::Protobuf, format!("content type: {other} is not supported")));
        }
    };
    match header(header::CONTENT_ENCODING) {
        "" | "identity" => Ok((format, Encoding::Identity)),
        "gzip" => Ok((format, Encoding::Gzip)),
        other => Err((format, format!("{other} encoding is not supported; only gzip is"))),
    }
}
