//! Reads chunks of native histograms, with integer or with float counts.
//!
//! All histograms of a chunk have one layout. The first one is written as it is; of times and integer counts
//! follow the changes of their differences, of floats what differs in their bits.

use super::{Encoding, XorFloat, counted};
use crate::{Corrupt, bits::BitReader};
use model::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, Histogram, HistogramSample, Span, is_stale};

/// Spans, buckets and custom bounds of all histograms of one chunk: what bounds the memory that they take.
const MAX_ITEMS: usize = 1 << 22;

/// Appends the histograms of a chunk of either encoding. On an error what was appended may be anything.
pub fn decode_histograms(
    encoding: Encoding,
    data: &[u8],
    out: &mut Vec<HistogramSample>,
) -> Result<(), Corrupt> {
    let (count, rest) = counted(data)?;
    let (flags, rest) = rest.split_first().ok_or(Corrupt("a chunk is cut short"))?;
    if count == 0 {
        return Ok(());
    }
    let mut input = BitReader::new(rest);
    let layout = Layout::read(&mut input)?;
    if layout.items().saturating_mul(usize::from(count)) > MAX_ITEMS {
        return Err(Corrupt("a chunk of too many buckets"));
    }
    let mut time = Count { value: input.varbit_int()?, delta: 0 };
    let mut counts = match encoding {
        Encoding::Xor => return Err(Corrupt("a chunk of floats among those of histograms")),
        Encoding::Histogram => Counts::integers(&mut input, &layout)?,
        Encoding::FloatHistogram => Counts::floats(&mut input, &layout)?,
    };
    for at in 0..count {
        if at > 0 {
            time.next(&mut input)?;
            counts.next(&mut input)?;
        }
        let histogram = layout.histogram(hint(*flags, at), &counts);
        out.push(HistogramSample { timestamp: time.value, histogram });
    }
    Ok(())
}

/// As Prometheus tells it. That a chunk was begun without a reset says nothing of its first histogram, as the
/// chunk before it may be gone.
fn hint(flags: u8, at: u16) -> CounterResetHint {
    match flags >> 6 {
        0b11 => CounterResetHint::Gauge,
        _ if at > 0 => CounterResetHint::NotReset,
        0b10 => CounterResetHint::Reset,
        _ => CounterResetHint::Unknown,
    }
}

struct Layout {
    schema: i32,
    zero_threshold: f64,
    positive_spans: Vec<Span>,
    negative_spans: Vec<Span>,
    positive: usize,
    negative: usize,
    custom_values: Vec<f64>,
}

impl Layout {
    fn read(input: &mut BitReader<'_>) -> Result<Self, Corrupt> {
        let zero_threshold = zero_threshold(input)?;
        let schema = i32::try_from(input.varbit_int()?).unwrap_or(i32::MAX);
        if !(-4..=8).contains(&schema) && schema != CUSTOM_BUCKETS_SCHEMA {
            return Err(Corrupt("a histogram with an unknown schema"));
        }
        let (positive_spans, positive) = spans(input)?;
        let (negative_spans, negative) = spans(input)?;
        let custom_values = match schema {
            CUSTOM_BUCKETS_SCHEMA => custom_values(input)?,
            _ => Vec::new(),
        };
        // Each bucket of the first histogram takes a bit at least.
        if positive + negative > input.left() {
            return Err(Corrupt("more buckets than there can be"));
        }
        Ok(Self { schema, zero_threshold, positive_spans, negative_spans, positive, negative, custom_values })
    }

    fn items(&self) -> usize {
        let spans = self.positive_spans.len() + self.negative_spans.len();
        spans + self.positive + self.negative + self.custom_values.len()
    }

    fn histogram(&self, counter_reset_hint: CounterResetHint, counts: &Counts) -> Histogram {
        let sum = f64::from_bits(counts.sum().bits);
        if is_stale(sum) {
            return stale(sum, counts);
        }
        Histogram {
            counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            sum,
            positive_spans: self.positive_spans.clone(),
            negative_spans: self.negative_spans.clone(),
            buckets: counts.buckets(self.positive),
            custom_values: self.custom_values.clone(),
        }
    }
}

/// Of a stale marker nothing counts but that it is one.
fn stale(sum: f64, counts: &Counts) -> Histogram {
    let buckets = match counts {
        Counts::Integers { .. } => {
            Buckets::Integer { count: 0, zero_count: 0, positive: Vec::new(), negative: Vec::new() }
        }
        Counts::Floats { .. } => {
            Buckets::Float { count: 0.0, zero_count: 0.0, positive: Vec::new(), negative: Vec::new() }
        }
    };
    Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 0,
        zero_threshold: 0.0,
        sum,
        positive_spans: Vec::new(),
        negative_spans: Vec::new(),
        buckets,
        custom_values: Vec::new(),
    }
}

/// Zero is 0; a number from 1 to 254 is a power of two from 2^-243 to 2^10; behind 255 come the bits.
fn zero_threshold(input: &mut BitReader<'_>) -> Result<f64, Corrupt> {
    Ok(match input.bits(8)? {
        0 => 0.0,
        255 => f64::from_bits(input.bits(64)?),
        code => f64::from_bits((code + 1023 - 244) << 52),
    })
}

/// Spans, and the number of their buckets.
fn spans(input: &mut BitReader<'_>) -> Result<(Vec<Span>, usize), Corrupt> {
    let count = input.varbit_uint()?;
    // A span takes two bits at least.
    if count > input.left() as u64 / 2 {
        return Err(Corrupt("more spans than there can be"));
    }
    let (mut spans, mut buckets) = (Vec::with_capacity(count as usize), 0usize);
    for _ in 0..count {
        let length = u32::try_from(input.varbit_uint()?).map_err(|_| Corrupt("a span is too long"))?;
        let offset = i32::try_from(input.varbit_int()?).map_err(|_| Corrupt("a span is too far"))?;
        buckets = buckets.saturating_add(length as usize);
        spans.push(Span { offset, length });
    }
    Ok((spans, buckets))
}

/// Thousandths plus one as a number, or behind a zero bit the bits.
fn custom_values(input: &mut BitReader<'_>) -> Result<Vec<f64>, Corrupt> {
    let count = input.varbit_uint()?;
    if count > input.left() as u64 {
        return Err(Corrupt("more bounds than there can be"));
    }
    let one = |_| match input.varbit_uint()? {
        0 => input.bits(64).map(f64::from_bits),
        thousandths => Ok((thousandths - 1) as f64 / 1000.0),
    };
    (0..count).map(one).collect()
}

/// A number that is stored by how much its difference to the one before has changed.
#[derive(Clone, Copy, Debug)]
struct Count {
    value: i64,
    delta: i64,
}

impl Count {
    fn next(&mut self, input: &mut BitReader<'_>) -> Result<(), Corrupt> {
        self.delta = self.delta.wrapping_add(input.varbit_int()?);
        self.value = self.value.wrapping_add(self.delta);
        Ok(())
    }
}

/// What changes from histogram to histogram. Positive buckets come before negative ones.
enum Counts {
    Integers { count: Count, zero_count: Count, sum: XorFloat, buckets: Vec<Count> },
    Floats { count: XorFloat, zero_count: XorFloat, sum: XorFloat, buckets: Vec<XorFloat> },
}

impl Counts {
    fn integers(input: &mut BitReader<'_>, layout: &Layout) -> Result<Self, Corrupt> {
        let unsigned = |value: u64| Count { value: value as i64, delta: 0 };
        let (count, zero_count) = (unsigned(input.varbit_uint()?), unsigned(input.varbit_uint()?));
        let sum = XorFloat::new(input.bits(64)?);
        let buckets = 0..layout.positive + layout.negative;
        let buckets = buckets.map(|_| Ok(Count { value: input.varbit_int()?, delta: 0 }));
        Ok(Self::Integers { count, zero_count, sum, buckets: buckets.collect::<Result<_, _>>()? })
    }

    fn floats(input: &mut BitReader<'_>, layout: &Layout) -> Result<Self, Corrupt> {
        let mut float = || input.bits(64).map(XorFloat::new);
        let (count, zero_count, sum) = (float()?, float()?, float()?);
        let buckets = (0..layout.positive + layout.negative).map(|_| float()).collect::<Result<_, _>>()?;
        Ok(Self::Floats { count, zero_count, sum, buckets })
    }

    fn sum(&self) -> &XorFloat {
        let (Self::Integers { sum, .. } | Self::Floats { sum, .. }) = self;
        sum
    }

    fn next(&mut self, input: &mut BitReader<'_>) -> Result<(), Corrupt> {
        match self {
            Self::Integers { count, zero_count, sum, buckets } => {
                count.next(input)?;
                zero_count.next(input)?;
                // A stale marker ends with its sum.
                if !is_stale(sum.next(input)?) {
                    buckets.iter_mut().try_for_each(|bucket| bucket.next(input))?;
                }
            }
            Self::Floats { count, zero_count, sum, buckets } => {
                count.next(input)?;
                zero_count.next(input)?;
                if !is_stale(sum.next(input)?) {
                    buckets.iter_mut().try_for_each(|bucket| bucket.next(input).map(drop))?;
                }
            }
        }
        Ok(())
    }

    fn buckets(&self, positive: usize) -> Buckets {
        match self {
            Self::Integers { count, zero_count, buckets, .. } => {
                let values = |buckets: &[Count]| buckets.iter().map(|bucket| bucket.value).collect();
                let (positive, negative) = buckets.split_at(positive);
                Buckets::Integer {
                    count: count.value as u64,
                    zero_count: zero_count.value as u64,
                    positive: values(positive),
                    negative: values(negative),
                }
            }
            Self::Floats { count, zero_count, buckets, .. } => {
                let float = |float: &XorFloat| f64::from_bits(float.bits);
                let (positive, negative) = buckets.split_at(positive);
                Buckets::Float {
                    count: float(count),
                    zero_count: float(zero_count),
                    positive: positive.iter().map(float).collect(),
                    negative: negative.iter().map(float).collect(),
                }
            }
        }
    }
}
