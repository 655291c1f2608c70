//! `/ring`: each role's members, as a page and as JSON, and the button that forgets one.

use crate::{error::plain_text, state::ApiState};
use axum::{
    Form,
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use hash_ring::{Member, Ring};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use service_api::{Code, Error};
use std::fmt::Write;

/// The ring of one role.
#[derive(Clone)]
pub struct RoleRing {
    pub role: &'static str,
    pub ring: Ring,
}

#[derive(Serialize)]
struct Shown<'a> {
    /// As operators know it: `unhealthy` goes over what the member says of itself.
    state: &'a str,
    id: &'a str,
    address: &'a str,
    zone: &'a str,
    registered_state: &'a str,
    holds_data: bool,
    /// Whether others stand in for it.
    passed_over: bool,
    /// Whether what it acknowledged on an earlier disk is only at its peers.
    lost_disk: bool,
}

#[derive(Serialize)]
struct ShownRing<'a> {
    role: &'a str,
    replication_factor: usize,
    members: Vec<Shown<'a>>,
}

/// The member to forget.
#[derive(Deserialize)]
pub struct Forget {
    role: String,
    forget: String,
}

fn shown(member: &Member) -> Shown<'_> {
    let registered_state = member.state.as_str();
    Shown {
        state: if member.is_healthy() { registered_state } else { member.health.as_str() },
        id: &member.id,
        address: &member.address,
        zone: &member.zone,
        registered_state,
        holds_data: member.holds_data,
        passed_over: member.passed_over,
        lost_disk: member.lost_until_ms > 0,
    }
}

pub async fn show(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    let views: Vec<_> = state.deps.rings.iter().map(|ring| (ring.role, ring.ring.view())).collect();
    let rings = views.iter().map(|(role, view)| ShownRing {
        role,
        replication_factor: view.replication_factor(),
        members: view.members().iter().map(shown).collect(),
    });
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepts.is_some_and(|accept| accept.contains("application/json")) {
        axum::Json(serde_json::json!({ "rings": rings.collect::<Vec<_>>() })).into_response()
    } else {
        Html(page(rings)).into_response()
    }
}

pub async fn forget(State(state): State<ApiState>, Form(form): Form<Forget>) -> Response {
    let Some(ring) = state.deps.rings.iter().find(|ring| ring.role == form.role) else {
        return plain_text(&Error::new(Code::NotFound, format!("there is no ring of role {:?}", form.role)));
    };
    match ring.ring.forget(&form.forget).await {
        Ok(()) => {
            tracing::info!(role = ring.role, member = form.forget, "forgotten on request");
            Redirect::to("/ring").into_response()
        }
        Err(error) => plain_text(&error),
    }
}

fn page<'a>(rings: impl Iterator<Item = ShownRing<'a>>) -> String {
    let mut out = include_str!("ring/head.html").to_owned();
    for ring in rings {
        let _ = write!(
            out,
            "<h2>{}</h2>\n<p>Replication factor {}</p>\n<table>\n<tr><th>id<th>state<th>zone<th>address<th>notes<th></tr>\n",
            escape(ring.role),
            ring.replication_factor
        );
        for member in ring.members {
            let notes = [
                (member.state != member.registered_state).then(|| format!("was {}", member.registered_state)),
                member.passed_over.then(|| "passed over".to_owned()),
                member.lost_disk.then(|| "lost its disk".to_owned()),
                (!member.holds_data).then(|| "holds no data yet".to_owned()),
            ];
            let notes: Vec<_> = notes.into_iter().flatten().collect();
            let _ = writeln!(
                out,
                "<tr><td>{id}<td class=\"{state}\">{state}<td>{}<td>{}<td>{}<td>\
                 <form method=\"post\"><input type=\"hidden\" name=\"role\" value=\"{}\">\
                 <button name=\"forget\" value=\"{id}\">Forget</button></form></tr>",
                escape(member.zone),
                escape(member.address),
                notes.join(", "),
                escape(ring.role),
                id = escape(member.id),
                state = member.state,
            );
        }
        out.push_str("</table>\n");
    }
    out + "</html>\n"
}

/// Names come out of the ring's store, where anybody on the cluster's network may have written them.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_names_as_text() {
        let mut member = Member::new("<script>", "10.0.0.1:9095");
        member.zone = "a\"b".into();
        member.health = hash_ring::Health::Unhealthy;
        let ring = ShownRing { role: "ingester", replication_factor: 3, members: vec![shown(&member)] };
        let page = page([ring].into_iter());
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
        assert!(page.contains(">unhealthy<") && page.contains("was active"), "{page}");
    }
}
