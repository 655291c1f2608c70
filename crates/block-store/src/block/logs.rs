//! Blocks of log lines: streams of one tenant with their pages, which are moved as they are.

mod footer;
mod index;
mod store;
mod writer;

pub(super) use footer::LogsFooter;
pub(super) use index::LogsIndex;
pub use writer::LogBlockWriter;

/// The first bytes of a block of logs and the last; the last of these is the version.
const MAGIC: &[u8; 8] = b"YGLOGBK\x01";

#[cfg(test)]
mod tests;
