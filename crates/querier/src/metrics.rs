//! What queriers count.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, Default)]
pub struct QuerierMetrics {
    pub(crate) failed_ingesters: Counter,
    pub(crate) short_reads: Counter,
    pub(crate) local_blocks: Counter,
    pub(crate) remote_blocks: Counter,
    pub(crate) failed_owners: Counter,
    pub(crate) rescued_pages: Counter,
    pub(crate) local_stretches: Counter,
    pub(crate) remote_stretches: Counter,
    pub(crate) failed_stretches: Counter,
    pub(crate) tails: Gauge,
    pub(crate) repeated_tail_lines: Counter,
}

impl QuerierMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let counters = [
            ("failed_ingesters", "Ingesters that failed to answer a read", &metrics.failed_ingesters),
            ("short_reads", "Reads refused because too few ingesters answered", &metrics.short_reads),
            ("local_blocks", "Blocks of queries that were read in this process", &metrics.local_blocks),
            (
                "remote_blocks",
                "Blocks of queries that other queriers were asked to read",
                &metrics.remote_blocks,
            ),
            ("failed_owners", "Other queriers that failed to read blocks", &metrics.failed_owners),
            ("rescued_pages", "Log pages read elsewhere because their holder failed", &metrics.rescued_pages),
            (
                "local_stretches",
                "Pieces of range queries that were evaluated in this process, others elsewhere",
                &metrics.local_stretches,
            ),
            (
                "remote_stretches",
                "Pieces of range queries that other queriers were asked to evaluate",
                &metrics.remote_stretches,
            ),
            (
                "failed_stretches",
                "Pieces of range queries that other queriers failed to evaluate",
                &metrics.failed_stretches,
            ),
            (
                "repeated_tail_lines",
                "Lines that a tail got from several replicas",
                &metrics.repeated_tail_lines,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(format!("yagura_querier_{name}"), help, counter.clone());
        }
        registry.register("yagura_querier_tails", "Tails over all ingesters", metrics.tails.clone());
        metrics
    }
}
