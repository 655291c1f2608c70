//! What rings and lifecyclers tell about themselves.

use crate::{Member, kv::KvError};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{collections::HashMap, sync::Arc};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MemberLabels {
    role: Arc<str>,
    state: &'static str,
    health: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabels {
    role: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    role: Arc<str>,
    reason: &'static str,
}

/// Cheap to clone; clones share their values. One for all rings of a process.
#[derive(Clone, Debug, Default)]
pub struct RingMetrics {
    members: Family<MemberLabels, Gauge>,
    view_changes: Family<RoleLabels, Counter>,
    placements: Family<RoleLabels, Counter>,
    kv_errors: Family<ReasonLabels, Counter>,
    rejected_views: Family<ReasonLabels, Counter>,
    forgotten: Family<RoleLabels, Counter>,
}

/// The metrics of one role's ring.
#[derive(Clone, Debug)]
pub(crate) struct RoleMetrics {
    role: Arc<str>,
    all: RingMetrics,
}

impl RingMetrics {
    /// Adds them to a registry, under `yagura_hash_ring_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("yagura_hash_ring");
        let Self { members, view_changes, placements, kv_errors, rejected_views, forgotten } = self.clone();
        registry.register("members", "Members of the ring as seen here", members);
        registry.register("view_changes", "Times that the picture of the ring changed", view_changes);
        registry.register("placements", "Times that replica sets were computed anew", placements);
        registry.register("kv_errors", "Calls to the ring's store that failed", kv_errors);
        registry.register(
            "rejected_views",
            "Listings and changes of the store that were not believed",
            rejected_views,
        );
        registry.register("forgotten_members", "Dead members removed from the store from here", forgotten);
    }

    pub(crate) fn of(&self, role: &str) -> RoleMetrics {
        RoleMetrics { role: role.into(), all: self.clone() }
    }
}

impl RoleMetrics {
    fn role(&self) -> RoleLabels {
        RoleLabels { role: self.role.clone() }
    }

    pub fn published(&self, members: &[Member], placed_anew: bool) {
        self.all.view_changes.get_or_create(&self.role()).inc();
        if placed_anew {
            self.all.placements.get_or_create(&self.role()).inc();
        }
        let mut counts: HashMap<(&str, &str), i64> = HashMap::new();
        for member in members {
            *counts.entry((member.state.as_str(), member.health.as_str())).or_default() += 1;
        }
        for state in ["joining", "active", "leaving"] {
            for health in ["healthy", "unhealthy"] {
                let labels = MemberLabels { role: self.role.clone(), state, health };
                let count = counts.get(&(state, health)).copied().unwrap_or(0);
                self.all.members.get_or_create(&labels).set(count);
            }
        }
    }

    pub fn kv_error(&self, error: &KvError) {
        let reason = match error {
            KvError::Unavailable(_) => "unavailable",
            KvError::Compacted(_) => "compacted",
            KvError::LeaseGone => "lease_gone",
        };
        let labels = ReasonLabels { role: self.role.clone(), reason };
        self.all.kv_errors.get_or_create(&labels).inc();
    }

    pub fn rejected(&self, reason: &'static str) {
        let labels = ReasonLabels { role: self.role.clone(), reason };
        self.all.rejected_views.get_or_create(&labels).inc();
    }

    pub fn forgot(&self) {
        self.all.forgotten.get_or_create(&self.role()).inc();
    }
}
