//! `detected_fields`, `detected_field/{name}/values`, `patterns`: what lines look like.

use super::{
    bounds::{Bounds, line_limit, positive},
    error::LokiError,
};
use crate::{
    answer::{self, Notes},
    json,
    params::Params,
    query::slots,
    state::ApiState,
    tenant::Tenants,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use logql::{
    ast::Expr,
    engine::{Data, Direction, Query},
    fields::FieldFinder,
    patterns::Pattern,
};
use model::Nanos;
use service_api::{Error, ReadContext, Result, StreamsRequest};
use std::sync::Arc;

/// The shortest step that lines are counted by for patterns (Loki's), in nanoseconds.
const PATTERN_STEP: i64 = 10_000_000_000;

pub async fn fields(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let limit = field_limit(&params)?;
    let finder = |ctx: &ReadContext| FieldFinder::all(ctx, limit as usize);
    let found = find(&state, &tenants, &params, finder).await?.finish();
    let mut out = b"{".to_vec();
    if !found.is_empty() {
        out.extend_from_slice(br#""fields":"#);
        json::array(&mut out, &found, |out, field| {
            out.extend_from_slice(br#"{"label":"#);
            json::string(out, &field.name);
            let rest = format!(
                r#","type":"{}","cardinality":{},"parsers":"#,
                field.kind.as_str(),
                field.cardinality
            );
            out.extend_from_slice(rest.as_bytes());
            if field.parsers.is_empty() {
                out.extend_from_slice(b"null");
            } else {
                json::strings(out, field.parsers.iter().copied());
            }
            out.push(b'}');
        });
        close(&mut out, limit);
    } else {
        out.push(b'}');
    }
    Ok(answer::whole(out))
}

pub async fn values(
    tenants: Tenants,
    State(state): State<ApiState>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, LokiError> {
    let limit = field_limit(&params)?;
    let finder = |ctx: &ReadContext| FieldFinder::one(ctx, name.clone());
    let mut values = find(&state, &tenants, &params, finder).await?.values(&name);
    values.truncate(limit as usize);
    let mut out = b"{".to_vec();
    if !values.is_empty() {
        out.extend_from_slice(br#""values":"#);
        json::strings(&mut out, values.iter().map(String::as_str));
        close(&mut out, limit);
    } else {
        out.push(b'}');
    }
    Ok(answer::whole(out))
}

fn close(out: &mut Vec<u8>, limit: u64) {
    out.extend_from_slice(format!(r#","limit":{limit}}}"#).as_bytes());
}

/// `limit`, by its older name `field_limit`.
fn field_limit(params: &Params) -> Result<u64> {
    let name = if params.get("limit").is_empty() { "field_limit" } else { "limit" };
    positive(params, name, 1000)
}

/// Looks through the newest lines of the query, as many as `line_limit` says.
async fn find(
    state: &ApiState,
    tenants: &Tenants,
    params: &Params,
    finder: impl FnOnce(&ReadContext) -> Result<FieldFinder>,
) -> Result<FieldFinder> {
    let bounds = Bounds::ordered(params, state.now_nanos())?;
    let limit = line_limit(params, "line_limit", state.limits(tenants).max_query_lines)?;
    let expr = logs(params)?;
    let Bounds { start, end } = bounds;
    let query = Query { expr, start, end, step: 0, direction: Direction::Backward, limit, interval: 0 };
    let deps = &state.deps;
    let work = async |ctx: &ReadContext| {
        let mut finder = finder(ctx)?;
        let found = deps.log_engine.query(ctx, Arc::clone(&deps.logs), query).await?;
        slots::off_thread(move || {
            if let Data::Streams(streams) = &found.data {
                streams.iter().try_for_each(|stream| finder.add(stream))?;
            }
            Ok(finder)
        })
        .await?
    };
    slots::run(state, tenants, None, work).await
}

fn logs(params: &Params) -> Result<Expr> {
    match logql::parse(params.get("query")).map_err(|e| Error::bad_request(e.to_string()))? {
        Expr::Metric(_) => Err(Error::bad_request("only log queries are supported here")),
        logs => Ok(logs),
    }
}

pub async fn patterns(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let bounds = Bounds::ordered(&params, state.now_nanos())?;
    let step = bounds.step(&params)?.max(PATTERN_STEP);
    let Expr::Logs(query) = logs(&params)? else {
        return Err(Error::bad_request("only log queries have patterns").into());
    };
    let request = StreamsRequest { matchers: query.matchers, range: bounds.range() };
    let deps = &state.deps;
    let work = async |ctx: &_| deps.log_engine.patterns(ctx, &*deps.logs, &request, step).await;
    let found = slots::run(&state, &tenants, None, work).await?;
    Ok(answer::array("[", found, pattern, b"]", &Notes::default()))
}

fn pattern(out: &mut Vec<u8>, pattern: Pattern) {
    out.extend_from_slice(br#"{"pattern":"#);
    json::string(out, &pattern.text);
    // Loki tells patterns apart by level, too; levels are not looked for here.
    out.extend_from_slice(br#","level":"unknown","samples":"#);
    json::array(out, pattern.samples, |out, (t, count): (Nanos, u64)| {
        out.extend_from_slice(format!("[{},{count}]", t.div_euclid(1_000_000_000)).as_bytes());
    });
    out.push(b'}');
}
