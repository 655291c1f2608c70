//! Rules: how they fare, in Prometheus's JSON, and what they are, in YAML, under the paths of Cortex, Loki and
//! Mimir.
//!
//! Names of namespaces and groups stand percent-encoded in paths. Routes are found by the path as it was sent, and
//! names are decoded once, behind that: `a%2Fb` is one name, and so is `..`, of which nobody here makes a file.

mod alerting;
mod filter;
mod groups;
mod shape;
mod states;

use crate::{auth::Routes, error::plain_text, state::ApiState, tenant::Tenant};
use axum::{
    extract::{FromRef, FromRequestParts, Path, Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use groups::Posted;
use http::{HeaderMap, StatusCode, header, request::Parts};
use model::TenantId;
use rules::GroupName;
use serde::de::DeserializeOwned;
use service_api::Error;
pub use states::alertmanagers;
use std::time::Duration;

/// Everything about rules but `alertmanagers`.
pub fn routes() -> Routes<ApiState> {
    Routes::new()
        .read("/prometheus/api/v1/rules", get(states::rules))
        .read("/prometheus/api/v1/alerts", get(states::alerts))
        .rules("/api/v1/rules", get(rules))
        .rules("/api/v1/alerts", get(alerts).post(alerting::set).delete(alerting::remove))
        .nest("/api/v1/rules", below(Posted::AsItIs))
        // Of Loki, and its old name, which is Cortex's as well.
        .rules("/loki/api/v1/rules", get(groups::list))
        .nest("/loki/api/v1/rules", below(Posted::Logs))
        .rules("/api/prom/rules", get(groups::list))
        .nest("/api/prom/rules", below(Posted::LogsOrNot))
        // Of Mimir.
        .rules("/config/v1/rules", get(groups::list))
        .nest("/config/v1/rules", below(Posted::AsItIs))
        .rules("/prometheus/config/v1/rules", get(groups::list))
        .nest("/prometheus/config/v1/rules", below(Posted::AsItIs))
        // What Grafana puts behind the address of a data source of Cortex.
        .rules("/rules", get(groups::list))
        .nest("/rules", below(Posted::AsItIs))
        .rules("/prometheus/rules", get(groups::list))
        .nest("/prometheus/rules", below(Posted::AsItIs))
}

fn below(posted: Posted) -> Routes<ApiState> {
    let post = move |tenant: Tenant, state: State<ApiState>, namespace: Named<String>, request: Request| async move {
        groups::post(posted, tenant, state, namespace, request).await
    };
    Routes::new()
        .rules("/{namespace}", get(groups::list_namespace).post(post).delete(groups::delete_namespace))
        .rules("/{namespace}/{group}", get(groups::show).delete(groups::delete))
}

/// One path for two things: Prometheus tells here in JSON how rules fare, and Cortex lists groups in YAML. The tools
/// of Cortex and its kin, which send no `Accept`, are known by their names; Grafana wants Prometheus's.
async fn rules(headers: HeaderMap, State(state): State<ApiState>, request: Request) -> Response {
    if wants_yaml(&headers) {
        call(groups::list, request, state).await
    } else {
        call(states::rules, request, state).await
    }
}

/// As `rules`: Prometheus's alerts, or the tenant's own Alertmanagers as Cortex shows them.
async fn alerts(headers: HeaderMap, State(state): State<ApiState>, request: Request) -> Response {
    if wants_yaml(&headers) {
        call(alerting::show, request, state).await
    } else {
        call(states::alerts, request, state).await
    }
}

async fn call<T: 'static, H>(handler: H, request: Request, state: ApiState) -> Response
where
    H: axum::handler::Handler<T, ApiState>,
{
    handler.call(request, state).await
}

/// Beginnings of the `User-Agent` of those who expect YAML wherever Cortex has it.
const TOOLS: [&str; 6] = ["cortextool", "cortex-tools", "mimirtool", "lokitool", "loki-tool", "yagura"];

fn wants_yaml(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    text(header::ACCEPT).contains("yaml")
        || TOOLS.iter().any(|tool| text(header::USER_AGENT).to_ascii_lowercase().starts_with(tool))
}

/// An error as a line of text, as all of them answer it outside of Prometheus's API.
#[derive(Debug)]
struct Refused(Error);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        plain_text(&self.0)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// What a path names, decoded and checked.
struct Named<T>(T);

trait Name: DeserializeOwned + Send {
    fn check(&self) -> Result<(), String>;
}

impl Name for String {
    fn check(&self) -> Result<(), String> {
        rules::check_name("namespace", self)
    }
}

impl Name for (String, String) {
    fn check(&self) -> Result<(), String> {
        self.0.check()?;
        rules::check_name("group", &self.1)
    }
}

impl<T: Name> FromRequestParts<ApiState> for Named<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Response> {
        // Whose request it is comes first: nobody else is told anything.
        Tenant::from_request_parts(parts, state).await?;
        let bad = |why: String| plain_text(&Error::bad_request(why));
        let Path(name) = Path::<T>::from_request_parts(parts, state).await.map_err(|e| bad(e.body_text()))?;
        name.check().map_err(bad)?;
        Ok(Self(name))
    }
}

impl From<Named<(String, String)>> for GroupName {
    fn from(Named((namespace, group)): Named<(String, String)>) -> Self {
        Self { namespace, group }
    }
}

/// The answer to what was taken and has yet to take effect, as Loki and Mimir give it.
fn accepted() -> Response {
    let body = r#"{"status":"success","data":null,"errorType":"","error":""}"#;
    (StatusCode::ACCEPTED, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn yaml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/yaml")], text).into_response()
}

/// The longest group, or list of Alertmanagers, that a request may bring.
const MAX_BODY_BYTES: usize = 1 << 20;

/// A request's body as text.
async fn text(request: Request) -> Result<String, Error> {
    let claimed = request.headers().get(header::CONTENT_LENGTH);
    let claimed = claimed.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if claimed.is_some_and(|claimed| claimed > MAX_BODY_BYTES as u64) {
        let message = format!("the request has more than {MAX_BODY_BYTES} bytes: divide the group");
        return Err(Error::new(service_api::Code::TooLarge, message));
    }
    let body = crate::params::read_body(request.into_body(), MAX_BODY_BYTES).await?;
    String::from_utf8(body.into()).map_err(|_| Error::bad_request("the request is not UTF-8 text"))
}

/// Rulers are waited for only as long as nobody minds.
const TELL_WITHIN: Duration = Duration::from_secs(1);

/// Tells rulers that the tenant's rules are others now. If that fails they find out by themselves.
async fn tell(state: &ApiState, tenant: &TenantId) {
    let told = tokio::time::timeout(TELL_WITHIN, state.deps.rule_states.changed(tenant)).await;
    match told {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%tenant, %error, "rulers were not told of changed rules"),
        Err(_) => tracing::warn!(%tenant, "rulers did not answer when they were told of changed rules"),
    }
}

/// How rules are read that do not say which language they are in.
impl FromRef<ApiState> for rules::Reading {
    fn from_ref(state: &ApiState) -> Self {
        Self { lang: None, promql: state.deps.engine.config().features.parse_options() }
    }
}
