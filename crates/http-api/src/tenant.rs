//! Whose request it is: the tenant named by `X-Scope-OrgID`, or several of them to be read together.

use crate::auth::Token;
use axum::{
    extract::{FromRef, FromRequestParts},
    response::Response,
};
use http::request::Parts;
use model::TenantId;
use serde::{Deserialize, Serialize};
use service_api::{Code, Error, Limits, LimitsSource, ReadContext, Result};
use std::{collections::BTreeSet, sync::Arc};

/// The header that names the tenant (Cortex's, Loki's and Mimir's).
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// Tenants that one query may read.
const MAX_TENANTS: usize = 100;

/// The tenant of a request that can have only one, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant(pub TenantId);

/// The tenants whose data a request reads: one, or some of them joined by `|` in the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenants {
    pub first: TenantId,
    /// The others, sorted, all of them behind the first.
    pub also: Arc<[TenantId]>,
}

/// Whether tenants are told apart. If not, everybody is `anonymous` whatever they send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Multitenancy {
    pub enabled: bool,
    /// Whether a query may read several tenants.
    pub federation: bool,
}

/// How a request's tenant is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenancy {
    pub multitenancy: Multitenancy,
    /// The tenant that holds what the process writes of itself, if it does. Where tenants are not told apart
    /// nobody could name it, so there it is the one name that the header may have, to be read.
    pub own: Option<TenantId>,
}

/// What a request does with the data of its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Reads,
    Changes,
}

impl<S> FromRequestParts<S> for Tenant
where
    S: Send + Sync,
    Tenancy: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let mut tenancy = Tenancy::from_ref(state);
        tenancy.multitenancy.federation = false;
        // What one tenant writes, deletes or sets is never asked for by GET.
        let used = if parts.method.is_safe() { Use::Reads } else { Use::Changes };
        let found = tenants(parts, &tenancy, used);
        found.map(|tenants| Self(tenants.first)).map_err(|e| crate::error::plain_text(&e))
    }
}

impl<S> FromRequestParts<S> for Tenants
where
    S: Send + Sync,
    Tenancy: FromRef<S>,
{
    type Rejection = Response;

    /// Several tenants can only be read; a query may come by POST.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        tenants(parts, &Tenancy::from_ref(state), Use::Reads).map_err(|e| crate::error::plain_text(&e))
    }
}

impl From<TenantId> for Tenants {
    fn from(first: TenantId) -> Self {
        Self { first, also: Arc::default() }
    }
}

impl Tenants {
    fn all(&self) -> impl Iterator<Item = &TenantId> {
        std::iter::once(&self.first).chain(self.also.iter())
    }

    /// What a query may take: of each limit on reads the strictest that one of the tenants has.
    pub fn limits(&self, source: &dyn LimitsSource) -> Arc<Limits> {
        let mut limits = source.limits(&self.first);
        for tenant in self.also.iter() {
            tighten(Arc::make_mut(&mut limits), &source.limits(tenant));
        }
        limits
    }

    /// A query of these tenants that keeps to these limits.
    pub fn context(&self, limits: &Limits) -> ReadContext {
        ReadContext { also: Arc::clone(&self.also), ..ReadContext::within(self.first.clone(), limits) }
    }
}

fn tighten(limits: &mut Limits, other: &Limits) {
    limits.query_memory = limits.query_memory.min(other.query_memory);
    for (limit, other) in [
        (&mut limits.max_concurrent_queries, other.max_concurrent_queries),
        (&mut limits.query_timeout, other.query_timeout),
        (&mut limits.max_query_series, other.max_query_series),
        (&mut limits.max_query_range, other.max_query_range),
        (&mut limits.max_query_lines, other.max_query_lines),
    ] {
        // 0 is no limit.
        *limit = [*limit, other].into_iter().filter(|limit| *limit > 0).min().unwrap_or(0);
    }
}

fn tenants(parts: &Parts, tenancy: &Tenancy, used: Use) -> Result<Tenants> {
    let rules = tenancy.multitenancy;
    let token = parts.extensions.get::<Arc<Token>>();
    let found = if rules.enabled {
        match named(parts)? {
            Some(name) if rules.federation => several(name)?,
            Some(name) => match tenant(name) {
                Err(error) if name.contains('|') => {
                    let text = format!("{error} (queries of several tenants need multitenancy.federation)");
                    return Err(Error::bad_request(text));
                }
                one => one?.into(),
            },
            // A token of one tenant says whose request it is.
            None => {
                let only = token.and_then(|token| token.only_tenant());
                only.cloned().ok_or_else(|| Error::new(Code::Unauthenticated, "no org id"))?.into()
            }
        }
    } else if let Some(own) = tenancy.own.as_ref().filter(|own| is_named(parts, own)) {
        if used == Use::Changes {
            let text = format!(
                "tenant {own} holds what Yagura writes of itself (monitoring.self_scrape): it can only be read"
            );
            return Err(Error::new(Code::Forbidden, text));
        }
        own.clone().into()
    } else {
        TenantId::anonymous().into()
    };
    if token.is_some_and(|token| !found.all().all(|tenant| token.is_for(tenant))) {
        return Err(Error::new(Code::Forbidden, "the token is not for this tenant"));
    }
    Ok(found)
}

/// Whether the header names this tenant and nothing else.
fn is_named(parts: &Parts, tenant: &TenantId) -> bool {
    matches!(named(parts), Ok(Some(name)) if name == tenant.as_str())
}

/// What the header says.
fn named(parts: &Parts) -> Result<Option<&str>> {
    let mut named = parts.headers.get_all(TENANT_HEADER).iter();
    let Some(name) = named.next() else { return Ok(None) };
    // Two headers could be read differently by whoever checked them before us.
    if named.next().is_some() {
        return Err(Error::bad_request("more than one X-Scope-OrgID header"));
    }
    let name = name.to_str().map_err(|_| Error::bad_request("tenant ID is not ASCII"))?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

fn tenant(name: &str) -> Result<TenantId> {
    TenantId::new(name).map_err(|e| Error::bad_request(e.to_string()))
}

fn several(names: &str) -> Result<Tenants> {
    let mut all = names.split('|').map(tenant).collect::<Result<BTreeSet<_>>>()?;
    if all.len() > MAX_TENANTS {
        return Err(Error::bad_request(format!("more than {MAX_TENANTS} tenants in one query")));
    }
    let first = all.pop_first().ok_or_else(|| Error::bad_request("no tenant is named"))?;
    Ok(Tenants { first, also: all.into_iter().collect() })
}

#[cfg(test)]
mod tests;
