//! Page groups: pages that are read, checked and cached together.
//!
//! Pages lie one behind the other; after some 32 KiB a group ends with a page. The groups'
//! section: their number, and for each its length (varint) and the crc32c of its bytes.

use super::METRICS_MAGIC;
use chunk::{Corrupt, Cursor, put_uvarint};
use service_api::{Error, Result};
use std::ops::Range;

const GROUP_BYTES: usize = 32 << 10;
/// What a page group may be at most, so that a broken length does not eat all memory.
const MAX_GROUP: usize = 1 << 30;

/// Takes the bytes of pages as they are made.
pub(crate) trait PageSink {
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

impl PageSink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Pages being written.
pub(super) struct GroupsWriter<S> {
    pub(super) sink: S,
    /// Bytes of all pages.
    pub(super) bytes: u64,
    /// Of the group that is open its length so far, and its checksum.
    open: usize,
    checksum: u32,
    groups: Vec<(u32, u32)>,
}

impl<S: PageSink> GroupsWriter<S> {
    pub(super) fn new(sink: S) -> Self {
        Self { sink, bytes: 0, open: 0, checksum: 0, groups: Vec::new() }
    }

    /// Appends a page.
    pub(super) fn page(&mut self, page: &[u8]) -> Result<()> {
        if page.len() > MAX_GROUP - GROUP_BYTES {
            return Err(Error::internal("a page is too large"));
        }
        self.sink.write(page)?;
        self.bytes += page.len() as u64;
        self.open += page.len();
        self.checksum = crc32c::crc32c_append(self.checksum, page);
        if self.open >= GROUP_BYTES {
            self.end_group();
        }
        Ok(())
    }

    fn end_group(&mut self) {
        if self.open > 0 {
            self.groups.push((self.open as u32, self.checksum));
        }
        (self.open, self.checksum) = (0, 0);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<(u32, u32)>()
    }

    /// The section that describes the groups of `self`, and then those of `other`.
    pub(super) fn section(&mut self, other: &mut Self) -> Vec<u8> {
        self.end_group();
        other.end_group();
        let mut out = Vec::new();
        put_uvarint(&mut out, (self.groups.len() + other.groups.len()) as u64);
        for (len, checksum) in self.groups.iter().chain(&other.groups) {
            put_uvarint(&mut out, u64::from(*len));
            out.extend_from_slice(&checksum.to_le_bytes());
        }
        out
    }
}

/// Where a block's groups are. Offsets of pages count from the first group's start.
#[derive(Debug)]
pub(super) struct Groups {
    /// The start of each, and the end of the last.
    starts: Vec<u64>,
    checksums: Vec<u32>,
}

impl Groups {
    /// `limit`: where the first section begins in the object.
    pub(super) fn decode(section: &[u8], limit: u64) -> Result<Self, Corrupt> {
        let mut input = Cursor::new(section);
        let count = input.count(section.len() / 5)?;
        let mut groups = Self { starts: Vec::with_capacity(count + 1), checksums: Vec::with_capacity(count) };
        let mut end = 0u64;
        groups.starts.push(0);
        for _ in 0..count {
            end += input.count(MAX_GROUP)? as u64;
            groups.starts.push(end);
            groups.checksums.push(u32::from_le_bytes(input.array()?));
        }
        if end > limit.saturating_sub(METRICS_MAGIC.len() as u64) {
            return Err(Corrupt("pages out of bounds"));
        }
        Ok(groups)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.starts.len() * 8 + self.checksums.len() * 4
    }

    /// Where a group begins and ends, counted as pages are.
    pub(super) fn pages(&self, group: u32) -> (u64, u64) {
        (self.starts[group as usize], self.starts[group as usize + 1])
    }

    /// Bytes of all pages.
    pub(super) fn end(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The lengths and checksums of some groups; none where there are none.
    pub(super) fn pieces(&self, groups: Range<usize>) -> impl Iterator<Item = (u32, u32)> {
        let lens = self.starts.windows(2).map(|pair| (pair[1] - pair[0]) as u32);
        lens.zip(self.checksums.iter().copied()).skip(groups.start).take(groups.len())
    }

    pub(super) fn len(&self) -> usize {
        self.checksums.len()
    }

    /// The number of the group that begins there; that of groups behind the last one.
    pub(super) fn beginning_at(&self, offset: u64) -> Result<usize, Corrupt> {
        self.starts.binary_search(&offset).map_err(|_| Corrupt("pages of two kinds in one group"))
    }

    /// The group that holds a page, and where in it the page begins.
    pub(super) fn locate(&self, offset: u64, len: u64) -> Result<(u32, u32), Corrupt> {
        let after = self.starts.partition_point(|start| *start <= offset);
        let (Some(group), Some(end)) = (after.checked_sub(1), self.starts.get(after)) else {
            return Err(Corrupt("page out of bounds"));
        };
        if offset + len > *end {
            return Err(Corrupt("page out of bounds"));
        }
        Ok((group as u32, (offset - self.starts[group]) as u32))
    }

    /// Where a group lies in the object.
    pub(super) fn range(&self, group: u32) -> Range<u64> {
        let (group, magic) = (group as usize, METRICS_MAGIC.len() as u64);
        magic + self.starts[group]..magic + self.starts[group + 1]
    }

    pub(super) fn check(&self, group: u32, bytes: &[u8]) -> Result<(), Corrupt> {
        if crc32c::crc32c(bytes) == self.checksums[group as usize] {
            Ok(())
        } else {
            Err(Corrupt("checksum of a page group does not match"))
        }
    }
}
