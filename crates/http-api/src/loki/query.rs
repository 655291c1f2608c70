//! `query` and `query_range`.

use super::{
    bounds::{Bounds, direction, interval, line_limit, time},
    error::LokiError,
    kept,
    result::{self, Show},
};
use crate::{params::Params, query::slots, results, state::ApiState, tenant::Tenants};
use axum::{extract::State, response::Response};
use http::HeaderMap;
use logql::{
    ast::Expr,
    engine::{Direction, Query},
};
use service_api::{Error, Result};

pub async fn instant(
    tenants: Tenants,
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, LokiError> {
    let limit = limit(&state, &tenants, &params)?;
    let at = time(params.get("time"), state.now_nanos()).map_err(Error::bad_request)?;
    let direction = direction(&params)?;
    let expr = parse(&params)?;
    if matches!(expr, Expr::Logs(_)) {
        let why = "log queries are not supported as an instant query type, please change your query to a range query type";
        return Err(Error::bad_request(why).into());
    }
    let query = Query { expr, start: at, end: at, step: 0, direction, limit, interval: 0 };
    evaluate(&state, &tenants, query, Show::asked_by(&headers), false).await
}

pub async fn range(
    tenants: Tenants,
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, LokiError> {
    let bounds = Bounds::ordered(&params, state.now_nanos())?;
    let limit = limit(&state, &tenants, &params)?;
    let (direction, step) = (direction(&params)?, bounds.step(&params)?);
    let interval = interval(&params)?;
    let max = state.limits(&tenants).max_query_range;
    let Bounds { start, end } = bounds;
    if max > 0 && end.saturating_sub(start) as u64 / 1_000_000_000 > max {
        let why = format!("the query's range is longer than limits.max_query_range allows ({max} s)");
        return Err(Error::bad_request(why).into());
    }
    let expr = parse(&params)?;
    let query = Query { expr, start, end, step, direction, limit, interval };
    let keeps = !results::is_unwanted(&headers, &params);
    evaluate(&state, &tenants, query, Show::asked_by(&headers), keeps).await
}

fn limit(state: &ApiState, tenants: &Tenants, params: &Params) -> Result<u64> {
    line_limit(params, "limit", state.limits(tenants).max_query_lines)
}

fn parse(params: &Params) -> Result<Expr> {
    logql::parse(params.get("query")).map_err(|e| Error::bad_request(e.to_string()))
}

async fn evaluate(
    state: &ApiState,
    tenants: &Tenants,
    query: Query,
    show: Show,
    keeps: bool,
) -> Result<Response, LokiError> {
    let deps = &state.deps;
    let started = deps.clock.monotonic();
    let direction: Direction = query.direction;
    let (found, place) = slots::run_keeping_place(state, tenants, None, async |ctx| {
        kept::query(deps, ctx, query, keeps).await
    })
    .await?;
    let took = deps.clock.monotonic().saturating_sub(started);
    Ok(result::answer(found, show, direction, took, place))
}
