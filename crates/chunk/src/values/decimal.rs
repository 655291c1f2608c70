//! Values that are decimal integers: `i / 10^e`, for the smallest e that gives all of them
//! back to the bit.
//!
//! A byte (bits 0-4: e; bit 5: a common factor; bit 6: strays), with bit 5 the factor and
//! the base (value = i * factor + base), with bit 6 the strays: their count, and for each
//! the values skipped since the one before and 8 bytes. Then the integers (`integers.rs`).
//! Strays are values that are no decimals (a stale marker, an infinity) among others that are.

use super::POWERS_OF_TEN;
use crate::{
    Corrupt, Cursor,
    cursor::{put_ivarint, put_uvarint},
    integers,
};

const FACTOR: u8 = 0x20;
const STRAYS: u8 = 0x40;
const EXPONENT: u8 = 0x1f;
const MAX_EXPONENT: usize = 17;

/// Adding this rounds a float of at most 51 bits to an integer and leaves that in the low
/// bits; unlike a cast it is done for several values at once.
const MAGIC: f64 = 6_755_399_441_055_744.0;
const LIMIT: f64 = 2_251_799_813_685_248.0;

pub(super) struct Decimals {
    integers: Vec<i64>,
    exponent: usize,
    strays: Vec<(usize, f64)>,
}

impl Decimals {
    /// `None` when too many values are no decimals.
    pub(super) fn find(values: &[f64]) -> Option<Self> {
        let mut found = Self { integers: vec![0; values.len()], exponent: 0, strays: Vec::new() };
        let mut at = 0;
        for block in values.chunks(64) {
            let end = at + block.len();
            if !scale(block, found.exponent, &mut found.integers[at..end]) {
                found.one_by_one(block, at)?;
                if found.strays.len() > values.len() / 16 + 1 {
                    return None;
                }
            }
            at = end;
        }
        Some(found)
    }

    fn one_by_one(&mut self, block: &[f64], start: usize) -> Option<()> {
        for (at, value) in (start..).zip(block) {
            let highest = if *value == 0.0 || !value.is_finite() { self.exponent } else { MAX_EXPONENT };
            let fit = (self.exponent..=highest).find_map(|e| Some((e, to_integer(*value, e)?)));
            match fit {
                Some((exponent, integer)) => {
                    if exponent > self.exponent {
                        self.rescale(exponent, at)?;
                    }
                    self.integers[at] = integer;
                }
                None => {
                    self.strays.push((at, *value));
                    self.integers[at] = if at > 0 { self.integers[at - 1] } else { 0 };
                }
            }
        }
        Some(())
    }

    /// `i / 10^e` and `10i / 10^(e+1)` round to the same float, as long as all are exact.
    fn rescale(&mut self, exponent: usize, until: usize) -> Option<()> {
        let factor = 10i64.pow((exponent - self.exponent) as u32);
        for integer in &mut self.integers[..until] {
            *integer = integer.checked_mul(factor).filter(|i| i.unsigned_abs() < LIMIT as u64)?;
        }
        self.exponent = exponent;
        Some(())
    }

    pub(super) fn encode(mut self, out: &mut Vec<u8>) {
        let (base, factor) = (self.integers[0], common_factor(&self.integers));
        let factor_flag = if factor > 1 { FACTOR } else { 0 };
        let strays_flag = if self.strays.is_empty() { 0 } else { STRAYS };
        out.push(self.exponent as u8 | factor_flag | strays_flag);
        if factor > 1 {
            put_uvarint(out, factor);
            put_ivarint(out, base);
            for integer in &mut self.integers {
                *integer = (*integer - base) / factor as i64;
            }
        }
        if !self.strays.is_empty() {
            put_uvarint(out, self.strays.len() as u64);
            let mut next = 0;
            for (at, value) in &self.strays {
                put_uvarint(out, (at - next) as u64);
                out.extend_from_slice(&value.to_bits().to_le_bytes());
                next = at + 1;
            }
        }
        integers::encode(&self.integers, out);
    }
}

/// All of a block at once; false if one of them is no integer at this scale.
#[inline]
fn scale(values: &[f64], exponent: usize, integers: &mut [i64]) -> bool {
    if exponent == 0 {
        return scale_by::<false>(values, 1.0, integers);
    }
    scale_by::<true>(values, POWERS_OF_TEN[exponent], integers)
}

#[inline]
fn scale_by<const SCALED: bool>(values: &[f64], power: f64, integers: &mut [i64]) -> bool {
    let mut wrong = 0;
    for (value, integer) in values.iter().zip(integers) {
        let scaled = if SCALED { value * power } else { *value };
        let rounded = scaled + MAGIC;
        let back = if SCALED { (rounded - MAGIC) / power } else { rounded - MAGIC };
        *integer = (rounded.to_bits() as i64).wrapping_sub(MAGIC.to_bits() as i64);
        let within = scaled.abs() < LIMIT;
        wrong |= (back.to_bits() ^ value.to_bits()) | u64::from(!within);
    }
    wrong == 0
}

fn to_integer(value: f64, exponent: usize) -> Option<i64> {
    let mut integer = [0];
    scale(&[value], exponent, &mut integer).then_some(integer[0])
}

/// The greatest common divisor of all differences; 0 if there are none.
fn common_factor(integers: &[i64]) -> u64 {
    let mut factor = 0u64;
    for pair in integers.windows(2) {
        let mut other = (pair[1] - pair[0]).unsigned_abs();
        while other != 0 {
            (factor, other) = (other, factor % other);
        }
        if factor == 1 {
            break;
        }
    }
    factor
}

#[inline]
pub(super) fn decode(input: &mut Cursor<'_>, count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    let head = input.byte()?;
    let power = *POWERS_OF_TEN.get((head & EXPONENT) as usize).ok_or(Corrupt("scale out of bounds"))?;
    let (mut factor, mut base) = (1, 0);
    if head & FACTOR != 0 {
        factor = input.uvarint()? as i64;
        base = input.ivarint()?;
    }
    let strays = if head & STRAYS != 0 { input.count(count)? } else { 0 };
    let start = out.len();
    let mut stray_input = input.clone();
    for _ in 0..strays {
        input.uvarint()?;
        input.take(8)?;
    }
    let exact = |i: i64| f64::from_bits(i.wrapping_add(MAGIC.to_bits() as i64) as u64) - MAGIC;
    integers::decode(input, count, |some| match (power == 1.0, factor) {
        (true, 1) => out.extend(some.iter().map(|i| exact(*i))),
        (false, 1) => out.extend(some.iter().map(|i| exact(*i) / power)),
        _ => out.extend(some.iter().map(|i| exact(i.wrapping_mul(factor).wrapping_add(base)) / power)),
    })?;
    let mut next = 0usize;
    for _ in 0..strays {
        next += stray_input.count(count)?;
        let value = f64::from_le_bytes(stray_input.array()?);
        *out[start..].get_mut(next).ok_or(Corrupt("stray out of bounds"))? = value;
        next += 1;
    }
    Ok(())
}
