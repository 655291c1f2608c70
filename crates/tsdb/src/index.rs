//! The index of a block: where its sections are, and what its series are called and where their chunks lie.
//!
//! Of an index, only what an import needs is read: the table of contents at its end, the symbols, and the
//! series one behind the other. Each of these has a checksum.
//! <https://github.com/prometheus/prometheus/blob/main/tsdb/docs/format/index.md>

mod series;
mod symbols;

pub use series::{ChunkPlace, SeriesEntry, Split, read_entry, split_entry};
pub use symbols::{Symbols, section_len};

use crate::{Corrupt, check_sum};
use std::ops::Range;

pub(crate) const INDEX_MAGIC: [u8; 4] = [0xba, 0xaa, 0xd7, 0x00];
const VERSION: u8 = 2;

/// The magic and the version.
pub const HEADER_LEN: usize = 5;
/// Six references of 8 bytes and a checksum.
pub const TOC_LEN: usize = 52;

/// Looks at the first bytes of an index.
pub fn check_header(header: &[u8]) -> Result<(), Corrupt> {
    match header.strip_prefix(&INDEX_MAGIC) {
        Some([VERSION]) => Ok(()),
        Some([1]) => Err(Corrupt("an index of version 1, which Prometheus has not written since 2.0")),
        Some([_]) => Err(Corrupt("an index of a version that is not known")),
        _ => Err(Corrupt("no index")),
    }
}

/// The table of contents: where the sections begin, as far as they matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toc {
    pub symbols: u64,
    pub series: Range<u64>,
}

impl Toc {
    /// Reads the last `TOC_LEN` bytes of an index of `size` bytes.
    pub fn parse(toc: &[u8], size: u64) -> Result<Self, Corrupt> {
        let (references, sum) = toc.split_last_chunk().ok_or(Corrupt("an index is cut short"))?;
        check_sum(references, *sum)?;
        let (references, rest) = references.as_chunks::<8>();
        let [symbols, series, others @ ..] = references else { return Err(Corrupt("cut short")) };
        if others.len() != 4 || !rest.is_empty() {
            return Err(Corrupt("an index is cut short"));
        }
        let place = |reference: &[u8; 8]| u64::from_be_bytes(*reference);
        let end = size.saturating_sub(TOC_LEN as u64);
        let (symbols, series) = (place(symbols), place(series));
        // Sections that do not exist are at 0. What comes behind the series is not always in the same order.
        let behind = others.iter().map(place).filter(|at| *at > series).min().unwrap_or(end);
        if symbols < HEADER_LEN as u64 || symbols >= series || behind > end || series > end {
            return Err(Corrupt("sections out of bounds"));
        }
        Ok(Self { symbols, series: series..behind })
    }
}

#[cfg(test)]
mod tests;
