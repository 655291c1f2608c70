//! Remote read, version 1: raw samples in one message, or chunks streamed series by series.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/>

mod frames;
mod messages;
mod samples;

#[cfg(test)]
mod tests;

use crate::{
    error::plain_text,
    params::read_body,
    query::slots::{self, off_thread},
    state::ApiState,
    tenant::Tenants,
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::header;
use messages::{LabelMatcher, Query, ReadRequest, ResponseType};
use model::{MatchOp, Matcher, RegexCosts, TimeRange};
use prost::Message;
use service_api::{Code, Error, ReadContext, Result, SelectRequest, Series};

/// Queries of one request. Prometheus sends one.
const MAX_QUERIES: usize = 1000;

/// What was selected for one of a request's queries.
struct Selected {
    query_index: usize,
    range: TimeRange,
    series: Vec<Series>,
}

pub async fn read(tenants: Tenants, State(state): State<ApiState>, request: Request) -> Response {
    answer(tenants, &state, request).await.unwrap_or_else(|e| plain_text(&e))
}

async fn answer(tenants: Tenants, state: &ApiState, request: Request) -> Result<Response> {
    let max = state.deps.config.read.max_form_bytes;
    let body = read_body(request.into_body(), max).await?;
    let request = parse(&body, max)?;
    let response_type = negotiate(&request.accepted_response_types)?;
    if request.queries.len() > MAX_QUERIES {
        return Err(Error::bad_request(format!("more than {MAX_QUERIES} queries in one request")));
    }
    let queries = select_requests(&request)?;
    match response_type {
        ResponseType::Samples => {
            let body = slots::run(state, &tenants, None, async |ctx| {
                let selected = select(state, ctx, &queries).await?;
                let ctx = ctx.clone();
                off_thread(move || samples::encode(&ctx, &selected)).await?
            })
            .await?;
            let headers =
                [(header::CONTENT_TYPE, "application/x-protobuf"), (header::CONTENT_ENCODING, "snappy")];
            Ok((headers, body).into_response())
        }
        ResponseType::StreamedXorChunks => {
            let selected =
                slots::run(state, &tenants, None, async |ctx| select(state, ctx, &queries).await).await?;
            let content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
            let body = Body::from_stream(frames::stream(selected));
            Ok(([(header::CONTENT_TYPE, content_type)], body).into_response())
        }
    }
}

async fn select(state: &ApiState, ctx: &ReadContext, queries: &[SelectRequest]) -> Result<Vec<Selected>> {
    let mut selected = Vec::with_capacity(queries.len());
    for (query_index, query) in queries.iter().enumerate() {
        let set = state.deps.reader.select(ctx, query).await?;
        if let Some(warning) = set.warnings.first() {
            // The protocol has no place for warnings, and data must not be missing in silence.
            return Err(Error::unavailable(format!("some data cannot be read: {warning}")));
        }
        selected.push(Selected { query_index, range: query.range, series: set.series });
    }
    Ok(selected)
}

fn parse(body: &[u8], max: usize) -> Result<ReadRequest> {
    let bad = |why: &dyn std::fmt::Display| Error::bad_request(format!("cannot read the request: {why}"));
    let size = snap::raw::decompress_len(body).map_err(|e| bad(&e))?;
    if size > max {
        return Err(Error::new(Code::TooLarge, format!("the request has more than {max} bytes")));
    }
    let message = snap::raw::Decoder::new().decompress_vec(body).map_err(|e| bad(&e))?;
    ReadRequest::decode(message.as_slice()).map_err(|e| bad(&e))
}

/// The first type that is known; samples if the client does not say.
fn negotiate(accepted: &[i32]) -> Result<ResponseType> {
    if accepted.is_empty() {
        return Ok(ResponseType::Samples);
    }
    accepted.iter().find_map(|t| ResponseType::try_from(*t).ok()).ok_or_else(|| {
        Error::bad_request(format!(
            "server does not support any of the requested response types: {accepted:?}; supported: SAMPLES, STREAMED_XOR_CHUNKS"
        ))
    })
}

fn select_requests(request: &ReadRequest) -> Result<Vec<SelectRequest>> {
    let mut costs = RegexCosts::default();
    request.queries.iter().map(|query| select_request(query, &mut costs)).collect()
}

fn select_request(query: &Query, costs: &mut RegexCosts) -> Result<SelectRequest> {
    let mut matchers = Vec::with_capacity(query.matchers.len());
    for one in &query.matchers {
        let matcher = matcher(one)?;
        costs.add(matcher.regex_cost()).map_err(|e| Error::bad_request(e.to_string()))?;
        matchers.push(matcher);
    }
    Ok(SelectRequest { matchers, range: TimeRange::new(query.start_timestamp_ms, query.end_timestamp_ms) })
}

fn matcher(matcher: &LabelMatcher) -> Result<Matcher> {
    let op = match matcher.kind {
        0 => MatchOp::Equal,
        1 => MatchOp::NotEqual,
        2 => MatchOp::Regex,
        3 => MatchOp::NotRegex,
        _ => return Err(Error::bad_request("invalid matcher type")),
    };
    Matcher::new(op, &matcher.name, &matcher.value).map_err(|e| Error::bad_request(e.to_string()))
}
