//! Sections: what a block's index is stored in, each compressed and checked on its own.

use super::ZSTD_LEVEL;
use chunk::{Corrupt, Cursor};
use service_api::{Error, Result};
use std::ops::Range;

pub(super) const PLACE_LEN: usize = 3 * 8 + 4;
/// A section of more bytes is not believed.
const MAX_SECTION: u64 = 1 << 31;

/// Where a section lies: its offset in the object, its stored length, its length before zstd, and
/// the crc32c of the stored bytes.
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

    /// Decompresses the section; `bytes` is the object from `start` on.
    pub(super) fn find(&self, bytes: &[u8], start: u64) -> Result<Vec<u8>, Corrupt> {
        let at = self.offset.checked_sub(start).ok_or(Corrupt("section out of bounds"))? as usize;
        let stored = bytes.get(at..).and_then(|rest| rest.get(..self.stored as usize));
        self.decompress(stored.ok_or(Corrupt("cut short"))?)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.offset, self.stored, self.raw] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }

    /// Reads a place, which must end before `limit`.
    pub(super) fn decode(input: &mut Cursor<'_>, limit: u64) -> Result<Self, Corrupt> {
        let mut number = || input.array().map(u64::from_le_bytes);
        let (offset, stored, raw) = (number()?, number()?, number()?);
        let section = Self { offset, stored, raw, checksum: u32::from_le_bytes(input.array()?) };
        let end = offset.saturating_add(stored);
        if stored > MAX_SECTION || raw > MAX_SECTION || end > limit {
            return Err(Corrupt("section out of bounds"));
        }
        Ok(section)
    }

    pub(super) fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.stored
    }
}

/// Where several sections lie, with what is between them.
pub(super) fn range_of<'s>(sections: impl Iterator<Item = &'s Section> + Clone) -> Range<u64> {
    let start = sections.clone().map(|s| s.offset).min().unwrap_or(0);
    start..sections.map(|s| s.range().end).max().unwrap_or(0)
}
