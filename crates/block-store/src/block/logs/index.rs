//! The index of a block of logs in memory: labels of the streams, and what is known of each page.
//!
//! What follows a row's labels (`rows.rs`) is the number of its pages, which lie in the order of the
//! streams. The section of the pages: how many, and then in columns, of all pages: length, lines,
//! bytes of text, first time (zigzag, difference to the last time of the page before, at first to 0),
//! last time minus first (varints), and crc32c of the page (4 bytes).

use super::{
    MAGIC,
    footer::{LogsFooter, PAGES, POSTINGS, STREAMS, SYMBOLS},
};
use crate::block::{index::LabelIndex, rows::Row, select::PlanError};
use chunk::{Corrupt, Cursor, MAX_PAGE_LINES, MAX_PAGE_TEXT, put_ivarint, put_uvarint};
use model::{Labels, Matcher, NanoRange, Signal};
use service_api::ReadContext;
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct LogsIndex {
    pub(in crate::block) labels: LabelIndex,
    /// Of each stream the number of its first page, and at last the number of pages.
    pub(super) first_pages: Vec<u32>,
    pub(in crate::block) pages: Vec<PageEntry>,
}

/// What is known of a page unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageEntry {
    /// In the object.
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) lines: u32,
    pub(crate) text_bytes: u32,
    pub(crate) range: NanoRange,
    pub(crate) checksum: u32,
}

pub(super) fn encode_pages(pages: &[PageEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    put_uvarint(&mut out, pages.len() as u64);
    for column in [|p: &PageEntry| p.len, |p: &PageEntry| p.lines, |p: &PageEntry| p.text_bytes] {
        pages.iter().for_each(|page| put_uvarint(&mut out, u64::from(column(page))));
    }
    let mut before = 0;
    for page in pages {
        put_ivarint(&mut out, page.range.start.wrapping_sub(before));
        before = page.range.end;
    }
    for page in pages {
        put_uvarint(&mut out, page.range.end.wrapping_sub(page.range.start) as u64);
    }
    pages.iter().for_each(|page| out.extend_from_slice(&page.checksum.to_le_bytes()));
    out
}

/// `limit`: where in the object the pages end at the latest.
fn decode_pages(section: &[u8], limit: u64) -> Result<Vec<PageEntry>, Corrupt> {
    let mut input = Cursor::new(section);
    // 5 varints and a checksum.
    let count = input.count((section.len() / 9).min(u32::MAX as usize - 1))?;
    let mut offset = MAGIC.len() as u64;
    let mut pages = Vec::with_capacity(count);
    for _ in 0..count {
        let len = input.count(u32::MAX as usize)? as u32;
        let range = NanoRange::new(0, 0);
        pages.push(PageEntry { offset, len, lines: 0, text_bytes: 0, range, checksum: 0 });
        offset += u64::from(len);
    }
    if offset > limit {
        return Err(Corrupt("pages out of bounds"));
    }
    for page in &mut pages {
        page.lines = input.count(MAX_PAGE_LINES)? as u32;
    }
    for page in &mut pages {
        page.text_bytes = input.count(MAX_PAGE_TEXT)? as u32;
    }
    for page in &mut pages {
        page.range.start = input.ivarint()?;
    }
    let mut before = 0i64;
    for page in &mut pages {
        let start = before.wrapping_add(page.range.start);
        before = start.wrapping_add(input.uvarint()? as i64);
        page.range = NanoRange::new(start, before);
        if page.range.is_empty() {
            return Err(Corrupt("times out of order"));
        }
    }
    for page in &mut pages {
        page.checksum = u32::from_le_bytes(input.array()?);
    }
    Ok(pages)
}

impl LogsIndex {
    /// `bytes`: the object from where the first section begins (`start`).
    pub(in crate::block) fn decode(footer: &LogsFooter, bytes: &[u8], start: u64) -> Result<Self, Corrupt> {
        let section = |number| footer.section(number)?.find(bytes, start);
        let pages = decode_pages(&section(PAGES)?, start)?;
        let mut first_pages = vec![0];
        let mut end = 0;
        let read_pages = |input: &mut Cursor<'_>| {
            end += input.count(pages.len() - end as usize)? as u32;
            first_pages.push(end);
            Ok(())
        };
        let labels =
            LabelIndex::decode(&section(SYMBOLS)?, section(STREAMS)?, section(POSTINGS)?, read_pages)?;
        if end as usize != pages.len() {
            return Err(Corrupt("pages of no stream"));
        }
        Ok(Self { labels, first_pages, pages })
    }

    pub(in crate::block) fn heap_bytes(&self) -> usize {
        let pages = self.pages.len() * size_of::<PageEntry>() + self.first_pages.len() * size_of::<u32>();
        pages + self.labels.heap_bytes()
    }

    pub(super) fn page(&self, number: u32) -> Option<&PageEntry> {
        self.pages.get(number as usize)
    }

    /// The streams that match and have pages in the range, and the numbers of those.
    pub(super) fn plan(
        &self,
        ctx: &ReadContext,
        matchers: &[Matcher],
        range: NanoRange,
    ) -> Result<Vec<(Labels, Vec<u32>)>, PlanError> {
        let (mut row, mut found) = (Row::default(), Vec::new());
        for stream in self.labels.matching(ctx, matchers)? {
            ctx.check()?;
            let overlaps = |number: &u32| self.pages[*number as usize].range.overlaps(&range);
            let pages: Vec<u32> = self.pages_of(stream).filter(overlaps).collect();
            if !pages.is_empty() {
                self.labels.rows.read(stream, &mut row)?;
                found.push((self.labels.of(&row), pages));
                ctx.check_count(Signal::Logs, found.len())?;
            }
        }
        Ok(found)
    }

    pub(in crate::block) fn pages_of(&self, stream: u32) -> Range<u32> {
        let first = |at: usize| self.first_pages.get(at).copied().unwrap_or(0);
        first(stream as usize)..first(stream as usize + 1)
    }
}
