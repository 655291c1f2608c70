//! What metrics say of themselves: `metadata`.

use crate::{
    answer::{self, Notes},
    error::ApiError,
    json,
    params::Params,
    query::slots,
    state::ApiState,
    tenant::Tenants,
};
use axum::{extract::State, response::Response};
use model::Metadata;

pub async fn metadata(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = params.count("limit")?.unwrap_or(usize::MAX);
    let per_metric = params.count("limit_per_metric")?.filter(|n| *n > 0).unwrap_or(usize::MAX);
    let metric = Some(params.get("metric")).filter(|m| !m.is_empty());
    let reader = &state.deps.reader;
    let mut found =
        slots::run(&state, &tenants, None, async |ctx| reader.metadata(ctx, metric).await).await?;
    found.truncate(limit);
    Ok(answer::array(
        "{",
        found,
        move |out, m| {
            json::string(out, &m.metric);
            out.push(b':');
            json::array(out, m.metadata.iter().take(per_metric), write);
        },
        b"}",
        &Notes::default(),
    ))
}

fn write(out: &mut Vec<u8>, metadata: &Metadata) {
    out.extend_from_slice(br#"{"type":"#);
    json::string(out, metadata.metric_type.as_str());
    out.extend_from_slice(br#","unit":"#);
    json::string(out, &metadata.unit);
    out.extend_from_slice(br#","help":"#);
    json::string(out, &metadata.help);
    out.push(b'}');
}
