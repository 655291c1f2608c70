//! `labels`, `label/{name}/values`, `series`, `detected_labels`.

use super::{bounds::Bounds, error::LokiError, selectors};
use crate::{answer, json, params::Params, query::slots, state::ApiState, tenant::Tenants};
use axum::{
    extract::{Path, State},
    response::Response,
};
use model::{Labels, Signal};
use service_api::{LabelQuery, Result, Warned};
use std::collections::{BTreeMap, BTreeSet};

pub async fn names(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let query = query(&state, &params, selectors::optional(&params)?)?;
    let logs = &state.deps.logs;
    Ok(strings(slots::run(&state, &tenants, None, async |ctx| logs.label_names(ctx, &query).await).await?))
}

pub async fn values(
    tenants: Tenants,
    State(state): State<ApiState>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, LokiError> {
    let query = query(&state, &params, selectors::optional(&params)?)?;
    let logs = &state.deps.logs;
    let values =
        slots::run(&state, &tenants, None, async |ctx| logs.label_values(ctx, &name, &query).await).await?;
    Ok(strings(values))
}

pub async fn series(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let found = streams(&state, &tenants, &params, selectors::matcher_sets(&params)?).await?;
    let each = |out: &mut Vec<u8>, labels: Labels| json::labels(out, &labels);
    Ok(answer::array("[", found.value, each, b"]", &found.warnings.into()))
}

/// How many values each label has. Labels of which all values are numbers or UUIDs say little to
/// people and are left out, unless they are usual names of places.
pub async fn detected(
    tenants: Tenants,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, LokiError> {
    let found = streams(&state, &tenants, &params, selectors::optional(&params)?).await?;
    Ok(answer::whole(slots::off_thread(move || detected_labels(&found.value)).await?))
}

fn detected_labels(streams: &[Labels]) -> Vec<u8> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for labels in streams {
        labels.iter().for_each(|(name, value)| {
            values.entry(name).or_default().insert(value);
        });
    }
    let wanted = values.iter().filter(|(name, values)| PLACES.contains(name) || !all_ids(values));
    let mut out = br#"{"detectedLabels":"#.to_vec();
    json::array(&mut out, wanted, |out, (name, values)| {
        out.extend_from_slice(br#"{"label":"#);
        json::string(out, name);
        out.extend_from_slice(br#","cardinality":"#);
        json::unsigned(out, values.len() as u64);
        out.push(b'}');
    });
    out.push(b'}');
    out
}

const PLACES: [&str; 4] = ["cluster", "namespace", "instance", "pod"];

fn all_ids(values: &BTreeSet<&str>) -> bool {
    let flag = values.len() <= 2 && values.iter().all(|value| matches!(*value, "0" | "1"));
    !flag && values.iter().all(|value| value.parse::<f64>().is_ok() || is_uuid(value))
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

async fn streams(
    state: &ApiState,
    tenants: &Tenants,
    params: &Params,
    matcher_sets: Vec<Vec<model::Matcher>>,
) -> Result<Warned<Vec<Labels>>> {
    let query = query(state, params, matcher_sets)?;
    slots::run(state, tenants, None, async |ctx| state.deps.logs.series(ctx, &query).await).await
}

fn query(state: &ApiState, params: &Params, matcher_sets: Vec<Vec<model::Matcher>>) -> Result<LabelQuery> {
    let range = Bounds::ordered(params, state.now_nanos())?.range().millis();
    Ok(LabelQuery { signal: Signal::Logs, matcher_sets, range })
}

/// Loki leaves `data` out where there is nothing, and Grafana takes it so.
fn strings(found: Warned<Vec<String>>) -> Response {
    if found.value.is_empty() {
        return answer::whole(br#"{"status":"success"}"#.to_vec());
    }
    answer::array("[", found.value, |out, s| json::string(out, &s), b"]", &found.warnings.into())
}
