//! What is counted of single tenants.

use hashbrown::HashSet;
use model::{Signal, TenantId};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use std::sync::Arc;

/// Tenants with series of their own: nothing limits how many tenants there are, and each costs whoever scrapes us.
const MAX_TENANTS: usize = 1000;

/// Stands for all others. No tenant can be called so.
const OTHERS: &str = "@others";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    tenant: String,
    signal: &'static str,
}

/// Cheap to clone; clones share their values.
#[derive(Clone, Default)]
pub struct TenantMetrics {
    received: Family<Labels, Counter>,
    refused: Family<Labels, Counter>,
    /// Those that came first. They keep their series, as counters must not go back.
    known: Arc<Mutex<HashSet<TenantId>>>,
}

impl TenantMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("yagura_tenant");
        let help = "Samples and log lines received, refused ones included, of the first thousand tenants";
        registry.register("received_entries", help, metrics.received.clone());
        let help = "Samples and log lines refused, for whatever reason, of the first thousand tenants";
        registry.register("refused_entries", help, metrics.refused.clone());
        metrics
    }

    pub fn received(&self, tenant: &TenantId, signal: Signal, entries: u64) {
        let labels = self.labels(tenant, signal);
        // It begins at 0, so that the first that are refused are an increase.
        drop(self.refused.get_or_create(&labels));
        self.received.get_or_create(&labels).inc_by(entries);
    }

    pub fn refused(&self, tenant: &TenantId, signal: Signal, entries: u64) {
        if entries > 0 {
            self.refused.get_or_create(&self.labels(tenant, signal)).inc_by(entries);
        }
    }

    fn labels(&self, tenant: &TenantId, signal: Signal) -> Labels {
        let mut known = self.known.lock();
        let is_known = known.contains(tenant) || (known.len() < MAX_TENANTS && known.insert(tenant.clone()));
        let tenant = if is_known { tenant.as_str() } else { OTHERS };
        Labels { tenant: tenant.to_owned(), signal: signal.as_str() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_without_end_make_a_bounded_number_of_series() {
        let metrics = TenantMetrics::default();
        let tenant = |n: usize| TenantId::new(&format!("t{n}")).unwrap();
        for n in 0..MAX_TENANTS + 5 {
            metrics.received(&tenant(n), Signal::Logs, 2);
        }
        metrics.refused(&tenant(0), Signal::Logs, 1);
        let of = |family: &Family<Labels, Counter>, tenant: &str| {
            family.get_or_create(&Labels { tenant: tenant.into(), signal: "logs" }).get()
        };
        assert_eq!((of(&metrics.received, "t0"), of(&metrics.received, OTHERS)), (2, 10));
        assert_eq!((of(&metrics.refused, "t0"), of(&metrics.refused, OTHERS)), (1, 0));
        assert_eq!(metrics.known.lock().len(), MAX_TENANTS);
    }
}
