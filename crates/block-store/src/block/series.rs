//! The series table: labels of each series and its pages.
//!
//! What follows a row's labels (`rows.rs`): the number of its float pages, for each of them the
//! number of its timestamps' vector and its length; then the number of its histogram pages, for
//! each of them the number of histograms, its length, the first time (zigzag) and how much
//! later the last is. All are varints. Pages lie in the order of this table.

use super::times::TimePage;
use chunk::{Corrupt, Cursor, MAX_PAGE_SAMPLES, put_ivarint, put_uvarint};
use model::TimeRange;

/// One page of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) kind: PageKind,
    /// The vector of its starts, if any is known; written apart (`starts.rs`).
    pub(crate) starts: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// Values at the timestamps of that vector.
    Float {
        time: u32,
    },
    Histogram {
        count: u32,
        range: TimeRange,
    },
}

pub(super) fn encode_pages(pages: &[Page], out: &mut Vec<u8>) {
    let floats = pages.iter().filter(|p| matches!(p.kind, PageKind::Float { .. })).count();
    put_uvarint(out, floats as u64);
    for page in pages {
        if let PageKind::Float { time } = page.kind {
            put_uvarint(out, u64::from(time));
            put_uvarint(out, u64::from(page.len));
        }
    }
    put_uvarint(out, (pages.len() - floats) as u64);
    for page in pages {
        if let PageKind::Histogram { count, range } = page.kind {
            put_uvarint(out, u64::from(count));
            put_uvarint(out, u64::from(page.len));
            put_ivarint(out, range.start);
            put_uvarint(out, range.end.wrapping_sub(range.start) as u64);
        }
    }
}

/// Replaces `pages` by those of one series, the first of which lies at `offset`.
#[inline]
pub(super) fn decode_pages(
    input: &mut Cursor<'_>,
    mut offset: u64,
    pages: &mut Vec<Page>,
) -> Result<(), Corrupt> {
    pages.clear();
    for _ in 0..input.count(input.rest().len())? {
        let time = input.count(u32::MAX as usize)? as u32;
        let len = input.count(u32::MAX as usize)? as u32;
        pages.push(Page { offset, len, kind: PageKind::Float { time }, starts: None });
        offset += u64::from(len);
    }
    for _ in 0..input.count(input.rest().len())? {
        let count = input.count(MAX_PAGE_SAMPLES)? as u32;
        let len = input.count(u32::MAX as usize)? as u32;
        let start = input.ivarint()?;
        let range = TimeRange::new(start, start.wrapping_add(input.uvarint()? as i64));
        pages.push(Page { offset, len, kind: PageKind::Histogram { count, range }, starts: None });
        offset += u64::from(len);
    }
    Ok(())
}

impl Page {
    pub(super) fn end(&self) -> u64 {
        self.offset + u64::from(self.len)
    }

    pub(super) fn range(&self, times: &[TimePage]) -> Option<TimeRange> {
        match self.kind {
            PageKind::Float { time } => times.get(time as usize).map(TimePage::range),
            PageKind::Histogram { range, .. } => Some(range),
        }
    }
}
