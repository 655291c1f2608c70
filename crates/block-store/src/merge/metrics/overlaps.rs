//! Which pages of a series have to be merged with each other.

use super::{
    PageShape,
    stored_page::{Kind, StoredPage},
};
use model::Timestamp;

impl PageShape {
    /// The number of the stretch of time that a page with this entry is of.
    pub fn span_of(&self, time: Timestamp) -> i64 {
        time.div_euclid(self.span)
    }

    fn limit(&self, kind: Kind) -> usize {
        match kind {
            Kind::Float => self.limits.floats,
            Kind::Histogram => self.limits.histograms,
        }
    }
}

/// Sorts pages: floats first, then by time, and of the same time by their inputs.
pub fn sort(pages: &mut [StoredPage]) {
    pages.sort_unstable_by_key(|page| (page.kind, page.range.start, page.range.end, page.count, page.input));
}

/// Drops of sorted pages those that are the same as another one, which was in an earlier input: whatever lies
/// between them in time or order, none of their entries can stay. Of those that are cut nobody knows. `bytes`: of all pages. Gives the number of
/// the entries that were dropped.
pub fn drop_repeats(pages: &mut Vec<StoredPage>, bytes: &[u8]) -> u64 {
    let key = |page: &StoredPage| (page.kind, page.range.start, page.range.end, page.count);
    let same = |a: &StoredPage, b: &StoredPage| {
        !a.is_cut
            && !b.is_cut
            && bytes[a.values.clone()] == bytes[b.values.clone()]
            && bytes[a.times.clone()] == bytes[b.times.clone()]
            && bytes[a.starts.clone()] == bytes[b.starts.clone()]
    };
    let (mut kept, mut alike, mut dropped) = (0, 0, 0);
    for at in 0..pages.len() {
        if kept > 0 && key(&pages[kept - 1]) != key(&pages[at]) {
            alike = kept;
        }
        if pages[alike..kept].iter().any(|page| same(page, &pages[at])) {
            dropped += u64::from(pages[at].count);
        } else {
            pages.swap(kept, at);
            kept += 1;
        }
    }
    pages.truncate(kept);
    dropped
}

/// How many of sorted pages, which there must be, are to be merged with the first: those of its kind that have
/// to do with the same stretches of time, or with those of each other.
pub fn first_group(pages: &[StoredPage], shape: &PageShape) -> usize {
    let (kind, mut last) = (pages[0].kind, shape.span_of(pages[0].range.end));
    let with = |page: &&StoredPage| {
        let is_with = page.kind == kind && shape.span_of(page.range.start) <= last;
        if is_with {
            last = last.max(shape.span_of(page.range.end));
        }
        is_with
    };
    pages.iter().take_while(with).count()
}

/// Whether a group of pages is as a merge would make it.
pub fn is_as_merged(group: &[StoredPage], shape: &PageShape) -> bool {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return true };
    let full = shape.limit(first.kind);
    group.iter().all(|page| !page.is_cut)
        && shape.span_of(first.range.start) == shape.span_of(last.range.end)
        && group
            .windows(2)
            .all(|pair| pair[0].range.end < pair[1].range.start && pair[0].count as usize == full)
        && last.count as usize <= full
}
