//! What a compactor counts.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Cloning it counts references.
#[derive(Clone, Debug, Default)]
pub struct CompactorMetrics {
    pub merges: Counter,
    pub failed_merges: Counter,
    pub fenced_merges: Counter,
    pub merged_blocks: Counter,
    pub merged_bytes: Counter,
    pub new_blocks: Counter,
    pub new_bytes: Counter,
    pub repeats: Counter,
    pub omitted: Counter,
    pub settled_blocks: Counter,
    pub rollups: Counter,
    pub rollup_bytes: Counter,
    pub failed_rollups: Counter,
    pub waiting_jobs: Gauge,
    pub damaged_blocks: Gauge,
    pub failed_rounds: Counter,
    pub expired_blocks: Counter,
    pub removed_objects: Counter,
    /// Seconds since the Unix epoch.
    pub last_round: Gauge,
}

impl CompactorMetrics {
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("yagura_compactor");
        for (name, help, counter) in [
            ("merges", "Merges whose new blocks were listed in the place of the old ones", &self.merges),
            ("failed_merges", "Merges that ended early; each is tried again later", &self.failed_merges),
            (
                "fenced_merges",
                "Merges that came too late: others had replaced or dropped a block",
                &self.fenced_merges,
            ),
            ("merged_blocks", "Blocks that were replaced by merged ones", &self.merged_blocks),
            ("merged_bytes", "Bytes of the blocks that were replaced by merged ones", &self.merged_bytes),
            ("new_blocks", "Blocks that merges made", &self.new_blocks),
            ("new_bytes", "Bytes of the blocks that merges made", &self.new_bytes),
            (
                "repeats",
                "Samples and lines that merges left out because they were there before",
                &self.repeats,
            ),
            (
                "omitted",
                "Samples and lines that merges left out because they were deleted or past their retention",
                &self.omitted,
            ),
            (
                "settled_blocks",
                "Blocks of which the index told that they hold nothing of what is to be left out",
                &self.settled_blocks,
            ),
            ("rollups", "Days of a tenant's metrics whose figures were made and listed", &self.rollups),
            ("rollup_bytes", "Bytes of the blocks of figures that were made", &self.rollup_bytes),
            (
                "failed_rollups",
                "Days whose figures could not be made; each is tried again later",
                &self.failed_rollups,
            ),
            (
                "failed_rounds",
                "Looks at all tenants that failed for one of them; the next one tries again",
                &self.failed_rounds,
            ),
            (
                "expired_blocks",
                "Blocks dropped because all in them was past its retention",
                &self.expired_blocks,
            ),
            ("removed_objects", "Objects removed that no manifest listed any more", &self.removed_objects),
        ] {
            registry.register(name, help, counter.clone());
        }
        for (name, help, gauge) in [
            (
                "waiting_jobs",
                "Merges and rollups that are to be done here, as of the last look",
                &self.waiting_jobs,
            ),
            (
                "damaged_blocks",
                "Listed blocks that are set aside because they are damaged, of tenants that are looked after here",
                &self.damaged_blocks,
            ),
            ("last_round_timestamp_seconds", "When the last look at all tenants ended", &self.last_round),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }
}
