//! `index/stats`, `index/volume`, `index/volume_range`: how much there is, from the index alone.

use super::{
    amount::{Amount, amounts},
    bounds::{Bounds, positive},
    error::LokiError,
    result::metric,
    selectors,
    stats::write_stats,
};
use crate::{answer, json, params::Params, query::slots, state::ApiState, tenant::Tenants};
use axum::{extract::State, response::Response};
use model::{Labels, Matcher, NANOS_A_MILLI, NanoRange, Nanos};
use service_api::{Error, LogStream, ReadContext, Result, StreamsRequest};
use std::collections::{BTreeSet, HashMap};

pub async fn stats(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let bounds = Bounds::ordered(&params, state.now_nanos())?;
    let (range, matchers) = (bounds.range(), selectors::any(&params)?);
    let (streams, _) = select(&state, &tenants, matchers, range).await?;
    let mut sum = Amount::default();
    streams.iter().for_each(|stream| amounts(&stream.pages, &[range], |_, amount| sum += amount));
    let mut out = Vec::new();
    for (key, value) in [
        (r#"{"streams":"#, streams.len() as u64),
        (r#","chunks":"#, streams.iter().map(|stream| stream.pages.len() as u64).sum()),
        (r#","bytes":"#, sum.bytes.round() as u64),
        (r#","entries":"#, sum.lines.round() as u64),
    ] {
        out.extend_from_slice(key.as_bytes());
        json::unsigned(&mut out, value);
    }
    out.push(b'}');
    Ok(answer::whole(out))
}

pub async fn instant(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let bounds = Bounds::ordered(&params, state.now_nanos())?;
    volume(&state, &tenants, &params, vec![bounds]).await
}

pub async fn range(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let bounds = Bounds::ordered(&params, state.now_nanos())?;
    let step = bounds.step(&params)?;
    volume(&state, &tenants, &params, buckets(&bounds, step)).await
}

/// The parts of a range that each become a point: they begin at multiples of the step, and a
/// point has the time of its part's end, as in Loki.
fn buckets(bounds: &Bounds, step: i64) -> Vec<Bounds> {
    let mut found = Vec::new();
    let mut start = bounds.start - bounds.start.rem_euclid(step);
    while start < bounds.end {
        let next = start.saturating_add(step);
        let end = if next < bounds.end { next - NANOS_A_MILLI } else { bounds.end };
        found.push(Bounds { start: start.max(bounds.start), end });
        start = next;
    }
    found
}

/// What a volume is counted by.
struct Counted {
    /// Labels whose values, or names, are told apart; none for all of them.
    labels: Option<BTreeSet<String>>,
    by_series: bool,
}

impl Counted {
    fn of(params: &Params, matchers: &[Matcher]) -> Result<Self> {
        let by_series = match params.get("aggregateBy") {
            "" | "series" => true,
            "labels" => false,
            _ => return Err(Error::bad_request("invalid aggregation option")),
        };
        let targets: BTreeSet<String> =
            params.get("targetLabels").split(',').filter(|t| !t.is_empty()).map(str::to_owned).collect();
        let labels = if !targets.is_empty() {
            Some(targets)
        } else if matchers.is_empty() || !by_series {
            None
        } else {
            Some(matchers.iter().map(|m| m.name.clone()).collect())
        };
        Ok(Self { labels, by_series })
    }

    fn wants(&self, name: &str) -> bool {
        self.labels.as_ref().is_none_or(|labels| labels.contains(name))
    }

    /// The label sets that a stream's volume is added to.
    fn sets(&self, stream: &Labels) -> Vec<Labels> {
        let wanted = stream.iter().filter(|(name, _)| self.wants(name));
        if self.by_series {
            vec![Labels::from_pairs(wanted)]
        } else {
            // Loki shows names as labels without a value.
            wanted.map(|(name, _)| Labels::from_sorted([(name, "")])).collect()
        }
    }
}

async fn volume(
    state: &ApiState,
    tenants: &Tenants,
    params: &Params,
    buckets: Vec<Bounds>,
) -> Result<Response, LokiError> {
    let limit = match params.get("limit") {
        "0" => 100,
        _ => positive(params, "limit", 100)?,
    };
    let matchers = selectors::any(params)?;
    let counted = Counted::of(params, &matchers)?;
    let whole = match (buckets.first(), buckets.last()) {
        (Some(first), Some(last)) => Bounds { start: first.start, end: last.end }.range(),
        _ => NanoRange::new(0, -1),
    };
    let matchers = counted.required(matchers);
    let ends: Vec<Nanos> = buckets.iter().map(|bucket| bucket.end).collect();
    let request = StreamsRequest { matchers, range: whole };
    let logs = &state.deps.logs;
    let work = async |ctx: &ReadContext| {
        let set = logs.select(ctx, &request).await?;
        let (ctx, warnings) = (ctx.clone(), set.warnings);
        let found = slots::off_thread(move || volumes(&ctx, &set.streams, &counted, &buckets)).await??;
        Ok((found, warnings))
    };
    let (volumes, warnings) = slots::run(state, tenants, None, work).await?;
    let mut series: Vec<(Labels, Vec<(Nanos, f64)>)> = volumes
        .into_iter()
        .map(|(labels, values)| {
            let points = ends.iter().copied().zip(values).filter(|(_, bytes)| *bytes > 0.0);
            (labels, points.map(|(t, bytes)| (t, bytes.round())).collect::<Vec<_>>())
        })
        .filter(|(_, points)| !points.is_empty())
        .collect();
    series.sort_by(|(a, p), (b, q)| q[0].1.total_cmp(&p[0].1).then_with(|| a.cmp(b)));
    series.truncate(limit as usize);
    Ok(answer(series, warnings))
}

impl Counted {
    /// A stream that has none of the labels that are told apart counts nowhere in Loki either.
    fn required(&self, mut matchers: Vec<Matcher>) -> Vec<Matcher> {
        if let (Some(labels), true) = (&self.labels, self.by_series) {
            let missing = labels.iter().filter(|label| matchers.iter().all(|m| m.name != **label));
            let added: Vec<_> = missing.map(|label| Matcher::not_equal(label, "")).collect();
            matchers.extend(added);
        }
        matchers
    }
}

/// For each label set its bytes in each bucket.
///
/// # Errors
/// When the query should end, or has no memory left for so many points.
fn volumes(
    ctx: &ReadContext,
    streams: &[LogStream],
    counted: &Counted,
    buckets: &[Bounds],
) -> Result<HashMap<Labels, Vec<f64>>> {
    let mut volumes: HashMap<Labels, Vec<f64>> = HashMap::new();
    let mut held = ctx.budget.reserve(0)?;
    // Here, and as a point of the answer.
    let point = size_of::<f64>() + size_of::<(Nanos, f64)>();
    let ranges: Vec<NanoRange> = buckets.iter().map(Bounds::range).collect();
    for stream in streams {
        ctx.check()?;
        for labels in counted.sets(&stream.labels) {
            if !volumes.contains_key(&labels) {
                held.grow(labels.heap_bytes() + buckets.len() * point)?;
            }
            let values = volumes.entry(labels).or_insert_with(|| vec![0.0; buckets.len()]);
            amounts(&stream.pages, &ranges, |at, amount| values[at] += amount.bytes);
        }
    }
    Ok(volumes)
}

async fn select(
    state: &ApiState,
    tenants: &Tenants,
    matchers: Vec<Matcher>,
    range: NanoRange,
) -> Result<(Vec<LogStream>, Vec<String>)> {
    let request = StreamsRequest { matchers, range };
    let logs = &state.deps.logs;
    let set = slots::run(state, tenants, None, async |ctx| logs.select(ctx, &request).await).await?;
    Ok((set.streams, set.warnings))
}

/// A vector, or a matrix as soon as anything has two points, as Loki decides it.
fn answer(series: Vec<(Labels, Vec<(Nanos, f64)>)>, warnings: Vec<String>) -> Response {
    let matrix = series.iter().any(|(_, points)| points.len() > 1);
    let (kind, key) = if matrix { ("matrix", "values") } else { ("vector", "value") };
    let mut close = b"]".to_vec();
    write_stats(&mut close, &logql::engine::Stats::default(), std::time::Duration::ZERO);
    close.push(b'}');
    let each = move |out: &mut Vec<u8>, (labels, points): (Labels, Vec<(Nanos, f64)>)| {
        metric(out, &labels, key);
        let point = |out: &mut Vec<u8>, (t, bytes): &(Nanos, f64)| {
            json::scalar(out, t.div_euclid(NANOS_A_MILLI), *bytes);
        };
        if matrix {
            json::array(out, &points, point);
        } else if let Some(only) = points.first() {
            point(out, only);
        }
        out.push(b'}');
    };
    answer::array(&format!(r#"{{"resultType":"{kind}","result":["#), series, each, &close, &warnings.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TenantId;
    use service_api::Code;

    #[test]
    fn points_take_no_more_memory_than_the_query_may() {
        let streams: Vec<_> = (0..100)
            .map(|n| LogStream { labels: Labels::from_pairs([("n", n.to_string())]), pages: Vec::new() })
            .collect();
        let buckets: Vec<_> = (0..1000).map(|start| Bounds { start, end: start + 1 }).collect();
        let counted = Counted { labels: None, by_series: true };
        let count = |ctx: &ReadContext| volumes(ctx, &streams, &counted, &buckets);
        let ctx = |bytes| ReadContext::new(TenantId::anonymous(), bytes);
        assert_eq!(count(&ctx(1 << 20)).unwrap_err().code, Code::Unprocessable);
        let enough = ctx(3 << 20);
        assert_eq!(count(&enough).unwrap().len(), 100);
        enough.cancel.cancel();
        assert_eq!(count(&enough).unwrap_err().code, Code::Canceled);
    }
}
