//! Rule groups in YAML: listed, added, replaced, removed.

use super::{Named, Refused, accepted, tell, text, yaml};
use crate::{query::slots::off_thread, state::ApiState, tenant::Tenant};
use axum::{
    extract::{FromRef, Request, State},
    response::Response,
};
use model::TenantId;
use rules::{GroupName, Problem, Reading, RuleGroup};
use service_api::{Code, Error, Result, RuleLanguage};
use std::collections::BTreeMap;

/// What groups are in that do not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// Found out from their expressions.
    AsItIs,
    /// LogQL.
    Logs,
    /// LogQL if they can be, for Grafana sends Loki's here; else found out, for so do Cortex's tools.
    LogsOrNot,
}

/// Texts by which tools of Cortex and Loki know that there is nothing.
const NO_GROUPS: &str = "no rule groups found";
const NO_GROUP: &str = "group does not exist";
const NO_NAMESPACE: &str = "group namespace does not exist";

fn not_found(text: &'static str) -> Error {
    Error::new(Code::NotFound, text)
}

pub async fn list(Tenant(tenant): Tenant, State(state): State<ApiState>) -> Result<Response, Refused> {
    listed(&state, &tenant, None).await
}

pub async fn list_namespace(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    Named(namespace): Named<String>,
) -> Result<Response, Refused> {
    listed(&state, &tenant, Some(&namespace)).await
}

async fn listed(state: &ApiState, tenant: &TenantId, namespace: Option<&str>) -> Result<Response, Refused> {
    let found = state.deps.rule_store.groups(tenant, namespace).await?;
    if found.is_empty() {
        return Err(not_found(NO_GROUPS).into());
    }
    let mut groups = BTreeMap::<String, Vec<RuleGroup>>::new();
    for stored in found {
        groups.entry(stored.namespace).or_default().push(stored.group);
    }
    Ok(yaml(off_thread(move || rules::write_namespaces(&groups)).await?))
}

pub async fn show(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    Named((namespace, group)): Named<(String, String)>,
) -> Result<Response, Refused> {
    let found = state.deps.rule_store.groups(&tenant, Some(&namespace)).await?;
    let found = found.into_iter().find(|stored| stored.group.name == group);
    let found = found.ok_or_else(|| not_found(NO_GROUP))?;
    Ok(yaml(rules::write_group(&found.group)))
}

pub async fn post(
    posted: Posted,
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    Named(namespace): Named<String>,
    request: Request,
) -> Result<Response, Refused> {
    let text = text(request).await?;
    let reading = Reading::from_ref(&state);
    let group =
        off_thread(move || read(&text, posted, reading)).await?.map_err(|problems| refuse(&problems))?;
    rules::check_name("group", &group.name).map_err(Error::bad_request)?;
    state.deps.rule_store.put(&tenant, &namespace, group).await?;
    tell(&state, &tenant).await;
    Ok(accepted())
}

fn read(text: &str, posted: Posted, reading: Reading) -> Result<RuleGroup, Vec<Problem>> {
    let logs = Reading { lang: Some(RuleLanguage::Logql), ..reading };
    let read_logs = || {
        let mut group = rules::read_group(text, &logs)?;
        // Read again it shall be what it is now.
        group.lang.get_or_insert(RuleLanguage::Logql);
        Ok(group)
    };
    match posted {
        Posted::AsItIs => rules::read_group(text, &reading),
        Posted::Logs => read_logs(),
        Posted::LogsOrNot => read_logs().or_else(|_: Vec<Problem>| rules::read_group(text, &reading)),
    }
}

/// All that is wrong, a line each.
fn refuse(problems: &[Problem]) -> Error {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Error::bad_request(lines.join("\n"))
}

pub async fn delete(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    name: Named<(String, String)>,
) -> Result<Response, Refused> {
    let removed = state.deps.rule_store.delete(&tenant, &GroupName::from(name)).await;
    removed.map_err(|error| if error.code == Code::NotFound { not_found(NO_GROUP) } else { error })?;
    tell(&state, &tenant).await;
    Ok(accepted())
}

pub async fn delete_namespace(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    Named(namespace): Named<String>,
) -> Result<Response, Refused> {
    let removed = state.deps.rule_store.delete_namespace(&tenant, &namespace).await;
    removed.map_err(|error| if error.code == Code::NotFound { not_found(NO_NAMESPACE) } else { error })?;
    tell(&state, &tenant).await;
    Ok(accepted())
}
