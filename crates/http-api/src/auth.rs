//! Who may do what: a request's token is checked before anything else of it is looked at.

mod routes;
mod token;

pub use routes::{Access, AccessTable, Routes};
pub use token::{Grants, TenantSet, Token, Tokens};

use crate::error::plain_text;
use arc_swap::ArcSwap;
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use service_api::{Code, Error, Result};
use std::sync::Arc;

/// Settings of the section `auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// The file of tokens; with it every request needs one.
    pub tokens_file: String,
    /// Whether `/metrics` is shown to everybody.
    pub open_metrics: bool,
}

/// The tokens that are good at the moment. That there is an `Auth` means that one is needed.
#[derive(Clone, Debug)]
pub struct Auth {
    pub tokens: Arc<ArcSwap<Tokens>>,
    pub open_metrics: bool,
}

/// What the middleware needs: who may, and what each route asks for.
#[derive(Clone, Debug)]
pub struct Guard {
    auth: Auth,
    routes: Arc<AccessTable>,
}

impl Guard {
    pub fn new(auth: Auth, routes: AccessTable) -> Self {
        Self { auth, routes: Arc::new(routes) }
    }

    /// The token with which the request may go on; none where everybody may.
    fn admit(&self, request: &Request) -> Result<Option<Arc<Token>>> {
        let route = request.extensions().get::<MatchedPath>();
        let access = route.and_then(|route| self.routes.get(route.as_str()).copied());
        match access {
            Some(Access::Open) => return Ok(None),
            Some(Access::Metrics) if self.auth.open_metrics => return Ok(None),
            _ => {}
        }
        let token = self.auth.tokens.load().find(&presented(request.headers())?).cloned();
        let token = token.ok_or_else(|| Error::new(Code::Unauthenticated, "the token is not known"))?;
        // Where no route is there is nothing to be had. A route of which nobody has said who may
        // use it is for nobody.
        let may = route.is_none() || access.is_some_and(|access| token.may(access, request.method()));
        if !may {
            return Err(Error::new(Code::Forbidden, "the token does not allow this"));
        }
        Ok(Some(token))
    }
}

/// Lets in who may, and takes their token off the request so that nothing behind can show it.
pub async fn check(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.admit(&request) {
        Ok(token) => {
            request.headers_mut().remove(header::AUTHORIZATION);
            if let Some(token) = token {
                request.extensions_mut().insert(token);
            }
            next.run(request).await
        }
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &Error) -> Response {
    let mut response = plain_text(error);
    if error.code == Code::Unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The token of `Authorization: Bearer`, or the password of `Basic`, whose user may be any.
fn presented(headers: &HeaderMap) -> Result<Vec<u8>> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let wanted = || Error::new(Code::Unauthenticated, "a token is wanted: Authorization: Bearer TOKEN");
    let value = all.next().ok_or_else(wanted)?;
    if all.next().is_some() {
        return Err(Error::bad_request("more than one Authorization header"));
    }
    let (scheme, rest) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(wanted)?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(rest.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(wanted());
    }
    let pair = BASE64_STANDARD.decode(rest).map_err(|_| wanted())?;
    let colon = pair.iter().position(|byte| *byte == b':').ok_or_else(wanted)?;
    Ok(pair[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests;
