//! A block: many series or streams of one tenant in one immutable object.

mod caches;
mod fetch;
mod flights;
mod footer;
mod groups;
mod index;
mod inspect;
mod labels;
mod logs;
mod matching;
mod pages;
mod postings;
mod questions;
mod reader;
mod rows;
mod scan;
mod section;
mod select;
mod series;
mod starts;
mod symbols;
mod table;
mod times;
mod verify;
mod writer;

pub(crate) use caches::BlockCaches;
pub(crate) use index::BlockIndex;
pub use inspect::{Inspected, InspectedLabel, InspectedPages, InspectedSection, Largest, inspect_block};
pub use logs::LogBlockWriter;
pub(crate) use logs::{LogIndexWriter, LogsFooter, MAGIC as LOGS_MAGIC, PageEntry, StreamPages};
pub(crate) use questions::Counted;
pub(crate) use reader::{BlockReader, TAIL_BYTES, blocking};
pub use scan::BlockScan;
pub(crate) use table::LabelTable;
pub use verify::{Verified, verify_block};
pub use writer::{BlockObject, BlockWriter};

/// The first bytes of a block of metrics and the last; the last of these is the version.
const MAGIC: &[u8; 8] = b"YGBLOCK\x01";
const ZSTD_LEVEL: i32 = 3;
/// Samples in one page at most, so that a short range of a long block costs little.
const PAGE_SAMPLES: usize = 8_192;

#[cfg(test)]
mod tests;
