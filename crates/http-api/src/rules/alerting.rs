//! The tenant's own Alertmanagers, at Cortex's path for the configuration of its Alertmanager.

use super::{Refused, tell, text, yaml};
use crate::{
    auth::{Access, Token},
    state::ApiState,
    tenant::Tenant,
};
use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use http::{Method, StatusCode};
use service_api::{Code, Error, Result};
use std::sync::Arc;

pub async fn show(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    token: Option<Extension<Arc<Token>>>,
) -> Result<Response, Refused> {
    // The path is for readers, too, who see alerts there. This may hold passwords.
    if token.is_some_and(|Extension(token)| !token.may(Access::Rules, &Method::POST)) {
        let message = "the token does not allow this: a token with `rules` is wanted to see where alerts go";
        return Err(Error::new(Code::Forbidden, message).into());
    }
    let found = state.deps.rule_store.alerting(&tenant).await?;
    // By this text tools of Cortex know that there is nothing.
    Ok(yaml(found.ok_or_else(|| Error::new(Code::NotFound, "alertmanager storage object not found"))?))
}

pub async fn set(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let text = text(request).await?;
    if text.trim().is_empty() {
        let message = "the request is empty: give `alertmanagers:`, or DELETE what is set";
        return Err(Error::bad_request(message).into());
    }
    if configures_an_alertmanager(&text) {
        let message = "there is no Alertmanager here that could be configured with `alertmanager_config`: \
                       run one, and name it here under `alertmanagers:`";
        return Err(Error::bad_request(message).into());
    }
    state.deps.rule_store.set_alerting(&tenant, Some(&text)).await?;
    tell(&state, &tenant).await;
    Ok(StatusCode::CREATED)
}

/// Whether it is what Cortex's Alertmanager takes. Whatever else is wrong is found where it is read.
fn configures_an_alertmanager(text: &str) -> bool {
    let mut keys = text.lines().map(|line| line.trim_start_matches(['{', ' ', '"', '\'']));
    keys.any(|key| key.starts_with("alertmanager_config") || key.starts_with("template_files"))
}

/// Good, too, where there is nothing, as in Cortex.
pub async fn remove(Tenant(tenant): Tenant, State(state): State<ApiState>) -> Result<StatusCode, Refused> {
    match state.deps.rule_store.set_alerting(&tenant, None).await {
        Err(error) if error.code != Code::NotFound => return Err(error.into()),
        _ => {}
    }
    tell(&state, &tenant).await;
    Ok(StatusCode::OK)
}
