//! Varints, and reading bytes that may be cut short or wrong.

use crate::Corrupt;

/// Maps small numbers of either sign to small unsigned ones.
#[inline]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends a LEB128 varint: 7 bits a byte, least significant first.
#[inline]
pub fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number as the varint of its zigzag form.
#[inline]
pub fn put_ivarint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, zigzag(value));
}

/// Appends the bytes of `bits` between its leading and trailing zero bytes, behind a byte
/// that counts both. Suits the XOR of two floats.
pub(crate) fn put_trimmed(out: &mut Vec<u8>, bits: u64) {
    let leading = bits.leading_zeros() as usize / 8;
    let trailing = if bits == 0 { 0 } else { bits.trailing_zeros() as usize / 8 };
    out.push((leading as u8) << 4 | trailing as u8);
    out.extend_from_slice(&bits.to_be_bytes()[leading..8 - trailing]);
}

/// Reads from the front of a slice.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that are still unread.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub fn byte(&mut self) -> Result<u8, Corrupt> {
        let (first, rest) = self.rest.split_first().ok_or(Corrupt("cut short"))?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Corrupt("cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Corrupt("cut short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub fn uvarint(&mut self) -> Result<u64, Corrupt> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Corrupt("varint too long"))
    }

    #[inline]
    pub fn ivarint(&mut self) -> Result<i64, Corrupt> {
        self.uvarint().map(unzigzag)
    }

    /// A varint that counts something of which there are at most `max`.
    pub fn count(&mut self, max: usize) -> Result<usize, Corrupt> {
        let count = self.uvarint()?;
        if count > max as u64 { Err(Corrupt("count out of bounds")) } else { Ok(count as usize) }
    }

    pub(crate) fn trimmed(&mut self) -> Result<u64, Corrupt> {
        let head = self.byte()?;
        let (leading, trailing) = ((head >> 4) as usize, (head & 15) as usize);
        if leading + trailing > 8 {
            return Err(Corrupt("impossible float"));
        }
        let mut bytes = [0; 8];
        bytes[leading..8 - trailing].copy_from_slice(self.take(8 - leading - trailing)?);
        Ok(u64::from_be_bytes(bytes))
    }
}
