//! Which of a query's tenants its matchers are for, and what they are to each of them.

use super::{ORIGINAL_TENANT_LABEL, TENANT_LABEL};
use model::{Matcher, TenantId};
use service_api::ReadContext;
use std::collections::BTreeSet;

/// A tenant that a query concerns, and what is left of the query for it.
#[derive(Debug)]
pub(super) struct Selected {
    pub tenant: TenantId,
    /// Those that may match series of this tenant. None at all, as in the query, match everything.
    pub matcher_sets: Vec<Vec<Matcher>>,
}

/// All tenants of a query, sorted, each once.
pub(super) fn all(ctx: &ReadContext) -> BTreeSet<TenantId> {
    ctx.also.iter().chain([&ctx.tenant]).cloned().collect()
}

/// The tenants that at least one of the matcher sets is for.
pub(super) fn selected(ctx: &ReadContext, matcher_sets: &[Vec<Matcher>]) -> Vec<Selected> {
    let select = |tenant: TenantId| {
        let concerned = matcher_sets.iter().filter(|set| concerns(set, &tenant));
        let left: Vec<_> = concerned.map(|set| without_tenant(set)).collect();
        (matcher_sets.is_empty() || !left.is_empty()).then_some(Selected { tenant, matcher_sets: left })
    };
    all(ctx).into_iter().filter_map(select).collect()
}

fn concerns(matchers: &[Matcher], tenant: &TenantId) -> bool {
    matchers.iter().filter(|m| m.name == TENANT_LABEL).all(|m| m.matches(tenant.as_str()))
}

/// What a tenant's own series are to match: they know nothing of the label that they will get.
fn without_tenant(matchers: &[Matcher]) -> Vec<Matcher> {
    let own = |matcher: &Matcher| {
        let mut matcher = matcher.clone();
        if matcher.name == ORIGINAL_TENANT_LABEL {
            matcher.name = TENANT_LABEL.to_owned();
        }
        matcher
    };
    matchers.iter().filter(|m| m.name != TENANT_LABEL).map(own).collect()
}
