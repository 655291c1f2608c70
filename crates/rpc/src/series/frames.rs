//! Cuts selected series into messages.

use super::chunks::put_chunk;
use crate::{
    FRAME_BYTES, convert,
    proto::reader::{Head, SelectResponse, Series as Message},
};
use bytes::Bytes;
use chunk::{
    MAX_HISTOGRAM_ITEMS, MAX_PAGE_SAMPLES, encode_histograms, encode_timestamps, encode_values,
    histogram_items,
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
        let writer = Writer { full: VecDeque::new(), frame, chunks: Vec::new(), bytes: 0 };
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
    chunks: Vec<u8>,
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
        put_chunk(chunk, &mut self.chunks);
    }

    fn end(&mut self) {
        self.bytes += self.chunks.len();
        if let Some(series) = self.frame.series.last_mut() {
            series.chunks = std::mem::take(&mut self.chunks).into();
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
    let (mut times, mut values) = (Vec::new(), Vec::new());
    let floats = samples.timestamps.chunks(MAX_PAGE_SAMPLES).zip(samples.values.chunks(MAX_PAGE_SAMPLES));
    for (timestamps, floats) in floats {
        times.clear();
        values.clear();
        encode_timestamps(timestamps, &mut times);
        encode_values(floats, &mut values);
        if let [first, .., last] | [first @ last] = timestamps {
            let (range, count) = (TimeRange::new(*first, *last), timestamps.len() as u32);
            each(EncodedChunk::Floats { range, count, timestamps: &times, values: &values });
        }
    }
    for histograms in histogram_runs(&samples.histograms) {
        times.clear();
        encode_histograms(histograms, &mut times);
        if let [first, .., last] | [first @ last] = histograms {
            let range = TimeRange::new(first.timestamp, last.timestamp);
            each(EncodedChunk::Histograms { range, count: histograms.len() as u32, data: &times });
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
