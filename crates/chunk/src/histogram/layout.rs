//! What histograms of one series have in common until it changes: the bucket layout.
//!
//! A byte (1: float counts), the schema (zigzag varint), the zero threshold (8 bytes), the
//! positive and negative spans (a count, and for each the offset (zigzag) and the length),
//! the numbers of positive and negative buckets, the custom bounds (a count, 8 bytes each).

use crate::{
    Corrupt, Cursor, MAX_HISTOGRAM_ITEMS,
    cursor::{put_ivarint, put_uvarint},
};
use model::{Buckets, CounterResetHint, Histogram, Span};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) float: bool,
    schema: i32,
    /// Bits, so that even a NaN is equal to itself.
    zero_threshold: u64,
    positive_spans: Vec<Span>,
    negative_spans: Vec<Span>,
    positive: usize,
    negative: usize,
    custom_values: Vec<u64>,
}

impl Layout {
    pub(super) fn of(histogram: &Histogram) -> Self {
        let (float, positive, negative) = match &histogram.buckets {
            Buckets::Integer { positive, negative, .. } => (false, positive.len(), negative.len()),
            Buckets::Float { positive, negative, .. } => (true, positive.len(), negative.len()),
        };
        Self {
            float,
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold.to_bits(),
            positive_spans: histogram.positive_spans.clone(),
            negative_spans: histogram.negative_spans.clone(),
            positive,
            negative,
            custom_values: histogram.custom_values.iter().map(|v| v.to_bits()).collect(),
        }
    }

    /// Numbers that each sample has beside its sum.
    pub(super) fn counts(&self) -> usize {
        2 + self.positive + self.negative
    }

    /// What `histogram_items` gives for each sample.
    pub(super) fn items(&self) -> usize {
        let spans = self.positive_spans.len() + self.negative_spans.len();
        self.positive + self.negative + spans + self.custom_values.len()
    }

    pub(super) fn histogram(&self, hint: CounterResetHint, sum: f64, counts: &[u64]) -> Histogram {
        let (positive, negative) = counts[2..].split_at(self.positive);
        let (integers, floats) = (
            |counts: &[u64]| counts.iter().map(|c| *c as i64).collect(),
            |counts: &[u64]| counts.iter().map(|c| f64::from_bits(*c)).collect(),
        );
        let buckets = if self.float {
            Buckets::Float {
                count: f64::from_bits(counts[0]),
                zero_count: f64::from_bits(counts[1]),
                positive: floats(positive),
                negative: floats(negative),
            }
        } else {
            Buckets::Integer {
                count: counts[0],
                zero_count: counts[1],
                positive: integers(positive),
                negative: integers(negative),
            }
        };
        Histogram {
            counter_reset_hint: hint,
            schema: self.schema,
            zero_threshold: f64::from_bits(self.zero_threshold),
            sum,
            positive_spans: self.positive_spans.clone(),
            negative_spans: self.negative_spans.clone(),
            buckets,
            custom_values: self.custom_values.iter().map(|v| f64::from_bits(*v)).collect(),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.float));
        put_ivarint(out, i64::from(self.schema));
        out.extend_from_slice(&self.zero_threshold.to_le_bytes());
        for spans in [&self.positive_spans, &self.negative_spans] {
            put_uvarint(out, spans.len() as u64);
            for span in spans {
                put_ivarint(out, i64::from(span.offset));
                put_uvarint(out, u64::from(span.length));
            }
        }
        put_uvarint(out, self.positive as u64);
        put_uvarint(out, self.negative as u64);
        put_uvarint(out, self.custom_values.len() as u64);
        for value in &self.custom_values {
            out.extend_from_slice(&value.to_le_bytes());
        }
    }

    pub(super) fn decode(input: &mut Cursor<'_>) -> Result<Self, Corrupt> {
        let float = match input.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Corrupt("unknown kind of counts")),
        };
        let schema = i32::try_from(input.ivarint()?).map_err(|_| Corrupt("schema out of bounds"))?;
        let zero_threshold = u64::from_le_bytes(input.array()?);
        let (positive_spans, negative_spans) = (spans(input)?, spans(input)?);
        // Every bucket of the sample that follows takes a byte at least.
        let buckets = input.rest().len().min(MAX_HISTOGRAM_ITEMS);
        let (positive, negative) = (input.count(buckets)?, input.count(buckets)?);
        let custom = input.count(input.rest().len() / 8)?;
        let custom_values =
            (0..custom).map(|_| input.array().map(u64::from_le_bytes)).collect::<Result<_, _>>()?;
        Ok(Self {
            float,
            schema,
            zero_threshold,
            positive_spans,
            negative_spans,
            positive,
            negative,
            custom_values,
        })
    }
}

fn spans(input: &mut Cursor<'_>) -> Result<Vec<Span>, Corrupt> {
    let count = input.count(input.rest().len() / 2)?;
    let span = |_| {
        let offset = i32::try_from(input.ivarint()?).map_err(|_| Corrupt("span out of bounds"))?;
        let length = u32::try_from(input.uvarint()?).map_err(|_| Corrupt("span out of bounds"))?;
        Ok(Span { offset, length })
    };
    (0..count).map(span).collect()
}
