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
mod series_table;
mod series_writer;
mod starts;
mod symbols;
mod table;
mod times;
mod verify;
mod writer;

pub(crate) use caches::BlockCaches;
pub(crate) use footer::Footer as MetricsFooter;
pub(crate) use groups::PageSink;
pub(crate) use index::BlockIndex;
pub use inspect::{Inspected, InspectedLabel, InspectedPages, InspectedSection, Largest, inspect_block};
pub use logs::LogBlockWriter;
pub(crate) use logs::{LogIndexWriter, LogsFooter, MAGIC as LOGS_MAGIC, PageEntry, StreamPages};
pub(crate) use questions::Counted;
pub(crate) use reader::{BlockReader, TAIL_BYTES, blocking};
pub use scan::BlockScan;
pub(crate) use series::{Page, PageKind};
pub(crate) use series_table::SeriesTable;
pub(crate) use series_writer::{PageLimits, SeriesWriter, WrittenBlock};
pub(crate) use table::{LabelTable, WholeFooter};
pub(crate) use times::EncodedTimes;
pub use verify::{Verified, verify_block};
pub use writer::{BlockObject, BlockWriter};

/// The first bytes of a block of metrics and the last; the last of these is the version.
pub(crate) const METRICS_MAGIC: &[u8; 8] = b"YGBLOCK\x01";
const ZSTD_LEVEL: i32 = 3;

#[cfg(test)]
mod tests;
