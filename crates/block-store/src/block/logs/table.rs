//! The pages of all streams of a block, for whoever reads all of them in order.

use super::{
    footer::LogsFooter,
    index::{LogsIndex, PageEntry},
};
use crate::block::{LabelTable, WholeFooter};
use chunk::Corrupt;
use std::{mem::size_of, ops::Range};

/// What is known of each page of a block, by the streams' places in the table of labels.
#[derive(Debug)]
pub(crate) struct StreamPages {
    /// Of each stream the number of its first page, and at last the number of pages.
    first_pages: Vec<u32>,
    pages: Vec<PageEntry>,
}

impl WholeFooter for LogsFooter {
    type Pages = StreamPages;

    fn decode(tail: &[u8], size: u64) -> Result<Self, Corrupt> {
        Self::decode(tail, size)
    }

    fn index_range(&self) -> Range<u64> {
        self.index_range()
    }

    fn tables(&self, bytes: &[u8], start: u64) -> Result<(LabelTable, StreamPages), Corrupt> {
        let LogsIndex { labels, first_pages, pages } = LogsIndex::decode(self, bytes, start)?;
        let (labels, pages) = (labels.into_table(), StreamPages { first_pages, pages });
        let lines: u64 = pages.pages.iter().map(|page| u64::from(page.lines)).sum();
        if (labels.len() as u64, lines) != (self.streams, self.lines) {
            return Err(Corrupt("not as much as the footer says"));
        }
        let in_order = |stream| pages.of(stream).is_sorted_by_key(|page| page.range.start);
        if !(0..labels.len() as u32).all(in_order) {
            return Err(Corrupt("pages out of order"));
        }
        Ok((labels, pages))
    }

    fn heap_bytes(pages: &StreamPages) -> usize {
        pages.heap_bytes()
    }
}

impl StreamPages {
    /// All pages, in the order in which they lie in the object.
    pub(crate) fn all(&self) -> &[PageEntry] {
        &self.pages
    }

    /// The pages of a stream.
    pub(crate) fn of(&self, stream: u32) -> &[PageEntry] {
        let first =
            |at: u32| self.first_pages.get(at as usize).map_or(self.pages.len(), |page| *page as usize);
        self.pages.get(first(stream)..first(stream + 1)).unwrap_or(&[])
    }

    fn heap_bytes(&self) -> usize {
        self.pages.len() * size_of::<PageEntry>() + self.first_pages.len() * size_of::<u32>()
    }
}
