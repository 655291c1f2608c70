//! The pages of all series of a block of metrics, for whoever reads all of them in order.

use super::{
    LabelTable, METRICS_MAGIC, WholeFooter,
    footer::Footer,
    groups::Groups,
    index::MetricsIndex,
    series::{Page, PageKind, decode_pages},
    starts::{self, PageStarts},
    times::TimePage,
};
use chunk::Corrupt;
use model::TimeRange;
use std::{mem::size_of, ops::Range};

/// What is known of each page of a block, by the series' places in the table of labels.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    groups: Groups,
    /// Vectors of timestamps, and of starts.
    times: Vec<TimePage>,
    starts: Vec<PageStarts>,
    samples: u64,
    /// The number of the first group of vectors: groups of values come before them.
    first_times: usize,
}

impl WholeFooter for Footer {
    type Pages = SeriesTable;

    fn decode(tail: &[u8], size: u64) -> Result<Self, Corrupt> {
        Self::decode(tail, size)
    }

    fn index_range(&self) -> Range<u64> {
        self.index_range()
    }

    fn tables(&self, bytes: &[u8], start: u64) -> Result<(LabelTable, SeriesTable), Corrupt> {
        let (labels, groups, times, starts) = MetricsIndex::decode(self, bytes, start)?.into_parts();
        if labels.len() as u64 != self.series {
            return Err(Corrupt("not as many series as the footer says"));
        }
        let first = times.first().map_or(groups.end(), |first| first.offset);
        let first_times = groups.beginning_at(first)?;
        Ok((labels, SeriesTable { groups, times, starts, samples: self.samples, first_times }))
    }

    fn heap_bytes(pages: &SeriesTable) -> usize {
        pages.heap_bytes()
    }
}

impl SeriesTable {
    /// Floats and histograms of all series.
    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    /// Replaces `pages` by those of a series, of which the first lies at `offset`; and gives where they end.
    pub(crate) fn read(
        &self,
        labels: &LabelTable,
        series: u32,
        offset: u64,
        pages: &mut Vec<Page>,
    ) -> Result<u64, Corrupt> {
        decode_pages(&mut labels.behind_labels(series)?, offset, pages)?;
        starts::assign(&self.starts, series, pages)?;
        let follows = |pair: &[Page]| match (pair[0].kind, pair[1].kind) {
            (PageKind::Float { .. }, PageKind::Histogram { .. }) => true,
            _ => self.range(&pair[0]).end < self.range(&pair[1]).start,
        };
        if !pages.windows(2).all(follows) || pages.iter().any(|page| self.range(page).is_empty()) {
            return Err(Corrupt("pages out of order"));
        }
        let starts =
            |page: &Page| page.starts.map_or(self.count(page), |vector| self.times[vector as usize].count);
        if pages.iter().any(|page| starts(page) != self.count(page)) {
            return Err(Corrupt("not as many start timestamps as entries"));
        }
        Ok(pages.last().map_or(offset, Page::end))
    }

    pub(crate) fn range(&self, page: &Page) -> TimeRange {
        page.range(&self.times).unwrap_or(TimeRange::new(0, -1))
    }

    /// The number of a page's entries.
    pub(crate) fn count(&self, page: &Page) -> u32 {
        match page.kind {
            PageKind::Float { time } => self.vector(time).map_or(0, |vector| vector.count),
            PageKind::Histogram { count, .. } => count,
        }
    }

    pub(crate) fn vector(&self, number: u32) -> Option<&TimePage> {
        self.times.get(number as usize)
    }

    /// Where in the object the groups of values begin, and those of vectors.
    pub(crate) fn starts_of_groups(&self) -> (u64, u64) {
        let magic = METRICS_MAGIC.len() as u64;
        (magic, magic + self.times.first().map_or(self.groups.end(), |first| first.offset))
    }

    /// Lengths and checksums of the groups of values.
    pub(crate) fn value_groups(&self) -> impl Iterator<Item = (u32, u32)> {
        self.pieces(0..self.first_times)
    }

    /// Lengths and checksums of the groups of vectors.
    pub(crate) fn time_groups(&self) -> impl Iterator<Item = (u32, u32)> {
        self.pieces(self.first_times..self.groups.len())
    }

    fn pieces(&self, groups: Range<usize>) -> impl Iterator<Item = (u32, u32)> {
        self.groups.pieces(groups)
    }

    fn heap_bytes(&self) -> usize {
        let vectors = self.times.len() * size_of::<TimePage>();
        // Whoever reads the groups in their order has a list of his own.
        vectors + self.starts.len() * size_of::<PageStarts>() + 2 * self.groups.heap_bytes()
    }
}
