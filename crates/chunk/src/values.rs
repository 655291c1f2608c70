//! Pages of float values, each in the form that suits it, without loss of a bit.
//!
//! | byte | what follows |
//! |---|---|
//! | 1 | one integer (zigzag varint): all values |
//! | 2 | 8 bytes: the bits of all values |
//! | 3 | decimal integers: see `decimal.rs` |
//! | 4 | the bits, mapped so that they order as the floats do, as in `integers.rs` |

mod decimal;

use crate::{Corrupt, Cursor, MAX_PAGE_SAMPLES, cursor::put_ivarint, integers};

const CONSTANT_INTEGER: u8 = 1;
const CONSTANT: u8 = 2;
const DECIMAL: u8 = 3;
const ORDERED_BITS: u8 = 4;

/// Powers of ten that a float holds exactly.
pub(crate) const POWERS_OF_TEN: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// Appends a page of at most `MAX_PAGE_SAMPLES` values. Their number is for the caller to
/// keep.
pub fn encode_values(values: &[f64], out: &mut Vec<u8>) {
    let Some(first) = values.first().map(|v| v.to_bits()) else { return };
    if values.iter().fold(0, |all, v| all | (v.to_bits() ^ first)) == 0 {
        return encode_constant(f64::from_bits(first), out);
    }
    if let Some(decimals) = decimal::Decimals::find(values) {
        out.push(DECIMAL);
        return decimals.encode(out);
    }
    out.push(ORDERED_BITS);
    let ordered: Vec<i64> = values.iter().map(|v| order(v.to_bits())).collect();
    integers::encode(&ordered, out);
}

/// Appends the `count` values of a page. On an error `out` may have grown.
pub fn decode_values(page: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    if count > MAX_PAGE_SAMPLES {
        return Err(Corrupt("too many samples"));
    }
    if count == 0 {
        return Ok(());
    }
    let mut input = Cursor::new(page);
    let codec = input.byte()?;
    out.reserve(count);
    match codec {
        CONSTANT_INTEGER => {
            let value = input.ivarint()? as f64;
            out.resize(out.len() + count, value);
        }
        CONSTANT => {
            let value = f64::from_le_bytes(input.array()?);
            out.resize(out.len() + count, value);
        }
        DECIMAL => decimal::decode(&mut input, count, out)?,
        ORDERED_BITS => integers::decode(&mut input, count, |some| {
            out.extend(some.iter().map(|i| f64::from_bits(unorder(*i))));
        })?,
        _ => return Err(Corrupt("unknown codec of values")),
    }
    Ok(())
}

fn encode_constant(value: f64, out: &mut Vec<u8>) {
    let integer = value as i64;
    if (integer as f64).to_bits() == value.to_bits() && integer.unsigned_abs() < 1 << 48 {
        out.push(CONSTANT_INTEGER);
        put_ivarint(out, integer);
    } else {
        out.push(CONSTANT);
        out.extend_from_slice(&value.to_bits().to_le_bytes());
    }
}

/// Maps a float's bits to an integer of the same order.
fn order(bits: u64) -> i64 {
    let signed = bits as i64;
    if signed < 0 { signed ^ i64::MAX } else { signed }
}

fn unorder(ordered: i64) -> u64 {
    (if ordered < 0 { ordered ^ i64::MAX } else { ordered }) as u64
}

#[cfg(test)]
mod tests;
