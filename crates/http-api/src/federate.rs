//! The newest value of each selected series in the text exposition format: `/federate`.

mod text;

use crate::{
    error::plain_text,
    params::Params,
    query::{selectors, slots},
    state::ApiState,
    tenant::Tenants,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use model::{Labels, Matcher, TimeRange, Timestamp, is_stale};
use service_api::{Error, ReadContext, Result, SampleBuffer, SelectRequest, Series};
use std::collections::BTreeMap;

pub async fn federate(
    tenants: Tenants,
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Response {
    let escaping = text::Escaping::accepted_by(&headers);
    let body = async {
        let sets = selectors::any_matcher_sets(&params)?;
        slots::run(&state, &tenants, None, async |ctx| {
            let range = range(&state);
            let (selected, ctx) = (select(&state, ctx, sets, range).await?, ctx.clone());
            slots::off_thread(move || Ok(text::write(&newest(&ctx, selected, range)?, escaping))).await?
        })
        .await
    };
    match body.await {
        Ok(body) => ([(header::CONTENT_TYPE, escaping.content_type())], body).into_response(),
        Err(e) => plain_text(&e),
    }
}

/// A series' name, labels and newest sample.
struct Newest {
    labels: Labels,
    timestamp: Timestamp,
    value: f64,
}

/// As far back as a query would look.
fn range(state: &ApiState) -> TimeRange {
    let now = state.deps.clock.now_ms();
    TimeRange::new(now.saturating_sub(state.deps.engine.config().lookback_ms), now)
}

/// The series that any of the sets selects, each once.
async fn select(
    state: &ApiState,
    ctx: &ReadContext,
    sets: Vec<Vec<Matcher>>,
    range: TimeRange,
) -> Result<BTreeMap<Labels, Series>> {
    let mut selected = BTreeMap::new();
    for matchers in sets {
        let set = state.deps.reader.select(ctx, &SelectRequest { matchers, range }).await?;
        if let Some(warning) = set.warnings.first() {
            // The format has no place for warnings, and data must not be missing in silence.
            return Err(Error::unavailable(format!("some data cannot be read: {warning}")));
        }
        selected.extend(set.series.into_iter().map(|s| (s.labels.clone(), s)));
    }
    Ok(selected)
}

/// Sorted by metric name, then labels; without names, stale series and native histograms,
/// which the format cannot hold.
fn newest(ctx: &ReadContext, selected: BTreeMap<Labels, Series>, range: TimeRange) -> Result<Vec<Newest>> {
    let mut memory = ctx.budget.reserve(0)?;
    let mut buffer = SampleBuffer::default();
    let mut found = Vec::new();
    for (labels, series) in selected {
        ctx.check()?;
        buffer.clear();
        series.data.read(range, &mut buffer)?;
        let (Some(&timestamp), Some(&value)) = (buffer.timestamps.last(), buffer.values.last()) else {
            continue;
        };
        let histogram = buffer.histograms.last().is_some_and(|h| h.timestamp > timestamp);
        if histogram || is_stale(value) || labels.metric_name().is_none() {
            continue;
        }
        memory.grow(size_of::<Newest>())?;
        found.push(Newest { labels, timestamp, value });
    }
    // Families must not be torn apart; the sort keeps the order of labels within each.
    found.sort_by(|a, b| a.labels.metric_name().cmp(&b.labels.metric_name()));
    Ok(found)
}
