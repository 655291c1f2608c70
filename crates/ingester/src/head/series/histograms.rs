//! Native histograms of one series: the latest as they came, older ones sealed.

use super::{Applied, CHUNK_SAMPLES};
use chunk::{MAX_HISTOGRAM_ITEMS, decode_histograms, encode_histograms, histogram_items};
use model::{Buckets, Histogram, HistogramSample, TimeRange, Timestamp};
use service_api::EncodedChunk;
use std::sync::Arc;

/// Kept in time order wherever they come, since they are few; sealed ones may overlap.
#[derive(Default)]
pub struct Histograms {
    pub(super) buffer: Vec<HistogramSample>,
    pub(super) sealed: Vec<SealedHistograms>,
    /// Spans, buckets and bounds in the buffer.
    items: usize,
}

/// A page of histograms of one window. Cloning it counts a reference.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedHistograms {
    page: Arc<[u8]>,
    len: usize,
    range: TimeRange,
}

impl SealedHistograms {
    fn encode(samples: &[HistogramSample]) -> Option<Self> {
        let range = TimeRange::new(samples.first()?.timestamp, samples.last()?.timestamp);
        let mut page = Vec::new();
        encode_histograms(samples, &mut page);
        Some(Self { page: page.into(), len: samples.len(), range })
    }

    pub fn time_range(&self) -> TimeRange {
        self.range
    }

    pub fn heap_bytes(&self) -> usize {
        self.page.len()
    }

    pub(super) fn encoded(&self) -> EncodedChunk<'_> {
        EncodedChunk::Histograms { range: self.range, count: self.len as u32, data: &self.page }
    }

    /// Appends all of them.
    pub fn decode(&self, out: &mut Vec<HistogramSample>) -> Result<(), chunk::Corrupt> {
        decode_histograms(&self.page, self.len, out)
    }
}

impl Histograms {
    pub fn append(&mut self, sample: &HistogramSample, block_ms: i64) -> Applied {
        if let Some(present) = self.at(sample.timestamp) {
            let same = same_bits(&present, &sample.histogram);
            return if same { Applied::Present } else { Applied::Conflict };
        }
        let items = histogram_items(&sample.histogram);
        if self.buffer.len() >= CHUNK_SAMPLES || self.items + items > MAX_HISTOGRAM_ITEMS / 64 {
            self.seal_all(block_ms);
        }
        let at = self.buffer.partition_point(|s| s.timestamp < sample.timestamp);
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
            let _ = chunk.decode(&mut decoded);
        }
        decoded.into_iter().find(|s| s.timestamp == timestamp).map(|s| s.histogram)
    }

    fn seal_all(&mut self, block_ms: i64) {
        let window = |s: &HistogramSample| s.timestamp.div_euclid(block_ms);
        for run in self.buffer.chunk_by(|a, b| window(a) == window(b)) {
            self.sealed.extend(SealedHistograms::encode(run));
        }
        self.buffer.clear();
        self.items = 0;
    }

    pub fn seal_window(&mut self, window: &TimeRange) -> Vec<SealedHistograms> {
        let (inside, outside) =
            std::mem::take(&mut self.buffer).into_iter().partition(|s| window.contains(s.timestamp));
        let inside: Vec<HistogramSample> = inside;
        self.buffer = outside;
        self.items = self.buffer.iter().map(|s| histogram_items(&s.histogram)).sum();
        self.sealed.extend(SealedHistograms::encode(&inside));
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
