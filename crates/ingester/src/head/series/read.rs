//! What a read takes from the head: shared sealed chunks and copies of the rest.

use super::{Floats, Histograms, SealedHistograms, WindowData};
use chunk::{MAX_PAGE_SAMPLES, OpenChunk, SealedChunk, StartRuns};
use model::{HistogramSample, Sample, TimeRange, Timestamp, pad_starts, push_start, split_starts};
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

/// What most series have none of. Starts are none at all, or one for each entry.
#[derive(Default)]
struct Rest {
    open_starts: StartRuns,
    late: Vec<SealedChunk>,
    late_samples: Vec<Sample>,
    late_starts: Vec<Timestamp>,
    histograms: Vec<SealedHistograms>,
    histogram_samples: Vec<HistogramSample>,
    histogram_starts: Vec<Timestamp>,
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
        let mut rest: Option<Box<Rest>> = None;
        if let Some(starts) = floats.open_starts().filter(|_| !open.is_empty()) {
            rest.get_or_insert_default().open_starts = starts.clone();
        }
        if let Some(late) = floats.late() {
            let rest = rest.get_or_insert_default();
            rest.late = near(&late.sealed);
            let inside = late.window(range);
            rest.late_samples = late.buffer[inside.clone()].to_vec();
            rest.late_starts = late.starts.get(inside).unwrap_or_default().to_vec();
        }
        if let Some(histograms) = histograms {
            let rest = rest.get_or_insert_default();
            let sealed = histograms.sealed.iter().filter(|c| c.time_range().overlaps(range));
            rest.histograms.extend(sealed.cloned());
            let inside = histograms.inside(range);
            rest.histogram_samples = histograms.buffer[inside.clone()].to_vec();
            rest.histogram_starts = histograms.starts.get(inside).unwrap_or_default().to_vec();
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
            let starts = rest.late_starts.len() + rest.histogram_starts.len();
            bytes += rest.open_starts.heap_bytes() + starts * size_of::<Timestamp>();
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
        let open = out.timestamps.len();
        self.open.decode(range, &mut out.timestamps, &mut out.values);
        let Some(rest) = &self.rest else {
            pad_starts(&mut out.starts.floats, out.timestamps.len());
            return Ok(());
        };
        rest.open_starts.fill(&out.timestamps[open..], open, &mut out.starts.floats);
        let in_order = out.timestamps.len();
        decode_floats(&rest.late, range, out)?;
        for (at, sample) in rest.late_samples.iter().enumerate().filter(|(_, s)| range.contains(s.timestamp))
        {
            let start = rest.late_starts.get(at).copied().unwrap_or(0);
            push_start(&mut out.starts.floats, out.timestamps.len(), start);
            out.timestamps.push(sample.timestamp);
            out.values.push(sample.value);
        }
        if out.timestamps.len() > in_order {
            sort_floats(first, out);
        }
        decode_histograms(&rest.histograms, out)?;
        let buffered = out.histograms.len();
        out.histograms.extend_from_slice(&rest.histogram_samples);
        for (at, start) in (buffered..).zip(&rest.histogram_starts) {
            push_start(&mut out.starts.histograms, at, *start);
        }
        pad_starts(&mut out.starts.histograms, out.histograms.len());
        sort_histograms(first_histogram, range, out);
        Ok(())
    }

    /// Sealed chunks as they are, and the rest sealed here.
    fn encoded(&self, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        each_sealed(&self.chunks, range, each);
        if self.open.last_timestamp().is_some_and(|last| last >= range.start) {
            let none = StartRuns::default();
            let starts = self.rest.as_ref().map_or(&none, |rest| &rest.open_starts);
            each_sealed(self.open.seal(starts).as_slice(), range, each);
        }
        let Some(rest) = &self.rest else { return Ok(true) };
        each_sealed(&rest.late, range, each);
        let mut starts = rest.late_starts.chunks(MAX_PAGE_SAMPLES);
        for samples in rest.late_samples.chunks(MAX_PAGE_SAMPLES) {
            let (timestamps, values): (Vec<_>, Vec<_>) =
                samples.iter().map(|s| (s.timestamp, s.value)).unzip();
            let starts = starts.next().unwrap_or_default();
            each_sealed(SealedChunk::encode(&timestamps, &values, starts).as_slice(), range, each);
        }
        rest.histograms.iter().filter(|c| c.time_range().overlaps(&range)).for_each(|c| each(c.encoded()));
        if let Some(sealed) = SealedHistograms::encode(&rest.histogram_samples, &rest.histogram_starts) {
            each(sealed.encoded());
        }
        Ok(true)
    }
}

fn each_sealed(chunks: &[SealedChunk], range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) {
    for chunk in chunks.iter().filter(|chunk| chunk.time_range().overlaps(&range)) {
        let (timestamps, values, starts) = chunk.pages();
        let (range, count) = (chunk.time_range(), chunk.len() as u32);
        each(EncodedChunk::Floats { range, count, timestamps, values, starts });
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
        sort_histograms(first_histogram, range, out);
        Ok(())
    }
}

fn decode_floats(chunks: &[SealedChunk], range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
    let SampleBuffer { timestamps, values, starts, .. } = out;
    let mut decode = |chunk: &SealedChunk| chunk.decode(range, timestamps, values, &mut starts.floats);
    chunks.iter().try_for_each(|chunk| decode(chunk).map_err(corrupt))
}

fn decode_histograms(chunks: &[SealedHistograms], out: &mut SampleBuffer) -> Result<()> {
    let SampleBuffer { histograms, starts, .. } = out;
    chunks.iter().try_for_each(|chunk| chunk.decode(histograms, &mut starts.histograms).map_err(corrupt))
}

/// Puts the floats behind `first` in order. The head takes no two of one time.
fn sort_floats(first: usize, out: &mut SampleBuffer) {
    let starts = split_starts(&mut out.starts.floats, first);
    let samples = out.timestamps.drain(first..).zip(out.values.drain(first..)).enumerate();
    let mut samples: Vec<_> = samples.map(|(at, (t, v))| (t, v, starts.get(at))).collect();
    samples.sort_by_key(|(t, ..)| *t);
    samples.dedup_by_key(|(t, ..)| *t);
    out.timestamps.extend(samples.iter().map(|(t, ..)| *t));
    out.values.extend(samples.iter().map(|(_, v, _)| *v));
    out.starts.floats.extend(samples.iter().filter_map(|(.., start)| *start));
}

fn sort_histograms(first: usize, range: TimeRange, out: &mut SampleBuffer) {
    if out.histograms.len() == first {
        return;
    }
    let starts = split_starts(&mut out.starts.histograms, first);
    let read = out.histograms.split_off(first).into_iter().enumerate();
    let mut read: Vec<_> = read.map(|(at, sample)| (sample, starts.get(at))).collect();
    read.retain(|(s, _)| range.contains(s.timestamp));
    read.sort_by_key(|(s, _)| s.timestamp);
    read.dedup_by_key(|(s, _)| s.timestamp);
    for (sample, start) in read {
        out.histograms.push(sample);
        out.starts.histograms.extend(start);
    }
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
        let (mut floats, mut histograms, mut out) = (Vec::new(), Vec::new(), SampleBuffer::default());
        let starts_of = |page: &[u8], count: u32| {
            let mut starts = Vec::new();
            chunk::decode_starts(page, count as usize, 0, &mut starts).unwrap();
            if page.is_empty() { vec![0; count as usize] } else { starts }
        };
        let each = &mut |chunk: EncodedChunk<'_>| match chunk {
            EncodedChunk::Floats { range: own, count, timestamps, values, starts } => {
                let (mut times, mut decoded) = (Vec::new(), Vec::new());
                chunk::decode_timestamps(timestamps, count as usize, &mut times).unwrap();
                chunk::decode_values(values, count as usize, &mut decoded).unwrap();
                assert_eq!((times.first(), times.last()), (Some(&own.start), Some(&own.end)));
                floats.extend(times.into_iter().zip(decoded).zip(starts_of(starts, count)));
            }
            EncodedChunk::Histograms { count, data, starts, .. } => {
                let mut decoded = Vec::new();
                chunk::decode_histograms(data, count as usize, &mut decoded).unwrap();
                histograms.extend(decoded.into_iter().zip(starts_of(starts, count)));
            }
        };
        assert!(series.encoded(range, each).unwrap());
        floats.retain(|((t, _), _)| range.contains(*t));
        floats.sort_by_key(|((t, _), _)| *t);
        histograms.retain(|(h, _)| range.contains(h.timestamp));
        histograms.sort_by_key(|(h, _)| h.timestamp);
        ((out.timestamps, out.values), out.starts.floats) = floats.into_iter().unzip();
        (out.histograms, out.starts.histograms) = histograms.into_iter().unzip();
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
            series.append(t, t as f64 / 3.0, if t < 3_000 { 0 } else { t / 2_000 }, &WINDOW);
        }
        for t in (0..4_000).step_by(7).filter(|t| t % 10 != 0) {
            series.append(t, 0.5, t / 1_500, &WINDOW);
        }
        for timestamp in (5_001..8_000).step_by(11) {
            let sample = HistogramSample { timestamp, histogram: histogram.clone() };
            series.append_histogram(&sample, timestamp / 1_000 - 5, 10_000);
        }
        for range in [TimeRange::ALL, TimeRange::new(1_500, 2_000), TimeRange::new(4_990, 5_100)] {
            let snapshot = series.snapshot(&range).unwrap();
            let mut out = SampleBuffer::default();
            snapshot.read(range, &mut out).unwrap();
            let decoded = decode(&snapshot, range);
            assert!(!out.timestamps.is_empty());
            out.starts.floats.resize(out.timestamps.len(), 0);
            out.starts.histograms.resize(out.histograms.len(), 0);
            assert_eq!((decoded.timestamps, decoded.values), (out.timestamps, out.values));
            assert_eq!(decoded.histograms, out.histograms);
            assert_eq!(decoded.starts, out.starts);
        }
    }
}
