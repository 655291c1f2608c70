//! Whose request it is: the tenant named by `X-Scope-OrgID`.

use axum::{
    extract::{FromRef, FromRequestParts},
    response::Response,
};
use http::request::Parts;
use model::TenantId;
use service_api::{Code, Error, Result};

/// The header that names the tenant (Cortex's, Loki's and Mimir's).
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// The tenant of a request, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant(pub TenantId);

/// Whether tenants are told apart. If not, everybody is `anonymous` whatever they send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multitenancy(pub bool);

impl<S> FromRequestParts<S> for Tenant
where
    S: Send + Sync,
    Multitenancy: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        tenant(parts, Multitenancy::from_ref(state)).map(Tenant).map_err(|e| crate::error::plain_text(&e))
    }
}

fn tenant(parts: &Parts, multitenancy: Multitenancy) -> Result<TenantId> {
    if !multitenancy.0 {
        return Ok(TenantId::anonymous());
    }
    let mut named = parts.headers.get_all(TENANT_HEADER).iter();
    let name = named.next().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Error::new(Code::Unauthenticated, "no org id"))?;
    // Two headers could be read differently by whoever checked them before us.
    if named.next().is_some() {
        return Err(Error::bad_request("more than one X-Scope-OrgID header"));
    }
    let name = name.to_str().map_err(|_| Error::bad_request("tenant ID is not ASCII"))?;
    TenantId::new(name).map_err(|e| Error::bad_request(e.to_string()))
}
