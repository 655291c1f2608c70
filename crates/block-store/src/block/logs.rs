//! Blocks of log lines: streams of one tenant with their pages, which are moved as they are.

mod footer;
mod index;
mod store;
mod table;
mod verify;
mod writer;

pub(crate) use footer::LogsFooter;
pub(super) use index::LogsIndex;
pub(crate) use index::PageEntry;
pub(crate) use table::StreamPages;
pub(super) use verify::LogsCheck;
pub use writer::LogBlockWriter;
pub(crate) use writer::LogIndexWriter;

/// The first bytes of a block of logs and the last; the last of these is the version.
pub(crate) const MAGIC: &[u8; 8] = b"YGLOGBK\x01";

#[cfg(test)]
mod tests;
