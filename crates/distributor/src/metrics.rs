//! What the distributor counts.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

#[derive(Default)]
pub struct Metrics {
    pub received_samples: Counter,
    pub received_lines: Counter,
    pub received_line_bytes: Counter,
    pub refused_entries: Counter,
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
        metrics
    }
}
