//! Chunks of a series one behind the other; `reader.proto` describes the bytes.

use bytes::Bytes;
use chunk::{Corrupt, Cursor, MAX_PAGE_SAMPLES, put_ivarint, put_uvarint};
use model::TimeRange;
use service_api::EncodedChunk;

const FLOATS: u8 = 1;
const HISTOGRAMS: u8 = 2;

/// Chunks on their way into a message.
#[derive(Default)]
pub struct ChunkBytes {
    chunks: Vec<u8>,
    /// Of each chunk its starts behind their length; nothing as long as none are known.
    starts: Vec<u8>,
    count: usize,
}

impl ChunkBytes {
    pub fn put(&mut self, chunk: EncodedChunk<'_>) {
        put_chunk(chunk, &mut self.chunks);
        let (EncodedChunk::Floats { starts, .. } | EncodedChunk::Histograms { starts, .. }) = chunk;
        if !starts.is_empty() && self.starts.is_empty() {
            // The lengths of what the chunks before this one have of them.
            self.starts.resize(self.count, 0);
        }
        self.count += 1;
        if !starts.is_empty() || !self.starts.is_empty() {
            put_bytes(starts, &mut self.starts);
        }
    }

    pub fn len(&self) -> usize {
        self.chunks.len() + self.starts.len()
    }

    /// The bytes of the chunks and of their starts, and begins anew.
    pub fn take(&mut self) -> (Bytes, Bytes) {
        let taken = std::mem::take(self);
        (taken.chunks.into(), taken.starts.into())
    }
}

fn put_chunk(chunk: EncodedChunk<'_>, out: &mut Vec<u8>) {
    let (kind, range, count) = match chunk {
        EncodedChunk::Floats { range, count, .. } => (FLOATS, range, count),
        EncodedChunk::Histograms { range, count, .. } => (HISTOGRAMS, range, count),
    };
    out.push(kind);
    put_uvarint(out, u64::from(count));
    put_ivarint(out, range.start);
    put_uvarint(out, range.end.wrapping_sub(range.start) as u64);
    match chunk {
        EncodedChunk::Floats { timestamps, values, .. } => {
            put_bytes(timestamps, out);
            put_bytes(values, out);
        }
        EncodedChunk::Histograms { data, .. } => put_bytes(data, out),
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_uvarint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes chunks apart again. Ends behind the first one that is broken.
pub struct Chunks<'a> {
    chunks: Cursor<'a>,
    starts: Cursor<'a>,
}

impl<'a> Chunks<'a> {
    pub fn new(chunks: &'a [u8], starts: &'a [u8]) -> Self {
        Self { chunks: Cursor::new(chunks), starts: Cursor::new(starts) }
    }

    fn read(&mut self) -> Result<EncodedChunk<'a>, Corrupt> {
        let input = &mut self.chunks;
        let kind = input.byte()?;
        let count = input.count(MAX_PAGE_SAMPLES)? as u32;
        let start = input.ivarint()?;
        let end = start.wrapping_add(input.uvarint()? as i64);
        let range = TimeRange::new(start, end);
        if range.is_empty() {
            return Err(Corrupt("a chunk that ends before it starts"));
        }
        let starts = if self.starts.is_empty() { &[] } else { bytes(&mut self.starts)? };
        match kind {
            FLOATS => {
                let (timestamps, values) = (bytes(input)?, bytes(input)?);
                Ok(EncodedChunk::Floats { range, count, timestamps, values, starts })
            }
            HISTOGRAMS => Ok(EncodedChunk::Histograms { range, count, data: bytes(input)?, starts }),
            _ => Err(Corrupt("unknown kind of chunk")),
        }
    }
}

fn bytes<'a>(input: &mut Cursor<'a>) -> Result<&'a [u8], Corrupt> {
    let len = input.count(input.rest().len())?;
    input.take(len)
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<EncodedChunk<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.chunks.is_empty() {
            return None;
        }
        let chunk = self.read();
        if chunk.is_err() {
            self.chunks = Cursor::new(&[]);
        }
        Some(chunk)
    }
}
