//! Why blocks could not be merged, as far as a caller has to tell.

use crate::Ulid;
use service_api::Error;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The block cannot have been written like this. It was read twice; the others can be merged without it.
    #[error("block {block} is damaged: {why}")]
    Damaged { block: Ulid, why: String },
    /// Whoever listed the inputs has an old list, or the block is lost.
    #[error("block {block} is not in the bucket")]
    Missing { block: Ulid },
    #[error("a merge needs {needed} bytes in {} and {free} are free", folder.display())]
    NoRoom { folder: PathBuf, needed: u64, free: u64 },
    /// Fewer blocks at once need less.
    #[error("a merge needs {needed} bytes of memory for {what} and may have {limit}")]
    TooLarge { what: &'static str, needed: u64, limit: u64 },
    #[error("there are native histograms, of which nothing is rolled up")]
    Histograms,
    #[error("the merge was stopped")]
    Stopped,
    /// The bucket, the disk or this program; a later try may pass.
    #[error(transparent)]
    Failed(#[from] Error),
}
