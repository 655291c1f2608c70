//! How many series there are by metric, label and value: `status/tsdb`, and Cortex's and
//! Mimir's `cardinality` and `user_stats`. Counted over the series of the last hour.

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
use http::header;
use model::{Labels, METRIC_NAME, Matcher, Signal, TimeRange};
use service_api::{Error, LabelQuery, Result};
use std::{cmp::Reverse, collections::HashMap, hash::Hash};

const WINDOW_MS: i64 = 3_600_000;
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 500;
/// Labels that one request may ask about. Each is a walk over all series.
const MAX_LABELS: usize = 100;

/// What `figures` makes of the tenants' recent series, as long as they fit their memory budget.
async fn count_recent<T: Send + 'static>(
    state: &ApiState,
    tenants: &Tenants,
    matchers: Option<Vec<Matcher>>,
    figures: impl FnOnce(&[Labels], TimeRange) -> T + Send + 'static,
) -> Result<T> {
    let now = state.deps.clock.now_ms();
    let range = TimeRange::new(now.saturating_sub(WINDOW_MS), now);
    let query = LabelQuery { signal: Signal::Metrics, matcher_sets: matchers.into_iter().collect(), range };
    let reader = &state.deps.reader;
    slots::run(state, tenants, None, async |ctx| {
        let series = reader.series(ctx, &query).await?.value;
        // The labels themselves, and the tables that count them.
        let bytes: usize = series.iter().map(Labels::heap_bytes).sum();
        let _memory = ctx.budget.reserve(2 * bytes)?;
        slots::off_thread(move || figures(&series, range)).await
    })
    .await
}

/// The keys with the highest counts.
fn top<K: Ord + Hash>(counts: HashMap<K, usize>, limit: usize) -> Vec<(K, usize)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
    counts.truncate(limit);
    counts
}

fn count<K: Eq + Hash>(keys: impl IntoIterator<Item = K>) -> HashMap<K, usize> {
    let mut counts = HashMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

pub async fn tsdb(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = match params.get("limit") {
        "" => 10,
        text => match text.parse::<usize>() {
            Ok(n @ 1..=10_000) => n,
            Ok(n) if n > 10_000 => return Err(Error::bad_request("limit must not exceed 10000").into()),
            _ => return Err(Error::bad_request("limit must be a positive number").into()),
        },
    };
    let body =
        count_recent(&state, &tenants, None, move |series, range| tsdb_figures(series, range, limit)).await?;
    Ok(answer::data(|out| out.extend_from_slice(&body), &Notes::default()))
}

fn tsdb_figures(series: &[Labels], range: TimeRange, limit: usize) -> Vec<u8> {
    let metrics = count(series.iter().map(|s| s.metric_name().unwrap_or("").to_owned()));
    let pairs = count(series.iter().flat_map(|s| s.iter()));
    let values = count(pairs.keys().map(|(name, _)| (*name).to_owned()));
    let mut memory: HashMap<String, usize> = HashMap::new();
    for (name, value) in pairs.keys() {
        *memory.entry((*name).to_owned()).or_default() += value.len();
    }
    let pair_count = pairs.len();
    let pairs = pairs.iter().map(|((name, value), n)| (format!("{name}={value}"), *n)).collect();
    let mut out = format!(
        r#"{{"headStats":{{"numSeries":{},"numLabelPairs":{pair_count},"chunkCount":0,"minTime":{},"maxTime":{}}}"#,
        series.len(),
        range.start,
        range.end,
    )
    .into_bytes();
    for (key, counts) in [
        ("seriesCountByMetricName", metrics),
        ("labelValueCountByLabelName", values),
        ("memoryInBytesByLabelName", memory),
        ("seriesCountByLabelValuePair", pairs),
    ] {
        out.extend_from_slice(format!(",\"{key}\":").as_bytes());
        json::array(&mut out, top(counts, limit), |out, (name, n)| named(out, "name", &name, "value", n));
    }
    out.push(b'}');
    out
}

fn named(out: &mut Vec<u8>, key: &str, name: &str, count_key: &str, count: usize) {
    out.extend_from_slice(format!("{{\"{key}\":").as_bytes());
    json::string(out, name);
    out.extend_from_slice(format!(",\"{count_key}\":{count}}}").as_bytes());
}

/// `limit` and `selector`, as Mimir takes them.
fn options(params: &Params) -> Result<(usize, Option<Vec<Matcher>>)> {
    let limit = match params.get("limit") {
        "" => DEFAULT_LIMIT,
        text => text.parse().ok().filter(|n| *n <= MAX_LIMIT).ok_or_else(|| {
            Error::bad_request(format!("'limit' param must be a number from 0 to {MAX_LIMIT}"))
        })?,
    };
    let selector = match params.get("selector") {
        "" => None,
        text => Some(selectors::matchers(text)?),
    };
    Ok((limit, selector))
}

pub async fn label_names(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let (limit, selector) = options(&params)?;
    Ok(bare(count_recent(&state, &tenants, selector, move |series, _| name_figures(series, limit)).await?))
}

fn name_figures(series: &[Labels], limit: usize) -> Vec<u8> {
    let pairs = count(series.iter().flat_map(|s| s.iter()));
    let names = count(pairs.keys().map(|(name, _)| *name));
    let mut out = format!(
        r#"{{"label_values_count_total":{},"label_names_count":{},"cardinality":"#,
        pairs.len(),
        names.len()
    )
    .into_bytes();
    json::array(&mut out, top(names, limit), |out, (name, n)| {
        named(out, "label_name", name, "label_values_count", n);
    });
    out.push(b'}');
    out
}

pub async fn label_values(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let (limit, selector) = options(&params)?;
    let wanted: Vec<String> = params.all("label_names[]").map(str::to_owned).collect();
    if wanted.is_empty() {
        return Err(Error::bad_request("'label_names[]' param is required").into());
    }
    if wanted.len() > MAX_LABELS {
        return Err(Error::bad_request(format!("more than {MAX_LABELS} label_names[] parameters")).into());
    }
    Ok(bare(
        count_recent(&state, &tenants, selector, move |series, _| value_figures(series, wanted, limit))
            .await?,
    ))
}

fn value_figures(series: &[Labels], wanted: Vec<String>, limit: usize) -> Vec<u8> {
    let mut out = format!(r#"{{"series_count_total":{},"labels":"#, series.len()).into_bytes();
    json::array(&mut out, wanted, |out, label| {
        let values = count(series.iter().filter_map(|s| s.get(&label)));
        let (distinct, with) = (values.len(), values.values().sum::<usize>());
        out.extend_from_slice(br#"{"label_name":"#);
        json::string(out, &label);
        out.extend_from_slice(
            format!(r#","label_values_count":{distinct},"series_count":{with},"cardinality":"#).as_bytes(),
        );
        json::array(out, top(values, limit), |out, (value, n)| {
            named(out, "label_value", value, "series_count", n);
        });
        out.push(b'}');
    });
    out.push(b'}');
    out
}

/// Cortex's figures of a tenant; the rates are not known here.
pub async fn user_stats(tenants: Tenants, State(state): State<ApiState>) -> Result<Response, ApiError> {
    let figures = |series: &[Labels], _| {
        let metrics = count(series.iter().filter_map(|s| s.get(METRIC_NAME))).len();
        format!(r#"{{"numSeries":{},"numMetrics":{metrics}}}"#, series.len()).into_bytes()
    };
    Ok(bare(count_recent(&state, &tenants, None, figures).await?))
}

/// Mimir answers these without Prometheus's envelope.
fn bare(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
