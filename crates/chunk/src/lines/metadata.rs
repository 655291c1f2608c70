//! Structured metadata of a page's lines: each distinct pair once, and its number where it is.
//!
//! The byte 0 where there is none. Else the byte 1, the lengths before zstd and stored, and under zstd:
//! the number of distinct pairs, of each the lengths of name and value, their text; for each line the number
//! of its pairs, and then the numbers of all lines' pairs.

use super::{MAX_PAGE_LINES, MAX_PAGE_TEXT, Unfit, Zstd, unpack};
use crate::{Corrupt, Cursor, cursor::put_uvarint};
use model::{Lines, MetadataColumn};
use std::collections::HashMap;

const NONE: u8 = 0;
const PAIRS: u8 = 1;
/// Pairs of one page at most, which bounds what decoding takes, as `MAX_PAGE_TEXT` does.
const MAX_PAIRS: usize = 16 * MAX_PAGE_LINES;

pub(super) fn encode(lines: &Lines, zstd: &mut Zstd, out: &mut Vec<u8>) -> Result<(), Unfit> {
    if lines.metadata.is_empty() {
        out.push(NONE);
        return Ok(());
    }
    if lines.metadata.text.len() > MAX_PAGE_TEXT || lines.metadata.pairs.len() > MAX_PAIRS {
        return Err(Unfit("too much metadata"));
    }
    let mut known: HashMap<(&str, &str), u64, foldhash::fast::FixedState> = HashMap::default();
    let (mut head, mut text, mut counts, mut numbers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for at in 0..lines.len() {
        let mut count = 0;
        for (name, value) in lines.metadata(at) {
            let next = known.len() as u64;
            let number = *known.entry((name, value)).or_insert(next);
            if number == next {
                put_uvarint(&mut head, name.len() as u64);
                put_uvarint(&mut head, value.len() as u64);
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(value.as_bytes());
            }
            put_uvarint(&mut numbers, number);
            count += 1;
        }
        put_uvarint(&mut counts, count);
    }
    let mut raw = Vec::new();
    put_uvarint(&mut raw, known.len() as u64);
    for part in [head, text, counts, numbers] {
        raw.extend_from_slice(&part);
    }
    out.push(PAIRS);
    put_uvarint(out, raw.len() as u64);
    zstd.pack(&raw, out)
}

/// Replaces `out`. What is left of the page is the metadata.
pub(super) fn decode(input: &mut Cursor<'_>, lines: usize, out: &mut MetadataColumn) -> Result<(), Corrupt> {
    out.clear();
    match input.byte()? {
        NONE if input.is_empty() => return Ok(()),
        PAIRS => {}
        _ => return Err(Corrupt("unknown form of metadata")),
    }
    // Beside the text a pair takes two lengths, and a line at least its count.
    let mut raw = Vec::new();
    unpack(input, MAX_PAGE_TEXT + 16 * MAX_PAIRS, &mut raw)?;
    let mut raw = Cursor::new(&raw);
    let distinct = distinct(&mut raw)?;
    let mut total = 0;
    for _ in 0..lines {
        total += raw.count(MAX_PAIRS - total)?;
        out.ends.push(total as u32);
    }
    for _ in 0..total {
        let (name, value) = *distinct.get(raw.count(distinct.len())?).ok_or(Corrupt("pair out of bounds"))?;
        if out.text.len() + name.len() + value.len() > MAX_PAGE_TEXT {
            return Err(Corrupt("too much metadata"));
        }
        out.text.push_str(name);
        let name_end = out.text.len() as u32;
        out.text.push_str(value);
        out.pairs.push((name_end, out.text.len() as u32));
    }
    if total > 0 && raw.is_empty() && input.is_empty() {
        Ok(())
    } else {
        Err(Corrupt("metadata out of bounds"))
    }
}

fn distinct<'a>(raw: &mut Cursor<'a>) -> Result<Vec<(&'a str, &'a str)>, Corrupt> {
    let count = raw.count(MAX_PAIRS.min(raw.rest().len() / 2))?;
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        lengths.push((raw.count(MAX_PAGE_TEXT)?, raw.count(MAX_PAGE_TEXT)?));
    }
    let utf8 = |bytes| std::str::from_utf8(bytes).map_err(|_| Corrupt("metadata is not UTF-8"));
    lengths.into_iter().map(|(name, value)| Ok((utf8(raw.take(name)?)?, utf8(raw.take(value)?)?))).collect()
}
