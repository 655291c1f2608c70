//! Log lines of one append in the write-ahead log.
//!
//! ```text
//! payload  := version(2) tenant declarations count [text rest]
//! text     := packed: each line with a newline behind it
//! rest     := packed: streams: runs  timestamps: runs  lengths: varint*
//!             pairs: count [of-each-line: varint*  (name-length value-length)*  (name value)*]
//! packed   := length:varint stored-length:varint bytes
//! ```
//!
//! What is packed is a zstd frame, or the bytes themselves where that is not shorter. Tenant
//! and declarations are as in records of samples, with bases of 0.

use super::{MAX_SAMPLES, columns};
use chunk::{Corrupt, Cursor, put_uvarint};
use model::{Lines, MetadataColumn};

/// The most lines of one record, and pairs of their metadata; bytes of their text with newlines,
/// and of their metadata.
pub const MAX_LINES: usize = MAX_SAMPLES;
pub const MAX_TEXT: usize = 48 << 20;
/// Of zstd. Negative levels cost about what LZ4 does and leave as little; level 1 took a third
/// more time for two thirds of the bytes.
const LEVEL: i32 = -3;
/// Beside the metadata's text, what a line and a pair take at most.
const MAX_REST: usize = MAX_TEXT + MAX_LINES * 32;

/// Packs lines and the streams that they belong to, one for each line.
pub fn pack_lines(streams: &[u32], lines: &Lines) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    put_uvarint(&mut out, lines.len() as u64);
    if lines.is_empty() {
        return Ok(out);
    }
    put_packed(&mut out, &lines.text)?;
    let mut rest = Vec::new();
    columns::put_runs(&mut rest, streams.iter().map(|&stream| i64::from(stream)));
    columns::put_runs(&mut rest, lines.timestamps.iter().copied());
    (0..lines.len()).for_each(|at| put_uvarint(&mut rest, lines.span(at).len() as u64));
    put_pairs(&mut rest, lines.len(), &lines.metadata);
    put_packed(&mut out, &rest)?;
    Ok(out)
}

fn put_pairs(out: &mut Vec<u8>, lines: usize, metadata: &MetadataColumn) {
    put_uvarint(out, metadata.pairs.len() as u64);
    if metadata.is_empty() {
        return;
    }
    let mut before = 0;
    // The last lines may have been added without a word on their pairs, of which they have none.
    for at in 0..lines {
        let end = metadata.ends.get(at).copied().unwrap_or(before);
        put_uvarint(out, u64::from(end - before));
        before = end;
    }
    let mut before = 0;
    for &(name, value) in &metadata.pairs {
        put_uvarint(out, u64::from(name - before));
        put_uvarint(out, u64::from(value - name));
        before = value;
    }
    out.extend_from_slice(metadata.text.as_bytes());
}

fn put_packed(out: &mut Vec<u8>, raw: &[u8]) -> std::io::Result<()> {
    let packed = zstd::bulk::compress(raw, LEVEL)?;
    let stored = if packed.len() < raw.len() { &packed[..] } else { raw };
    put_uvarint(out, raw.len() as u64);
    put_uvarint(out, stored.len() as u64);
    out.extend_from_slice(stored);
    Ok(())
}

/// Lines that have been read back; kept from record to record, for their memory.
#[derive(Default)]
pub struct ReadLines {
    pub streams: Vec<u32>,
    pub lines: Lines,
    rest: Vec<u8>,
}

impl ReadLines {
    pub fn read(&mut self, input: &mut Cursor<'_>) -> Result<(), Corrupt> {
        let Self { streams, lines, rest } = self;
        streams.clear();
        lines.clear();
        let count = input.count(MAX_LINES)?;
        if count == 0 {
            return Ok(());
        }
        read_packed(input, MAX_TEXT, &mut lines.text)?;
        read_packed(input, MAX_REST, rest)?;
        let mut rest = Cursor::new(rest);
        columns::read_runs(&mut rest, count, |stream| {
            streams.push(u32::try_from(stream).map_err(|_| Corrupt("stream out of bounds"))?);
            Ok(())
        })?;
        columns::read_runs(&mut rest, count, |t| {
            lines.timestamps.push(t);
            Ok(())
        })?;
        let mut start = 0;
        for _ in 0..count {
            let end = start + rest.count(MAX_TEXT)?;
            if lines.text.get(end) != Some(&b'\n') {
                return Err(Corrupt("a line without an end"));
            }
            lines.ends.push(end as u32);
            start = end + 1;
        }
        if start != lines.text.len() {
            return Err(Corrupt("text behind the last line"));
        }
        read_pairs(&mut rest, count, &mut lines.metadata)
    }
}

fn read_pairs(rest: &mut Cursor<'_>, lines: usize, metadata: &mut MetadataColumn) -> Result<(), Corrupt> {
    let pairs = rest.count(MAX_LINES)?;
    if pairs == 0 {
        return Ok(());
    }
    let mut end = 0;
    for _ in 0..lines {
        end += rest.count(pairs - end)?;
        metadata.ends.push(end as u32);
    }
    if end != pairs {
        return Err(Corrupt("pairs of no line"));
    }
    let mut end = 0;
    for _ in 0..pairs {
        let name = end + rest.count(MAX_TEXT)?;
        end = name + rest.count(MAX_TEXT)?;
        if end > MAX_TEXT {
            return Err(Corrupt("too much metadata"));
        }
        metadata.pairs.push((name as u32, end as u32));
    }
    let text = std::str::from_utf8(rest.take(end)?).map_err(|_| Corrupt("metadata that is not UTF-8"))?;
    let cuts = metadata
        .pairs
        .iter()
        .all(|&(name, value)| text.is_char_boundary(name as usize) && text.is_char_boundary(value as usize));
    if !cuts {
        return Err(Corrupt("metadata that is not UTF-8"));
    }
    metadata.text.push_str(text);
    Ok(())
}

/// Replaces `out`. No more is taken than the bytes stored say and `max` allows.
fn read_packed(input: &mut Cursor<'_>, max: usize, out: &mut Vec<u8>) -> Result<(), Corrupt> {
    let len = input.count(max)?;
    let stored_len = input.count(len)?;
    let stored = input.take(stored_len)?;
    out.clear();
    if stored.len() == len {
        out.extend_from_slice(stored);
        return Ok(());
    }
    out.reserve(len);
    let mut zstd = zstd::bulk::Decompressor::new().map_err(|_| Corrupt("zstd"))?;
    zstd.decompress_to_buffer(stored, out).map_err(|_| Corrupt("lines that zstd does not know"))?;
    if out.len() == len { Ok(()) } else { Err(Corrupt("lines of another length")) }
}
