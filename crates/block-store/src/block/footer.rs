//! The footer: where the sections are, with their checksums, and what the block holds.
//!
//! Sections in their order: groups, times, symbols, series, postings. For each: offset,
//! stored length, length before zstd (8 bytes each), crc32c of the stored bytes (4 bytes).
//! Then minimum time, maximum time, series, samples (8 bytes each), crc32c of all of this
//! (4 bytes), and the magic. Numbers are little-endian.

use super::{MAGIC, ZSTD_LEVEL};
use chunk::{Corrupt, Cursor};
use model::Timestamp;
use service_api::{Error, Result};
use std::ops::Range;

pub(super) const SECTIONS: usize = 5;
const SECTION_LEN: usize = 3 * 8 + 4;
pub(super) const FOOTER_LEN: usize = SECTIONS * SECTION_LEN + 4 * 8 + 4 + MAGIC.len();
/// A section of more bytes is not believed.
const MAX_SECTION: u64 = 1 << 31;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) stored: u64,
    pub(super) raw: u64,
    pub(super) checksum: u32,
}

impl Section {
    /// Compresses `raw` and says where it will be.
    pub(super) fn compress(raw: &[u8], offset: u64) -> Result<(Self, Vec<u8>)> {
        if raw.len() as u64 > MAX_SECTION {
            return Err(Error::internal("the block's index is too large"));
        }
        let packed = zstd::bulk::compress(raw, ZSTD_LEVEL).map_err(|e| Error::internal(e.to_string()))?;
        let (stored, raw, checksum) = (packed.len() as u64, raw.len() as u64, crc32c::crc32c(&packed));
        Ok((Self { offset, stored, raw, checksum }, packed))
    }

    pub(super) fn decompress(&self, stored: &[u8]) -> Result<Vec<u8>, Corrupt> {
        if crc32c::crc32c(stored) != self.checksum {
            return Err(Corrupt("checksum of a section does not match"));
        }
        let raw = zstd::bulk::decompress(stored, self.raw as usize).map_err(|_| Corrupt("zstd"))?;
        if raw.len() as u64 == self.raw { Ok(raw) } else { Err(Corrupt("a section is cut short")) }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Footer {
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
            for number in [section.offset, section.stored, section.raw] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&section.checksum.to_le_bytes());
        }
        for number in [self.min_time as u64, self.max_time as u64, self.series, self.samples] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out.extend_from_slice(MAGIC);
        out
    }

    /// Reads the last `FOOTER_LEN` bytes of a block of `size` bytes.
    pub(super) fn decode(bytes: &[u8], size: u64) -> Result<Self, Corrupt> {
        let rest = bytes.strip_suffix(MAGIC).ok_or(Corrupt("no block of a version we know"))?;
        let (body, checksum) = rest.split_last_chunk().ok_or(Corrupt("cut short"))?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
            return Err(Corrupt("checksum of the footer does not match"));
        }
        let mut input = Cursor::new(body);
        let number = |input: &mut Cursor<'_>| input.array().map(u64::from_le_bytes);
        let mut footer = Self::default();
        let mut end = MAGIC.len() as u64;
        for section in &mut footer.sections {
            section.offset = number(&mut input)?;
            section.stored = number(&mut input)?;
            section.raw = number(&mut input)?;
            section.checksum = u32::from_le_bytes(input.array()?);
            end = end.max(section.offset.saturating_add(section.stored));
            if section.stored > MAX_SECTION || section.raw > MAX_SECTION || section.offset > size {
                return Err(Corrupt("section out of bounds"));
            }
        }
        if end > size.saturating_sub(FOOTER_LEN as u64) {
            return Err(Corrupt("section out of bounds"));
        }
        footer.min_time = number(&mut input)? as i64;
        footer.max_time = number(&mut input)? as i64;
        footer.series = number(&mut input)?;
        footer.samples = number(&mut input)?;
        Ok(footer)
    }

    /// Where all sections lie: they follow each other.
    pub(super) fn index_range(&self) -> Range<u64> {
        let start = self.sections.iter().map(|s| s.offset).min().unwrap_or(0);
        let end = self.sections.iter().map(|s| s.offset + s.stored).max().unwrap_or(0);
        start..end
    }
}
