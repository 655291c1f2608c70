//! Merges of blocks: many become few that hold the same, and what several of them have once.
//!
//! What there is of a merge in memory does not grow with the blocks, but for their indexes: pages are
//! read ahead of their use by a bounded amount (`read_ahead.rs`), those that overlap in time are open
//! together, and new pages go to a file until a block is whole. A caller decides which blocks are
//! merged, and what is left out of them, and lists the new ones in the place of the old ones.

mod error;
mod indexes;
mod labels;
mod logs;
mod memory;
mod metrics;
mod outputs;
mod pieces;
mod read_ahead;
mod roll_up;
mod scratch;
mod stored;
mod touched;
mod work;

pub use error::MergeError;
pub use roll_up::roll_up;
pub use touched::is_touched;

use crate::{BlockMeta, Bucket, Ulid, blocks::in_merge_order};
use memory::MAX_RUN;
use model::{Signal, TenantId};
use outputs::Outputs;
use service_api::{Error, Omit};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// What a merge may use.
#[derive(Clone, Debug)]
pub struct MergeConfig {
    /// The folder in which a new block lies until it is whole.
    pub scratch: PathBuf,
    /// Bytes of memory for the indexes, for what is read ahead, and for open pages.
    pub memory: usize,
    /// A new block ends with the series or stream that makes its pages this large.
    pub block_bytes: u64,
}

/// What is merged, and with what.
#[derive(Clone, Copy)]
pub struct Merge<'a> {
    pub bucket: &'a Bucket,
    pub tenant: &'a TenantId,
    pub signal: Signal,
    /// Their order says nothing about what comes out.
    pub inputs: &'a [BlockMeta],
    /// What is left out.
    pub omissions: &'a Omissions,
    pub config: &'a MergeConfig,
    /// Names each new block just before it goes up into the bucket: a block must be listed within
    /// `LISTING_LIMIT` of its id's time, and a merge may take longer than that.
    pub new_id: &'a (dyn Fn() -> Ulid + Send + Sync),
    pub stop: &'a CancellationToken,
}

/// What is to be left out of an input, by its id; of others nothing is.
pub type Omissions = BTreeMap<Ulid, Arc<dyn Omit>>;

/// Blocks that have been put into the bucket, and are not listed yet.
#[derive(Clone, Debug)]
pub struct Merged {
    /// In label order: no series or stream is in two of them. There are none if all was left out.
    pub blocks: Vec<BlockMeta>,
    pub figures: MergeFigures,
}

/// What a merge had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeFigures {
    /// Floats and histograms, or lines, of the inputs; those of pages that were taken over are among them.
    pub samples: u64,
    /// Those of them that were there before.
    pub repeats: u64,
    /// Those of them that were to be left out.
    pub omitted: u64,
    /// Pages of the new blocks, and those of them that were taken over as they are.
    pub pages: u64,
    pub pages_taken_over: u64,
    /// Bytes of indexes in memory, what a new block's may take included.
    pub index_bytes: u64,
    /// The most bytes that were read ahead at once, and what they were allowed to be.
    pub read_ahead_peak: u64,
    pub read_ahead_limit: u64,
    /// The most bytes that open pages had at once.
    pub open_peak: u64,
}

impl MergeFigures {
    /// Nothing that went in may be lost without a word.
    fn check(&self, written: u64) -> Result<(), MergeError> {
        let Self { samples, repeats, omitted, .. } = *self;
        if samples == written + repeats + omitted {
            return Ok(());
        }
        let why = format!(
            "of {samples} entries {written} were written, {repeats} repeat others, {omitted} were left out"
        );
        Err(Error::internal(format!("a merge went wrong: {why}")).into())
    }
}

/// Makes few blocks of many of one tenant, and puts them into the bucket. Nothing is listed or removed.
///
/// # Errors
/// A block that is damaged or missing is named. After any error nothing is left of the new blocks, but
/// that objects may be in the bucket which could not be removed again.
pub async fn merge_blocks(merge: Merge<'_>) -> Result<Merged, MergeError> {
    merge_tuned(merge, Tuning::MERGED).await
}

/// What is made of the inputs' entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// Blocks that hold the same.
    Merged,
    /// Blocks of figures of them.
    RolledUp,
}

/// What only tests want otherwise.
#[derive(Clone, Copy, Debug)]
struct Tuning {
    lines: logs::PageShape,
    samples: metrics::PageShape,
    /// Bytes that are read of an input at once at most.
    max_run: u64,
}

impl Tuning {
    const MERGED: Self =
        Self { lines: logs::PageShape::MERGED, samples: metrics::PageShape::MERGED, max_run: MAX_RUN };
}

async fn merge_tuned(merge: Merge<'_>, tuning: Tuning) -> Result<Merged, MergeError> {
    make(Made::Merged, merge, tuning).await
}

async fn make(made: Made, merge: Merge<'_>, tuning: Tuning) -> Result<Merged, MergeError> {
    // So that work on other threads ends when this future is dropped.
    let stop = merge.stop.child_token();
    let _at_the_end = stop.clone().drop_guard();
    let mut inputs = merge.inputs.to_vec();
    in_merge_order(&mut inputs);
    let merge = Merge { inputs: &inputs, stop: &stop, ..merge };
    // In a place of its own: it is large, and callers have futures of several.
    let work = Box::pin(async {
        let mut outputs = Outputs::new(merge, made);
        let figures = match merge.signal {
            Signal::Logs => logs::merge(merge, tuning, &mut outputs).await?,
            Signal::Metrics => metrics::merge(made, merge, tuning, &mut outputs).await?,
        };
        Ok(Merged { blocks: outputs.finish(figures.omitted)?, figures })
    });
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(MergeError::Stopped),
        done = work => done,
    }
}

#[cfg(test)]
mod tests;
