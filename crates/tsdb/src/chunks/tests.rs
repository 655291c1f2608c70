//! Chunks against golden bytes, against a writer made from the format's description, and broken.

use super::{write::threshold, *};
use crate::bits::{BitReader, BitWriter};
use model::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, Histogram, HistogramSample, Span};
use proptest::prelude::*;

fn read_floats(data: &[u8]) -> (Vec<i64>, Vec<u64>) {
    let (mut times, mut values) = (Vec::new(), Vec::new());
    decode_floats(data, &mut times, &mut values).unwrap();
    (times, values.into_iter().map(f64::to_bits).collect())
}

fn read_histograms(encoding: Encoding, data: &[u8]) -> Vec<HistogramSample> {
    let mut out = Vec::new();
    decode_histograms(encoding, data, &mut out).unwrap();
    out
}

#[test]
fn a_float_chunk_has_these_bytes() {
    let (times, values) = ([1000, 16_000, 31_000, 46_001], [1.0, 1.0, 2.0, 2.5]);
    let chunk = encode_floats(&times, &values);
    assert_eq!((chunk.min_time, chunk.max_time, chunk.encoding), (1000, 46_001, Encoding::Xor));
    // 4 samples; 1000 zigzag; 1.0; delta 15000; value the same; then bits.
    let head = [0, 4, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x98, 0x75];
    assert_eq!(chunk.data[..14], head);
    assert_eq!(read_floats(&chunk.data), (times.to_vec(), values.map(f64::to_bits).to_vec()));
}

fn histogram_at(timestamp: i64) -> HistogramSample {
    let histogram = Histogram {
        counter_reset_hint: CounterResetHint::NotReset,
        schema: 1,
        zero_threshold: 0.001,
        sum: 18.5,
        positive_spans: vec![Span { offset: 0, length: 2 }, Span { offset: 1, length: 1 }],
        negative_spans: Vec::new(),
        buckets: Buckets::Integer { count: 9, zero_count: 2, positive: vec![1, 2, -1], negative: Vec::new() },
        custom_values: Vec::new(),
    };
    HistogramSample { timestamp, histogram }
}

#[test]
fn a_histogram_chunk_has_these_bytes() {
    let chunk = encode_histogram(&histogram_at(0));
    assert_eq!(chunk.encoding, Encoding::Histogram);
    // One sample, no counter reset, a threshold that is no power of two.
    assert_eq!(chunk.data[..4], [0, 1, 0x40, 255]);
    let mut bits = BitReader::new(&chunk.data[4..]);
    assert_eq!(f64::from_bits(bits.bits(64).unwrap()), 0.001);
    assert_eq!(bits.varbit_int().unwrap(), 1, "schema");
    let mut spans = Vec::new();
    let count = bits.varbit_uint().unwrap();
    (0..count).for_each(|_| spans.push((bits.varbit_uint().unwrap(), bits.varbit_int().unwrap())));
    assert_eq!(spans, [(2, 0), (1, 1)], "positive spans");
    assert_eq!(bits.varbit_uint().unwrap(), 0, "negative spans");
    let counts =
        [bits.varbit_int().unwrap() as u64, bits.varbit_uint().unwrap(), bits.varbit_uint().unwrap()];
    assert_eq!(counts, [0, 9, 2], "time, count, zero count");
    assert_eq!(f64::from_bits(bits.bits(64).unwrap()), 18.5);
    assert_eq!([(); 3].map(|()| bits.varbit_int().unwrap()), [1, 2, -1]);
    // That a chunk began without a reset says nothing of its first histogram.
    let mut expected = histogram_at(0);
    expected.histogram.counter_reset_hint = CounterResetHint::Unknown;
    assert_eq!(read_histograms(chunk.encoding, &chunk.data), [expected]);
}

#[test]
fn of_a_stale_histogram_only_the_sum_is_kept() {
    let mut sample = histogram_at(0);
    sample.histogram.sum = model::stale_nan();
    let chunk = encode_histogram(&sample);
    // Threshold 0; schema, both numbers of spans, time and both counts one zero bit each.
    assert_eq!(chunk.data, [0, 1, 0x40, 0, 0b0000_0001, 0xff, 0xc0, 0, 0, 0, 0, 0, 0b0000_1000]);
    let read = read_histograms(chunk.encoding, &chunk.data);
    assert!(model::is_stale(read[0].histogram.sum) && read[0].histogram.positive_spans.is_empty());
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

/// A chunk of several histograms, written by hand as chunks.md describes it.
fn three_histograms() -> Vec<u8> {
    let mut out = BitWriter::after(vec![0, 3, 0b1000_0000]);
    out.bits(116, 8); // Threshold 2^-128.
    out.varbit_int(0); // Schema.
    out.varbit_uint(1); // Positive spans: one of 2 at 3.
    out.varbit_uint(2);
    out.varbit_int(3);
    out.varbit_uint(1); // Negative spans: one of 1 at -1.
    out.varbit_uint(1);
    out.varbit_int(-1);
    // At 1000: 10 observations, 1 in the zero bucket, 5 and 2 in the positive ones, 2 in the negative one.
    out.varbit_int(1000);
    out.varbit_uint(10);
    out.varbit_uint(1);
    out.float(7.5);
    [5, -3, 2].into_iter().for_each(|bucket| out.varbit_int(bucket));
    // At 16,000: 14 observations; the differences, and of the sum, which is the same, one bit.
    [15_000, 4, 0].into_iter().for_each(|delta| out.varbit_int(delta));
    out.bits(0, 1);
    [1, 2, 0].into_iter().for_each(|delta| out.varbit_int(delta));
    // At 31,001: 16 observations; what changes of the differences. The sum is 15.0: one exponent bit more.
    [1, -2, 1].into_iter().for_each(|change| out.varbit_int(change));
    let xor = 7.5f64.to_bits() ^ 15f64.to_bits();
    out.bits(0b11, 2);
    out.bits(u64::from(xor.leading_zeros()), 5);
    out.bits(u64::from(64 - xor.leading_zeros() - xor.trailing_zeros()), 6);
    out.bits(xor >> xor.trailing_zeros(), 64 - xor.leading_zeros() - xor.trailing_zeros());
    [-1, 0, 1].into_iter().for_each(|change| out.varbit_int(change));
    out.into_bytes()
}

#[test]
fn differences_of_histograms_are_summed_up() {
    let data = three_histograms();
    let golden = [
        0, 3, 0x80, 0x74, 0x46, 0x53, 0x8c, 0x6f, 0xe3, 0xe8, 0xc5, 0x45, 0, 0x78, 0, 0, 0, 0, 0, 3, 0x0b,
        0x59, 0x7c, 0x1d, 0x4c, 0x50, 0x8c, 0x91, 0xb4, 0x75, 5, 0xdd, 0x10,
    ];
    assert_eq!(data, golden);
    let found = read_histograms(Encoding::Histogram, &data);
    let expected = [
        (1000, CounterResetHint::Reset, 10, 1, 7.5, [5, -3], 2),
        (16_000, CounterResetHint::NotReset, 14, 1, 7.5, [6, -1], 2),
        (31_001, CounterResetHint::NotReset, 16, 2, 15.0, [6, 1], 3),
    ];
    assert_eq!(found.len(), 3);
    for (found, (timestamp, hint, count, zero_count, sum, positive, negative)) in found.iter().zip(expected) {
        let HistogramSample { timestamp: at, histogram } = found;
        assert_eq!((*at, histogram.counter_reset_hint, histogram.sum), (timestamp, hint, sum));
        let buckets =
            Buckets::Integer { count, zero_count, positive: positive.to_vec(), negative: vec![negative] };
        assert_eq!(histogram.buckets, buckets);
        assert_eq!((histogram.schema, histogram.zero_threshold), (0, 2f64.powi(-128)));
        assert_eq!(histogram.positive_spans, [Span { offset: 3, length: 2 }]);
        assert_eq!(histogram.negative_spans, [Span { offset: -1, length: 1 }]);
    }
}

#[test]
fn float_counts_and_custom_bounds_are_read() {
    let mut out = BitWriter::after(vec![0, 2, 0b1100_0000]);
    out.bits(0, 8);
    out.varbit_int(i64::from(CUSTOM_BUCKETS_SCHEMA));
    out.varbit_uint(1);
    out.varbit_uint(2);
    out.varbit_int(0);
    out.varbit_uint(0);
    // Bounds 0.25 and one that is no number of thousandths.
    out.varbit_uint(2);
    out.varbit_uint(251);
    out.bits(0, 1);
    out.float(1.0 / 3.0);
    out.varbit_int(-5);
    [3.5, 0.0, 2.25, 1.5, 2.0].into_iter().for_each(|float| out.float(float));
    // A stale marker ends with its sum.
    out.varbit_int(10);
    out.bits(0, 2);
    let xor = 2.25f64.to_bits() ^ model::STALE_NAN;
    out.bits(0b11, 2);
    out.bits(u64::from(xor.leading_zeros()), 5);
    out.bits(u64::from(64 - xor.leading_zeros() - xor.trailing_zeros()), 6);
    out.bits(xor >> xor.trailing_zeros(), 64 - xor.leading_zeros() - xor.trailing_zeros());
    let found = read_histograms(Encoding::FloatHistogram, &out.into_bytes());
    let first = &found[0].histogram;
    assert_eq!((found[0].timestamp, found[1].timestamp), (-5, 5));
    assert_eq!(first.custom_values, [0.25, 1.0 / 3.0]);
    assert_eq!(first.counter_reset_hint, CounterResetHint::Gauge);
    let buckets =
        Buckets::Float { count: 3.5, zero_count: 0.0, positive: vec![1.5, 2.0], negative: Vec::new() };
    assert_eq!(first.buckets, buckets);
    assert!(model::is_stale(found[1].histogram.sum));
    assert!(matches!(&found[1].histogram.buckets, Buckets::Float { positive, .. } if positive.is_empty()));
}

#[test]
fn a_broken_histogram_chunk_is_an_error_or_something_else_but_nothing_worse() {
    let good = three_histograms();
    for encoding in [Encoding::Histogram, Encoding::FloatHistogram, Encoding::Xor] {
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            let _ = decode_histograms(encoding, &flipped, &mut Vec::new());
        }
    }
    for end in 0..good.len() {
        assert!(decode_histograms(Encoding::Histogram, &good[..end], &mut Vec::new()).is_err(), "{end}");
    }
    // Spans that promise more buckets than there are bits.
    let mut out = BitWriter::after(vec![0xff, 0xff, 0]);
    out.bits(0, 8);
    out.varbit_int(0);
    out.varbit_uint(1);
    out.varbit_uint(u64::from(u32::MAX));
    out.varbit_int(0);
    out.varbit_uint(0);
    let error = decode_histograms(Encoding::Histogram, &out.into_bytes(), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("more buckets than there can be"), "{error}");
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
        let chunk = encode_floats(&times, &values);
        prop_assert_eq!(read_floats(&chunk.data), (times.clone(), bits[..times.len()].to_vec()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_floats(&data, &mut Vec::new(), &mut Vec::new());
        for encoding in [Encoding::Histogram, Encoding::FloatHistogram] {
            let _ = decode_histograms(encoding, &data, &mut Vec::new());
        }
    }
}
