//! What is kept of blocks: in memory, and under it on disk.

use super::{BlockIndex, flights::Flights};
use crate::disk::DiskCache;
use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use quick_cache::{OptionsBuilder, Weighter, sync::Cache};
use std::sync::Arc;

/// Indexes and pages, bounded by bytes. A block is known by its object's whole name: an id may come
/// from others, and must not open what another tenant has cached.
pub(crate) struct BlockCaches {
    pub(super) indexes: Cache<Arc<str>, Arc<BlockIndex>, IndexWeight>,
    /// Page groups, or pages of lines, by their number in the block.
    pub(super) pages: Cache<(Arc<str>, u32), Bytes, PageWeight>,
    pub(super) disk: Option<DiskCache>,
    pub(super) flights: Flights,
    /// Reads of the bucket that were made again because they failed, or gave what cannot be right.
    pub(crate) repeated: Counter,
}

#[derive(Clone)]
pub(super) struct IndexWeight;

impl Weighter<Arc<str>, Arc<BlockIndex>> for IndexWeight {
    fn weight(&self, _: &Arc<str>, index: &Arc<BlockIndex>) -> u64 {
        index.heap_bytes() as u64 + 256
    }
}

#[derive(Clone)]
pub(super) struct PageWeight;

impl Weighter<(Arc<str>, u32), Bytes> for PageWeight {
    fn weight(&self, _: &(Arc<str>, u32), page: &Bytes) -> u64 {
        page.len() as u64 + 256
    }
}

impl BlockCaches {
    /// Waits until what was kept on disk is written.
    #[cfg(test)]
    pub(crate) fn settle(&self) {
        self.disk.iter().for_each(DiskCache::settle);
    }

    pub(crate) fn new(index_bytes: u64, page_bytes: u64, disk: Option<DiskCache>) -> Self {
        let items =
            |bytes: u64, each: u64| usize::try_from(bytes / each).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        // One shard, so that an index may fill the cache if it must.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(items(index_bytes, 1 << 20))
            .weight_capacity(index_bytes)
            .build();
        let indexes = match options {
            Ok(options) => Cache::with_options(options, IndexWeight, Default::default(), Default::default()),
            Err(_) => Cache::with_weighter(16, index_bytes, IndexWeight),
        };
        let pages = Cache::with_weighter(items(page_bytes, 32 << 10), page_bytes, PageWeight);
        Self { indexes, pages, disk, flights: Flights::default(), repeated: Counter::default() }
    }
}
