//! Chunks against golden bytes and against a reader written from the format's description.

use super::*;
use model::Histogram;
use proptest::prelude::*;

/// Reads bits, highest first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> u64 {
        (0..count).fold(0, |value, _| {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            self.at += 1;
            value << 1 | u64::from(bit)
        })
    }

    fn ones(&mut self, max: u32) -> u32 {
        (0..max).take_while(|_| self.take(1) == 1).count() as u32
    }

    fn signed(&mut self, bits: u32) -> i64 {
        let raw = self.take(bits);
        if (1..64).contains(&bits) && raw > 1 << (bits - 1) { raw as i64 - (1 << bits) } else { raw as i64 }
    }

    fn uvarint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.take(8);
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn value(&mut self, last: u64, window: &mut (u32, u32)) -> u64 {
        if self.take(1) == 0 {
            return last;
        }
        if self.take(1) == 1 {
            let leading = self.take(5) as u32;
            let significant = match self.take(6) as u32 {
                0 => 64,
                n => n,
            };
            *window = (leading, 64 - leading - significant);
        }
        last ^ self.take(64 - window.0 - window.1) << window.1
    }
}

fn read_floats(data: &[u8]) -> (Vec<i64>, Vec<u64>) {
    let count = u16::from_be_bytes([data[0], data[1]]);
    let mut bits = Bits { bytes: data, at: 16 };
    let (mut times, mut values) = (Vec::new(), Vec::new());
    let (mut t, mut delta, mut v, mut window) = (0i64, 0i64, 0u64, (0, 0));
    for i in 0..count {
        match i {
            0 => {
                let raw = bits.uvarint();
                t = (raw >> 1) as i64 ^ -((raw & 1) as i64);
                v = bits.take(64);
            }
            1 => delta = bits.uvarint() as i64,
            _ => {
                let size = [0, 14, 17, 20, 64][bits.ones(4) as usize];
                delta = delta.wrapping_add(bits.signed(size));
            }
        }
        if i > 0 {
            t = t.wrapping_add(delta);
            v = bits.value(v, &mut window);
        }
        times.push(t);
        values.push(v);
    }
    (times, values)
}

#[test]
fn a_float_chunk_has_these_bytes() {
    let chunk = floats(&[1000, 16_000, 31_000, 46_001], &[1.0, 1.0, 2.0, 2.5]);
    assert_eq!((chunk.min_time_ms, chunk.max_time_ms, chunk.encoding), (1000, 46_001, XOR));
    // 4 samples; 1000 zigzag; 1.0; delta 15000; value the same; then bits.
    let head = [0, 4, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x98, 0x75];
    assert_eq!(chunk.data[..14], head);
    assert_eq!(read_floats(&chunk.data).1.len(), 4);
}

#[test]
fn a_histogram_chunk_has_these_bytes() {
    let sample = crate::tests::fixture::native_histogram(0);
    let chunk = histogram(&sample);
    assert_eq!(chunk.encoding, HISTOGRAM);
    // One sample, no counter reset, a threshold that is no power of two.
    assert_eq!(chunk.data[..4], [0, 1, 0x40, 255]);
    let mut bits = Bits { bytes: &chunk.data, at: 32 };
    assert_eq!(f64::from_bits(bits.take(64)), 0.001);
    let sizes = [0, 3, 6, 9, 12, 18, 25, 56, 64];
    let mut read = |signed: bool| {
        let size = sizes[bits.ones(8) as usize];
        if signed { bits.signed(size) } else { bits.take(size) as i64 }
    };
    assert_eq!(read(true), 1, "schema");
    assert_eq!(
        [read(false), read(false), read(true), read(false), read(true)],
        [2, 2, 0, 1, 1],
        "positive spans"
    );
    assert_eq!(read(false), 0, "negative spans");
    assert_eq!([read(true), read(false), read(false)], [0, 9, 2], "time, count, zero count");
    assert_eq!(f64::from_bits(bits.take(64)), 18.5);
    let mut read = || {
        let size = sizes[bits.ones(8) as usize];
        bits.signed(size)
    };
    assert_eq!([read(), read(), read()], [1, 2, -1]);
}

#[test]
fn of_a_stale_histogram_only_the_sum_is_kept() {
    let mut sample = crate::tests::fixture::native_histogram(0);
    sample.histogram = Histogram { sum: model::stale_nan(), ..sample.histogram };
    let chunk = histogram(&sample);
    // Threshold 0; schema, both numbers of spans, time and both counts one zero bit each.
    assert_eq!(chunk.data, [0, 1, 0x40, 0, 0b0000_0001, 0xff, 0xc0, 0, 0, 0, 0, 0, 0b0000_1000]);
}

#[test]
fn powers_of_two_are_one_byte_of_threshold() {
    let code = |t: f64| {
        let mut out = BitWriter::default();
        threshold(&mut out, t);
        out.into_bytes()[0]
    };
    let two = |exponent: i32| 2f64.powi(exponent);
    assert_eq!([code(0.0), code(two(-128)), code(two(-243)), code(two(10))], [0, 116, 1, 254]);
    assert_eq!([code(two(11)), code(two(-244)), code(0.3), code(-1.0), code(5e-324)], [255; 5]);
}

proptest! {
    #[test]
    fn any_floats_read_back(
        start: i64,
        deltas in prop::collection::vec(prop_oneof![Just(15_000i64), -9000i64..9000, 0i64..2_000_000, any::<i64>()], 0..119),
        bits in prop::collection::vec(prop_oneof![Just(0x3ff0_0000_0000_0000u64), any::<u64>(), 0u64..16], 120),
    ) {
        let times: Vec<i64> = std::iter::once(start)
            .chain(deltas.iter().scan(start, |t, d| { *t = t.wrapping_add(*d); Some(*t) }))
            .collect();
        let values: Vec<f64> = bits[..times.len()].iter().map(|b| f64::from_bits(*b)).collect();
        let chunk = floats(&times, &values);
        prop_assert_eq!(read_floats(&chunk.data), (times.clone(), bits[..times.len()].to_vec()));
    }
}
