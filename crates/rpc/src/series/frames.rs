//! Cuts selected series into messages.

use super::chunks::ChunkBytes;
use crate::{
    FRAME_BYTES, convert,
    proto::reader::{Head, SelectResponse, Series as Message},
};
use bytes::Bytes;
use chunk::{
    MAX_HISTOGRAM_ITEMS, MAX_PAGE_SAMPLES, encode_histograms, encode_starts, encode_timestamps,
    encode_values, histogram_items,
};
use model::{HistogramSample, TimeRange};
use service_api::{EncodedChunk, Result, SampleBuffer, Series, SeriesData};
use std::{collections::VecDeque, vec};

/// The messages of a `Select`'s answer, each made when it is asked for. Pure CPU work.
pub struct SeriesFrames {
    series: vec::IntoIter<Series>,
    range: TimeRange,
    writer: Writer,
    done: bool,
}

impl SeriesFrames {
    pub fn new(series: Vec<Series>, range: TimeRange, head: Head) -> Self {
        let frame = SelectResponse { head: Some(head), ..SelectResponse::default() };
        let writer = Writer { full: VecDeque::new(), frame, chunks: ChunkBytes::default(), bytes: 0 };
        Self { series: series.into_iter(), range, writer, done: false }
    }
}

impl Iterator for SeriesFrames {
    type Item = Result<SelectResponse>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(frame) = self.writer.full.pop_front() {
                return Some(Ok(frame));
            }
            if self.done {
                return None;
            }
            let Some(Series { labels, data }) = self.series.next() else {
                self.done = true;
                self.writer.frame.last = true;
                return Some(Ok(std::mem::take(&mut self.writer.frame)));
            };
            self.writer.begin(convert::labels_out(&labels));
            if let Err(error) = encode(&*data, self.range, &mut |chunk| self.writer.add(chunk)) {
                self.done = true;
                return Some(Err(error));
            }
            self.writer.end();
        }
    }
}

struct Writer {
    /// Messages that are ready.
    full: VecDeque<SelectResponse>,
    frame: SelectResponse,
    /// Chunks of the last series in `frame`.
    chunks: ChunkBytes,
    bytes: usize,
}

impl Writer {
    fn begin(&mut self, labels: Bytes) {
        self.bytes += labels.len() + 16;
        self.frame.series.push(Message { labels, ..Message::default() });
    }

    fn add(&mut self, chunk: EncodedChunk<'_>) {
        if self.bytes + self.chunks.len() >= FRAME_BYTES {
            self.end();
            self.flush();
            self.frame.series.push(Message { continued: true, ..Message::default() });
        }
        self.chunks.put(chunk);
    }

    fn end(&mut self) {
        self.bytes += self.chunks.len();
        if let Some(series) = self.frame.series.last_mut() {
            (series.chunks, series.starts) = self.chunks.take();
        }
        if self.bytes >= FRAME_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.bytes > 0 {
            self.full.push_back(std::mem::take(&mut self.frame));
            self.bytes = 0;
        }
    }
}

/// Hands out a series' chunks, encoded here if it has none.
fn encode(data: &dyn SeriesData, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<()> {
    if data.encoded(range, each)? {
        return Ok(());
    }
    let mut samples = SampleBuffer::default();
    data.read(range, &mut samples)?;
    let (mut times, mut values, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    let floats = samples.timestamps.chunks(MAX_PAGE_SAMPLES).zip(samples.values.chunks(MAX_PAGE_SAMPLES));
    let mut known = samples.starts.floats.chunks(MAX_PAGE_SAMPLES);
    for (timestamps, floats) in floats {
        times.clear();
        values.clear();
        starts.clear();
        encode_timestamps(timestamps, &mut times);
        encode_values(floats, &mut values);
        encode_starts(known.next().unwrap_or_default(), &mut starts);
        if let [first, .., last] | [first @ last] = timestamps {
            let (range, count) = (TimeRange::new(*first, *last), timestamps.len() as u32);
            let (timestamps, values, starts) = (&times, &values, &starts);
            each(EncodedChunk::Floats { range, count, timestamps, values, starts });
        }
    }
    let mut known = &samples.starts.histograms[..];
    for histograms in histogram_runs(&samples.histograms) {
        times.clear();
        starts.clear();
        encode_histograms(histograms, &mut times);
        let (of_run, others) = known.split_at(histograms.len().min(known.len()));
        encode_starts(of_run, &mut starts);
        known = others;
        if let [first, .., last] | [first @ last] = histograms {
            let range = TimeRange::new(first.timestamp, last.timestamp);
            let (count, data) = (histograms.len() as u32, &times);
            each(EncodedChunk::Histograms { range, count, data, starts: &starts });
        }
    }
    Ok(())
}

/// Pieces that each make a page.
fn histogram_runs(mut rest: &[HistogramSample]) -> impl Iterator<Item = &[HistogramSample]> {
    std::iter::from_fn(move || {
        let mut items = 0;
        let mut fits = |s: &HistogramSample| {
            items += histogram_items(&s.histogram);
            items <= MAX_HISTOGRAM_ITEMS
        };
        let len = rest.iter().take(1024).take_while(|s| fits(s)).count().max(1);
        let (run, left) = rest.split_at_checked(len)?;
        rest = left;
        Some(run)
    })
}
