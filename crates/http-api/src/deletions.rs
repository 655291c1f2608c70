//! `admin/tsdb/delete_series` of Prometheus, and how Cortex lists and cancels what was asked there.

use crate::{
    answer::{self, Notes},
    error::ApiError,
    json,
    params::Params,
    state::ApiState,
    tenant::Tenant,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use http::{HeaderValue, StatusCode};
use model::{Signal, TenantId, TimeRange};
use service_api::{DeletionRequest, DeletionState, Error, Result};

/// The header that says which id a request has got; Loki's.
const REQUEST_ID: &str = "x-delete-request-id";

/// Of `delete_series`.
pub fn methods() -> MethodRouter<ApiState> {
    get(list).post(request).put(request)
}

async fn request(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let selectors: Vec<String> = params.all("match[]").map(str::to_owned).collect();
    if selectors.is_empty() {
        return Err(Error::bad_request("no match[] parameter provided").into());
    }
    Ok(ask(&state, &tenant, Signal::Metrics, selectors, params.range()?).await?)
}

async fn list(Tenant(tenant): Tenant, State(state): State<ApiState>) -> Result<Response, ApiError> {
    let listed = state.deps.deletions.list(&tenant, Signal::Metrics).await?;
    let selectors = |out: &mut Vec<u8>, request: &DeletionRequest| {
        out.extend_from_slice(br#","selectors":"#);
        json::strings(out, request.queries.iter().map(String::as_str));
    };
    Ok(answer::data(|out| write_requests(out, &listed, selectors), &Notes::default()))
}

pub async fn cancel(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    Ok(take_back(&state, &tenant, Signal::Metrics, &params).await?)
}

/// Asks, and answers with the request's id.
pub async fn ask(
    state: &ApiState,
    tenant: &TenantId,
    signal: Signal,
    queries: Vec<String>,
    range: TimeRange,
) -> Result<Response> {
    let id = state.deps.deletions.request(tenant, signal, queries, range).await?;
    let id = HeaderValue::try_from(id).map_err(|e| Error::internal(e.to_string()))?;
    Ok((StatusCode::NO_CONTENT, [(REQUEST_ID, id)]).into_response())
}

/// Cancels `request_id`.
pub async fn take_back(
    state: &ApiState,
    tenant: &TenantId,
    signal: Signal,
    params: &Params,
) -> Result<StatusCode> {
    let force = params.get("force") == "true";
    state.deps.deletions.cancel(tenant, signal, params.get("request_id"), force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An array of requests, with what both APIs call alike; `queries` writes the field that they do not.
pub fn write_requests<'a>(
    out: &mut Vec<u8>,
    requests: impl IntoIterator<Item = &'a DeletionRequest>,
    queries: impl Fn(&mut Vec<u8>, &DeletionRequest),
) {
    json::array(out, requests, |out, request| {
        out.extend_from_slice(br#"{"request_id":"#);
        json::string(out, &request.id);
        for (field, time) in
            [(r#","start_time":"#, request.range.start), (r#","end_time":"#, request.range.end)]
        {
            out.extend_from_slice(field.as_bytes());
            json::seconds(out, time);
        }
        queries(out, request);
        out.extend_from_slice(br#","status":"#);
        json::string(out, status(request.state));
        // Beyond what Cortex and Loki tell: until when it can be cancelled.
        for (field, time) in [(r#","created_at":"#, request.requested), (r#","due_at":"#, request.due)] {
            out.extend_from_slice(field.as_bytes());
            json::seconds(out, time);
        }
        out.push(b'}');
    });
}

fn status(state: DeletionState) -> &'static str {
    match state {
        DeletionState::Received => "received",
        DeletionState::Processing => "processing",
        DeletionState::Processed => "processed",
    }
}
