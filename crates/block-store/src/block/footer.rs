//! The footer: where the sections are, with their checksums, and what the block holds.
//!
//! Sections in their order: groups, times, symbols, series, postings. For each: offset,
//! stored length, length before zstd (8 bytes each), crc32c of the stored bytes (4 bytes).
//! Then minimum time, maximum time, series, samples (8 bytes each), crc32c of all of this
//! (4 bytes), and the magic. Numbers are little-endian.

use super::{
    BlockIndex, METRICS_MAGIC,
    index::MetricsIndex,
    logs::{LogsFooter, LogsIndex},
    section::{PLACE_LEN, Section, range_of},
};
use chunk::{Corrupt, Cursor};
use model::{Signal, Timestamp};
use std::ops::Range;

pub(super) const SECTIONS: usize = 5;
pub(super) const FOOTER_LEN: usize = SECTIONS * PLACE_LEN + 4 * 8 + 4 + METRICS_MAGIC.len();

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(super) sections: [Section; SECTIONS],
    pub(super) min_time: Timestamp,
    pub(super) max_time: Timestamp,
    pub(super) series: u64,
    pub(super) samples: u64,
}

impl Footer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_LEN);
        for section in &self.sections {
            section.encode(&mut out);
        }
        for number in [self.min_time as u64, self.max_time as u64, self.series, self.samples] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        seal(out, METRICS_MAGIC)
    }

    /// `tail`: the end of a block of `size` bytes.
    pub(super) fn decode(tail: &[u8], size: u64) -> Result<Self, Corrupt> {
        let at = tail.len().checked_sub(FOOTER_LEN).ok_or(Corrupt("too small"))?;
        let mut input = Cursor::new(unseal(&tail[at..], METRICS_MAGIC)?);
        let mut footer = Self::default();
        for section in &mut footer.sections {
            *section = Section::decode(&mut input, size.saturating_sub(FOOTER_LEN as u64))?;
        }
        let mut number = || input.array().map(u64::from_le_bytes);
        footer.min_time = number()? as i64;
        footer.max_time = number()? as i64;
        footer.series = number()?;
        footer.samples = number()?;
        Ok(footer)
    }

    /// Where all sections lie: they follow each other.
    pub(super) fn index_range(&self) -> Range<u64> {
        range_of(self.sections.iter())
    }
}

/// The footer of a block of either signal.
pub(super) enum AnyFooter {
    Metrics(Footer),
    Logs(LogsFooter),
}

impl AnyFooter {
    /// `tail`: the end of a block of `size` bytes.
    pub(super) fn decode(signal: Signal, tail: &[u8], size: u64) -> Result<Self, Corrupt> {
        match signal {
            Signal::Metrics => Footer::decode(tail, size).map(Self::Metrics),
            Signal::Logs => LogsFooter::decode(tail, size).map(Self::Logs),
        }
    }

    pub(super) fn index_range(&self) -> Range<u64> {
        match self {
            Self::Metrics(footer) => footer.index_range(),
            Self::Logs(footer) => footer.index_range(),
        }
    }

    /// `bytes`: the object from `start` on.
    pub(super) fn index(&self, bytes: &[u8], start: u64) -> Result<BlockIndex, Corrupt> {
        match self {
            Self::Metrics(footer) => MetricsIndex::decode(footer, bytes, start).map(BlockIndex::Metrics),
            Self::Logs(footer) => LogsIndex::decode(footer, bytes, start).map(BlockIndex::Logs),
        }
    }
}

/// Puts a checksum and the magic behind a footer.
pub(super) fn seal(mut footer: Vec<u8>, magic: &[u8; 8]) -> Vec<u8> {
    footer.extend_from_slice(&crc32c::crc32c(&footer).to_le_bytes());
    footer.extend_from_slice(magic);
    footer
}

/// Takes them off.
pub(super) fn unseal<'a>(bytes: &'a [u8], magic: &[u8; 8]) -> Result<&'a [u8], Corrupt> {
    let rest = bytes.strip_suffix(magic).ok_or(Corrupt("no block of a version we know"))?;
    let (footer, checksum) = rest.split_last_chunk().ok_or(Corrupt("cut short"))?;
    if crc32c::crc32c(footer) == u32::from_le_bytes(*checksum) {
        Ok(footer)
    } else {
        Err(Corrupt("checksum of the footer does not match"))
    }
}
