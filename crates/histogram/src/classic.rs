//! Classic histograms, given by the counts of their `le` series, as native ones with custom buckets.

use crate::side::Layout;
use crate::{Buckets, CUSTOM_BUCKETS_SCHEMA, FloatHistogram};
use model::go_g;

/// Why series do not make a histogram.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ClassicError {
    #[error("bucket boundary must not be NaN")]
    NanBound,
    #[error("bucket count must be non-negative: le={}, count={}", go_g(*bound, None), go_g(*count, None))]
    NegativeBucketCount { bound: f64, count: f64 },
    #[error("count must be non-negative: count={}", go_g(*.0, None))]
    NegativeCount(f64),
    #[error("count is not cumulative: {} < {}", go_g(*count, None), go_g(*before, None))]
    NotCumulative { count: f64, before: f64 },
    #[error("count mismatch: count={} != le=+Inf count={}", go_g(*count, None), go_g(*infinite, None))]
    CountMismatch { count: f64, infinite: f64 },
}

/// The histogram with custom buckets that has the buckets of a classic one: `bounds_and_cumulative` are
/// upper bounds, in any order, and how many observations are up to them. Sorts them; of several with one
/// bound, the first counts.
///
/// Without a bucket to +Inf, there is one with all of `count`, which is that of the highest bucket if it is
/// not given. As in Prometheus, whole numbers give a layout that keeps up to two empty buckets between
/// others, as a histogram of integers would; else, none are kept.
pub fn from_classic(
    bounds_and_cumulative: &mut [(f64, f64)],
    sum: f64,
    count: Option<f64>,
) -> Result<FloatHistogram, ClassicError> {
    let mut buckets = cumulative_buckets(bounds_and_cumulative)?;
    let count = match count {
        Some(count) if count < 0.0 => return Err(ClassicError::NegativeCount(count)),
        Some(count) => count,
        None => buckets.last().map_or(0.0, |(_, count)| *count),
    };
    if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
        if let Some(&(_, before)) = buckets.last().filter(|(_, before)| count < *before) {
            return Err(ClassicError::NotCumulative { count, before });
        }
        buckets.push((f64::INFINITY, count));
    }
    match buckets.last() {
        Some(&(_, infinite)) if infinite != count => {
            return Err(ClassicError::CountMismatch { count, infinite });
        }
        _ => {}
    }
    let whole = is_whole(count) && buckets.iter().all(|(_, count)| is_whole(*count));
    let mut below = 0.0;
    let counts = buckets.iter().map(|(_, count)| count - std::mem::replace(&mut below, *count));
    Ok(FloatHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        positive: with_gaps(counts, if whole { 2 } else { 0 }),
        count,
        sum,
        custom_values: buckets
            .iter()
            .map(|(bound, _)| *bound)
            .filter(|bound| *bound != f64::INFINITY)
            .collect(),
        ..FloatHistogram::default()
    })
}

/// Sorted by bounds, none twice, no count below the one before.
fn cumulative_buckets(buckets: &mut [(f64, f64)]) -> Result<Vec<(f64, f64)>, ClassicError> {
    for &(bound, count) in buckets.iter() {
        if bound.is_nan() {
            return Err(ClassicError::NanBound);
        }
        if count < 0.0 {
            return Err(ClassicError::NegativeBucketCount { bound, count });
        }
    }
    buckets.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let mut sorted = buckets.to_vec();
    sorted.dedup_by(|next, kept| next.0 == kept.0);
    match sorted.windows(2).find(|pair| pair[1].1 < pair[0].1) {
        Some(pair) => Err(ClassicError::NotCumulative { count: pair[1].1, before: pair[0].1 }),
        None => Ok(sorted),
    }
}

/// Whether Go's conversion to int64 and back leaves it as it is.
fn is_whole(count: f64) -> bool {
    count.trunc() == count && count.abs() < 9_223_372_036_854_775_808.0
}

/// Adjacent buckets from index 0; gaps of more than `kept` empty ones, and those at the ends, are left out.
fn with_gaps(counts: impl Iterator<Item = f64>, kept: i32) -> Buckets {
    let (mut layout, mut all) = (Layout::default(), Vec::new());
    for (index, count) in (0..).zip(counts).filter(|(_, count)| *count != 0.0) {
        for empty in layout.gap(index).filter(|gap| *gap <= kept).map_or(0..0, |gap| index - gap..index) {
            layout.push(empty);
            all.push(0.0);
        }
        layout.push(index);
        all.push(count);
    }
    Buckets { spans: layout.spans, counts: all }
}

#[cfg(test)]
mod tests;
