//! The heads of all tenants, of one signal.

use crate::head::{Head, Slot};
use hashbrown::HashMap;
use model::TenantId;
use parking_lot::RwLock;
use std::sync::Arc;

pub struct Heads<S: Slot> {
    heads: RwLock<HashMap<TenantId, Arc<Head<S>>>>,
    block_ms: i64,
    beside: Box<dyn Fn() -> S::Beside + Send + Sync>,
}

impl<S: Slot> Heads<S> {
    /// `beside` makes what a new head has beside its slots.
    pub fn new(block_ms: i64, beside: impl Fn() -> S::Beside + Send + Sync + 'static) -> Self {
        Self { heads: RwLock::default(), block_ms, beside: Box::new(beside) }
    }

    pub fn get(&self, tenant: &TenantId) -> Option<Arc<Head<S>>> {
        self.heads.read().get(tenant).cloned()
    }

    /// The tenant's head, made if there is none.
    pub fn get_or_create(&self, tenant: &TenantId) -> Arc<Head<S>> {
        if let Some(head) = self.get(tenant) {
            return head;
        }
        let new = || Arc::new(Head::new(tenant.clone(), self.block_ms, (self.beside)()));
        Arc::clone(self.heads.write().entry(tenant.clone()).or_insert_with(new))
    }

    pub fn all(&self) -> Vec<Arc<Head<S>>> {
        self.heads.read().values().cloned().collect()
    }
}
