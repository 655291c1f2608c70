//! Pages of timestamps: the byte 1, then the integers as `integers.rs` writes them.

use crate::{Corrupt, Cursor, MAX_PAGE_SAMPLES, integers};
use model::Timestamp;

const DIFFERENCES: u8 = 1;

/// Appends a page of at most `MAX_PAGE_SAMPLES` timestamps. Their number is for the caller
/// to keep.
pub fn encode_timestamps(timestamps: &[Timestamp], out: &mut Vec<u8>) {
    out.push(DIFFERENCES);
    integers::encode(timestamps, out);
}

/// Appends the `count` timestamps of a page. On an error `out` may have grown.
pub fn decode_timestamps(page: &[u8], count: usize, out: &mut Vec<Timestamp>) -> Result<(), Corrupt> {
    let mut input = Cursor::new(page);
    if count > MAX_PAGE_SAMPLES {
        return Err(Corrupt("too many samples"));
    }
    if input.byte()? != DIFFERENCES {
        return Err(Corrupt("unknown codec of timestamps"));
    }
    out.reserve(count);
    integers::decode(&mut input, count, |some| out.extend_from_slice(some))
}
