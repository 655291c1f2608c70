//! Queries: `query`, `query_range`, `format_query`, `parse_query`.

mod ast;
mod kept;
mod result;
pub mod selectors;
mod series;
pub mod slots;
mod statistics;

use crate::{
    answer::{self, Notes},
    error::ApiError,
    json,
    params::{Params, invalid},
    results,
    state::ApiState,
    tenant::Tenants,
};
use axum::{extract::State, response::Response};
use http::HeaderMap;
use model::{Timestamp, quote};
use promql::Downsampling;
use promql::ast::Expr;
use promql::engine::{Observe, Query};
use result::Told;
use service_api::{Error, Result};
use statistics::Stats;
use std::{sync::Arc, time::Duration};
use vectors::Steps;

/// Points of one series that a range query may ask for.
const MAX_POINTS: i128 = 11_000;

const NANOS_PER_MS: i64 = 1_000_000;

/// What instant and range queries take alike.
struct Options {
    limit: Option<usize>,
    timeout: Option<Duration>,
    lookback: Option<Duration>,
    /// In place of the engine's.
    downsampling: Option<Downsampling>,
    stats: Stats,
    /// The plan is told, too.
    explain: bool,
    /// A kept result may be used, and this one be kept.
    keeps: bool,
}

pub async fn instant(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    let time = params.time_or("time", state.deps.clock.now_ms())?;
    let options = options(&params, limit)?;
    evaluate(tenants, &state, &params, Times { start: time, end: time, step: None }, options).await
}

pub async fn range(
    tenants: Tenants,
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    let times = times(&params)?;
    let options = options(&params, limit)?;
    let keeps = !options.observes() && !results::is_unwanted(&headers, &params);
    let options = Options { keeps, ..options };
    let max = state.limits(&tenants).max_query_range;
    if max > 0 && (times.end - times.start) as u64 > max.saturating_mul(1000) {
        let why = format!("the query's range is longer than limits.max_query_range allows ({max} s)");
        return Err(Error::bad_request(why).into());
    }
    evaluate(tenants, &state, &params, times, options).await
}

/// When an expression is evaluated.
struct Times {
    start: Timestamp,
    end: Timestamp,
    /// Milliseconds; none for an instant query.
    step: Option<i64>,
}

impl Times {
    fn steps(&self) -> Steps {
        self.step.map_or_else(|| Steps::instant(self.start), |step| Steps::range(self.start, self.end, step))
    }
}

impl Options {
    /// Whether more is wanted than the answer. Then all of it is computed, for kept parts tell nothing.
    fn observes(&self) -> bool {
        self.stats != Stats::No || self.explain
    }
}

fn times(params: &Params) -> Result<Times> {
    let start = params.required_time("start")?;
    let end = params.required_time("end")?;
    if end < start {
        return Err(invalid("end", "end timestamp must not be before start time"));
    }
    let step = params.required_duration("step")?;
    // Less than a millisecond would be no step at all.
    if step < NANOS_PER_MS {
        let why = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(invalid("step", why));
    }
    if i128::from(end - start) * i128::from(NANOS_PER_MS) / i128::from(step) > MAX_POINTS {
        return Err(Error::bad_request(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    Ok(Times { start, end, step: Some(step / NANOS_PER_MS) })
}

fn options(params: &Params, limit: Option<usize>) -> Result<Options> {
    let timeout = params.timeout()?;
    let lookback = params.lookback_delta()?;
    let explain = match params.get("explain") {
        "" | "false" => false,
        "true" => true,
        other => return Err(invalid("explain", format!("{} is neither true nor false", quote(other)))),
    };
    let downsampling = match params.get("downsampling") {
        "" => None,
        name => Some(Downsampling::from_name(name).ok_or_else(|| {
            let names = Downsampling::ALL.map(Downsampling::name).join(", ");
            invalid("downsampling", format!("{} is none of {names}", quote(name)))
        })?),
    };
    let stats = Stats::asked_by(params.get("stats"));
    Ok(Options { limit, timeout, lookback, downsampling, stats, explain, keeps: false })
}

async fn query(state: &ApiState, params: &Params) -> Result<Expr> {
    let parsed = selectors::parse_query(&state.deps.engine, params.get("query")).await;
    parsed.map_err(|e| invalid("query", e))
}

async fn evaluate(
    tenants: Tenants,
    state: &ApiState,
    params: &Params,
    times: Times,
    options: Options,
) -> Result<Response, ApiError> {
    let deps = &state.deps;
    let started = deps.clock.monotonic();
    let observe = options.observes().then(|| Observe {
        clock: Arc::clone(&deps.clock),
        steps: options.stats != Stats::No,
        plan: options.explain,
    });
    let (mut found, place) = slots::run_keeping_place(state, &tenants, options.timeout, async |ctx| {
        let expr = query(state, params).await?;
        let (observe, now) = (observe.as_ref(), Some(deps.clock.now_ms()));
        let query = Query { observe, now, ..Query::new(params.get("query"), &expr) };
        result::evaluate(deps, ctx, query, &times, &options).await
    })
    .await?;
    if options.stats == Stats::Deprecated {
        let value = quote(params.get("stats"));
        found.notes.warnings.push(format!(
            "value {value} for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\""
        ));
    }
    let took = deps.clock.monotonic().saturating_sub(started);
    let tells_steps = options.stats == Stats::All && deps.engine.config().features.per_step_stats;
    let told = Told { stats: options.stats, steps: tells_steps.then(|| times.steps()) };
    Ok(found.into_response(options.limit, told, took, place))
}

pub async fn format(_: Tenants, State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let pretty = promql::pretty(&query(&state, &params).await?);
    Ok(answer::data(|out| json::string(out, &pretty), &Notes::default()))
}

pub async fn parse(_: Tenants, State(state): State<ApiState>, params: Params) -> Result<Response, ApiError> {
    let expr = query(&state, &params).await?;
    Ok(answer::data(|out| ast::expr(out, &expr), &Notes::default()))
}
