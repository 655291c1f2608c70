//! Writes series that come in label order, page by page, to where their bytes are to go.
//!
//! What of a block is not pages stays in memory until the end. Vectors of timestamps lie behind all other
//! pages in the object, and so have a place of their own to go to.

use super::{
    METRICS_MAGIC,
    footer::{Footer, SECTIONS},
    groups::{GroupsWriter, PageSink},
    labels::{LabelSections, LabelsWriter},
    section::Section,
    series::{Page, PageKind, encode_pages},
    starts::{self, PageStarts},
    times::{EncodedTimes, TimesWriter},
};
use crate::{BlockMeta, Ulid};
use bytes::Bytes;
use chunk::{MAX_HISTOGRAM_ITEMS, encode_histograms, encode_values, histogram_items};
use model::{HistogramSample, Labels, TimeRange, Timestamp};
use service_api::{Error, Result};

/// How much a page holds at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageLimits {
    pub(crate) floats: usize,
    pub(crate) histograms: usize,
}

impl PageLimits {
    /// So that a short range of a long block costs little.
    pub(crate) const BLOCKS: Self = Self { floats: 8_192, histograms: 256 };
}

pub(crate) struct SeriesWriter<S> {
    limits: PageLimits,
    values: GroupsWriter<S>,
    times: TimesWriter<S>,
    labels: LabelsWriter,
    /// What the table says of each row behind its labels, and where that ends.
    rows: Vec<u8>,
    row_ends: Vec<usize>,
    starts: Vec<PageStarts>,
    /// Of the series that is being written.
    pages: Vec<Page>,
    /// The page that is being encoded; reused.
    page: Vec<u8>,
    range: Option<TimeRange>,
    samples: u64,
}

/// A block of which the pages have gone where they were to go.
pub(crate) struct WrittenBlock<S> {
    pub(crate) values: S,
    pub(crate) times: S,
    /// What comes behind both.
    pub(crate) tail: Vec<Bytes>,
    /// But for how the block came about.
    pub(crate) meta: BlockMeta,
}

impl<S: PageSink> SeriesWriter<S> {
    pub(crate) fn new(values: S, times: S, limits: PageLimits) -> Self {
        let (rows, row_ends, starts, pages, page) = Default::default();
        let (values, times) = (GroupsWriter::new(values), TimesWriter::new(times));
        let (labels, range, samples) = (LabelsWriter::default(), None, 0);
        Self { limits, values, times, labels, rows, row_ends, starts, pages, page, range, samples }
    }

    pub(crate) fn series(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    /// Bytes of all pages.
    pub(crate) fn page_bytes(&self) -> u64 {
        self.values.bytes + self.times.groups.bytes
    }

    /// What the index takes while it is written.
    pub(crate) fn heap_bytes(&self) -> usize {
        let rows = self.rows.capacity() + self.row_ends.capacity() * size_of::<usize>();
        let starts = self.starts.capacity() * size_of::<PageStarts>();
        self.labels.heap_bytes() + rows + starts + self.values.heap_bytes() + self.times.heap_bytes()
    }

    pub(crate) fn may_follow(&self, labels: &Labels) -> bool {
        self.labels.may_follow(labels)
    }

    /// Adds floats of the next series, behind those it has, in as many pages as they fill.
    pub(crate) fn floats(
        &mut self,
        timestamps: &[Timestamp],
        values: &[f64],
        starts: &[Timestamp],
    ) -> Result<()> {
        let limit = self.limits.floats;
        let mut starts = starts.chunks(limit);
        for (times, values) in timestamps.chunks(limit).zip(values.chunks(limit)) {
            let time = self.times.intern(times)?;
            let starts = self.intern_starts(starts.next().unwrap_or_default())?;
            self.page.clear();
            encode_values(values, &mut self.page);
            let (kind, range) = (PageKind::Float { time }, TimeRange::new(times[0], times[times.len() - 1]));
            self.end_page(kind, times.len(), range, starts)?;
        }
        Ok(())
    }

    /// Adds histograms, behind all floats of the series.
    pub(crate) fn histograms(
        &mut self,
        mut rest: &[HistogramSample],
        mut starts: &[Timestamp],
    ) -> Result<()> {
        while !rest.is_empty() {
            let mut items = 0;
            let fits = |sample: &&HistogramSample| {
                items += histogram_items(&sample.histogram);
                items <= MAX_HISTOGRAM_ITEMS
            };
            let count = rest.iter().take(self.limits.histograms).take_while(fits).count();
            if count == 0 {
                return Err(Error::internal("a histogram has too many buckets"));
            }
            let (page, after) = rest.split_at(count);
            let (of_page, others) = starts.split_at(count.min(starts.len()));
            let range = TimeRange::new(page[0].timestamp, page[count - 1].timestamp);
            let known = self.intern_starts(of_page)?;
            self.page.clear();
            encode_histograms(page, &mut self.page);
            self.end_page(PageKind::Histogram { count: count as u32, range }, count, range, known)?;
            (rest, starts) = (after, others);
        }
        Ok(())
    }

    /// The number of a page's vector of starts, if any of them is known.
    fn intern_starts(&mut self, starts: &[Timestamp]) -> Result<Option<u32>> {
        starts.iter().any(|start| *start != 0).then(|| self.times.intern(starts)).transpose()
    }

    /// The number of a vector that `note_times` was told of.
    pub(crate) fn known_times(&self, times: EncodedTimes<'_>) -> Option<u32> {
        self.times.known(times)
    }

    /// Adds a vector of another block, which is decoded beside it and not empty.
    pub(crate) fn note_times(&mut self, times: EncodedTimes<'_>, decoded: &[Timestamp]) -> Result<u32> {
        let number = self.times.intern(decoded)?;
        self.times.note(times, number);
        Ok(number)
    }

    /// The pages of the series that is being written.
    pub(crate) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Adds a page of another block as it is, by the numbers that its vectors have here.
    pub(crate) fn take_over(
        &mut self,
        page: &[u8],
        kind: PageKind,
        count: u32,
        range: TimeRange,
        starts: Option<u32>,
    ) -> Result<()> {
        self.page.clear();
        self.page.extend_from_slice(page);
        self.end_page(kind, count as usize, range, starts)
    }

    fn end_page(
        &mut self,
        kind: PageKind,
        count: usize,
        range: TimeRange,
        starts: Option<u32>,
    ) -> Result<()> {
        let too_large = |_| Error::internal("a page is too large");
        self.values.page(&self.page)?;
        let len = u32::try_from(self.page.len()).map_err(too_large)?;
        if let Some(vector) = starts {
            let (series, page) = (self.series() as u32, self.pages.len() as u32);
            self.starts.push(PageStarts { series, page, vector });
        }
        // Offsets are for readers.
        self.pages.push(Page { offset: 0, len, kind, starts });
        self.samples += count as u64;
        self.range = Some(self.range.map_or(range, |before| {
            TimeRange::new(before.start.min(range.start), before.end.max(range.end))
        }));
        Ok(())
    }

    /// Ends the series, which has these labels; if it has no pages it is left out.
    pub(crate) fn end_series(&mut self, labels: &Labels) {
        if !self.pages.is_empty() {
            encode_pages(&self.pages, &mut self.rows);
            self.row_ends.push(self.rows.len());
            self.labels.add(labels);
            self.pages.clear();
        }
    }

    /// Ends the block; `None` if it has no series.
    pub(crate) fn finish(mut self) -> Result<Option<WrittenBlock<S>>> {
        let Some(range) = self.range else { return Ok(None) };
        let series = self.series() as u64;
        let mut from = 0;
        let rest = |row: usize, out: &mut Vec<u8>| {
            out.extend_from_slice(&self.rows[from..self.row_ends[row]]);
            from = self.row_ends[row];
        };
        let LabelSections { symbols, mut rows, postings } = self.labels.finish(rest);
        starts::encode(&self.starts, &mut rows);
        let groups = self.values.section(&mut self.times.groups);
        let raw: [Vec<u8>; SECTIONS] = [groups, self.times.section(), symbols, rows, postings];
        let mut offset = METRICS_MAGIC.len() as u64 + self.values.bytes + self.times.groups.bytes;
        let (min_time, max_time, samples) = (range.start, range.end, self.samples);
        let mut footer = Footer { min_time, max_time, series, samples, ..Footer::default() };
        let mut tail = Vec::with_capacity(SECTIONS + 1);
        for (section, raw) in footer.sections.iter_mut().zip(raw) {
            let (place, packed) = Section::compress(&raw, offset)?;
            *section = place;
            offset += packed.len() as u64;
            tail.push(Bytes::from(packed));
        }
        let footer = footer.encode();
        let bytes = offset + footer.len() as u64;
        tail.push(footer.into());
        let (text_bytes, level, created) = (0, 0, 0);
        let (id, source, sources) = (Ulid::nil(), String::new(), Vec::new());
        let meta = BlockMeta {
            id,
            min_time,
            max_time,
            series,
            samples,
            text_bytes,
            bytes,
            level,
            source,
            created,
            sources,
            damaged: None,
            cleared: Vec::new(),
            rules: 0,
        };
        Ok(Some(WrittenBlock { values: self.values.sink, times: self.times.groups.sink, tail, meta }))
    }
}
