//! The response type STREAMED_XOR_CHUNKS: frames with a checksum, each of one series.

use super::{
    Selected,
    messages::{self, Chunk, ChunkedReadResponse, ChunkedSeries, Label},
};
use crate::query::slots::off_thread;
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use model::Timestamp;
use prost::Message;
use service_api::{Result, SampleBuffer};
use std::collections::VecDeque;
use tsdb::{CHUNK_SAMPLES, encode_floats, encode_histogram};

/// A frame is closed when its chunks reach this size (Prometheus's default).
const MAX_FRAME_BYTES: usize = 1 << 20;

/// Frames go out in pieces of about this many bytes.
const PIECE_BYTES: usize = 256 << 10;

/// Encodes while the client reads, and no faster; decoding runs off the async threads, which
/// a slow client does not hold.
pub fn stream(selected: Vec<Selected>) -> impl Stream<Item = Result<Bytes>> + Send {
    let state = Encoder { selected: selected.into(), next: 0, buffer: SampleBuffer::default() };
    stream::unfold(Some(state), async |state| {
        let mut state = state?;
        let encoded = off_thread(move || {
            let mut out = Vec::with_capacity(PIECE_BYTES);
            let more = state.fill(&mut out);
            (more, out, state)
        });
        // An error ends the body early, which the client sees as a broken answer.
        match encoded.await {
            Ok((Ok(true), out, state)) => Some((Ok(Bytes::from(out)), Some(state))),
            Ok((Ok(false), out, _)) if out.is_empty() => None,
            Ok((Ok(false), out, _)) => Some((Ok(Bytes::from(out)), None)),
            Ok((Err(e), ..)) | Err(e) => Some((Err(e), None)),
        }
    })
    .fuse()
}

struct Encoder {
    selected: VecDeque<Selected>,
    /// The next series of the first of `selected`.
    next: usize,
    buffer: SampleBuffer,
}

impl Encoder {
    /// Whether there is more after this piece.
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        while out.len() < PIECE_BYTES {
            let Some(selected) = self.selected.front_mut() else { return Ok(false) };
            let Some(series) = selected.series.get(self.next) else {
                self.selected.pop_front();
                self.next = 0;
                continue;
            };
            self.next += 1;
            self.buffer.clear();
            series.data.read(selected.range, &mut self.buffer)?;
            let labels = messages::labels(&series.labels);
            write_series(out, selected.query_index as i64, &labels, &self.buffer);
        }
        Ok(true)
    }
}

fn write_series(out: &mut Vec<u8>, query_index: i64, labels: &[Label], buffer: &SampleBuffer) {
    let mut pending: Vec<Chunk> = Vec::new();
    let mut bytes = 0;
    let mut flush = |pending: &mut Vec<Chunk>| {
        let series = ChunkedSeries { labels: labels.to_vec(), chunks: std::mem::take(pending) };
        frame(out, &ChunkedReadResponse { chunked_series: vec![series], query_index });
    };
    for chunk in chunks_of(buffer) {
        bytes += chunk.data.len();
        pending.push(chunk);
        if bytes >= MAX_FRAME_BYTES {
            flush(&mut pending);
            bytes = 0;
        }
    }
    if !pending.is_empty() {
        flush(&mut pending);
    }
}

/// Float and histogram chunks in order of their start. A float chunk ends where a histogram
/// comes between its samples, so that chunks do not overlap.
fn chunks_of(buffer: &SampleBuffer) -> impl Iterator<Item = Chunk> {
    let (mut floats, mut histograms) = (0, buffer.histograms.iter().peekable());
    std::iter::from_fn(move || {
        let rest: &[Timestamp] = &buffer.timestamps[floats..];
        let until = histograms.peek().map_or(Timestamp::MAX, |h| h.timestamp);
        let count = rest.iter().take(CHUNK_SAMPLES).take_while(|t| **t <= until).count();
        if count > 0 {
            let range = floats..floats + count;
            floats += count;
            return Some(encode_floats(&buffer.timestamps[range.clone()], &buffer.values[range]).into());
        }
        histograms.next().map(|sample| encode_histogram(sample).into())
    })
}

/// Length as a varint, CRC-32C (big endian), message.
fn frame(out: &mut Vec<u8>, message: &ChunkedReadResponse) {
    let message = message.encode_to_vec();
    prost::encoding::encode_varint(message.len() as u64, out);
    out.extend_from_slice(&crc32c::crc32c(&message).to_be_bytes());
    out.extend_from_slice(&message);
}
