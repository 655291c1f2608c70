//! Native histograms of one series: the latest as they came, older ones sealed.

use super::{Applied, CHUNK_SAMPLES};
use chunk::{
    MAX_HISTOGRAM_ITEMS, decode_histograms, decode_starts, encode_histograms, encode_starts, histogram_items,
};
use model::{Buckets, Histogram, HistogramSample, TimeRange, Timestamp};
use service_api::EncodedChunk;
use std::sync::Arc;

/// Kept in time order wherever they come, since they are few; sealed ones may overlap.
#[derive(Default)]
pub struct Histograms {
    pub(super) buffer: Vec<HistogramSample>,
    /// Of the buffer: none at all, or one for each histogram.
    pub(super) starts: Vec<Timestamp>,
    pub(super) sealed: Vec<SealedHistograms>,
    /// Spans, buckets and bounds in the buffer.
    items: usize,
}

/// A page of histograms of one window. Cloning it counts a reference.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedHistograms {
    /// The page of histograms, then that of their starts, which is empty if none is known.
    data: Arc<[u8]>,
    len: u32,
    starts_at: u32,
    range: TimeRange,
}

impl SealedHistograms {
    /// Of starts there are as many as histograms, or none.
    pub(super) fn encode(samples: &[HistogramSample], starts: &[Timestamp]) -> Option<Self> {
        let range = TimeRange::new(samples.first()?.timestamp, samples.last()?.timestamp);
        let mut data = Vec::new();
        encode_histograms(samples, &mut data);
        let starts_at = data.len() as u32;
        encode_starts(starts, &mut data);
        Some(Self { data: data.into(), len: samples.len() as u32, starts_at, range })
    }

    pub fn time_range(&self) -> TimeRange {
        self.range
    }

    pub fn heap_bytes(&self) -> usize {
        self.data.len()
    }

    pub(super) fn encoded(&self) -> EncodedChunk<'_> {
        let (data, starts) = self.pages();
        EncodedChunk::Histograms { range: self.range, count: self.len, data, starts }
    }

    /// Appends all of them.
    pub fn decode(
        &self,
        out: &mut Vec<HistogramSample>,
        starts: &mut Vec<Timestamp>,
    ) -> Result<(), chunk::Corrupt> {
        let (page, page_of_starts) = self.pages();
        let before = out.len();
        decode_histograms(page, self.len as usize, out)?;
        decode_starts(page_of_starts, self.len as usize, before, starts)
    }

    fn pages(&self) -> (&[u8], &[u8]) {
        self.data.split_at(self.starts_at as usize)
    }
}

impl Histograms {
    pub fn append(&mut self, sample: &HistogramSample, start: Timestamp, block_ms: i64) -> Applied {
        if let Some(present) = self.at(sample.timestamp) {
            let same = same_bits(&present, &sample.histogram);
            return if same { Applied::Present } else { Applied::Conflict };
        }
        let items = histogram_items(&sample.histogram);
        if self.buffer.len() >= CHUNK_SAMPLES || self.items + items > MAX_HISTOGRAM_ITEMS / 64 {
            self.seal_all(block_ms);
        }
        let at = self.buffer.partition_point(|s| s.timestamp < sample.timestamp);
        if start != 0 || !self.starts.is_empty() {
            self.starts.resize(self.buffer.len(), 0);
            self.starts.insert(at, start);
        }
        self.buffer.insert(at, sample.clone());
        self.items += items;
        Applied::Stored
    }

    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.sealed.is_empty()
    }

    pub fn time_range(&self) -> Option<TimeRange> {
        let ends = self.buffer.first().zip(self.buffer.last());
        let buffer = ends.map(|(a, b)| TimeRange::new(a.timestamp, b.timestamp));
        let all = self.sealed.iter().map(|s| s.range).chain(buffer);
        all.reduce(|a, b| TimeRange::new(a.start.min(b.start), a.end.max(b.end)))
    }

    /// The histogram at exactly this time.
    pub fn at(&self, timestamp: Timestamp) -> Option<Histogram> {
        if let Ok(at) = self.buffer.binary_search_by_key(&timestamp, |s| s.timestamp) {
            return Some(self.buffer[at].histogram.clone());
        }
        let mut decoded = Vec::new();
        for chunk in self.sealed.iter().filter(|c| c.range.contains(timestamp)) {
            // We sealed it ourselves; a corrupt one holds nothing.
            let _ = chunk.decode(&mut decoded, &mut Vec::new());
        }
        decoded.into_iter().find(|s| s.timestamp == timestamp).map(|s| s.histogram)
    }

    fn seal_all(&mut self, block_ms: i64) {
        let window = |s: &HistogramSample| s.timestamp.div_euclid(block_ms);
        let mut starts = &self.starts[..];
        for run in self.buffer.chunk_by(|a, b| window(a) == window(b)) {
            let (of_run, others) = starts.split_at(run.len().min(starts.len()));
            self.sealed.extend(SealedHistograms::encode(run, of_run));
            starts = others;
        }
        self.buffer.clear();
        self.starts.clear();
        self.items = 0;
    }

    /// Where the buffered ones of a range of time lie.
    pub(super) fn inside(&self, range: &TimeRange) -> std::ops::Range<usize> {
        let from = self.buffer.partition_point(|s| s.timestamp < range.start);
        from..self.buffer.partition_point(|s| s.timestamp <= range.end).max(from)
    }

    pub fn seal_window(&mut self, window: &TimeRange) -> Vec<SealedHistograms> {
        let inside = self.inside(window);
        let known = if self.starts.is_empty() { 0..0 } else { inside.clone() };
        let starts: Vec<_> = self.starts.drain(known).collect();
        let inside: Vec<_> = self.buffer.drain(inside).collect();
        self.items = self.buffer.iter().map(|s| histogram_items(&s.histogram)).sum();
        self.sealed.extend(SealedHistograms::encode(&inside, &starts));
        self.sealed.iter().filter(|c| window.contains(c.range.start)).cloned().collect()
    }

    pub fn drop_chunks(&mut self, chunks: &[SealedHistograms]) {
        self.sealed.retain(|c| !chunks.contains(c));
    }
}

/// Whether two histograms are the same to the bit; the sender's counter reset hint does not count,
/// since it depends on what else was sent.
fn same_bits(a: &Histogram, b: &Histogram) -> bool {
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let buckets = match (&a.buckets, &b.buckets) {
        (a @ Buckets::Integer { .. }, b @ Buckets::Integer { .. }) => a == b,
        (
            Buckets::Float { count, zero_count, positive, negative },
            Buckets::Float { count: c, zero_count: z, positive: p, negative: n },
        ) => {
            bits(&[*count, *zero_count]) == bits(&[*c, *z])
                && bits(positive) == bits(p)
                && bits(negative) == bits(n)
        }
        _ => false,
    };
    buckets
        && a.schema == b.schema
        && bits(&[a.zero_threshold, a.sum]) == bits(&[b.zero_threshold, b.sum])
        && a.positive_spans == b.positive_spans
        && a.negative_spans == b.negative_spans
        && bits(&a.custom_values) == bits(&b.custom_values)
}
