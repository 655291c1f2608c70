//! How much each tenant has in memory, of those that have most.

use hashbrown::HashSet;
use model::TenantId;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};
use std::{cmp::Reverse, sync::Arc};

/// Tenants with a series of their own: nothing limits how many tenants there are, and each costs whoever scrapes us.
const MAX_TENANTS: usize = 1000;

/// Stands for all others. No tenant can be called so.
const OTHERS: &str = "@others";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Tenant {
    tenant: String,
}

/// Cheap to clone; clones share their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByTenant {
    pub(crate) family: Family<Tenant, Gauge>,
    shown: Arc<Mutex<HashSet<Tenant>>>,
}

impl ByTenant {
    /// Takes over what all tenants have now.
    pub(crate) fn set(&self, mut held: Vec<(TenantId, usize)>) {
        held.sort_by_key(|(_, count)| Reverse(*count));
        let others = held.split_off(held.len().min(MAX_TENANTS));
        let mut now = HashSet::new();
        let mut show = |tenant: &str, count: usize| {
            let label = Tenant { tenant: tenant.to_owned() };
            self.family.get_or_create(&label).set(count as i64);
            now.insert(label);
        };
        held.iter().for_each(|(tenant, count)| show(tenant.as_str(), *count));
        if !others.is_empty() {
            show(OTHERS, others.iter().map(|(_, count)| count).sum());
        }
        let mut shown = self.shown.lock();
        for gone in shown.difference(&now) {
            self.family.remove(gone);
        }
        *shown = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::{encoding::text::encode, registry::Registry};

    #[test]
    fn only_the_largest_have_series_of_their_own() {
        let (metric, mut registry) = (ByTenant::default(), Registry::default());
        registry.register("held", "Held", metric.family.clone());
        let tenant = |n: usize| TenantId::new(&format!("t{n}")).unwrap();
        let shown = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            Vec::from_iter(text.lines().filter(|line| line.starts_with("held{")).map(str::to_owned))
        };
        metric.set((1..=MAX_TENANTS + 2).map(|n| (tenant(n), n)).collect());
        let lines = shown();
        assert_eq!(lines.len(), MAX_TENANTS + 1);
        assert!(lines.contains(&"held{tenant=\"@others\"} 3".to_owned()), "{lines:?}");
        assert!(lines.contains(&"held{tenant=\"t1002\"} 1002".to_owned()), "{lines:?}");
        metric.set(vec![(tenant(1), 7), (tenant(2), 0)]);
        let mut lines = shown();
        lines.sort();
        assert_eq!(lines, ["held{tenant=\"t1\"} 7", "held{tenant=\"t2\"} 0"]);
    }
}
