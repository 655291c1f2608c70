//! Bit by bit, as Prometheus's chunks want it, with their variable-length integers.

use crate::Corrupt;

/// Bytes that are filled from the highest bit on.
#[derive(Clone, Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// Bits that are free in the last byte.
    free: u32,
}

/// How many bits of payload follow how many ones and a zero in a variable-length integer:
/// none after `0`, 3 after `10`, 6 after `110`, and so on (tsdb/chunkenc/varbit.go).
const PAYLOADS: [u32; 7] = [3, 6, 9, 12, 18, 25, 56];

impl BitWriter {
    /// Starts behind whole bytes that are there already.
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes the lowest `count` bits of `value`, highest first.
    pub fn bits(&mut self, value: u64, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let take = self.free.min(count);
            count -= take;
            self.free -= take;
            let part = (value >> count) & ((1 << take) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part << self.free) as u8;
            }
        }
    }

    pub fn float(&mut self, value: f64) {
        self.bits(value.to_bits(), 64);
    }

    pub fn varbit_int(&mut self, value: i64) {
        self.varbit(value as u64, value == 0, |bits| fits(value, bits));
    }

    pub fn varbit_uint(&mut self, value: u64) {
        self.varbit(value, value == 0, |bits| value >> bits == 0);
    }

    fn varbit(&mut self, value: u64, zero: bool, fits: impl Fn(u32) -> bool) {
        if zero {
            return self.bits(0, 1);
        }
        for (ones, bits) in (1..).zip(PAYLOADS) {
            if fits(bits) {
                self.bits((1 << (ones + 1)) - 2, ones + 1);
                return self.bits(value, bits);
            }
        }
        self.bits(0xff, 8);
        self.bits(value, 64);
    }

    /// A protobuf varint, from the next bit on.
    pub fn uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bits(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.bits(value, 8);
    }

    pub fn zigzag_varint(&mut self, value: i64) {
        self.uvarint((value as u64) << 1 ^ (value >> 63) as u64);
    }
}

/// Reads bits, the highest of each byte first.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits that are still unread, those that fill up the last byte included.
    pub fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// The next `count` bits, at most 64.
    #[inline]
    pub fn bits(&mut self, count: u32) -> Result<u64, Corrupt> {
        if count == 0 {
            return Ok(0);
        }
        if count as usize > self.left() {
            return Err(Corrupt("a chunk is cut short"));
        }
        let (first, used) = (self.at / 8, (self.at % 8) as u32);
        self.at += count as usize;
        let rest = &self.bytes[first..];
        let word = match rest.first_chunk() {
            Some(word) => u64::from_be_bytes(*word),
            None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)) << (64 - 8 * rest.len()),
        };
        let word = word << used;
        if used + count <= 64 {
            return Ok(word >> (64 - count));
        }
        // What lies in a ninth byte.
        let more = used + count - 64;
        Ok(word >> (64 - count) | u64::from(rest[8] >> (8 - more)))
    }

    /// How many ones come before the next zero, which is read, too; `max` without a zero.
    #[inline]
    pub fn ones(&mut self, max: u32) -> Result<u32, Corrupt> {
        let mut ones = 0;
        while ones < max && self.bits(1)? == 1 {
            ones += 1;
        }
        Ok(ones)
    }

    /// A number of so many bits, which reaches one further up than down.
    #[inline]
    pub fn signed(&mut self, count: u32) -> Result<i64, Corrupt> {
        let raw = self.bits(count)?;
        let negative = count < 64 && raw > 1 << (count - 1);
        Ok(if negative { raw.wrapping_sub(1 << count) as i64 } else { raw as i64 })
    }

    pub fn varbit_int(&mut self) -> Result<i64, Corrupt> {
        match self.ones(8)? {
            0 => Ok(0),
            ones => self.signed(payload(ones)),
        }
    }

    pub fn varbit_uint(&mut self) -> Result<u64, Corrupt> {
        match self.ones(8)? {
            0 => Ok(0),
            ones => self.bits(payload(ones)),
        }
    }

    /// A varint, from the next bit on.
    pub fn uvarint(&mut self) -> Result<u64, Corrupt> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bits(8)?;
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Corrupt("a varint is too long"))
    }

    pub fn zigzag_varint(&mut self) -> Result<i64, Corrupt> {
        let raw = self.uvarint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }
}

/// Bits behind so many ones, at least one.
fn payload(ones: u32) -> u32 {
    PAYLOADS.get(ones as usize - 1).copied().unwrap_or(64)
}

/// Whether Prometheus's chunks hold `value` in so many bits: unlike two's complement they
/// reach one further up than down.
pub fn fits(value: i64, bits: u32) -> bool {
    let top = 1i64 << (bits - 1);
    -top < value && value <= top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_at_any_offset() {
        for before in 0..9 {
            let mut w = BitWriter::default();
            w.bits(0, before);
            let values = [0, 1, -1, 4, -3, 5, 32, -31, 33, 1 << 40, i64::MIN, i64::MAX];
            for value in values {
                w.varbit_int(value);
                w.varbit_uint(value as u64);
                w.zigzag_varint(value);
                w.bits(value as u64, 64);
            }
            let bytes = w.into_bytes();
            let mut r = BitReader::new(&bytes);
            assert_eq!(r.bits(before).unwrap(), 0);
            for value in values {
                assert_eq!((r.varbit_int().unwrap(), r.varbit_uint().unwrap()), (value, value as u64));
                assert_eq!((r.zigzag_varint().unwrap(), r.bits(64).unwrap()), (value, value as u64));
            }
            assert!(r.left() < 8 && r.bits(8).is_err());
        }
    }

    #[test]
    fn bits_are_laid_from_the_top() {
        let mut w = BitWriter::after(vec![0xaa]);
        w.bits(0b101, 3);
        w.bits(0x1ff, 9);
        w.bits(0, 1);
        w.bits(u64::MAX, 64);
        let mut expected = vec![0xaa, 0b1011_1111, 0b1111_0111];
        expected.extend([0xff; 7]);
        expected.push(0b1111_1000);
        assert_eq!(w.into_bytes(), expected);
    }

    #[test]
    fn variable_length_integers_take_the_first_size_that_fits() {
        let size = |v: i64| {
            let mut w = BitWriter::default();
            w.varbit_int(v);
            w.bytes.len() as u32 * 8 - w.free
        };
        let cases = [(0, 1), (1, 5), (4, 5), (-3, 5), (5, 9), (-4, 9), (32, 9), (33, 13), (131_072, 24)];
        for (v, bits) in cases.into_iter().chain([(i64::MAX, 72), (i64::MIN, 72), (1 << 55, 64)]) {
            assert_eq!(size(v), bits, "{v}");
        }
        let mut w = BitWriter::default();
        w.varbit_int(-3);
        assert_eq!(w.into_bytes(), [0b1010_1000]);
        let mut w = BitWriter::default();
        w.varbit_uint(7);
        assert_eq!(w.into_bytes(), [0b1011_1000]);
    }
}
