//! Where a page's lines end: found in the text, unless a line has a newline of its own.
//!
//! The byte 0, or the byte 1 and the lengths of the lines as integers.

use crate::{Corrupt, Cursor, integers};
use model::Lines;

const FOUND: u8 = 0;
const STORED: u8 = 1;

pub(super) fn encode(lines: &Lines, out: &mut Vec<u8>) {
    if memchr::memchr_iter(b'\n', &lines.text).count() == lines.len() {
        return out.push(FOUND);
    }
    out.push(STORED);
    let lengths: Vec<i64> = (0..lines.len()).map(|at| lines.span(at).len() as i64).collect();
    integers::encode(&lengths, out);
}

/// Replaces `ends`. The text ends with a newline.
pub(super) fn decode(
    input: &mut Cursor<'_>,
    count: usize,
    text: &[u8],
    ends: &mut Vec<u32>,
) -> Result<(), Corrupt> {
    ends.clear();
    match input.byte()? {
        FOUND => ends.extend(memchr::memchr_iter(b'\n', text).take(count + 1).map(|end| end as u32)),
        STORED => {
            let (mut next, mut sound) = (0usize, true);
            integers::decode(input, count, |some| {
                for len in some {
                    let end = usize::try_from(*len).ok().and_then(|len| next.checked_add(len));
                    sound &= end.and_then(|end| text.get(end)) == Some(&b'\n');
                    let end = end.filter(|_| sound).unwrap_or(0);
                    next = end + 1;
                    ends.push(end as u32);
                }
            })?;
            if !sound {
                return Err(Corrupt("a line out of bounds"));
            }
        }
        _ => return Err(Corrupt("unknown form of ends")),
    }
    if ends.len() == count && ends.last().is_some_and(|end| *end as usize + 1 == text.len()) {
        Ok(())
    } else {
        Err(Corrupt("more text than lines"))
    }
}
