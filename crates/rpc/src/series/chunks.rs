//! Chunks of a series one behind the other; `reader.proto` describes the bytes.

use chunk::{Corrupt, Cursor, MAX_PAGE_SAMPLES, put_ivarint, put_uvarint};
use model::TimeRange;
use service_api::EncodedChunk;

const FLOATS: u8 = 1;
const HISTOGRAMS: u8 = 2;

/// Appends a chunk.
pub fn put_chunk(chunk: EncodedChunk<'_>, out: &mut Vec<u8>) {
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
pub struct Chunks<'a>(Cursor<'a>);

impl<'a> Chunks<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Cursor::new(bytes))
    }

    fn read(&mut self) -> Result<EncodedChunk<'a>, Corrupt> {
        let kind = self.0.byte()?;
        let count = self.0.count(MAX_PAGE_SAMPLES)? as u32;
        let start = self.0.ivarint()?;
        let end = start.wrapping_add(self.0.uvarint()? as i64);
        let range = TimeRange::new(start, end);
        if range.is_empty() {
            return Err(Corrupt("a chunk that ends before it starts"));
        }
        match kind {
            FLOATS => {
                Ok(EncodedChunk::Floats { range, count, timestamps: self.bytes()?, values: self.bytes()? })
            }
            HISTOGRAMS => Ok(EncodedChunk::Histograms { range, count, data: self.bytes()? }),
            _ => Err(Corrupt("unknown kind of chunk")),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let len = self.0.count(self.0.rest().len())?;
        self.0.take(len)
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<EncodedChunk<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let chunk = self.read();
        if chunk.is_err() {
            self.0 = Cursor::new(&[]);
        }
        Some(chunk)
    }
}
