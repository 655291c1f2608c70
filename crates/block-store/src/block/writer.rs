//! Makes a block out of series that come in label order.

use super::{
    MAGIC, PAGE_SAMPLES,
    footer::{Footer, SECTIONS, Section},
    groups::GroupsWriter,
    postings,
    series::{Page, PageKind, RowWriter, encode_row, encode_shapes},
    symbols,
    times::TimesWriter,
};
use crate::{BlockMeta, Ulid};
use bytes::Bytes;
use chunk::{MAX_HISTOGRAM_ITEMS, encode_histograms, encode_values, histogram_items};
use model::{HistogramSample, Labels, TimeRange, Timestamp};
use service_api::{Error, Result};
use std::collections::HashMap;

/// Histograms in one page at most.
const PAGE_HISTOGRAMS: usize = 256;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Collects series and encodes them as they come: pure CPU work, off the async threads.
#[derive(Default)]
pub struct BlockWriter {
    values: GroupsWriter,
    times: TimesWriter,
    symbols: Map<Box<str>, u32>,
    pairs: Map<(u32, u32), u32>,
    /// Of each pair, its name and value, and the series that have it.
    pair_lists: Vec<((u32, u32), Vec<u32>)>,
    shapes: Map<Vec<u32>, u32>,
    rows: Vec<RowWriter>,
    /// The pairs of all rows, one row's behind the other's.
    row_pairs: Vec<u32>,
    row_ends: Vec<usize>,
    last: Option<Labels>,
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

    /// Adds a series with its floats and histograms, each in time order. Series come in
    /// label order, each once; one without any entry is left out.
    pub fn add(
        &mut self,
        labels: &Labels,
        timestamps: &[Timestamp],
        values: &[f64],
        histograms: &[HistogramSample],
    ) -> Result<()> {
        let ascending = timestamps.windows(2).all(|w| w[0] < w[1]);
        if !ascending || !histograms.windows(2).all(|w| w[0].timestamp < w[1].timestamp) {
            return Err(Error::internal(format!("samples of {labels} are not in time order")));
        }
        if timestamps.len() != values.len() || self.last.as_ref().is_some_and(|last| last >= labels) {
            return Err(Error::internal(format!("series {labels} is not in label order, or uneven")));
        }
        if timestamps.is_empty() && histograms.is_empty() {
            return Ok(());
        }
        let mut row = RowWriter::default();
        self.add_floats(&mut row, timestamps, values);
        self.add_histograms(&mut row, histograms).map_err(|e| Error::internal(format!("{labels}: {e}")))?;
        row.shape = self.add_labels(labels);
        self.rows.push(row);
        self.samples += (timestamps.len() + histograms.len()) as u64;
        self.last = Some(labels.clone());
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

    fn cover(&mut self, start: Timestamp, end: Timestamp) {
        self.range = Some(match self.range {
            None => TimeRange::new(start, end),
            Some(range) => TimeRange::new(range.start.min(start), range.end.max(end)),
        });
    }

    fn add_floats(&mut self, row: &mut RowWriter, timestamps: &[Timestamp], values: &[f64]) {
        for (times, values) in timestamps.chunks(PAGE_SAMPLES).zip(values.chunks(PAGE_SAMPLES)) {
            self.cover(times[0], times[times.len() - 1]);
            let time = self.times.intern(times);
            let (offset, len) = self.values.page(|out| encode_values(values, out));
            row.pages.push(Page { offset, len: len as u32, kind: PageKind::Float { time } });
        }
    }

    fn add_histograms(&mut self, row: &mut RowWriter, mut rest: &[HistogramSample]) -> Result<()> {
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
            row.pages.push(Page { offset, len, kind: PageKind::Histogram { count: count as u32, range } });
            rest = after;
        }
        Ok(())
    }

    /// Notes the labels of the next row; gives their shape.
    fn add_labels(&mut self, labels: &Labels) -> u32 {
        let series = self.rows.len() as u32;
        let from = self.row_pairs.len();
        let before_from = self.row_ends.len().checked_sub(2).map_or(0, |at| self.row_ends[at]);
        let before = self.last.take().unwrap_or_default();
        // Neighbours have many pairs in common, often at the same places.
        let mut before = before.iter();
        for (at, pair) in labels.iter().enumerate() {
            let number = match before.next() {
                Some(same) if same == pair => self.row_pairs[before_from + at],
                _ => self.pair(pair),
            };
            self.pair_lists[number as usize].1.push(series);
            self.row_pairs.push(number);
        }
        self.row_ends.push(self.row_pairs.len());
        let names = self.row_pairs[from..].iter().map(|pair| self.pair_lists[*pair as usize].0.0).collect();
        let next = self.shapes.len() as u32;
        *self.shapes.entry(names).or_insert(next)
    }

    fn pair(&mut self, (name, value): (&str, &str)) -> u32 {
        let pair = (self.symbol(name), self.symbol(value));
        let next = self.pair_lists.len() as u32;
        let number = *self.pairs.entry(pair).or_insert(next);
        if number == next {
            self.pair_lists.push((pair, Vec::new()));
        }
        number
    }

    fn symbol(&mut self, text: &str) -> u32 {
        if let Some(number) = self.symbols.get(text) {
            return *number;
        }
        let number = self.symbols.len() as u32;
        self.symbols.insert(text.into(), number);
        number
    }

    /// Ends the block; `None` if it has no series. `source` says what it was made of,
    /// `created` when, in milliseconds.
    pub fn finish(mut self, id: Ulid, source: &str, created: i64) -> Result<Option<BlockObject>> {
        let Some(range) = self.range else { return Ok(None) };
        let (sorted, order) = self.sort_symbols();
        let raw: [Vec<u8>; SECTIONS] = [
            self.values.section(&mut self.times.groups),
            self.times.section(),
            symbols::encode(sorted.iter().map(|symbol| &**symbol)),
            self.series_section(&order),
            self.postings_section(&order),
        ];
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
            bytes: parts.iter().map(|part| part.len() as u64).sum(),
            level: 0,
            source: source.to_owned(),
            created,
        };
        Ok(Some(BlockObject { parts, meta }))
    }

    /// All symbols sorted, and for each number so far the number it gets by that.
    fn sort_symbols(&mut self) -> (Vec<Box<str>>, Vec<u32>) {
        let mut sorted: Vec<_> = std::mem::take(&mut self.symbols).into_iter().collect();
        sorted.sort_unstable();
        let mut order = vec![0; sorted.len()];
        for (place, (_, number)) in sorted.iter().enumerate() {
            order[*number as usize] = place as u32;
        }
        (sorted.into_iter().map(|(symbol, _)| symbol).collect(), order)
    }

    fn series_section(&self, order: &[u32]) -> Vec<u8> {
        let mut shapes = vec![Vec::new(); self.shapes.len()];
        for (names, number) in &self.shapes {
            shapes[*number as usize] = names.iter().map(|name| order[*name as usize]).collect();
        }
        let mut out = Vec::new();
        encode_shapes(&shapes, &mut out);
        chunk::put_uvarint(&mut out, self.rows.len() as u64);
        let mut from = 0;
        for (row, end) in self.rows.iter().zip(&self.row_ends) {
            let pairs = &self.row_pairs[from..*end];
            let value = |pair: &u32| order[self.pair_lists[*pair as usize].0.1 as usize];
            encode_row(row, pairs.iter().map(value), &mut out);
            from = *end;
        }
        out
    }

    fn postings_section(&self, order: &[u32]) -> Vec<u8> {
        let mut lists: Vec<((u32, u32), &[u32])> = self
            .pair_lists
            .iter()
            .map(|((name, value), list)| ((order[*name as usize], order[*value as usize]), list.as_slice()))
            .collect();
        lists.sort_unstable_by_key(|(pair, _)| *pair);
        postings::encode(&lists)
    }
}
