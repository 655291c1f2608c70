//! `tail`: lines over a WebSocket as they come in, after the newest that are there already.

mod frame;
mod session;

use super::{
    bounds::{Bounds, line_limit},
    error::LokiError,
    result::Show,
};
use crate::{params::Params, state::ApiState, tenant::Tenant};
use axum::{
    extract::{State, ws::WebSocketUpgrade},
    response::Response,
};
use http::HeaderMap;
use logql::ast::Expr;
use service_api::{Error, Result};
use session::Session;
use std::time::Duration;

/// The longest `delay_for`, in seconds (Loki's).
const MAX_DELAY: u64 = 5;
/// Clients say nothing but that they go away.
const MAX_MESSAGE: usize = 4096;
/// Bytes that a tail reads at once.
const READ_BUFFER: usize = 4096;

pub async fn tail(
    Tenant(tenant): Tenant,
    State(state): State<ApiState>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
    params: Params,
) -> Result<Response, LokiError> {
    let Expr::Logs(query) =
        logql::parse(params.get("query")).map_err(|e| Error::bad_request(e.to_string()))?
    else {
        return Err(Error::bad_request("only log queries can be tailed").into());
    };
    let limit = line_limit(&params, "limit", state.deps.limits.limits(&tenant).max_query_lines)?;
    let start = Bounds::of(&params, state.now_nanos())?.start;
    let delay = delay(&params)?;
    let show = Show::asked_by(&headers);
    let session = Session::new(&state, tenant, query, show, delay)?;
    let upgrade =
        upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE).read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| session.run(socket, start, limit)))
}

/// Seconds that lines wait for others that are older.
fn delay(params: &Params) -> Result<Duration> {
    let seconds = match params.get("delay_for") {
        "" => 0,
        text => text.parse().map_err(|_| Error::bad_request("delay_for must be a number of seconds"))?,
    };
    if seconds > MAX_DELAY {
        return Err(Error::bad_request(format!("delay_for can't be greater than {MAX_DELAY}")));
    }
    Ok(Duration::from_secs(seconds))
}
