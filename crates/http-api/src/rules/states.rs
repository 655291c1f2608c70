//! `rules`, `alerts` and `alertmanagers` of Prometheus's API.

use super::{filter::Filter, shape};
use crate::{
    answer::{self, Notes},
    error::ApiError,
    json,
    params::Params,
    state::ApiState,
    tenant::Tenant,
};
use axum::{extract::State, response::Response};
use model::{Labels, TenantId};
use rules::{Expression, Rule, RuleKind, StoredGroup};
use service_api::{GroupState, Result, RuleHealth, RuleKindState, RuleState, Warned};
use std::{collections::BTreeSet, time::Duration};

pub async fn rules(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    params: Params,
) -> Result<Response, ApiError> {
    let filter = Filter::new(&params)?;
    let Warned { value: groups, warnings } = groups(&state, &tenant).await?;
    let (groups, next) = filter.apply(groups)?;
    let close = match next {
        None => "]}".to_owned(),
        Some(token) => format!(r#"],"groupNextToken":"{token}"}}"#),
    };
    let write = move |out: &mut Vec<u8>, group| shape::group(out, &group, filter.exclude_alerts);
    Ok(answer::array(r#"{"groups":["#, groups, write, close.as_bytes(), &Notes::from(warnings)))
}

pub async fn alerts(Tenant(tenant): Tenant, State(state): State<ApiState>) -> Result<Response, ApiError> {
    let Warned { value: groups, warnings } = state.deps.rule_states.groups(&tenant).await?;
    let rules = groups.into_iter().flat_map(|group| group.rules);
    let alerts = rules.flat_map(|rule| match rule.kind {
        RuleKindState::Alerting { alerts, .. } => alerts,
        RuleKindState::Recording => Vec::new(),
    });
    let write = |out: &mut Vec<u8>, alert| shape::alert(out, &alert);
    Ok(answer::array(r#"{"alerts":["#, alerts.collect(), write, b"]}", &Notes::from(warnings)))
}

pub async fn alertmanagers(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
) -> Result<Response, ApiError> {
    let urls = state.deps.rule_states.alertmanagers(&tenant).await?;
    let write = |out: &mut Vec<u8>| {
        out.extend_from_slice(br#"{"activeAlertmanagers":"#);
        json::array(out, &urls, |out, url| json::object(out, [("url", url.as_str())]));
        out.extend_from_slice(br#","droppedAlertmanagers":[]}"#);
    };
    Ok(answer::data(write, &Notes::default()))
}

/// What is run, and what is stored and not run yet; sorted by namespace and name.
async fn groups(state: &ApiState, tenant: &TenantId) -> Result<Warned<Vec<GroupState>>> {
    let deps = &state.deps;
    let (run, stored) = tokio::join!(deps.rule_states.groups(tenant), deps.rule_store.groups(tenant, None));
    let Warned { value: mut groups, mut warnings } = run?;
    match stored {
        Ok(stored) => {
            let run: BTreeSet<(String, String)> =
                groups.iter().map(|group| (group.namespace.clone(), group.name.clone())).collect();
            let name = |stored: &StoredGroup| (stored.namespace.clone(), stored.group.name.clone());
            let idle = stored.into_iter().filter(|stored| !run.contains(&name(stored)));
            groups.extend(idle.map(|stored| not_run_yet(stored, deps.rule_interval)));
        }
        Err(error) => {
            warnings.push(format!("groups that are not evaluated yet are not listed: {}", error.message));
        }
    }
    groups.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Ok(Warned { value: groups, warnings })
}

fn not_run_yet(stored: StoredGroup, interval: Duration) -> GroupState {
    let StoredGroup { namespace, group, is_fixed: _ } = stored;
    GroupState {
        namespace,
        name: group.name,
        interval: group.interval.unwrap_or(interval),
        query_offset: group.query_offset.unwrap_or_default(),
        limit: group.limit,
        rules: group.rules.into_iter().map(rule_not_run_yet).collect(),
        last_evaluation: None,
        evaluation_time: Duration::ZERO,
    }
}

fn rule_not_run_yet(rule: Rule) -> RuleState {
    // An empty one takes the group's away.
    let labels = rule.labels.iter().filter(|(_, value)| !value.is_empty());
    RuleState {
        name: rule.name().to_owned(),
        lang: rule.expr.lang(),
        query: match &rule.expr {
            Expression::Promql { expr, .. } => expr.to_string(),
            Expression::Logql { expr, .. } => expr.to_string(),
        },
        labels: Labels::from_pairs(labels),
        health: RuleHealth::Unknown,
        last_evaluation: None,
        evaluation_time: Duration::ZERO,
        kind: match rule.kind {
            RuleKind::Record(_) => RuleKindState::Recording,
            RuleKind::Alert { hold, keep_firing_for, annotations, .. } => RuleKindState::Alerting {
                hold,
                keep_firing_for,
                annotations: annotations.into_iter().collect(),
                alerts: Vec::new(),
            },
        },
    }
}
