//! The pages of a block of logs against what its index says of them.

use super::{MAGIC, footer::LogsFooter, index::PageEntry};
use crate::{
    BlockMeta, EncodedPage,
    block::{
        BlockIndex,
        rows::Row,
        verify::{PageCheck, Problems},
    },
};
use bytes::Bytes;
use chunk::Corrupt;
use model::{Lines, NanoRange};
use service_api::Needles;
use std::{ops::Range, sync::Arc};

pub(in crate::block) struct LogsCheck {
    index: Arc<BlockIndex>,
    footer: LogsFooter,
    /// Where the sections begin.
    pages_end: u64,
    lines: Lines,
}

impl LogsCheck {
    pub(in crate::block) fn new(index: Arc<BlockIndex>, footer: LogsFooter, pages_end: u64) -> Self {
        Self { index, footer, pages_end, lines: Lines::default() }
    }

    /// What the footer and the list say, each of the other.
    pub(in crate::block) fn totals(footer: &LogsFooter, meta: &BlockMeta) -> Vec<String> {
        let range = footer.range.millis();
        let of_footer = (range.start, range.end, footer.streams, footer.lines, footer.text_bytes);
        let listed = (meta.min_time, meta.max_time, meta.series, meta.samples, meta.text_bytes);
        if of_footer == listed {
            return Vec::new();
        }
        vec![format!(
            "the footer has (first time, last time, streams, lines, bytes) {of_footer:?}, the list {listed:?}"
        )]
    }

    fn page(&mut self, entry: &PageEntry, bytes: &[u8]) -> Result<(), Corrupt> {
        let page = EncodedPage::new(Bytes::copy_from_slice(bytes))?;
        let said = (page.range(), page.lines(), page.text_bytes());
        if said != (entry.range, entry.lines, u64::from(entry.text_bytes)) {
            return Err(Corrupt("its own header and the index differ"));
        }
        page.read_lines(&Needles::default(), &mut self.lines)?;
        let text: usize = (0..self.lines.len()).map(|at| self.lines.span(at).len()).sum();
        if (self.lines.len(), text as u64) != (entry.lines as usize, page.text_bytes()) {
            return Err(Corrupt("not as many lines, or as much text, as its header says"));
        }
        Ok(())
    }

    /// Whether the pages of each stream are in order, and are as much as the footer says.
    fn streams(&self, problems: &mut Problems) -> Result<(), Corrupt> {
        let (index, mut row) = (self.index.logs()?, Row::default());
        for stream in 0..index.labels.rows.len() as u32 {
            let pages =
                &index.pages.get(index.pages_of(stream).start as usize..index.pages_of(stream).end as usize);
            let pages = pages.ok_or(Corrupt("pages out of bounds"))?;
            if pages.is_empty() || !pages.is_sorted_by_key(|page| page.range.start) {
                index.labels.rows.read(stream, &mut row)?;
                problems.add(format!("stream {} has no pages, or not in order", index.labels.of(&row)));
            }
        }
        let sum = |of: fn(&PageEntry) -> u32| index.pages.iter().map(|page| u64::from(of(page))).sum::<u64>();
        let range = index.pages.iter().map(|page| page.range).reduce(|all, page| all.union(&page));
        let counted: (_, _, _, Option<NanoRange>) =
            (index.labels.rows.len() as u64, sum(|p| p.lines), sum(|p| p.text_bytes), range);
        let LogsFooter { streams, lines, text_bytes, range, .. } = self.footer;
        if counted != (streams, lines, text_bytes, Some(range)) {
            problems.add(format!(
                "the pages have (streams, lines, bytes, times) {counted:?}, the footer {:?}",
                (streams, lines, text_bytes, range)
            ));
        }
        let end = index.pages.last().map_or(MAGIC.len() as u64, |p| p.offset + u64::from(p.len));
        if end != self.pages_end {
            problems.add("something lies between the pages and the sections".to_owned());
        }
        Ok(())
    }

    fn entry(&self, number: u32) -> Option<PageEntry> {
        self.index.logs().ok()?.page(number).copied()
    }
}

impl PageCheck for LogsCheck {
    fn place(&self, number: u32) -> Option<Range<u64>> {
        self.entry(number).map(|page| page.offset..page.offset + u64::from(page.len))
    }

    fn sum(&self, number: u32, bytes: &[u8]) -> Result<(), Corrupt> {
        match self.entry(number) {
            Some(page) if page.checksum == crc32c::crc32c(bytes) => Ok(()),
            _ => Err(Corrupt("the checksum does not match")),
        }
    }

    fn piece(&mut self, number: u32, bytes: Option<&[u8]>, problems: &mut Problems) {
        let Some(entry) = self.entry(number) else { return };
        let checked = match bytes {
            Some(bytes) => self.page(&entry, bytes),
            None => Err(Corrupt("the checksum does not match")),
        };
        if let Err(why) = checked {
            let stream = self.index.logs().ok().and_then(|index| {
                let mut row = Row::default();
                let stream = index.first_pages.partition_point(|first| *first <= number).checked_sub(1)?;
                index.labels.rows.read(stream as u32, &mut row).ok()?;
                Some(index.labels.of(&row).to_string())
            });
            problems.add(format!("page {number} (stream {}): {why}", stream.unwrap_or_default()));
        }
    }

    fn finish(&mut self, problems: &mut Problems) {
        if let Err(why) = self.streams(problems) {
            problems.add(format!("streams: {why}"));
        }
    }
}
