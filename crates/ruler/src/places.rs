//! Places for evaluations: so many at once, of which one tenant has half at most.

use model::TenantId;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub struct Places {
    all: Arc<Semaphore>,
    of_a_tenant: usize,
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _all: Option<OwnedSemaphorePermit>,
    _tenants: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub fn new(all: usize) -> Self {
        let all = all.max(1);
        Self { all: Arc::new(Semaphore::new(all)), of_a_tenant: all.div_ceil(2), tenants: Mutex::default() }
    }

    /// Waits for one.
    pub async fn take(&self, tenant: &TenantId) -> Place {
        let own = Arc::clone(
            self.tenants
                .lock()
                .entry(tenant.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(self.of_a_tenant))),
        );
        // The tenant's own first: who waits for that holds nothing that others wait for. Neither is ever closed.
        let _tenants = own.acquire_owned().await.ok();
        let _all = Arc::clone(&self.all).acquire_owned().await.ok();
        Place { _all, _tenants }
    }

    /// Forgets tenants that have no groups here.
    pub fn retain(&self, keep: impl Fn(&TenantId) -> bool) {
        self.tenants.lock().retain(|tenant, _| keep(tenant));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test's way to fail")]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn one_tenant_leaves_places_for_others() {
        let places = Places::new(4);
        let [a, b] = ["a", "b"].map(|name| TenantId::new(name).unwrap());
        let take = |tenant: &TenantId| places.take(tenant).now_or_never();
        let held: Vec<_> = (0..4).filter_map(|_| take(&a)).collect();
        assert_eq!(held.len(), 2);
        let others: Vec<_> = (0..4).filter_map(|_| take(&b)).collect();
        assert_eq!(others.len(), 2);
        drop(held);
        assert!(take(&a).is_some());
    }
}
