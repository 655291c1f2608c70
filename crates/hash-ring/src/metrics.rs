//! What rings and lifecyclers tell about themselves.

use crate::{RingView, kv::KvError};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

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
struct HealthLabels {
    role: Arc<str>,
    health: &'static str,
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
    replication_factor: Family<RoleLabels, Gauge>,
    zones: Family<HealthLabels, Gauge>,
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
        let Self { members, replication_factor, zones, .. } = self.clone();
        registry.register("members", "Members of the ring as seen here", members);
        registry.register(
            "replication_factor",
            "Members that are to have each entry, by the settings of this process",
            replication_factor,
        );
        registry.register(
            "zones",
            "Zones that have a healthy member, and zones whose members are all unhealthy, as seen here",
            zones,
        );
        let Self { view_changes, placements, kv_errors, rejected_views, forgotten, .. } = self.clone();
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
        let metrics = RoleMetrics { role: role.into(), all: self.clone() };
        // They begin at 0, so that the first error is an increase.
        for reason in ["unavailable", "compacted", "lease_gone"] {
            drop(metrics.all.kv_errors.get_or_create(&metrics.reason(reason)));
        }
        for reason in ["unreadable", "rolled_back", "shrunk"] {
            drop(metrics.all.rejected_views.get_or_create(&metrics.reason(reason)));
        }
        drop(metrics.all.forgotten.get_or_create(&metrics.role()));
        metrics
    }
}

impl RoleMetrics {
    fn role(&self) -> RoleLabels {
        RoleLabels { role: self.role.clone() }
    }

    fn reason(&self, reason: &'static str) -> ReasonLabels {
        ReasonLabels { role: self.role.clone(), reason }
    }

    pub fn published(&self, view: &RingView, placed_anew: bool) {
        self.all.view_changes.get_or_create(&self.role()).inc();
        if placed_anew {
            self.all.placements.get_or_create(&self.role()).inc();
        }
        let mut counts: HashMap<(&str, &str), i64> = HashMap::new();
        let (mut zones, mut healthy_zones) = (HashSet::new(), HashSet::new());
        for member in view.members() {
            *counts.entry((member.state.as_str(), member.health.as_str())).or_default() += 1;
            zones.insert(&*member.zone);
            if member.is_healthy() {
                healthy_zones.insert(&*member.zone);
            }
        }
        for state in ["joining", "active", "leaving"] {
            for health in ["healthy", "unhealthy"] {
                let labels = MemberLabels { role: self.role.clone(), state, health };
                let count = counts.get(&(state, health)).copied().unwrap_or(0);
                self.all.members.get_or_create(&labels).set(count);
            }
        }
        self.all.replication_factor.get_or_create(&self.role()).set(view.replication_factor() as i64);
        let dark = zones.len() - healthy_zones.len();
        for (health, count) in [("healthy", healthy_zones.len()), ("unhealthy", dark)] {
            let labels = HealthLabels { role: self.role.clone(), health };
            self.all.zones.get_or_create(&labels).set(count as i64);
        }
    }

    pub fn kv_error(&self, error: &KvError) {
        let reason = match error {
            KvError::Unavailable(_) => "unavailable",
            KvError::Compacted(_) => "compacted",
            KvError::LeaseGone => "lease_gone",
        };
        self.all.kv_errors.get_or_create(&self.reason(reason)).inc();
    }

    pub fn rejected(&self, reason: &'static str) {
        self.all.rejected_views.get_or_create(&self.reason(reason)).inc();
    }

    pub fn forgot(&self) {
        self.all.forgotten.get_or_create(&self.role()).inc();
    }
}
