//! A block: many series of one tenant in one immutable object.

mod footer;
mod groups;
mod index;
mod matching;
mod postings;
mod reader;
mod select;
mod series;
mod symbols;
mod times;
mod writer;

pub(crate) use index::BlockIndex;
pub(crate) use reader::{BlockCaches, BlockReader, Counted, blocking};
pub use writer::{BlockObject, BlockWriter};

/// The first bytes of a block and the last; the last of these is the version.
const MAGIC: &[u8; 8] = b"YGBLOCK\x01";
const ZSTD_LEVEL: i32 = 3;
/// Samples in one page at most, so that a short range of a long block costs little.
const PAGE_SAMPLES: usize = 8_192;

#[cfg(test)]
mod tests;
