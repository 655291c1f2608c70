//! A block: many series or streams of one tenant in one immutable object.

mod caches;
mod fetch;
mod flights;
mod footer;
mod groups;
mod index;
mod labels;
mod logs;
mod matching;
mod pages;
mod postings;
mod questions;
mod reader;
mod rows;
mod section;
mod select;
mod series;
mod series_table;
mod series_writer;
mod starts;
mod symbols;
mod table;
mod times;
mod writer;

pub(crate) use caches::BlockCaches;
pub(crate) use footer::Footer as MetricsFooter;
pub(crate) use groups::PageSink;
pub(crate) use index::BlockIndex;
pub use logs::LogBlockWriter;
pub(crate) use logs::{LogIndexWriter, LogsFooter, MAGIC as LOGS_MAGIC, PageEntry, StreamPages};
pub(crate) use questions::Counted;
pub(crate) use reader::{BlockReader, TAIL_BYTES, blocking};
pub(crate) use series::{Page, PageKind};
pub(crate) use series_table::SeriesTable;
pub(crate) use series_writer::{PageLimits, SeriesWriter, WrittenBlock};
pub(crate) use table::{LabelTable, WholeFooter};
pub(crate) use times::EncodedTimes;
pub use writer::{BlockObject, BlockWriter};

/// The first bytes of a block of metrics and the last; the last of these is the version.
pub(crate) const METRICS_MAGIC: &[u8; 8] = b"YGBLOCK\x01";
const ZSTD_LEVEL: i32 = 3;

#[cfg(test)]
mod tests;
