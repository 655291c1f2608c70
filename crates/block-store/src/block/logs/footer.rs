//! The footer of a block of logs: a directory of its sections, and what the block holds.
//!
//! For each section its number (4 bytes) and its place (`section.rs`); then first time, last time
//! (nanoseconds), streams, lines, bytes of text (8 bytes each), the number of sections (4 bytes),
//! crc32c of all of this (4 bytes), and the magic. Sections of unknown numbers are left alone.

use super::MAGIC;
use crate::block::{
    footer::{seal, unseal},
    section::{PLACE_LEN, Section, range_of},
};
use chunk::{Corrupt, Cursor};
use model::NanoRange;
use std::ops::Range;

/// The numbers of the sections that every block has.
pub(super) const PAGES: u32 = 1;
pub(super) const SYMBOLS: u32 = 2;
pub(super) const STREAMS: u32 = 3;
pub(super) const POSTINGS: u32 = 4;

const KNOWN: Range<u32> = PAGES..POSTINGS + 1;
const ENTRY_LEN: usize = 4 + PLACE_LEN;
const TOTALS_LEN: usize = 5 * 8;
/// The number of sections, the checksum, and the magic.
const END_LEN: usize = 4 + 4 + MAGIC.len();
/// So that the directory is in what is read first of a block.
const MAX_SECTIONS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogsFooter {
    /// Those with numbers that we know.
    pub(in crate::block) sections: Vec<(u32, Section)>,
    pub(in crate::block) range: NanoRange,
    pub(in crate::block) streams: u64,
    pub(in crate::block) lines: u64,
    pub(in crate::block) text_bytes: u64,
}

impl LogsFooter {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, section) in &self.sections {
            out.extend_from_slice(&number.to_le_bytes());
            section.encode(&mut out);
        }
        let range = [self.range.start as u64, self.range.end as u64];
        for number in range.into_iter().chain([self.streams, self.lines, self.text_bytes]) {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&(self.sections.len() as u32).to_le_bytes());
        seal(out, MAGIC)
    }

    /// `tail`: the end of a block of `size` bytes.
    pub(in crate::block) fn decode(tail: &[u8], size: u64) -> Result<Self, Corrupt> {
        let mut footer = Self::with_all_sections(tail, size)?;
        footer.sections.retain(|(number, _)| KNOWN.contains(number));
        Ok(footer)
    }

    /// As `decode`, with the sections of which we know nothing but their place.
    pub(in crate::block) fn with_all_sections(tail: &[u8], size: u64) -> Result<Self, Corrupt> {
        let end = tail.len().checked_sub(END_LEN).ok_or(Corrupt("too small"))?;
        let count = u32::from_le_bytes(Cursor::new(&tail[end..]).array()?) as usize;
        if count > MAX_SECTIONS {
            return Err(Corrupt("too many sections, or no block of a version we know"));
        }
        let len = count * ENTRY_LEN + TOTALS_LEN + END_LEN;
        let start = tail.len().checked_sub(len).ok_or(Corrupt("too small"))?;
        let mut input = Cursor::new(unseal(&tail[start..], MAGIC)?);
        let mut sections = Vec::with_capacity(count);
        for _ in 0..count {
            let number = u32::from_le_bytes(input.array()?);
            sections.push((number, Section::decode(&mut input, size.saturating_sub(len as u64))?));
        }
        let mut number = || input.array().map(u64::from_le_bytes);
        let range = NanoRange::new(number()? as i64, number()? as i64);
        Ok(Self { sections, range, streams: number()?, lines: number()?, text_bytes: number()? })
    }

    /// How many bytes it takes with its directory.
    pub(in crate::block) fn len(sections: usize) -> u64 {
        (sections * ENTRY_LEN + TOTALS_LEN + END_LEN) as u64
    }

    /// What a section is called where people read of it.
    pub(in crate::block) fn name(number: u32) -> String {
        match number {
            PAGES => "pages".to_owned(),
            SYMBOLS => "symbols".to_owned(),
            STREAMS => "streams".to_owned(),
            POSTINGS => "postings".to_owned(),
            other => format!("number {other}"),
        }
    }

    /// Where the sections that we know lie: they follow each other.
    pub(in crate::block) fn index_range(&self) -> Range<u64> {
        range_of(self.sections.iter().map(|(_, section)| section))
    }

    pub(super) fn section(&self, number: u32) -> Result<&Section, Corrupt> {
        let found = self.sections.iter().find(|(known, _)| *known == number);
        found.map(|(_, section)| section).ok_or(Corrupt("a section is missing"))
    }
}
