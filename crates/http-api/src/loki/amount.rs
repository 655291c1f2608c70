//! How much of a stream lies in ranges of time, as its pages tell without being read.
//!
//! Lines that several ingesters hold are counted once: of those whose pages reach over a time, the one
//! that has most is believed. It is an estimate, as if the lines of a page came evenly. Of a page of which
//! some lines are not to be seen all count, as none is read.

use model::{NanoRange, Nanos};
use service_api::LogPage;
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amount {
    pub bytes: f64,
    pub lines: f64,
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
    }
}

/// Hands out what is in each of `ranges`, which are in order and do not overlap, by its number;
/// nothing for those without any. A range may come more than once.
pub fn amounts(pages: &[LogPage], ranges: &[NanoRange], mut each: impl FnMut(usize, Amount)) {
    let extents = extents(pages);
    if extents.len() <= 1 {
        return spread(pages, ranges, &mut each);
    }
    let cells = cells(&extents, ranges);
    let times: Vec<NanoRange> = cells.iter().map(|(_, cell)| *cell).collect();
    let mut most = vec![Amount::default(); cells.len()];
    let mut own = most.clone();
    for (origin, _) in extents {
        own.fill(Amount::default());
        let of_origin = pages.iter().filter(|page| page.origin == origin);
        spread(of_origin, &times, |at, amount| own[at] += amount);
        for (most, own) in most.iter_mut().zip(&own) {
            most.bytes = most.bytes.max(own.bytes);
            most.lines = most.lines.max(own.lines);
        }
    }
    for ((range, _), amount) in cells.iter().zip(most).filter(|(_, amount)| amount.lines > 0.0) {
        each(*range, amount);
    }
    spread(pages.iter().filter(|page| page.origin == 0), ranges, each);
}

/// The ingesters that have pages, and from when to when each has some.
fn extents(pages: &[LogPage]) -> Vec<(u64, NanoRange)> {
    let mut found: Vec<(u64, NanoRange)> = Vec::new();
    for page in pages.iter().filter(|page| page.origin != 0) {
        match found.iter_mut().find(|(origin, _)| *origin == page.origin) {
            Some((_, extent)) => *extent = extent.union(&page.range),
            None => found.push((page.origin, page.range)),
        }
    }
    found
}

/// The ranges, cut where an ingester's pages begin or end: a stream may have moved from one to
/// another. With each cell the number of its range.
fn cells(extents: &[(u64, NanoRange)], ranges: &[NanoRange]) -> Vec<(usize, NanoRange)> {
    let cut = |(_, extent): &(u64, NanoRange)| [extent.start, extent.end.saturating_add(1)];
    let mut cuts: Vec<Nanos> = extents.iter().flat_map(cut).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut cells = Vec::with_capacity(ranges.len() + cuts.len());
    for (number, range) in ranges.iter().enumerate() {
        let mut start = range.start;
        let first = cuts.partition_point(|cut| *cut <= start);
        for cut in cuts[first..].iter().take_while(|cut| **cut <= range.end) {
            cells.push((number, NanoRange::new(start, cut - 1)));
            start = *cut;
        }
        cells.push((number, NanoRange::new(start, range.end)));
    }
    cells
}

/// Spreads pages evenly over the ranges that they are in.
fn spread<'a>(
    pages: impl IntoIterator<Item = &'a LogPage>,
    ranges: &[NanoRange],
    mut each: impl FnMut(usize, Amount),
) {
    for page in pages {
        let first = ranges.partition_point(|range| range.end < page.range.start);
        let touched = ranges.iter().enumerate().skip(first);
        for (at, range) in touched.take_while(|(_, range)| range.start <= page.range.end) {
            let common = NanoRange::new(page.range.start.max(range.start), page.range.end.min(range.end));
            let share = length(&common) / length(&page.range);
            let (bytes, lines) = (page.text_bytes as f64 * share, f64::from(page.lines) * share);
            each(at, Amount { bytes, lines });
        }
    }
}

fn length(range: &NanoRange) -> f64 {
    range.end.saturating_sub(range.start) as f64 + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Lines;
    use service_api::{LineSource, Needles, PageData, Result};
    use std::sync::Arc;

    struct Unread;

    impl LineSource for Unread {
        fn read(&self, _: &Needles, _: &mut Lines) -> Result<bool> {
            panic!("pages are not read for their amounts")
        }
    }

    /// A page with a line of ten bytes at each of its times.
    fn page(origin: u64, start: Nanos, end: Nanos) -> LogPage {
        let lines = (end - start + 1) as u32;
        LogPage {
            range: NanoRange::new(start, end),
            lines,
            text_bytes: 10 * u64::from(lines),
            stored_bytes: 0,
            origin,
            is_cut: false,
            data: PageData::Here(Arc::new(Unread)),
        }
    }

    fn lines(pages: &[LogPage], ranges: &[(Nanos, Nanos)]) -> Vec<f64> {
        let ranges: Vec<_> = ranges.iter().map(|(start, end)| NanoRange::new(*start, *end)).collect();
        let mut found = vec![Amount::default(); ranges.len()];
        amounts(pages, &ranges, |at, amount| found[at] += amount);
        let lines = found.iter().map(|amount| amount.lines.round());
        lines
            .zip(&found)
            .inspect(|(lines, amount)| assert_eq!(amount.bytes.round(), 10.0 * lines))
            .map(|(n, _)| n)
            .collect()
    }

    #[test]
    fn pages_that_are_nobodys_replicas_add_up() {
        let pages = [page(0, 0, 99), page(0, 50, 149)];
        assert_eq!(lines(&pages, &[(0, 999)]), [200.0]);
        assert_eq!(lines(&pages, &[(0, 49), (50, 99), (100, 1000), (2000, 3000)]), [50.0, 100.0, 50.0, 0.0]);
        // The same with the block and the head of one ingester, and with what was compacted beside them.
        let pages = [page(7, 0, 99), page(7, 50, 149), page(0, 100, 109)];
        assert_eq!(lines(&pages, &[(0, 999)]), [210.0]);
    }

    #[test]
    fn replicas_count_once_however_their_pages_are_cut() {
        let pages = [
            page(1, 0, 299),
            page(2, 0, 99),
            page(2, 100, 299),
            // This one was away for a time.
            page(3, 0, 49),
            page(3, 250, 299),
        ];
        assert_eq!(lines(&pages, &[(0, 299)]), [300.0]);
        assert_eq!(lines(&pages, &[(0, 99), (100, 199), (200, 299), (300, 399)]), [100.0, 100.0, 100.0, 0.0]);
        assert_eq!(lines(&pages[3..], &[(0, 299)]), [100.0]);
    }

    #[test]
    fn a_stream_that_moved_counts_where_it_was_and_where_it_is() {
        let pages = [page(1, 0, 99), page(2, 0, 99), page(3, 100, 199), page(4, 100, 199)];
        assert_eq!(lines(&pages, &[(0, 199)]), [200.0]);
        assert_eq!(lines(&pages, &[(90, 109)]), [20.0]);
        assert_eq!(lines(&pages, &[(0, 9), (95, 104), (195, 300)]), [10.0, 10.0, 5.0]);
    }
}
