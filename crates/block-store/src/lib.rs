//! Blocks and manifests in object storage: the long-term half of the store.
//!
//! [`BlockWriter`] and [`LogBlockWriter`] make a block, [`Bucket`] keeps it, [`Manifests`] says that
//! it exists, [`merge_blocks`] makes few of many, and [`BlocksReader`] answers from all blocks that a
//! tenant's newest manifests list. [`inspect_block`], [`verify_block`] and [`BlockScan`] look at single
//! blocks. `docs/block-format.md` describes every byte.

mod attempts;
mod block;
mod blocks;
mod bucket;
mod disk;
mod error;
mod manifest;
mod merge;
mod page;
mod retention;
mod rollup;

pub use block::{
    BlockObject, BlockScan, BlockWriter, Inspected, InspectedLabel, InspectedPages, InspectedSection,
    Largest, LogBlockWriter, Verified, inspect_block, verify_block,
};
pub use blocks::{BlockCacheConfig, BlocksInRange, BlocksReader};
pub use bucket::{Bucket, BucketConfig, ObjectInfo, S3Config};
pub use manifest::{BlockMeta, Deletion, Manifest, Manifests, ROLLED_UP, Rollup, Settled, SourceBlock};
pub use merge::{
    Merge, MergeConfig, MergeError, MergeFigures, Merged, Omissions, is_touched, merge_blocks, roll_up,
};
pub use page::{EncodedPage, LOG_PAGE_BYTES};
pub use retention::{Collected, apply_retention, collect_garbage, unlisted_objects};
pub use rollup::{EraRequest, eras};
pub use service_api::DeletionState;
pub use ulid::Ulid;
