//! What is counted of writing one's own data.

use model::Signal;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySignal {
    signal: &'static str,
}

/// Cloning it counts references.
#[derive(Clone, Debug, Default)]
pub struct SelfScrapeMetrics {
    failed_writes: Family<BySignal, Counter>,
    refused_entries: Family<BySignal, Counter>,
    pub(crate) dropped_lines: Counter,
    pub(crate) queued_line_bytes: Gauge,
}

impl SelfScrapeMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for signal in Signal::ALL {
            metrics.failed_writes(signal);
            metrics.refused_entries(signal);
        }
        let registry = registry.sub_registry_with_prefix("yagura_self_scrape");
        let help = "Writes of the process's own samples or lines that failed; those of lines are tried again";
        registry.register("failed_writes", help, metrics.failed_writes.clone());
        let help =
            "Samples and lines of the process itself that were refused, such as for its tenant's limits";
        registry.register("refused_entries", help, metrics.refused_entries.clone());
        let help =
            "Log lines of the process itself that were dropped: the queue was full, or they were too long";
        registry.register("dropped_lines", help, metrics.dropped_lines.clone());
        let help = "Bytes of log lines of the process itself that wait to be written";
        registry.register("queued_line_bytes", help, metrics.queued_line_bytes.clone());
        metrics
    }

    pub(crate) fn failed_writes(&self, signal: Signal) -> Counter {
        self.failed_writes.get_or_create_owned(&BySignal { signal: signal.as_str() })
    }

    pub(crate) fn refused_entries(&self, signal: Signal) -> Counter {
        self.refused_entries.get_or_create_owned(&BySignal { signal: signal.as_str() })
    }
}
