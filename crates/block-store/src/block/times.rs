//! Vectors of timestamps, each stored once however many series have it.
//!
//! Their pages lie behind all others. The section: how many, and for each the length of
//! its page, the number of timestamps, the first (zigzag, difference to the one before's
//! first), and how much later the last is.

use super::groups::GroupsWriter;
use chunk::{
    Corrupt, Cursor, MAX_PAGE_SAMPLES, decode_timestamps, encode_timestamps, put_ivarint, put_uvarint,
};
use model::{TimeRange, Timestamp};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// Timestamps being written.
#[derive(Default)]
pub(super) struct TimesWriter {
    pub(super) groups: GroupsWriter,
    entries: Vec<TimePage>,
    by_hash: HashMap<u64, Vec<u32>, foldhash::fast::FixedState>,
    bytes: Vec<u8>,
    decoded: Vec<Timestamp>,
}

impl TimesWriter {
    /// The number of this vector, new or known. It is not empty.
    pub(super) fn intern(&mut self, times: &[Timestamp]) -> u32 {
        self.bytes.clear();
        self.bytes.extend(times.iter().flat_map(|t| t.to_le_bytes()));
        let same = self.by_hash.entry(xxh3_64(&self.bytes)).or_default();
        for number in same.iter() {
            let page = &self.entries[*number as usize];
            let bytes = &self.groups.bytes[page.offset as usize..][..page.len as usize];
            self.decoded.clear();
            if decode_timestamps(bytes, page.count as usize, &mut self.decoded).is_ok()
                && self.decoded == times
            {
                return *number;
            }
        }
        let number = self.entries.len() as u32;
        same.push(number);
        let (offset, len) = self.groups.page(|out| encode_timestamps(times, out));
        let (first, last) = (times[0], times[times.len() - 1]);
        self.entries.push(TimePage { offset, len: len as u32, count: times.len() as u32, first, last });
        number
    }

    pub(super) fn section(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_uvarint(&mut out, self.entries.len() as u64);
        let mut before = 0;
        for page in &self.entries {
            put_uvarint(&mut out, u64::from(page.len));
            put_uvarint(&mut out, u64::from(page.count));
            put_ivarint(&mut out, page.first.wrapping_sub(before));
            put_uvarint(&mut out, page.last.wrapping_sub(page.first) as u64);
            before = page.first;
        }
        out
    }
}

/// One vector of timestamps.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimePage {
    pub(super) offset: u64,
    pub(super) len: u32,
    pub(super) count: u32,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl TimePage {
    pub(super) fn range(&self) -> TimeRange {
        TimeRange::new(self.first, self.last)
    }
}

/// Reads the section; the pages end where all pages end.
pub(super) fn decode(section: &[u8], pages_end: u64) -> Result<Vec<TimePage>, Corrupt> {
    let mut input = Cursor::new(section);
    let count = input.count(section.len() / 4)?;
    let (mut pages, mut offset, mut first) = (Vec::with_capacity(count), 0u64, 0i64);
    for _ in 0..count {
        let len = input.count(u32::MAX as usize)? as u32;
        let count = input.count(MAX_PAGE_SAMPLES)? as u32;
        first = first.wrapping_add(input.ivarint()?);
        let last = first.wrapping_add(input.uvarint()? as i64);
        pages.push(TimePage { offset, len, count, first, last });
        offset += u64::from(len);
    }
    let start = pages_end.checked_sub(offset).ok_or(Corrupt("timestamps out of bounds"))?;
    for page in &mut pages {
        page.offset += start;
    }
    Ok(pages)
}
