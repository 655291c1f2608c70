//! What the distributor counts.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use service_api::RejectReason;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Instance {
    ingester: String,
}

#[derive(Clone, Default)]
pub struct Metrics {
    pub received_samples: Counter,
    pub received_lines: Counter,
    pub received_line_bytes: Counter,
    pub refused_entries: Counter,
    discarded: Family<Reason, Counter>,
    pub rate_limited_samples: Counter,
    pub rate_limited_lines: Counter,
    pub dropped_annexes: Counter,
    ingester_requests: Family<Instance, Counter>,
    ingester_failures: Family<Instance, Counter>,
    pub quorum_failures: Counter,
    pub detached_requests: Counter,
    pub abandoned_requests: Counter,
    pub detached_bytes: Gauge,
    pub ha_dropped_samples: Counter,
    pub ha_elections: Counter,
    pub ha_store_failures: Counter,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("yagura_distributor");
        for (name, help, counter) in [
            ("received_samples", "Samples received, refused ones included", &metrics.received_samples),
            ("received_lines", "Log lines received, refused ones included", &metrics.received_lines),
            (
                "received_line_bytes",
                "Bytes of log lines received, refused ones included",
                &metrics.received_line_bytes,
            ),
            ("refused_entries", "Entries refused one by one", &metrics.refused_entries),
            (
                "rate_limited_samples",
                "Samples refused because the tenant was over its rate",
                &metrics.rate_limited_samples,
            ),
            (
                "rate_limited_lines",
                "Log lines refused because the tenant was over its rate",
                &metrics.rate_limited_lines,
            ),
            (
                "dropped_annexes",
                "Exemplars and metadata dropped because they were too long",
                &metrics.dropped_annexes,
            ),
            (
                "quorum_failures",
                "Writes refused because some series reached too few ingesters",
                &metrics.quorum_failures,
            ),
            (
                "detached_requests",
                "Requests to ingesters that went on after their write was answered",
                &metrics.detached_requests,
            ),
            (
                "abandoned_requests",
                "Requests to ingesters that were given up when their write was answered, for want of room",
                &metrics.abandoned_requests,
            ),
            (
                "ha_dropped_samples",
                "Samples dropped because another sender of the same samples is the elected one",
                &metrics.ha_dropped_samples,
            ),
            (
                "ha_elections",
                "Senders that this process elected among those of the same samples",
                &metrics.ha_elections,
            ),
            (
                "ha_store_failures",
                "Times that elected senders could not be read from or written to the ring's store",
                &metrics.ha_store_failures,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "discarded_entries",
            "Entries refused for their form, size, time or rate, by reason; the ingester counts those it refuses",
            metrics.discarded.clone(),
        );
        for (name, help, family) in [
            ("ingester_requests", "Requests to ingesters", &metrics.ingester_requests),
            ("ingester_failures", "Requests that ingesters failed", &metrics.ingester_failures),
        ] {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "detached_bytes",
            "Bytes of writes that are answered and that an ingester has yet to take",
            metrics.detached_bytes.clone(),
        );
        metrics
    }

    pub fn discard(&self, reason: &RejectReason, entries: u64) {
        self.discarded.get_or_create(&Reason { reason: reason.word() }).inc_by(entries);
    }

    /// Requests to an ingester, and those that failed.
    pub fn of_ingester(&self, id: &str) -> (Counter, Counter) {
        let count = |family: &Family<Instance, Counter>| {
            family.get_or_create(&Instance { ingester: id.to_owned() }).clone()
        };
        (count(&self.ingester_requests), count(&self.ingester_failures))
    }

    pub fn forget_ingester(&self, id: &str) {
        for family in [&self.ingester_requests, &self.ingester_failures] {
            family.remove(&Instance { ingester: id.to_owned() });
        }
    }
}
