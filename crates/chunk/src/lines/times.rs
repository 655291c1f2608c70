//! The times of a page's lines.
//!
//! Their common divisor (varint), and one byte: 0 for the times in units of it since the first, as
//! integers (`integers.rs`), or 1 for the differences between them as varints under zstd, behind the
//! lengths before zstd and stored. The first form suits times that a fine clock gave to each line,
//! the second those that come in patterns or at few distances.

use super::{Unfit, Zstd, unpack};
use crate::{Corrupt, Cursor, cursor::put_uvarint, integers};
use model::{NanoRange, Nanos};

const INTEGERS: u8 = 0;
const DIFFERENCES: u8 = 1;

/// Appends times that ascend; there is at least one, and the first is known elsewhere.
pub(super) fn encode(times: &[Nanos], zstd: &mut Zstd, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let first = times[0];
    let since = |time: &Nanos| time.wrapping_sub(first) as u64;
    let unit = times.iter().fold(0, |unit, time| divisor(unit, since(time))).max(1);
    let units: Vec<i64> = times.iter().map(|time| (since(time) / unit) as i64).collect();
    put_uvarint(out, unit);
    let (mut packed, mut differences) = (Vec::new(), Vec::new());
    integers::encode(&units, &mut packed);
    for pair in units.windows(2) {
        put_uvarint(&mut differences, pair[1].wrapping_sub(pair[0]) as u64);
    }
    let mut compressed = Vec::new();
    put_uvarint(&mut compressed, differences.len() as u64);
    zstd.pack(&differences, &mut compressed)?;
    let (form, bytes) =
        if packed.len() <= compressed.len() { (INTEGERS, packed) } else { (DIFFERENCES, compressed) };
    out.push(form);
    out.extend_from_slice(&bytes);
    Ok(())
}

/// Replaces `out` by `count` times that fill the range.
pub(super) fn decode(
    input: &mut Cursor<'_>,
    range: NanoRange,
    count: usize,
    out: &mut Vec<Nanos>,
) -> Result<(), Corrupt> {
    out.clear();
    out.reserve(count);
    let unit = input.uvarint()?;
    let time = |units: u64| range.start.wrapping_add(units.wrapping_mul(unit) as i64);
    match input.byte()? {
        INTEGERS => integers::decode(input, count, |some| out.extend(some.iter().map(|i| time(*i as u64))))?,
        DIFFERENCES => {
            // A varint has 10 bytes at most.
            let mut differences = Vec::new();
            unpack(input, 10 * count, &mut differences)?;
            let (mut differences, mut units) = (Cursor::new(&differences), 0u64);
            out.push(range.start);
            for _ in 1..count {
                units = units.wrapping_add(differences.uvarint()?);
                out.push(time(units));
            }
        }
        _ => return Err(Corrupt("unknown form of times")),
    }
    if out.first() == Some(&range.start) && out.last() == Some(&range.end) && out.is_sorted() {
        Ok(())
    } else {
        Err(Corrupt("times out of order"))
    }
}

/// The greatest common divisor.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    // Nothing is to be found any more, and most clocks are too fine for anything to be found.
    if a == 1 {
        return 1;
    }
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
