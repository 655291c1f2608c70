//! The pages of a block of metrics against what its index says of them.

use super::{PageCheck, Problems};
use crate::{
    BlockMeta,
    block::{
        BlockIndex,
        footer::Footer,
        index::{MetricsIndex, SeriesRow},
        series::{Page, PageKind},
    },
};
use chunk::{Corrupt, decode_histograms, decode_timestamps, decode_values};
use model::{HistogramSample, TimeRange, Timestamp};
use std::{ops::Range, sync::Arc};

/// What the footer and the list say, each of the other.
pub fn totals(footer: &Footer, meta: &BlockMeta) -> Vec<String> {
    let of_footer = (footer.min_time, footer.max_time, footer.series, footer.samples);
    let listed = (meta.min_time, meta.max_time, meta.series, meta.samples);
    if of_footer == listed && meta.text_bytes == 0 {
        return Vec::new();
    }
    vec![format!(
        "the footer has (first time, last time, series, samples) {of_footer:?}, the list {listed:?}"
    )]
}

pub struct MetricsCheck {
    index: Arc<BlockIndex>,
    footer: Footer,
    /// Where the sections begin, counted as pages are.
    pages_end: u64,
    /// The next page of samples: of which series, and which of its pages.
    series: u32,
    page: usize,
    row: SeriesRow,
    /// The last time of the page before, if it is one of the same series and kind.
    last: Option<Timestamp>,
    /// The next vector of timestamps.
    vector: usize,
    /// Of each vector whether it is the times of a page, and whether its starts.
    used: Vec<(bool, bool)>,
    samples: u64,
    range: Option<TimeRange>,
    scratch: Scratch,
}

/// What pages are decoded into, and of no further use.
#[derive(Default)]
struct Scratch {
    values: Vec<f64>,
    times: Vec<Timestamp>,
    histograms: Vec<HistogramSample>,
}

impl MetricsCheck {
    pub fn new(index: Arc<BlockIndex>, footer: Footer, pages_end: u64) -> Self {
        let vectors = index.metrics().map_or(0, |metrics| metrics.times.len());
        Self {
            index,
            footer,
            pages_end,
            series: 0,
            page: 0,
            row: SeriesRow::default(),
            last: None,
            vector: 0,
            used: vec![(false, false); vectors],
            samples: 0,
            range: None,
            scratch: Scratch::default(),
        }
    }

    /// The pages of samples that begin before `end`, from the first that has not been seen.
    fn pages(
        &mut self,
        index: &MetricsIndex,
        group: Group<'_>,
        problems: &mut Problems,
    ) -> Result<(), Corrupt> {
        while self.series < index.labels.rows.len() as u32 {
            if self.page == 0 {
                index.read(self.series, &mut self.row)?;
                if self.row.pages.is_empty() {
                    problems.add(format!("series {} has no pages", index.labels.of(&self.row.labels)));
                }
            }
            while let Some(page) = self.row.pages.get(self.page).copied() {
                if page.offset >= group.end {
                    return Ok(());
                }
                if let Err(why) = self.page(index, &page, group) {
                    let labels = index.labels.of(&self.row.labels);
                    problems.add(format!("page {} of series {labels}: {why}", self.page));
                }
                self.page += 1;
            }
            (self.series, self.page, self.last) = (self.series + 1, 0, None);
        }
        Ok(())
    }

    fn page(&mut self, index: &MetricsIndex, page: &Page, group: Group<'_>) -> Result<(), Corrupt> {
        let range = page.range(&index.times).ok_or(Corrupt("no such timestamps"))?;
        let count = match page.kind {
            PageKind::Float { time } => {
                self.used.get_mut(time as usize).ok_or(Corrupt("no such timestamps"))?.0 = true;
                index.times[time as usize].count
            }
            PageKind::Histogram { count, .. } => {
                // Floats come before histograms, each in the order of their times.
                let first = |page: &Page| matches!(page.kind, PageKind::Float { .. });
                if self.page.checked_sub(1).and_then(|before| self.row.pages.get(before)).is_some_and(first) {
                    self.last = None;
                }
                count
            }
        };
        self.samples += u64::from(count);
        self.range = Some(
            self.range
                .map_or(range, |all| TimeRange::new(all.start.min(range.start), all.end.max(range.end))),
        );
        let last = self.last.replace(range.end);
        if let Some(starts) = page.starts {
            self.used.get_mut(starts as usize).ok_or(Corrupt("no such start timestamps"))?.1 = true;
            if index.times[starts as usize].count != count {
                return Err(Corrupt("not as many start timestamps as entries"));
            }
        }
        if count == 0 || range.is_empty() || last.is_some_and(|last| last >= range.start) {
            return Err(Corrupt("times out of order"));
        }
        let Some(bytes) = group.page(page.offset, page.len)? else { return Ok(()) };
        self.scratch.read(page.kind, count, bytes)
    }

    fn vectors(&mut self, index: &MetricsIndex, group: Group<'_>, problems: &mut Problems) {
        while let Some(vector) = index.times.get(self.vector).filter(|vector| vector.offset < group.end) {
            let (as_times, as_starts) = self.used[self.vector];
            let mut check = || {
                if !as_times && !as_starts {
                    return Err(Corrupt("no page has them"));
                }
                let Some(bytes) = group.page(vector.offset, vector.len)? else { return Ok(()) };
                let times = &mut self.scratch.times;
                times.clear();
                decode_timestamps(bytes, vector.count as usize, times)?;
                if times.first() != Some(&vector.first) || times.last() != Some(&vector.last) {
                    return Err(Corrupt("another first or last time than the index has"));
                }
                if as_times && !times.is_sorted_by(|a, b| a < b) {
                    return Err(Corrupt("times out of order"));
                }
                Ok(())
            };
            if let Err(why) = check() {
                problems.add(format!("timestamps number {}: {why}", self.vector));
            }
            self.vector += 1;
        }
    }
}

impl Scratch {
    fn read(&mut self, kind: PageKind, count: u32, bytes: &[u8]) -> Result<(), Corrupt> {
        match kind {
            PageKind::Float { .. } => {
                self.values.clear();
                decode_values(bytes, count as usize, &mut self.values)?;
                let right = self.values.len() == count as usize;
                if right { Ok(()) } else { Err(Corrupt("not as many values as timestamps")) }
            }
            PageKind::Histogram { range, .. } => {
                self.histograms.clear();
                decode_histograms(bytes, count as usize, &mut self.histograms)?;
                let times = || self.histograms.iter().map(|h| h.timestamp);
                let ends = (times().next(), times().next_back());
                if ends != (Some(range.start), Some(range.end)) || !times().is_sorted_by(|a, b| a < b) {
                    return Err(Corrupt("times of histograms that are not as the index has them"));
                }
                Ok(())
            }
        }
    }
}

/// A group of pages, counted as pages are; without bytes if they are damaged.
#[derive(Clone, Copy)]
struct Group<'a> {
    start: u64,
    end: u64,
    bytes: Option<&'a [u8]>,
}

impl<'a> Group<'a> {
    fn page(&self, offset: u64, len: u32) -> Result<Option<&'a [u8]>, Corrupt> {
        let outside = Corrupt("it does not lie within a group");
        let at = offset.checked_sub(self.start).ok_or(outside)? as usize;
        let Some(bytes) = self.bytes else { return Ok(None) };
        bytes.get(at..at + len as usize).map(Some).ok_or(outside)
    }
}

impl PageCheck for MetricsCheck {
    fn place(&self, number: u32) -> Option<Range<u64>> {
        let groups = &self.index.metrics().ok()?.groups;
        (number < groups.len() as u32).then(|| groups.range(number))
    }

    fn sum(&self, number: u32, bytes: &[u8]) -> Result<(), Corrupt> {
        self.index.metrics()?.groups.check(number, bytes)
    }

    fn piece(&mut self, number: u32, bytes: Option<&[u8]>, problems: &mut Problems) {
        let index = Arc::clone(&self.index);
        let Ok(index) = index.metrics() else { return };
        let (start, end) = index.groups.pages(number);
        let group = Group { start, end, bytes };
        if bytes.is_none() {
            let mut row = SeriesRow::default();
            let at = if index.read(self.series, &mut row).is_ok() {
                format!("from series {} on", index.labels.of(&row.labels))
            } else {
                "of timestamps".to_owned()
            };
            problems.add(format!("the checksum of page group {number} ({at}) does not match"));
        }
        if let Err(why) = self.pages(index, group, problems) {
            problems.add(format!("series {}: {why}", self.series));
            // It is the same for all that follow.
            self.series = u32::MAX;
        }
        if self.series >= index.labels.rows.len() as u32 {
            self.vectors(index, group, problems);
        }
    }

    fn finish(&mut self, problems: &mut Problems) {
        let index = Arc::clone(&self.index);
        let Ok(index) = index.metrics() else { return };
        if index.groups.end() != self.pages_end {
            problems.add("something lies between the pages and the sections".to_owned());
        }
        let (series, vectors) = (index.labels.rows.len() as u32, index.times.len());
        if self.series < series || self.vector < vectors {
            problems.add("there are pages behind the last group".to_owned());
        }
        let Footer { min_time, max_time, series: listed, samples, .. } = self.footer;
        let counted = (u64::from(series), self.samples, self.range);
        let said = (listed, samples, Some(TimeRange::new(min_time, max_time)));
        if counted != said {
            problems.add(format!("the pages have (series, samples, times) {counted:?}, the footer {said:?}"));
        }
    }
}
