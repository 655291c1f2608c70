//! Exemplars of the series that a query reads: `query_exemplars`.

use crate::{
    answer::{self, Notes},
    error::ApiError,
    json,
    params::Params,
    query::{selectors, slots},
    state::ApiState,
    tenant::Tenants,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use model::{Exemplar, Signal};
use service_api::{Error, ExemplarSeries, LabelQuery};

pub async fn exemplars(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let range = params.range()?;
    if range.is_empty() {
        return Err(Error::bad_request("end timestamp must not be before start timestamp").into());
    }
    let expr = selectors::parse_query(&state.deps.engine, params.get("query")).await?;
    let matcher_sets = selectors::selectors_of(&expr);
    if matcher_sets.is_empty() {
        // As Prometheus does: nothing to look for is no content.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let query = LabelQuery { signal: Signal::Metrics, matcher_sets, range };
    let reader = &state.deps.reader;
    let found = slots::run(&state, &tenants, None, async |ctx| reader.exemplars(ctx, &query).await).await?;
    Ok(answer::array("[", found, |out, series| write(out, &series), b"]", &Notes::default()))
}

fn write(out: &mut Vec<u8>, series: &ExemplarSeries) {
    out.extend_from_slice(br#"{"seriesLabels":"#);
    json::labels(out, &series.labels);
    out.extend_from_slice(br#","exemplars":"#);
    json::array(out, &series.exemplars, write_exemplar);
    out.push(b'}');
}

fn write_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    out.extend_from_slice(br#"{"labels":"#);
    json::labels(out, &exemplar.labels);
    out.extend_from_slice(br#","value":"#);
    json::value(out, exemplar.value);
    out.extend_from_slice(br#","timestamp":"#);
    json::timestamp(out, exemplar.timestamp);
    out.push(b'}');
}
