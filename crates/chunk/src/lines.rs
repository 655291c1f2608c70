//! Pages of log lines: their text under zstd, and apart from it all that is read only when the text
//! has what is looked for.
//!
//! The byte 1, the number of lines, the bytes of text, the first time (zigzag), the last time minus
//! the first, the stored length of the text (varints but for the first byte); the text, each line
//! with a newline behind it, under zstd; and the rest: timestamps, ends and metadata (`lines/*.rs`).

mod ends;
mod metadata;
mod times;

use crate::{
    Corrupt, Cursor, MAX_PAGE_SAMPLES,
    cursor::{put_ivarint, put_uvarint},
};
use model::{Lines, NanoRange};

const PLAIN: u8 = 1;

/// The most lines in one page.
pub const MAX_PAGE_LINES: usize = MAX_PAGE_SAMPLES;

/// The most bytes of text in one page, with a newline for each line; and as many of metadata.
pub const MAX_PAGE_TEXT: usize = 16 << 20;

/// Lines that do not make a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lines that make no page: {0}")]
pub struct Unfit(pub &'static str);

/// Appends a page of lines in time order: at least one and at most [`MAX_PAGE_LINES`], with at most
/// [`MAX_PAGE_TEXT`] bytes of text and as many of metadata. `level` is zstd's.
pub fn encode_lines(lines: &Lines, level: i32, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let (Some(first), Some(last)) = (lines.timestamps.first(), lines.timestamps.last()) else {
        return Err(Unfit("there are none"));
    };
    if lines.len() > MAX_PAGE_LINES || lines.text.len() > MAX_PAGE_TEXT {
        return Err(Unfit("too many"));
    }
    if !lines.timestamps.is_sorted() {
        return Err(Unfit("they are not in time order"));
    }
    out.push(PLAIN);
    put_uvarint(out, lines.len() as u64);
    put_uvarint(out, lines.text.len() as u64);
    put_ivarint(out, *first);
    put_uvarint(out, last.wrapping_sub(*first) as u64);
    let mut zstd = Zstd::new(level)?;
    zstd.pack(&lines.text, out)?;
    times::encode(&lines.timestamps, &mut zstd, out)?;
    ends::encode(lines, out);
    metadata::encode(lines, &mut zstd, out)
}

/// A page whose header is read and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct LinePage<'a> {
    lines: usize,
    text_len: usize,
    range: NanoRange,
    text: &'a [u8],
    rest: &'a [u8],
}

impl<'a> LinePage<'a> {
    pub fn parse(page: &'a [u8]) -> Result<Self, Corrupt> {
        let mut input = Cursor::new(page);
        if input.byte()? != PLAIN {
            return Err(Corrupt("unknown codec of lines"));
        }
        let lines = input.count(MAX_PAGE_LINES)?;
        let text_len = input.count(MAX_PAGE_TEXT)?;
        if lines == 0 || text_len < lines {
            return Err(Corrupt("impossible number of lines"));
        }
        let start = input.ivarint()?;
        let end = start.wrapping_add(input.uvarint()? as i64);
        if end < start {
            return Err(Corrupt("times out of order"));
        }
        let stored = input.count(page.len())?;
        let text = input.take(stored)?;
        Ok(Self { lines, text_len, range: NanoRange::new(start, end), text, rest: input.rest() })
    }

    /// How many lines it has; at least one.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Bytes of all lines' text, without the newlines behind them.
    pub fn text_bytes(&self) -> usize {
        self.text_len - self.lines
    }

    /// The times of the first and the last line.
    pub fn range(&self) -> NanoRange {
        self.range
    }

    /// Replaces `out` by the text, with a newline behind each line.
    pub fn text(&self, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        decompress(self.text, self.text_len, out)
    }

    /// Completes `lines`, whose `text` is this page's already.
    pub fn rest(&self, lines: &mut Lines) -> Result<(), Corrupt> {
        let mut input = Cursor::new(self.rest);
        if lines.text.len() != self.text_len || lines.text.last() != Some(&b'\n') {
            return Err(Corrupt("text of another length"));
        }
        times::decode(&mut input, self.range, self.lines, &mut lines.timestamps)?;
        ends::decode(&mut input, self.lines, &lines.text, &mut lines.ends)?;
        metadata::decode(&mut input, self.lines, &mut lines.metadata)
    }

    /// Replaces `lines` by the page's.
    pub fn read(&self, lines: &mut Lines) -> Result<(), Corrupt> {
        self.text(&mut lines.text)?;
        self.rest(lines)
    }
}

/// Compresses the parts of a page; behind the stored length of each come its bytes.
struct Zstd(zstd::bulk::Compressor<'static>);

impl Zstd {
    // It fails only without memory: a level out of bounds is moved into them.
    fn new(level: i32) -> Result<Self, Unfit> {
        zstd::bulk::Compressor::new(level).map(Self).map_err(|_| Unfit("zstd"))
    }

    fn pack(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
        let packed = self.0.compress(raw).map_err(|_| Unfit("zstd"))?;
        put_uvarint(out, packed.len() as u64);
        out.extend_from_slice(&packed);
        Ok(())
    }
}

/// Reads the length of a part before zstd, at most `max`, its stored length and its bytes;
/// replaces `out` by what they hold.
fn unpack(input: &mut Cursor<'_>, max: usize, out: &mut Vec<u8>) -> Result<(), Corrupt> {
    let len = input.count(max)?;
    let stored = input.count(input.rest().len())?;
    decompress(input.take(stored)?, len, out)
}

fn decompress(stored: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), Corrupt> {
    out.clear();
    out.reserve(len);
    // A context for each page costs some microseconds, and nobody has to keep one.
    let mut zstd = zstd::bulk::Decompressor::new().map_err(|_| Corrupt("zstd"))?;
    zstd.decompress_to_buffer(stored, out).map_err(|_| Corrupt("zstd"))?;
    if out.len() == len { Ok(()) } else { Err(Corrupt("not as long as it should be")) }
}

#[cfg(test)]
mod tests;
