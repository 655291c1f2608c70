//! Columns of numbers in a record: runs of equal steps, and values beside their bases.

use chunk::{Corrupt, Cursor, put_uvarint};

/// The most samples one record holds; runs make the count independent of the bytes.
pub const MAX_SAMPLES: usize = 1 << 22;

const SINGLE: u64 = 0;
const RUN: u64 = 1;
/// The step is too large for the varint; 8 bytes follow.
const WIDE: u64 = 2;

/// Appends numbers as steps, each with how often it comes: `varint(zigzag(step) << 2 | tag)`,
/// behind which a run has its length less 2.
pub fn put_runs(out: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let (mut last, mut step, mut length) = (0i64, 0i64, 0u64);
    for number in numbers {
        let next = number.wrapping_sub(last);
        last = number;
        if next == step && length > 0 {
            length += 1;
            continue;
        }
        put_run(out, step, length);
        (step, length) = (next, 1);
    }
    put_run(out, step, length);
}

fn put_run(out: &mut Vec<u8>, step: i64, length: u64) {
    let zigzag = ((step << 1) ^ (step >> 63)) as u64;
    match length {
        0 => {}
        _ if zigzag >= 1 << 62 => {
            for _ in 0..length {
                put_uvarint(out, WIDE);
                out.extend_from_slice(&step.to_le_bytes());
            }
        }
        1 => put_uvarint(out, zigzag << 2 | SINGLE),
        _ => {
            put_uvarint(out, zigzag << 2 | RUN);
            put_uvarint(out, length - 2);
        }
    }
}

pub fn read_runs(
    rest: &mut Cursor<'_>,
    count: usize,
    mut each: impl FnMut(i64) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    let (mut last, mut read) = (0i64, 0);
    while read < count {
        let token = rest.uvarint()?;
        let zigzag = token >> 2;
        let mut step = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        let length = match token & 3 {
            SINGLE => 1,
            RUN => rest.count(count - read)? + 2,
            WIDE => {
                step = i64::from_le_bytes(rest.array()?);
                1
            }
            _ => return Err(Corrupt("unknown run")),
        };
        if length > count - read {
            return Err(Corrupt("run too long"));
        }
        for _ in 0..length {
            last = last.wrapping_add(step);
            each(last)?;
        }
        read += length;
    }
    Ok(())
}

const LONGEST_SAME: usize = 128;
const INTEGER: u8 = 0x80;
const FLOAT: u8 = 0xc0;

/// Appends the bits of values, each beside its base:
///
/// | token | meaning |
/// |---|---|
/// | `0nnnnnnn` | n + 1 values equal to their bases |
/// | `1000nnnn` | the value is an integer, as is the base: n bytes of the zigzag difference |
/// | `11lllttt` | the XOR of both, without l leading and t trailing zero bytes |
pub fn put_values(out: &mut Vec<u8>, values: impl Iterator<Item = (u64, u64)>) {
    let mut same = 0;
    for (value, base) in values {
        if value == base {
            same += 1;
            if same == LONGEST_SAME {
                out.push((same - 1) as u8);
                same = 0;
            }
            continue;
        }
        if same > 0 {
            out.push((same - 1) as u8);
            same = 0;
        }
        put_value(out, value, base);
    }
    if same > 0 {
        out.push((same - 1) as u8);
    }
}

#[inline]
fn put_value(out: &mut Vec<u8>, value: u64, base: u64) {
    if let (Some(value), Some(base)) = (integer(value), integer(base)) {
        let step = value - base;
        let zigzag = ((step << 1) ^ (step >> 63)) as u64;
        let bytes = 8 - zigzag.leading_zeros() as usize / 8;
        out.push(INTEGER | bytes as u8);
        out.extend_from_slice(&zigzag.to_le_bytes()[..bytes]);
        return;
    }
    let xor = value ^ base;
    // Not zero, so there are at most 7 zero bytes on either side.
    let (leading, trailing) = (xor.leading_zeros() as usize / 8, xor.trailing_zeros() as usize / 8);
    out.push(FLOAT | (leading as u8) << 3 | trailing as u8);
    out.extend_from_slice(&xor.to_le_bytes()[trailing..8 - leading]);
}

/// The integer that is this float to the bit.
#[inline]
fn integer(bits: u64) -> Option<i64> {
    let value = f64::from_bits(bits);
    let integer = value as i64;
    ((integer as f64).to_bits() == bits && integer.unsigned_abs() < 1 << 53).then_some(integer)
}

/// Appends one value for each base.
pub fn read_values(rest: &mut Cursor<'_>, bases: &[u64], out: &mut Vec<u64>) -> Result<(), Corrupt> {
    let mut left = bases;
    while let Some((&base, behind)) = left.split_first() {
        let token = rest.byte()?;
        if token < INTEGER {
            let (same, behind) =
                left.split_at_checked(token as usize + 1).ok_or(Corrupt("run of values too long"))?;
            out.extend_from_slice(same);
            left = behind;
            continue;
        }
        left = behind;
        let mut bytes = [0; 8];
        if token < FLOAT {
            let count = (token & 15) as usize;
            let taken = rest.take(count)?;
            bytes.get_mut(..count).ok_or(Corrupt("integer too long"))?.copy_from_slice(taken);
            let zigzag = u64::from_le_bytes(bytes);
            let step = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
            let value = (f64::from_bits(base) as i64).wrapping_add(step);
            out.push((value as f64).to_bits());
        } else {
            let (leading, trailing) = ((token >> 3 & 7) as usize, (token & 7) as usize);
            let end = 8 - leading;
            let place = bytes.get_mut(trailing..end).ok_or(Corrupt("impossible float"))?;
            place.copy_from_slice(rest.take(end - trailing)?);
            out.push(u64::from_le_bytes(bytes) ^ base);
        }
    }
    Ok(())
}
