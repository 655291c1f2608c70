//! Makes a block out of series that come in label order.

use super::{
    MAGIC, PAGE_SAMPLES,
    footer::{Footer, SECTIONS},
    groups::GroupsWriter,
    labels::{LabelSections, LabelsWriter},
    section::Section,
    series::{Page, PageKind, encode_pages},
    starts,
    times::TimesWriter,
};
use crate::{BlockMeta, Ulid};
use bytes::Bytes;
use chunk::{MAX_HISTOGRAM_ITEMS, encode_histograms, encode_values, histogram_items};
use model::{HistogramSample, Labels, TimeRange, Timestamp};
use service_api::{Error, Result, SampleBuffer};

/// Histograms in one page at most.
const PAGE_HISTOGRAMS: usize = 256;

/// Collects series and encodes them as they come: pure CPU work, off the async threads.
#[derive(Default)]
pub struct BlockWriter {
    values: GroupsWriter,
    times: TimesWriter,
    labels: LabelsWriter,
    /// The pages of each row.
    rows: Vec<Vec<Page>>,
    range: Option<TimeRange>,
    samples: u64,
}

/// A block that is ready to be put into the bucket, and what the manifest is to say of it.
#[derive(Clone, Debug)]
pub struct BlockObject {
    pub parts: Vec<Bytes>,
    pub meta: BlockMeta,
}

impl BlockWriter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a series with its floats and histograms, each in time order, and their starts. Series
    /// come in label order, each once; one without any entry is left out.
    pub fn add(&mut self, labels: &Labels, samples: &SampleBuffer) -> Result<()> {
        let SampleBuffer { timestamps, values, histograms, starts } = samples;
        let ascending = timestamps.windows(2).all(|w| w[0] < w[1]);
        if !ascending || !histograms.windows(2).all(|w| w[0].timestamp < w[1].timestamp) {
            return Err(Error::internal(format!("samples of {labels} are not in time order")));
        }
        if timestamps.len() != values.len() || !self.labels.may_follow(labels) {
            return Err(Error::internal(format!("series {labels} is not in label order, or uneven")));
        }
        let uneven = |starts: &[Timestamp], entries: usize| !starts.is_empty() && starts.len() != entries;
        if uneven(&starts.floats, timestamps.len()) || uneven(&starts.histograms, histograms.len()) {
            return Err(Error::internal(format!("starts of {labels} are not as many as its samples")));
        }
        if timestamps.is_empty() && histograms.is_empty() {
            return Ok(());
        }
        let mut row = Vec::new();
        self.add_floats(&mut row, timestamps, values, &starts.floats);
        self.add_histograms(&mut row, histograms, &starts.histograms)
            .map_err(|e| Error::internal(format!("{labels}: {e}")))?;
        self.labels.add(labels);
        self.rows.push(row);
        self.samples += (timestamps.len() + histograms.len()) as u64;
        Ok(())
    }

    /// The series added so far.
    pub fn series(&self) -> usize {
        self.rows.len()
    }

    /// The samples added so far.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// About how many bytes it takes in memory.
    pub fn heap_bytes(&self) -> usize {
        // Of each series its pages' places, its pairs of labels in two lists, and what is not counted closely.
        const SERIES: usize = 512;
        self.values.bytes.len() + self.times.groups.bytes.len() + self.rows.len() * SERIES
    }

    fn cover(&mut self, start: Timestamp, end: Timestamp) {
        self.range = Some(match self.range {
            None => TimeRange::new(start, end),
            Some(range) => TimeRange::new(range.start.min(start), range.end.max(end)),
        });
    }

    /// The number of a page's vector of starts, if any of them is known.
    fn starts(&mut self, starts: &[Timestamp]) -> Option<u32> {
        starts.iter().any(|start| *start != 0).then(|| self.times.intern(starts))
    }

    fn add_floats(
        &mut self,
        row: &mut Vec<Page>,
        timestamps: &[Timestamp],
        values: &[f64],
        starts: &[Timestamp],
    ) {
        let mut starts = starts.chunks(PAGE_SAMPLES);
        for (times, values) in timestamps.chunks(PAGE_SAMPLES).zip(values.chunks(PAGE_SAMPLES)) {
            self.cover(times[0], times[times.len() - 1]);
            let kind = PageKind::Float { time: self.times.intern(times) };
            let starts = self.starts(starts.next().unwrap_or_default());
            let (offset, len) = self.values.page(|out| encode_values(values, out));
            row.push(Page { offset, len: len as u32, kind, starts });
        }
    }

    fn add_histograms(
        &mut self,
        row: &mut Vec<Page>,
        mut rest: &[HistogramSample],
        mut starts: &[Timestamp],
    ) -> Result<()> {
        while !rest.is_empty() {
            let mut items = 0;
            let fits = |sample: &&HistogramSample| {
                items += histogram_items(&sample.histogram);
                items <= MAX_HISTOGRAM_ITEMS
            };
            let count = rest.iter().take(PAGE_HISTOGRAMS).take_while(fits).count();
            if count == 0 {
                return Err(Error::internal("a histogram has too many buckets"));
            }
            let (page, after) = rest.split_at(count);
            let range = TimeRange::new(page[0].timestamp, page[count - 1].timestamp);
            self.cover(range.start, range.end);
            let (offset, len) = self.values.page(|out| encode_histograms(page, out));
            let len = u32::try_from(len).map_err(|_| Error::internal("a histogram page is too large"))?;
            let (of_page, others) = starts.split_at(count.min(starts.len()));
            let (kind, known) = (PageKind::Histogram { count: count as u32, range }, self.starts(of_page));
            row.push(Page { offset, len, kind, starts: known });
            (rest, starts) = (after, others);
        }
        Ok(())
    }

    /// Ends the block; `None` if it has no series. `source` says what it was made of,
    /// `created` when, in milliseconds.
    pub fn finish(mut self, id: Ulid, source: &str, created: i64) -> Result<Option<BlockObject>> {
        let Some(range) = self.range else { return Ok(None) };
        let LabelSections { symbols, mut rows, postings } =
            self.labels.finish(|row, out| encode_pages(&self.rows[row], out));
        starts::encode(&self.rows, &mut rows);
        let groups = self.values.section(&mut self.times.groups);
        let raw: [Vec<u8>; SECTIONS] = [groups, self.times.section(), symbols, rows, postings];
        let mut parts = vec![
            Bytes::from_static(MAGIC),
            Bytes::from(std::mem::take(&mut self.values.bytes)),
            Bytes::from(std::mem::take(&mut self.times.groups.bytes)),
        ];
        let mut offset: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let (series, samples) = (self.rows.len() as u64, self.samples);
        let mut footer =
            Footer { min_time: range.start, max_time: range.end, series, samples, ..Footer::default() };
        for (section, raw) in footer.sections.iter_mut().zip(raw) {
            let (place, packed) = Section::compress(&raw, offset)?;
            *section = place;
            offset += packed.len() as u64;
            parts.push(packed.into());
        }
        parts.push(footer.encode().into());
        let meta = BlockMeta {
            id,
            min_time: range.start,
            max_time: range.end,
            series,
            samples,
            text_bytes: 0,
            bytes: parts.iter().map(|part| part.len() as u64).sum(),
            level: 0,
            source: source.to_owned(),
            created,
        };
        Ok(Some(BlockObject { parts, meta }))
    }
}
