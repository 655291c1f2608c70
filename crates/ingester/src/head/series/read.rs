//! What a read takes from the head: shared sealed chunks and copies of the rest.

use super::{Floats, Histograms, SealedHistograms, WindowData};
use chunk::{OpenChunk, SealedChunk};
use model::{HistogramSample, Sample, TimeRange};
use service_api::{Error, Reservation, Result, SampleBuffer, SeriesData};
use std::sync::Arc;

/// One series' data at the moment of a read.
#[derive(Default)]
pub struct HeadSeries {
    /// In time order, not overlapping, and before the open one.
    chunks: Vec<SealedChunk>,
    open: OpenChunk,
    rest: Option<Box<Rest>>,
    /// What all series of the read hold of the query's budget.
    pub(crate) reservation: Option<Arc<Reservation>>,
}

/// What most series have none of.
#[derive(Default)]
struct Rest {
    late: Vec<SealedChunk>,
    late_samples: Vec<Sample>,
    histograms: Vec<SealedHistograms>,
    histogram_samples: Vec<HistogramSample>,
}

impl HeadSeries {
    pub(super) fn of(floats: &Floats, histograms: Option<&Histograms>, range: &TimeRange) -> Self {
        let near = |chunks: &[SealedChunk]| -> Vec<SealedChunk> {
            chunks.iter().filter(|c| c.time_range().overlaps(range)).cloned().collect()
        };
        let first = floats.open.first_timestamp();
        let open = match first.is_some_and(|first| first <= range.end) {
            true => floats.open.clone(),
            false => OpenChunk::new(),
        };
        let mut rest = None;
        if let Some(late) = &floats.late {
            let rest: &mut Box<Rest> = rest.get_or_insert_default();
            rest.late = near(&late.sealed);
            rest.late_samples.extend(late.buffer.iter().filter(|s| range.contains(s.timestamp)));
        }
        if let Some(histograms) = histograms {
            let rest = rest.get_or_insert_default();
            let sealed = histograms.sealed.iter().filter(|c| c.time_range().overlaps(range));
            rest.histograms.extend(sealed.cloned());
            let buffer = histograms.buffer.iter().filter(|s| range.contains(s.timestamp));
            rest.histogram_samples.extend(buffer.cloned());
        }
        Self { chunks: near(&floats.sealed), open, rest, reservation: None }
    }

    /// About what it holds on the heap.
    pub fn heap_bytes(&self) -> usize {
        let mut bytes =
            size_of::<Self>() + self.open.heap_bytes() + self.chunks.len() * size_of::<SealedChunk>();
        bytes += self.chunks.iter().map(SealedChunk::heap_bytes).sum::<usize>();
        if let Some(rest) = &self.rest {
            bytes += size_of::<Rest>() + rest.late_samples.len() * size_of::<Sample>();
            bytes += rest.late.iter().map(SealedChunk::heap_bytes).sum::<usize>();
            bytes += rest.histograms.iter().map(SealedHistograms::heap_bytes).sum::<usize>();
            let histograms = rest.histogram_samples.iter();
            let items = histograms.map(|s| chunk::histogram_items(&s.histogram)).sum::<usize>();
            bytes += rest.histogram_samples.len() * size_of::<HistogramSample>() + 8 * items;
        }
        bytes
    }
}

impl SeriesData for HeadSeries {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let (first, first_histogram) = (out.timestamps.len(), out.histograms.len());
        decode_floats(&self.chunks, range, out)?;
        self.open.decode(range, &mut out.timestamps, &mut out.values);
        let Some(rest) = &self.rest else { return Ok(()) };
        let in_order = out.timestamps.len();
        decode_floats(&rest.late, range, out)?;
        for sample in rest.late_samples.iter().filter(|s| range.contains(s.timestamp)) {
            out.timestamps.push(sample.timestamp);
            out.values.push(sample.value);
        }
        if out.timestamps.len() > in_order {
            sort_floats(first, out);
        }
        decode_histograms(&rest.histograms, out)?;
        out.histograms.extend_from_slice(&rest.histogram_samples);
        sort_histograms(first_histogram, range, &mut out.histograms);
        Ok(())
    }
}

impl SeriesData for WindowData {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let (first, first_histogram) = (out.timestamps.len(), out.histograms.len());
        decode_floats(&self.chunks, range, out)?;
        let in_order = out.timestamps.len();
        decode_floats(&self.late, range, out)?;
        if out.timestamps.len() > in_order {
            sort_floats(first, out);
        }
        decode_histograms(&self.histograms, out)?;
        sort_histograms(first_histogram, range, &mut out.histograms);
        Ok(())
    }
}

fn decode_floats(chunks: &[SealedChunk], range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
    let mut decode = |chunk: &SealedChunk| chunk.decode(range, &mut out.timestamps, &mut out.values);
    chunks.iter().try_for_each(|chunk| decode(chunk).map_err(corrupt))
}

fn decode_histograms(chunks: &[SealedHistograms], out: &mut SampleBuffer) -> Result<()> {
    chunks.iter().try_for_each(|chunk| chunk.decode(&mut out.histograms).map_err(corrupt))
}

/// Puts the floats behind `first` in order. The head takes no two of one time.
fn sort_floats(first: usize, out: &mut SampleBuffer) {
    let mut samples: Vec<_> = out.timestamps.drain(first..).zip(out.values.drain(first..)).collect();
    samples.sort_by_key(|(t, _)| *t);
    samples.dedup_by_key(|(t, _)| *t);
    out.timestamps.extend(samples.iter().map(|(t, _)| *t));
    out.values.extend(samples.iter().map(|(_, v)| *v));
}

fn sort_histograms(first: usize, range: TimeRange, histograms: &mut Vec<HistogramSample>) {
    if histograms.len() == first {
        return;
    }
    let mut read = histograms.split_off(first);
    read.retain(|s| range.contains(s.timestamp));
    read.sort_by_key(|s| s.timestamp);
    read.dedup_by_key(|s| s.timestamp);
    histograms.append(&mut read);
}

fn corrupt(error: chunk::Corrupt) -> Error {
    Error::internal(format!("a chunk in memory: {error}"))
}
