//! `delete`: asks for lines to be deleted, lists what was asked, and cancels it.

use super::{bounds, error::LokiError};
use crate::{answer, deletions, json, params::Params, state::ApiState, tenant::Tenant};
use axum::{
    extract::State,
    response::Response,
    routing::{MethodRouter, get},
};
use http::StatusCode;
use model::{NANOS_A_MILLI, Nanos, Signal, TimeRange, Timestamp};
use service_api::{DeletionRequest, Error, Result};

pub fn methods() -> MethodRouter<ApiState> {
    get(list).post(request).put(request).delete(cancel)
}

async fn request(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let query = match params.get("query") {
        "" => return Err(Error::bad_request("query not set").into()),
        query => query.to_owned(),
    };
    let range = range(&params, state.now_nanos())?;
    Ok(deletions::ask(&state, &tenant, Signal::Logs, vec![query], range).await?)
}

fn range(params: &Params, now: Nanos) -> Result<TimeRange> {
    if params.get("start").is_empty() {
        return Err(Error::bad_request("start time not set"));
    }
    let range = TimeRange::new(time(params, "start", now)?, time(params, "end", now)?);
    if range.end > now.div_euclid(NANOS_A_MILLI) {
        return Err(Error::bad_request("deletes in the future are not allowed"));
    }
    Ok(range)
}

/// In whole milliseconds, as in Loki.
fn time(params: &Params, name: &str, now: Nanos) -> Result<Timestamp> {
    let time = bounds::time(params.get(name), now);
    let time = time.map_err(|why| Error::bad_request(format!("invalid {name} time: {why}")))?;
    Ok(time.div_euclid(NANOS_A_MILLI))
}

/// All requests; with `start` and `end` those whose time overlaps that.
async fn list(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let mut listed = state.deps.deletions.list(&tenant, Signal::Logs).await?;
    if !params.get("start").is_empty() && !params.get("end").is_empty() {
        let now = state.now_nanos();
        let asked = TimeRange::new(time(&params, "start", now)?, time(&params, "end", now)?);
        listed.retain(|request| request.range.overlaps(&asked));
    }
    let query = |out: &mut Vec<u8>, request: &DeletionRequest| {
        out.extend_from_slice(br#","query":"#);
        json::string(out, request.queries.first().map_or("", String::as_str));
    };
    let mut out = Vec::new();
    deletions::write_requests(&mut out, &listed, query);
    Ok(answer::whole(out))
}

async fn cancel(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    params: Params,
) -> Result<StatusCode, LokiError> {
    Ok(deletions::take_back(&state, &tenant, Signal::Logs, &params).await?)
}
