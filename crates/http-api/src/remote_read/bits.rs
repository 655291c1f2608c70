//! Bit by bit writing as Prometheus's chunks want it, with their variable-length integers.

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
