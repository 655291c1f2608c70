//! Vectors of timestamps, each stored once however many series have it.
//!
//! Their pages lie behind all others. The section: how many, and for each the length of
//! its page, the number of timestamps, the first (zigzag, difference to the one before's
//! first), and how much later the last is.

use super::groups::{GroupsWriter, PageSink};
use chunk::{Corrupt, Cursor, MAX_PAGE_SAMPLES, encode_timestamps, put_ivarint, put_uvarint};
use model::{TimeRange, Timestamp};
use service_api::Result;
use std::collections::HashMap;
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// A vector of timestamps that is encoded already, and what an index says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncodedTimes<'a> {
    pub(crate) page: &'a [u8],
    pub(crate) count: u32,
    /// Its first number, and its last.
    pub(crate) range: TimeRange,
    /// So timestamps do; starts need not.
    pub(crate) ascending: bool,
}

impl EncodedTimes<'_> {
    /// Wide enough to stand for it, and never that of the bytes of timestamps.
    fn hash(&self) -> u128 {
        xxh3_128_with_seed(self.page, if self.ascending { 1 } else { 2 })
    }
}

/// Timestamps being written.
pub(super) struct TimesWriter<S> {
    pub(super) groups: GroupsWriter<S>,
    entries: Vec<TimePage>,
    /// The numbers of vectors by hashes that are wide enough to stand for them: of the timestamps, and of
    /// pages that were taken from other blocks.
    by_hash: HashMap<u128, u32, foldhash::fast::FixedState>,
    /// Reused from vector to vector.
    bytes: Vec<u8>,
}

impl<S: PageSink> TimesWriter<S> {
    pub(super) fn new(sink: S) -> Self {
        let (entries, by_hash, bytes) = Default::default();
        Self { groups: GroupsWriter::new(sink), entries, by_hash, bytes }
    }

    /// The number of this vector, new or known. It is not empty.
    pub(super) fn intern(&mut self, times: &[Timestamp]) -> Result<u32> {
        self.bytes.clear();
        self.bytes.extend(times.iter().flat_map(|t| t.to_le_bytes()));
        let hash = xxh3_128(&self.bytes);
        if let Some(number) = self.by_hash.get(&hash) {
            return Ok(*number);
        }
        self.bytes.clear();
        encode_timestamps(times, &mut self.bytes);
        self.groups.page(&self.bytes)?;
        let number = self.entries.len() as u32;
        let (first, last) = (times[0], times[times.len() - 1]);
        let (len, count) = (self.bytes.len() as u32, times.len() as u32);
        // Offsets are for readers.
        self.entries.push(TimePage { offset: 0, len, count, first, last });
        self.by_hash.insert(hash, number);
        Ok(number)
    }

    /// The number of a vector that was noted before, if the same was said of it.
    pub(super) fn known(&self, times: EncodedTimes<'_>) -> Option<u32> {
        let number = *self.by_hash.get(&times.hash())?;
        let known = self.entries.get(number as usize)?;
        ((known.count, known.first, known.last) == (times.count, times.range.start, times.range.end))
            .then_some(number)
    }

    /// Notes that somebody else has encoded the vector of this number like that.
    pub(super) fn note(&mut self, times: EncodedTimes<'_>, number: u32) {
        self.by_hash.insert(times.hash(), number);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let vectors = self.entries.capacity() * size_of::<TimePage>();
        vectors + self.by_hash.capacity() * (size_of::<(u128, u32)>() + 1) + self.groups.heap_bytes()
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
pub(crate) struct TimePage {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) count: u32,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl TimePage {
    pub(crate) fn range(&self) -> TimeRange {
        TimeRange::new(self.first, self.last)
    }
}

/// Reads the section; the pages end where all pages end.
pub(super) fn decode(section: &[u8], pages_end: u64) -> std::result::Result<Vec<TimePage>, Corrupt> {
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
