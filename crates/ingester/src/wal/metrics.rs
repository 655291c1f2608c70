//! What the log tells about itself.

use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Cheap to clone; clones share their values.
#[derive(Clone, Debug)]
pub struct WalMetrics {
    pub appended_records: Counter,
    pub appended_bytes: Counter,
    pub refused_records: Counter,
    pub groups: Counter,
    pub sync_seconds: Histogram,
    pub failures: Counter,
    pub quarantined: Counter,
    pub segments: Gauge,
    pub segment_bytes: Gauge,
    pub queue_bytes: Gauge,
}

impl Default for WalMetrics {
    fn default() -> Self {
        Self {
            appended_records: Counter::default(),
            appended_bytes: Counter::default(),
            refused_records: Counter::default(),
            groups: Counter::default(),
            sync_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 16)),
            failures: Counter::default(),
            quarantined: Counter::default(),
            segments: Gauge::default(),
            segment_bytes: Gauge::default(),
            queue_bytes: Gauge::default(),
        }
    }
}

impl WalMetrics {
    /// Adds them to a registry, under `yagura_wal_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("yagura_wal");
        let Self { appended_records, appended_bytes, refused_records, groups, .. } = self.clone();
        registry.register("appended_records", "Records made durable", appended_records);
        registry.register("appended_bytes", "Bytes of frames written", appended_bytes);
        registry.register("refused_records", "Records refused after they were queued", refused_records);
        registry.register("groups", "Groups of records written together", groups);
        let Self { sync_seconds, failures, quarantined, segments, segment_bytes, queue_bytes, .. } =
            self.clone();
        registry.register("sync_duration_seconds", "Time that fdatasync took", sync_seconds);
        registry.register("failures", "Writes that failed, for want of space or for good", failures);
        registry.register("quarantined", "Damaged stretches set aside when the log was read", quarantined);
        registry.register("segments", "Segments on disk", segments);
        registry.register("segment_bytes", "Bytes used in the segments", segment_bytes);
        registry.register("queue_bytes", "Bytes of records that wait to be durable and applied", queue_bytes);
    }
}
