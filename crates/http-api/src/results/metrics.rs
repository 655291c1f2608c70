//! How often kept results are of use.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, Default)]
pub struct ResultMetrics {
    pub(super) hits: Counter,
    pub(super) partial_hits: Counter,
    pub(super) misses: Counter,
    pub(super) bytes: Gauge,
}

impl ResultMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let counters = [
            ("hits", "Range queries whose whole result was kept and still right", &metrics.hits),
            ("partial_hits", "Range queries of which only some steps were computed", &metrics.partial_hits),
            ("misses", "Range queries of which nothing that could be used was kept", &metrics.misses),
        ];
        for (name, help, counter) in counters {
            registry.register(format!("yagura_result_cache_{name}"), help, counter.clone());
        }
        let help = "Memory that kept results of range queries take";
        registry.register("yagura_result_cache_bytes", help, metrics.bytes.clone());
        metrics
    }
}
