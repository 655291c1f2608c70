//! Sequences of integers as patched, bit-packed differences.
//!
//! A sequence is a byte (bit 7: second differences, else first; bits 0-6: the width in
//! bits), the first integer, with second differences the first difference, the count of
//! exceptions, the packed low bits of all residuals (zigzag, least significant bit first),
//! and for each exception the residuals skipped since the one before and its high bits.
//! (Patched frame of reference: Zukowski et al., "Super-Scalar RAM-CPU Cache Compression".)

use crate::{
    Corrupt,
    cursor::{Cursor, put_ivarint, put_uvarint, unzigzag, zigzag},
};

const SECOND_DIFFERENCES: u8 = 0x80;
const BLOCK: usize = 128;

/// How many residuals have each bit length.
struct Lengths([u32; 65]);

impl Lengths {
    #[inline]
    fn count(&mut self, residual: u64) {
        self.0[64 - residual.leading_zeros() as usize] += 1;
    }

    /// The width that takes the fewest bytes, and about how many those are.
    fn best_width(&self) -> (u32, usize) {
        let total: u32 = self.0.iter().sum();
        let used = || self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        let cost = |width: usize| {
            let longer = used().filter(|(bits, _)| *bits > width);
            // An exception costs a byte to skip to it and 7 high bits a byte.
            let exceptions: usize =
                longer.map(|(bits, n)| *n as usize * (1 + (bits - width).div_ceil(7))).sum();
            (total as usize * width).div_ceil(8) + exceptions
        };
        let widths = std::iter::once(0).chain(used().map(|(bits, _)| bits));
        widths.map(|width| (width as u32, cost(width))).min_by_key(|(_, cost)| *cost).unwrap_or((0, 0))
    }
}

/// Appends `integers`; differences wrap around. Their number is for the caller to keep.
pub(crate) fn encode(integers: &[i64], out: &mut Vec<u8>) {
    let [first, rest @ ..] = integers else { return };
    let (mut once, mut twice) = (Lengths([0; 65]), Lengths([0; 65]));
    let first_step = rest.first().map_or(0, |second| second.wrapping_sub(*first));
    let mut step = first_step;
    for pair in integers.windows(2) {
        let next = pair[1].wrapping_sub(pair[0]);
        once.count(zigzag(next));
        twice.count(zigzag(next.wrapping_sub(step)));
        step = next;
    }
    // The first of the second differences is none: it was counted as a zero.
    twice.0[0] = twice.0[0].saturating_sub(1);
    let ((width, cost), (second_width, second_cost)) = (once.best_width(), twice.best_width());
    if cost <= second_cost + 2 {
        out.push(width as u8);
        put_ivarint(out, *first);
        pack(width, out, integers.windows(2).map(|w| zigzag(w[1].wrapping_sub(w[0]))));
    } else {
        out.push(SECOND_DIFFERENCES | second_width as u8);
        put_ivarint(out, *first);
        put_ivarint(out, first_step);
        let second = |w: &[i64]| w[2].wrapping_sub(w[1]).wrapping_sub(w[1].wrapping_sub(w[0]));
        pack(second_width, out, integers.windows(3).map(|w| zigzag(second(w))));
    }
}

fn pack(width: u32, out: &mut Vec<u8>, residuals: impl Iterator<Item = u64> + Clone) {
    let (mut exceptions, mut count, mut skipped) = (Vec::new(), 0u64, 0u64);
    if width < 64 {
        for residual in residuals.clone() {
            if residual >> width == 0 {
                skipped += 1;
            } else {
                put_uvarint(&mut exceptions, skipped);
                put_uvarint(&mut exceptions, residual >> width);
                (count, skipped) = (count + 1, 0);
            }
        }
    }
    put_uvarint(out, count);
    if width > 0 {
        pack_bits(width, out, residuals);
    }
    out.extend_from_slice(&exceptions);
}

#[inline]
fn pack_bits(width: u32, out: &mut Vec<u8>, residuals: impl Iterator<Item = u64>) {
    let mask = u64::MAX >> (64 - width);
    let (mut word, mut filled) = (0u64, 0);
    for residual in residuals {
        let low = residual & mask;
        word |= low << filled;
        filled += width;
        if filled >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= 64;
            word = if filled == 0 { 0 } else { low >> (width - filled) };
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

/// Reads `count` integers and gives them away in order, some at a time.
#[inline]
pub(crate) fn decode(
    input: &mut Cursor<'_>,
    count: usize,
    mut give: impl FnMut(&[i64]),
) -> Result<(), Corrupt> {
    if count == 0 {
        return Ok(());
    }
    let head = input.byte()?;
    let (second, width) = (head & SECOND_DIFFERENCES != 0, u32::from(head & !SECOND_DIFFERENCES));
    if width > 64 {
        return Err(Corrupt("width out of bounds"));
    }
    let mut value = input.ivarint()?;
    let mut step = if second { input.ivarint()? } else { 0 };
    give(&[value]);
    let mut left = count - 1;
    if second && left > 0 {
        value = value.wrapping_add(step);
        give(&[value]);
        left -= 1;
    }
    let exceptions = input.count(if width == 64 { 0 } else { left })?;
    let packed = input.take((left * width as usize).div_ceil(8))?;
    let mut patches = Patches::new(input, exceptions, width)?;
    let (mut residuals, mut integers, mut at) = ([0u64; BLOCK], [0i64; BLOCK], 0);
    while at < left {
        let n = BLOCK.min(left - at);
        unpack_bits(packed, width, at, &mut residuals[..n]);
        patches.apply(at, &mut residuals[..n])?;
        for (integer, residual) in integers[..n].iter_mut().zip(&residuals) {
            let residual = unzigzag(*residual);
            if second {
                step = step.wrapping_add(residual);
                value = value.wrapping_add(step);
            } else {
                value = value.wrapping_add(residual);
            }
            *integer = value;
        }
        give(&integers[..n]);
        at += n;
    }
    patches.end()
}

/// Reads residuals `from` and on into all of `out`. `packed` holds at least those.
#[inline]
fn unpack_bits(packed: &[u8], width: u32, from: usize, out: &mut [u64]) {
    if width == 0 {
        return out.fill(0);
    }
    let mask = u64::MAX >> (64 - width);
    let mut bit = from * width as usize;
    for slot in out {
        let (at, shift) = (bit / 8, bit % 8);
        let word = match packed.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => packed[at..].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        let mut value = word >> shift;
        if shift + width as usize > 64 {
            value |= packed.get(at + 8).map_or(0, |byte| u64::from(*byte) << (64 - shift));
        }
        *slot = value & mask;
        bit += width as usize;
    }
}

/// The exceptions of one sequence, in order.
struct Patches<'i, 'a> {
    input: &'i mut Cursor<'a>,
    left: usize,
    width: u32,
    next: usize,
}

impl<'i, 'a> Patches<'i, 'a> {
    fn new(input: &'i mut Cursor<'a>, left: usize, width: u32) -> Result<Self, Corrupt> {
        let mut patches = Self { input, left, width, next: 0 };
        patches.skip(0)?;
        Ok(patches)
    }

    fn skip(&mut self, from: usize) -> Result<(), Corrupt> {
        self.next = match self.left {
            0 => usize::MAX,
            _ => from + self.input.count(crate::MAX_PAGE_SAMPLES)?,
        };
        Ok(())
    }

    #[inline]
    fn apply(&mut self, at: usize, block: &mut [u64]) -> Result<(), Corrupt> {
        while let Some(slot) = block.get_mut(self.next.wrapping_sub(at)) {
            *slot |= self.input.uvarint()? << self.width;
            self.left -= 1;
            self.skip(self.next + 1)?;
        }
        Ok(())
    }

    fn end(self) -> Result<(), Corrupt> {
        if self.left == 0 { Ok(()) } else { Err(Corrupt("exception out of bounds")) }
    }
}
