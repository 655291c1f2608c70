//! What a read takes from the head: shared sealed chunks and copies of the rest.

use super::{Floats, Histograms, SealedHistograms, WindowData};
use chunk::{MAX_PAGE_SAMPLES, OpenChunk, SealedChunk, encode_histograms};
use model::{HistogramSample, Sample, TimeRange};
use service_api::{EncodedChunk, Error, Reservation, Result, SampleBuffer, SeriesData};
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

    /// Sealed chunks as they are, and the rest sealed here.
    fn encoded(&self, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        each_sealed(&self.chunks, range, each);
        if self.open.last_timestamp().is_some_and(|last| last >= range.start) {
            each_sealed(self.open.seal().as_slice(), range, each);
        }
        let Some(rest) = &self.rest else { return Ok(true) };
        each_sealed(&rest.late, range, each);
        for samples in rest.late_samples.chunks(MAX_PAGE_SAMPLES) {
            let (timestamps, values): (Vec<_>, Vec<_>) =
                samples.iter().map(|s| (s.timestamp, s.value)).unzip();
            each_sealed(SealedChunk::encode(&timestamps, &values).as_slice(), range, each);
        }
        rest.histograms.iter().filter(|c| c.time_range().overlaps(&range)).for_each(|c| each(c.encoded()));
        let samples = &rest.histogram_samples;
        if let Some((first, last)) = samples.first().zip(samples.last()) {
            let mut data = Vec::new();
            encode_histograms(samples, &mut data);
            let range = TimeRange::new(first.timestamp, last.timestamp);
            each(EncodedChunk::Histograms { range, count: samples.len() as u32, data: &data });
        }
        Ok(true)
    }
}

fn each_sealed(chunks: &[SealedChunk], range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) {
    for chunk in chunks.iter().filter(|chunk| chunk.time_range().overlaps(&range)) {
        let (timestamps, values) = chunk.pages();
        each(EncodedChunk::Floats {
            range: chunk.time_range(),
            count: chunk.len() as u32,
            timestamps,
            values,
        });
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

#[cfg(test)]
mod tests {
    use super::{super::Series, *};
    use model::{Buckets, Histogram};

    const WINDOW: TimeRange = TimeRange { start: 0, end: 9_999 };

    /// Decodes chunks the plain way: of one time the earlier chunk's entry stays.
    fn decode(series: &HeadSeries, range: TimeRange) -> SampleBuffer {
        let (mut floats, mut out) = (Vec::new(), SampleBuffer::default());
        let each = &mut |chunk: EncodedChunk<'_>| match chunk {
            EncodedChunk::Floats { range: own, count, timestamps, values } => {
                let (mut times, mut decoded) = (Vec::new(), Vec::new());
                chunk::decode_timestamps(timestamps, count as usize, &mut times).unwrap();
                chunk::decode_values(values, count as usize, &mut decoded).unwrap();
                assert_eq!((times.first(), times.last()), (Some(&own.start), Some(&own.end)));
                floats.extend(times.into_iter().zip(decoded));
            }
            EncodedChunk::Histograms { count, data, .. } => {
                chunk::decode_histograms(data, count as usize, &mut out.histograms).unwrap();
            }
        };
        assert!(series.encoded(range, each).unwrap());
        floats.retain(|(t, _)| range.contains(*t));
        floats.sort_by_key(|(t, _)| *t);
        out.histograms.retain(|h| range.contains(h.timestamp));
        out.histograms.sort_by_key(|h| h.timestamp);
        (out.timestamps, out.values) = floats.into_iter().unzip();
        out
    }

    #[test]
    fn what_is_encoded_is_what_is_read() {
        let mut series = Series::default();
        let histogram = Histogram {
            counter_reset_hint: Default::default(),
            schema: 0,
            zero_threshold: 0.001,
            sum: 1.0,
            positive_spans: vec![],
            negative_spans: vec![],
            buckets: Buckets::Integer { count: 1, zero_count: 1, positive: vec![], negative: vec![] },
            custom_values: vec![],
        };
        for t in (1_000..5_000).step_by(10) {
            series.append(t, t as f64 / 3.0, &WINDOW);
        }
        for t in (0..4_000).step_by(7).filter(|t| t % 10 != 0) {
            series.append(t, 0.5, &WINDOW);
        }
        for timestamp in (5_001..8_000).step_by(11) {
            series.append_histogram(&HistogramSample { timestamp, histogram: histogram.clone() }, 10_000);
        }
        for range in [TimeRange::ALL, TimeRange::new(1_500, 2_000), TimeRange::new(4_990, 5_100)] {
            let snapshot = series.snapshot(&range).unwrap();
            let mut out = SampleBuffer::default();
            snapshot.read(range, &mut out).unwrap();
            let decoded = decode(&snapshot, range);
            assert!(!out.timestamps.is_empty());
            assert_eq!((decoded.timestamps, decoded.values), (out.timestamps, out.values));
            assert_eq!(decoded.histograms, out.histograms);
        }
    }
}
