//! What the cache on disk tells about itself.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Cheap to clone; clones share their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct DiskMetrics {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) evictions: Counter,
    pub(super) damaged: Counter,
    pub(super) dropped: Counter,
    pub(super) errors: Counter,
    pub(super) bytes: Gauge,
}

impl DiskMetrics {
    /// Adds them to a registry, under `yagura_cache_disk_…`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("yagura_cache_disk");
        let Self { hits, misses, evictions, damaged, dropped, errors, bytes } = self.clone();
        registry.register("hits", "Parts of blocks that were found on disk", hits);
        registry.register("misses", "Parts of blocks that were looked for on disk and not found", misses);
        registry.register("bytes", "Size of the files of the cache on disk", bytes);
        registry.register("evictions", "Parts thrown away to make room", evictions);
        registry.register("damaged", "Parts and files that did not read back as they were written", damaged);
        registry.register("dropped_writes", "Parts not kept because too many waited to be written", dropped);
        registry.register("errors", "Reads and writes of the disk that failed", errors);
    }
}
