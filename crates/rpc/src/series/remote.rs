//! Series as they came from a peer.

use super::{chunks::Chunks, decode::Decoder};
use crate::{convert, proto::reader::Series as Message};
use bytes::Bytes;
use model::{Labels, TimeRange};
use service_api::{EncodedChunk, Error, Reservation, Result, SampleBuffer, Series, SeriesData};
use std::sync::Arc;

/// Series of an answer, put together as its messages come.
#[derive(Default)]
pub struct ReceivedSeries(Vec<(Labels, Vec<Part>)>);

/// What one message has of a series.
struct Part {
    chunks: Bytes,
    starts: Bytes,
}

impl ReceivedSeries {
    /// Adds what a message has; `held` is what the query's budget counts for all of them.
    pub fn add(&mut self, series: Vec<Message>, held: &mut Reservation) -> Result<()> {
        for message in series {
            held.grow(message.chunks.len() + message.starts.len())?;
            let part = Part { chunks: message.chunks, starts: message.starts };
            if message.continued {
                let Some((_, parts)) = self.0.last_mut() else {
                    return Err(Error::internal("a peer went on with a series that it did not begin"));
                };
                parts.push(part);
                continue;
            }
            let labels = convert::labels_in(&message.labels).map_err(|e| Error::internal(e.message))?;
            if self.0.last().is_some_and(|(last, _)| *last >= labels) {
                return Err(Error::internal("a peer's series are not in order"));
            }
            held.grow(labels.heap_bytes() + size_of::<RemoteSeries>() + size_of::<Series>())?;
            self.0.push((labels, vec![part]));
        }
        Ok(())
    }

    pub fn finish(self, held: Reservation) -> Vec<Series> {
        let held = Arc::new(held);
        let series = |(labels, parts)| {
            let data = RemoteSeries { parts, _held: Arc::clone(&held) };
            Series { labels, data: Arc::new(data) }
        };
        self.0.into_iter().map(series).collect()
    }
}

struct RemoteSeries {
    parts: Vec<Part>,
    _held: Arc<Reservation>,
}

impl RemoteSeries {
    fn chunks(&self) -> impl Iterator<Item = Result<EncodedChunk<'_>>> {
        let chunks = self.parts.iter().flat_map(|part| Chunks::new(&part.chunks, &part.starts));
        chunks.map(|chunk| chunk.map_err(corrupt))
    }
}

impl SeriesData for RemoteSeries {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let mut decoder = Decoder::new(range, out);
        for chunk in self.chunks() {
            decoder.add(chunk?).map_err(corrupt)?;
        }
        decoder.finish();
        Ok(())
    }

    fn encoded(&self, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        for chunk in self.chunks() {
            let chunk = chunk?;
            if chunk.range().overlaps(&range) {
                each(chunk);
            }
        }
        Ok(true)
    }
}

pub fn corrupt(error: chunk::Corrupt) -> Error {
    Error::internal(format!("a chunk that a peer sent: {error}"))
}
