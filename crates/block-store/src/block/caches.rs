//! What is kept in memory of blocks.

use super::BlockIndex;
use crate::Ulid;
use bytes::Bytes;
use quick_cache::{OptionsBuilder, Weighter, sync::Cache};
use std::sync::Arc;

/// Indexes and pages, bounded by bytes.
pub(crate) struct BlockCaches {
    pub(super) indexes: Cache<Ulid, Arc<BlockIndex>, IndexWeight>,
    /// Page groups, or pages of lines, by their number in the block.
    pub(super) pages: Cache<(Ulid, u32), Bytes, PageWeight>,
}

#[derive(Clone)]
pub(super) struct IndexWeight;

impl Weighter<Ulid, Arc<BlockIndex>> for IndexWeight {
    fn weight(&self, _: &Ulid, index: &Arc<BlockIndex>) -> u64 {
        index.heap_bytes() as u64 + 256
    }
}

#[derive(Clone)]
pub(super) struct PageWeight;

impl Weighter<(Ulid, u32), Bytes> for PageWeight {
    fn weight(&self, _: &(Ulid, u32), page: &Bytes) -> u64 {
        page.len() as u64 + 128
    }
}

impl BlockCaches {
    pub(crate) fn new(index_bytes: u64, page_bytes: u64) -> Self {
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
        Self { indexes, pages: Cache::with_weighter(items(page_bytes, 32 << 10), page_bytes, PageWeight) }
    }
}
