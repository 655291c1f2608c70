//! From exponential histograms to native ones.
//!
//! Bucket `i` of OTLP has the bounds of bucket `i + 1` of Prometheus, and the zero bucket the width that
//! Prometheus gives it: <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#exponential-histograms>

use super::points::MAX_BUCKETS;
use crate::write::wire::{Reader, WireError, zigzag};
use model::{Buckets, CounterResetHint, Histogram, Span, stale_nan};

/// Schemas of native histograms.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

/// Prometheus's, whatever the sender's is.
const ZERO_THRESHOLD: f64 = 1e-128;

/// Empty buckets between two others that are still written out.
const MAX_GAP: i64 = 2;

/// Buckets as they are sent: counts side by side from an offset.
#[derive(Default)]
struct Dense {
    offset: i32,
    counts: Vec<u64>,
}

#[derive(Default)]
struct Point {
    start: u64,
    time: u64,
    count: u64,
    sum: f64,
    scale: i32,
    zero_count: u64,
    positive: Dense,
    negative: Dense,
    flags: u64,
}

/// Reads a data point: when it started and its time in nanoseconds, and the histogram or the reason why it
/// cannot be one.
pub fn read(message: &[u8]) -> Result<(u64, u64, Result<Histogram, String>), WireError> {
    let point = read_point(message)?;
    Ok((point.start, point.time, histogram(&point)))
}

fn histogram(point: &Point) -> Result<Histogram, String> {
    let (lowest, highest) = (*SCHEMAS.start(), *SCHEMAS.end());
    if point.scale < lowest {
        let scale = point.scale;
        return Err(format!(
            "cannot convert exponential to native histogram: scale must be >= {lowest}, was {scale}"
        ));
    }
    let merge = point.scale.saturating_sub(highest).clamp(0, 31);
    let (positive_spans, positive) = sparse(&point.positive, merge);
    let (negative_spans, negative) = sparse(&point.negative, merge);
    let recorded = point.flags & 1 == 0;
    let count = if recorded { point.count } else { 0 };
    Ok(Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: point.scale.min(highest),
        zero_threshold: ZERO_THRESHOLD,
        sum: if recorded { point.sum } else { stale_nan() },
        positive_spans,
        negative_spans,
        buckets: Buckets::Integer { count, zero_count: point.zero_count, positive, negative },
        custom_values: Vec::new(),
    })
}

/// Spans and deltas of the buckets, of which 2 to the power of `merge` become one.
fn sparse(dense: &Dense, merge: i32) -> (Vec<Span>, Vec<i64>) {
    let mut merged: Vec<(i64, u64)> = Vec::new();
    for (i, count) in dense.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let index = ((i64::from(dense.offset) + i as i64) >> merge) + 1;
        match merged.last_mut() {
            Some((last, sum)) if *last == index => *sum = sum.saturating_add(*count),
            _ => merged.push((index, *count)),
        }
    }
    let (mut spans, mut deltas) = (Vec::<Span>::new(), Vec::new());
    let (mut next, mut last_count) = (0_i64, 0_u64);
    for (index, count) in merged {
        let gap = index - next;
        match spans.last_mut() {
            Some(span) if gap <= MAX_GAP => {
                for _ in 0..gap {
                    deltas.push(0_i64.wrapping_sub_unsigned(last_count));
                    last_count = 0;
                    span.length += 1;
                }
                span.length += 1;
            }
            // The first offset counts from bucket 0, others from the end of the span before.
            _ => spans.push(Span { offset: i32::try_from(gap).unwrap_or(i32::MAX), length: 1 }),
        }
        deltas.push((count as i64).wrapping_sub(last_count as i64));
        (next, last_count) = (index + 1, count);
    }
    (spans, deltas)
}

fn read_point(message: &[u8]) -> Result<Point, WireError> {
    let mut point = Point::default();
    let mut reader = Reader::new(message);
    while let Some((field, v)) = reader.field()? {
        match field {
            2 => point.start = v.fixed64(2)?,
            3 => point.time = v.fixed64(3)?,
            4 => point.count = v.fixed64(4)?,
            5 => point.sum = v.double(5)?,
            6 => point.scale = zigzag(v.varint(6)?) as i32,
            7 => point.zero_count = v.fixed64(7)?,
            8 => point.positive = read_buckets(v.bytes(8)?)?,
            9 => point.negative = read_buckets(v.bytes(9)?)?,
            10 => point.flags = v.varint(10)?,
            _ => {}
        }
    }
    Ok(point)
}

fn read_buckets(message: &[u8]) -> Result<Dense, WireError> {
    let mut dense = Dense::default();
    let mut many = false;
    let mut reader = Reader::new(message);
    while let Some((field, v)) = reader.field()? {
        match field {
            1 => dense.offset = zigzag(v.varint(1)?) as i32,
            2 => v.varints(2, |count| {
                many |= dense.counts.len() >= MAX_BUCKETS;
                if !many {
                    dense.counts.push(count);
                }
            })?,
            _ => {}
        }
    }
    if many { Err(WireError::Histogram("too many buckets")) } else { Ok(dense) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(offset: i32, counts: &[u64], merge: i32) -> (Vec<(i32, u32)>, Vec<i64>) {
        let (spans, deltas) = sparse(&Dense { offset, counts: counts.to_vec() }, merge);
        (spans.iter().map(|s| (s.offset, s.length)).collect(), deltas)
    }

    #[test]
    fn buckets_move_up_by_one_and_gaps_are_left_out() {
        assert_eq!(spans(0, &[], 0), (vec![], vec![]));
        assert_eq!(spans(-3, &[1, 2, 2], 0), (vec![(-2, 3)], vec![1, 1, 0]));
        assert_eq!(spans(0, &[4, 0, 0, 1], 0), (vec![(1, 4)], vec![4, -4, 0, 1]));
        assert_eq!(spans(0, &[0, 4, 0, 0, 0, 1], 0), (vec![(2, 1), (3, 1)], vec![4, -3]));
        assert_eq!(spans(0, &[1, 2, 3, 4, 0], 1), (vec![(1, 2)], vec![3, 4]));
        assert_eq!(spans(-1, &[1, 2, 3], 1), (vec![(0, 2)], vec![1, 4]));
    }

    #[test]
    fn extreme_numbers_are_taken() {
        let (spans, deltas) = spans(i32::MAX, &[u64::MAX, u64::MAX], 31);
        assert_eq!((spans.len(), deltas.len()), (1, 2));
        assert!(histogram(&Point { scale: i32::MAX, ..Point::default() }).is_ok());
        assert!(histogram(&Point { scale: -5, ..Point::default() }).is_err());
    }
}
