//! What the distributor counts.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use service_api::RejectReason;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Default)]
pub struct Metrics {
    pub received_samples: Counter,
    pub received_lines: Counter,
    pub received_line_bytes: Counter,
    pub refused_entries: Counter,
    discarded: Family<Reason, Counter>,
    pub rate_limited_samples: Counter,
    pub rate_limited_lines: Counter,
    pub dropped_annexes: Counter,
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
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "discarded_entries",
            "Entries refused for their form, size, time or rate, by reason; the ingester counts those it refuses",
            metrics.discarded.clone(),
        );
        metrics
    }

    pub fn discard(&self, reason: &RejectReason, entries: u64) {
        self.discarded.get_or_create(&Reason { reason: reason.word() }).inc_by(entries);
    }
}
