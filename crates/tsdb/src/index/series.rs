//! Series entries: the labels of each series and where its chunks lie. They are in label order.

use super::Symbols;
use crate::{Corrupt, check_sum};
use chunk::Cursor;
use model::{Labels, TimeRange};

/// Entries begin at multiples of this, and a series is known by which multiple it is.
const ALIGNMENT: u64 = 16;
/// The longest length.
const MAX_VARINT: usize = 5;
/// An entry of more bytes is not believed: some ten million chunks.
const MAX_ENTRY: u64 = 64 << 20;
const SUM_LEN: usize = 4;

/// What lies at the front of a stretch of series entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// An entry, unread but with the right checksum. The next one is `len` bytes further on.
    Entry { reference: u64, body: &'a [u8], len: usize },
    /// Zeros that fill up, so many of them.
    Padding(usize),
    /// An entry that goes on behind the stretch: with what follows, so many bytes are needed.
    Needs(usize),
}

/// Looks at the front of `stretch`, which lies `at` bytes into the index. `last`: nothing comes behind it.
pub fn split_entry(stretch: &[u8], at: u64, last: bool) -> Result<Split<'_>, Corrupt> {
    let until_aligned = (at.next_multiple_of(ALIGNMENT) - at) as usize;
    if until_aligned > 0 {
        return Ok(Split::Padding(until_aligned.min(stretch.len())));
    }
    if stretch.first() == Some(&0) {
        return Ok(Split::Padding(stretch.len().min(ALIGNMENT as usize)));
    }
    if stretch.len() < MAX_VARINT && !last {
        return Ok(Split::Needs(MAX_VARINT));
    }
    let mut input = Cursor::new(stretch);
    let len = input.count(MAX_ENTRY as usize)?;
    let before = stretch.len() - input.rest().len();
    let whole = before + len + SUM_LEN;
    let Some(entry) = stretch.get(..whole) else {
        return if last { Err(Corrupt("a series is cut short")) } else { Ok(Split::Needs(whole)) };
    };
    let (entry, sum) = entry.split_last_chunk().ok_or(Corrupt("a series is cut short"))?;
    let body = &entry[before..];
    check_sum(body, *sum)?;
    // What fills up behind the last entry may be missing.
    let len = whole.next_multiple_of(ALIGNMENT as usize).min(stretch.len());
    Ok(Split::Entry { reference: at / ALIGNMENT, body, len: len.max(whole) })
}

/// One series of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesEntry {
    pub labels: Labels,
    pub chunks: Vec<ChunkPlace>,
}

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPlace {
    /// The times of its first and last sample.
    pub range: TimeRange,
    /// The number of the segment, from 0; files are numbered from 1.
    pub segment: u32,
    /// In the segment.
    pub offset: u32,
}

/// Reads the body of an entry.
pub fn read_entry(body: &[u8], symbols: &Symbols) -> Result<SeriesEntry, Corrupt> {
    let mut input = Cursor::new(body);
    let labels = labels(&mut input, symbols)?;
    // A chunk takes three bytes at least.
    let count = input.count(input.rest().len() / 3)?;
    let (mut chunks, mut before, mut reference) = (Vec::with_capacity(count), 0i64, 0u64);
    for at in 0..count {
        let start = match at {
            0 => input.ivarint()?,
            _ => before.wrapping_add(input.uvarint()? as i64),
        };
        let range = TimeRange::new(start, start.wrapping_add(input.uvarint()? as i64));
        reference = match at {
            0 => input.uvarint()?,
            _ => reference.wrapping_add_signed(input.ivarint()?),
        };
        if range.is_empty() {
            return Err(Corrupt("times of a chunk out of order"));
        }
        chunks.push(ChunkPlace { range, segment: (reference >> 32) as u32, offset: reference as u32 });
        before = range.end;
    }
    if !input.is_empty() {
        return Err(Corrupt("a series with something behind it"));
    }
    Ok(SeriesEntry { labels, chunks })
}

fn labels(input: &mut Cursor<'_>, symbols: &Symbols) -> Result<Labels, Corrupt> {
    let count = input.count(input.rest().len() / 2)?;
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(count);
    for _ in 0..count {
        let (name, value) = (symbols.get(input.uvarint()?)?, symbols.get(input.uvarint()?)?);
        if pairs.last().is_some_and(|(before, _)| *before >= name) {
            return Err(Corrupt("labels out of order"));
        }
        pairs.push((name, value));
    }
    Ok(Labels::from_sorted(pairs.into_iter().filter(|(_, value)| !value.is_empty())))
}
