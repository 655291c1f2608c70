//! What of each tenant's limits one of the ring's ingesters holds it to.

use hash_ring::Ring;
use model::TenantId;
use service_api::{Limits, LimitsSource};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Tenants whose share is remembered; beyond it all are worked out again.
const REMEMBERED: usize = 10_000;

pub struct LocalLimits {
    all: Arc<dyn LimitsSource>,
    ring: Ring,
    shares: Mutex<HashMap<TenantId, Share>>,
}

/// A tenant's share of its limits, and what it was worked out from.
struct Share {
    limits: Arc<Limits>,
    ingesters: usize,
    local: Arc<Limits>,
}

impl LocalLimits {
    pub fn new(all: Arc<dyn LimitsSource>, ring: Ring) -> Self {
        Self { all, ring, shares: Mutex::default() }
    }
}

impl LimitsSource for LocalLimits {
    fn limits(&self, tenant: &TenantId) -> Arc<Limits> {
        let (limits, view) = (self.all.limits(tenant), self.ring.view());
        let ingesters = view.members().iter().filter(|m| m.is_placeable()).count();
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(tenant)
            && Arc::ptr_eq(&share.limits, &limits)
            && share.ingesters == ingesters
        {
            return Arc::clone(&share.local);
        }
        if shares.len() >= REMEMBERED {
            shares.clear();
        }
        let local = Arc::new(distributor::local_limits(&limits, view.replication_factor(), ingesters));
        shares.insert(tenant.clone(), Share { limits, ingesters, local: Arc::clone(&local) });
        local
    }
}
