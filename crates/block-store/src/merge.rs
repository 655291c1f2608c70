//! Merges of blocks: many become one that holds the same, and what several of them have once.
//!
//! What there is of a merge in memory does not grow with the blocks, but for their indexes: pages are
//! read ahead of their use by a bounded amount (`read_ahead.rs`), those that overlap in time are open
//! together, and new pages go to a file until the block is whole. A caller decides which blocks are
//! merged, and lists the new one in the place of the old ones.

mod error;
mod labels;
mod logs;
mod memory;
mod pieces;
mod read_ahead;
mod scratch;
mod stored;

pub use error::MergeError;
pub use logs::merge_logs;

use crate::{BlockMeta, Ulid};
use std::{collections::BTreeMap, path::PathBuf};

/// What a merge may use.
#[derive(Clone, Debug)]
pub struct MergeConfig {
    /// The folder in which the new block lies until it is whole: there must be room for all inputs.
    pub scratch: PathBuf,
    /// Bytes of memory for the indexes, for what is read ahead, and for open pages.
    pub memory: usize,
}

/// How the new block comes about.
#[derive(Clone, Copy, Debug)]
pub struct NewBlock {
    pub id: Ulid,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
}

/// A block that has been put into the bucket, and is not listed yet.
#[derive(Clone, Debug)]
pub struct Merged {
    pub meta: BlockMeta,
    pub figures: MergeFigures,
}

/// What a merge had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeFigures {
    /// Lines of the inputs; those of pages that were taken over are among them.
    pub lines: u64,
    /// Lines that were there before: same stream, time and text.
    pub repeats: u64,
    /// Pages of the new block, and those of them that were taken over as they are.
    pub pages: u64,
    pub pages_taken_over: u64,
    /// Bytes of indexes in memory, what the new block's may take included.
    pub index_bytes: u64,
    /// The most bytes that were read ahead at once, and what they were allowed to be.
    pub read_ahead_peak: u64,
    pub read_ahead_limit: u64,
    /// The most bytes that open pages had at once.
    pub open_peak: u64,
}

/// Each block once, oldest first: the order in which they are given says nothing about what comes out.
fn in_order(inputs: &[BlockMeta]) -> Vec<BlockMeta> {
    let by_id: BTreeMap<Ulid, &BlockMeta> = inputs.iter().map(|meta| (meta.id, meta)).collect();
    by_id.into_values().cloned().collect()
}

/// Completes what is known of the new block by what it was made of.
fn describe(mut meta: BlockMeta, new: NewBlock, inputs: &[BlockMeta]) -> BlockMeta {
    meta.id = new.id;
    meta.created = new.created;
    meta.level = inputs.iter().map(|input| input.level).max().unwrap_or(0).saturating_add(1);
    if let (Some(first), Some(last)) = (inputs.first(), inputs.last()) {
        meta.source = format!("merge of {} blocks, {} to {}", inputs.len(), first.id, last.id);
    }
    meta
}

#[cfg(test)]
mod tests;
