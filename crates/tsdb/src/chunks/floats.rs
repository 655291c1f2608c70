//! Reads chunks of floats.

use super::{XorFloat, counted};
use crate::{Corrupt, bits::BitReader};
use model::Timestamp;

/// Appends the samples of a chunk. On an error what was appended may be anything.
pub fn decode_floats(
    data: &[u8],
    timestamps: &mut Vec<Timestamp>,
    values: &mut Vec<f64>,
) -> Result<(), Corrupt> {
    let (count, rest) = counted(data)?;
    if count == 0 {
        return Ok(());
    }
    let mut input = BitReader::new(rest);
    let (mut time, mut delta) = (input.zigzag_varint()?, 0i64);
    let mut value = XorFloat::new(input.bits(64)?);
    timestamps.push(time);
    values.push(f64::from_bits(value.bits));
    for at in 1..count {
        delta = match at {
            1 => input.uvarint()? as i64,
            _ => delta.wrapping_add(change(&mut input)?),
        };
        time = time.wrapping_add(delta);
        timestamps.push(time);
        values.push(value.next(&mut input)?);
    }
    Ok(())
}

/// How a difference of timestamps differs from the one before.
#[inline]
fn change(input: &mut BitReader<'_>) -> Result<i64, Corrupt> {
    match input.ones(4)? {
        0 => Ok(0),
        1 => input.signed(14),
        2 => input.signed(17),
        3 => input.signed(20),
        _ => input.signed(64),
    }
}
