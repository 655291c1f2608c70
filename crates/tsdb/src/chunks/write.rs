//! Writes chunks, of which each stands on its own: what remote read streams.

use super::Encoding;
use crate::bits::{BitWriter, fits};
use model::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, HistogramSample, Span, Timestamp, is_stale};

/// Samples in one float chunk, as many as Prometheus itself aims at.
pub const CHUNK_SAMPLES: usize = 120;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedChunk {
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub encoding: Encoding,
    pub data: Vec<u8>,
}

/// One float chunk. `timestamps` and `values` are of one length, between 1 and
/// `CHUNK_SAMPLES`, and in order of time.
pub fn encode_floats(timestamps: &[Timestamp], values: &[f64]) -> EncodedChunk {
    let count = timestamps.len().min(values.len()) as u16;
    let mut out = BitWriter::after(count.to_be_bytes().to_vec());
    let (mut last_t, mut last_delta, mut window) = (0i64, 0i64, Window::default());
    for (i, (&t, &v)) in timestamps.iter().zip(values).enumerate() {
        let delta = t.wrapping_sub(last_t);
        match i {
            0 => {
                out.zigzag_varint(t);
                out.float(v);
            }
            1 => out.uvarint(delta as u64),
            _ => delta_of_delta(&mut out, delta.wrapping_sub(last_delta)),
        }
        if i > 0 {
            window.xor(&mut out, values[i - 1].to_bits() ^ v.to_bits());
        }
        (last_t, last_delta) = (t, delta);
    }
    EncodedChunk {
        min_time: timestamps.first().copied().unwrap_or_default(),
        max_time: timestamps.last().copied().unwrap_or_default(),
        encoding: Encoding::Xor,
        data: out.into_bytes(),
    }
}

fn delta_of_delta(out: &mut BitWriter, change: i64) {
    let (prefix, prefix_bits, bits) = match change {
        0 => return out.bits(0, 1),
        c if fits(c, 14) => (0b10, 2, 14),
        c if fits(c, 17) => (0b110, 3, 17),
        c if fits(c, 20) => (0b1110, 4, 20),
        _ => (0b1111, 4, 64),
    };
    out.bits(prefix, prefix_bits);
    out.bits(change as u64, bits);
}

/// The bits of a value that may differ from the value before it.
#[derive(Default)]
struct Window(Option<(u32, u32)>);

impl Window {
    fn xor(&mut self, out: &mut BitWriter, delta: u64) {
        if delta == 0 {
            return out.bits(0, 1);
        }
        out.bits(1, 1);
        // Five bits hold the number of leading zeros.
        let (leading, trailing) = (delta.leading_zeros().min(31), delta.trailing_zeros());
        if let Some((l, t)) = self.0.filter(|(l, t)| leading >= *l && trailing >= *t) {
            out.bits(0, 1);
            return out.bits(delta >> t, 64 - l - t);
        }
        self.0 = Some((leading, trailing));
        let significant = 64 - leading - trailing;
        out.bits(1, 1);
        out.bits(u64::from(leading), 5);
        // 64 does not fit into six bits; readers take 0 for it.
        out.bits(u64::from(significant & 63), 6);
        out.bits(delta >> trailing, significant);
    }
}

/// One native histogram as a chunk of its own. A second sample in the same chunk would have
/// to share its layout; alone, it always fits.
pub fn encode_histogram(sample: &HistogramSample) -> EncodedChunk {
    let h = &sample.histogram;
    let reset = match h.counter_reset_hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::NotReset => 0b0100_0000,
        CounterResetHint::Reset => 0b1000_0000,
        CounterResetHint::Gauge => 0b1100_0000,
    };
    let mut out = BitWriter::after(vec![0, 1, reset]);
    // Of a stale marker only the sum is kept.
    let stale = is_stale(h.sum);
    if stale {
        layout(&mut out, 0, 0.0, &[], &[], &[]);
    } else {
        layout(&mut out, h.schema, h.zero_threshold, &h.positive_spans, &h.negative_spans, &h.custom_values);
    }
    out.varbit_int(sample.timestamp);
    let encoding = match &h.buckets {
        Buckets::Integer { count, zero_count, positive, negative } => {
            out.varbit_uint(if stale { 0 } else { *count });
            out.varbit_uint(if stale { 0 } else { *zero_count });
            out.float(h.sum);
            let buckets = positive.iter().chain(negative).filter(|_| !stale);
            buckets.for_each(|b| out.varbit_int(*b));
            Encoding::Histogram
        }
        Buckets::Float { count, zero_count, positive, negative } => {
            out.float(if stale { 0.0 } else { *count });
            out.float(if stale { 0.0 } else { *zero_count });
            out.float(h.sum);
            let buckets = positive.iter().chain(negative).filter(|_| !stale);
            buckets.for_each(|b| out.float(*b));
            Encoding::FloatHistogram
        }
    };
    EncodedChunk { min_time: sample.timestamp, max_time: sample.timestamp, encoding, data: out.into_bytes() }
}

fn layout(
    out: &mut BitWriter,
    schema: i32,
    zero_threshold: f64,
    positive: &[Span],
    negative: &[Span],
    custom: &[f64],
) {
    threshold(out, zero_threshold);
    out.varbit_int(i64::from(schema));
    for spans in [positive, negative] {
        out.varbit_uint(spans.len() as u64);
        for span in spans {
            out.varbit_uint(u64::from(span.length));
            out.varbit_int(i64::from(span.offset));
        }
    }
    if schema == CUSTOM_BUCKETS_SCHEMA {
        out.varbit_uint(custom.len() as u64);
        custom.iter().for_each(|bound| custom_bound(out, *bound));
    }
}

/// Zero is 0; a power of two from 2^-243 to 2^10 is a number from 1 to 254; any other
/// threshold is 255 and its bits.
pub(super) fn threshold(out: &mut BitWriter, threshold: f64) {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = threshold.to_bits();
    let code = (bits >> 52) as i64 - 1023 + 244;
    if bits == 0 {
        out.bits(0, 8);
    } else if bits & MANTISSA == 0 && (1..=254).contains(&code) {
        out.bits(code as u64, 8);
    } else {
        out.bits(255, 8);
        out.float(threshold);
    }
}

/// Whole thousandths up to 33,554.43 as a number, other bounds as a zero bit and their bits.
fn custom_bound(out: &mut BitWriter, bound: f64) {
    let thousandths = (bound * 1000.0).round();
    if (0.0..=33_554_430.0).contains(&(bound * 1000.0)) && thousandths / 1000.0 == bound {
        out.varbit_uint(thousandths as u64 + 1);
    } else {
        out.bits(0, 1);
        out.float(bound);
    }
}
