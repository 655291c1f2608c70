//! Classic histograms: quantiles and fractions from cumulative buckets.

use std::cmp::Ordering;

/// Relative differences below this between neighbouring buckets are taken for rounding
/// (Prometheus measured that real ones are larger).
const SMALL_DELTA: f64 = 1e-12;

/// A bucket of a classic histogram: how many observations are at most `upper_bound`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    pub upper_bound: f64,
    pub count: f64,
}

/// Where bucket counts fell with rising bounds and had to be lifted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForcedMonotonicity {
    pub min_bound: f64,
    pub max_bound: f64,
    pub max_diff: f64,
}

/// The value of an `le` label; `None` for what Go's `ParseFloat` refuses.
pub fn parse_bound(le: &str) -> Option<f64> {
    let bound: f64 = le.parse().ok()?;
    // Go refuses a finite number that does not fit, Rust makes it infinite.
    let says_infinite = le.as_bytes().iter().any(|b| b.eq_ignore_ascii_case(&b'i'));
    (bound.is_finite() || bound.is_nan() || says_infinite).then_some(bound)
}

/// The φ-quantile by linear interpolation in its bucket; reorders and repairs `buckets`.
///
/// The highest bucket has no upper end: its lower bound is the answer there. The lowest one
/// starts at 0 if its bound is positive, else its bound is the answer. NaN where there are
/// fewer than two buckets, none for +Inf, or no observations.
pub fn histogram_quantile(phi: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<ForcedMonotonicity>) {
    if phi.is_nan() {
        return (f64::NAN, None);
    }
    if !(0.0..=1.0).contains(&phi) {
        return (f64::INFINITY.copysign(phi), None);
    }
    if !sort_and_merge(buckets) {
        return (f64::NAN, None);
    }
    let forced = ensure_monotonic(buckets);
    (interpolate_quantile(phi, buckets), forced)
}

fn interpolate_quantile(phi: f64, buckets: &[Bucket]) -> f64 {
    let [finite @ .., highest] = buckets else { return f64::NAN };
    let Some(last_finite) = finite.last() else { return f64::NAN };
    if highest.count == 0.0 {
        return f64::NAN;
    }
    let rank = phi * highest.count;
    let at = finite.partition_point(|b| b.count.partial_cmp(&rank).is_none_or(Ordering::is_lt));
    let Some(bucket) = finite.get(at) else { return last_finite.upper_bound };
    if at == 0 && bucket.upper_bound <= 0.0 {
        return bucket.upper_bound;
    }
    let (start, below) = at.checked_sub(1).map_or((0.0, 0.0), |i| (finite[i].upper_bound, finite[i].count));
    start + (bucket.upper_bound - start) * ((rank - below) / (bucket.count - below))
}

/// The share of observations between two values; reorders and repairs `buckets`. NaN for no
/// +Inf bucket, no observations, or a bound that is NaN.
pub fn histogram_fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if !sort_and_merge(buckets) {
        return f64::NAN;
    }
    let total = buckets.last().map_or(0.0, |b| b.count);
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    // Not `min`, which would hide counts that are NaN.
    let share = |value| match rank_of(value, buckets) {
        rank if rank > total => total,
        rank => rank,
    };
    (share(upper) - share(lower)) / total
}

/// How many observations lie below `value`. A bucket without an end on one side is not
/// divided: +Inf counts from its start, -Inf as a whole.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let mut rank = 0.0;
    let mut start = match buckets.first() {
        Some(b) if b.upper_bound > 0.0 => 0.0,
        _ => f64::NEG_INFINITY,
    };
    for bucket in buckets {
        if start >= value {
            return rank;
        }
        if bucket.upper_bound > value {
            if start == f64::NEG_INFINITY {
                return bucket.count;
            }
            return rank + (bucket.count - rank) * (value - start) / (bucket.upper_bound - start);
        }
        (rank, start) = (bucket.count, bucket.upper_bound);
    }
    rank
}

/// Sorts by bound and adds up buckets of one bound; false if the highest is not +Inf.
fn sort_and_merge(buckets: &mut Vec<Bucket>) -> bool {
    buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
    if buckets.last().is_none_or(|b| b.upper_bound != f64::INFINITY) {
        return false;
    }
    buckets.dedup_by(|next, kept| {
        let same = next.upper_bound == kept.upper_bound;
        if same {
            kept.count += next.count;
        }
        same
    });
    true
}

/// Counts may fall where a scrape caught half an update, or by rounding. Rounding is
/// mended in silence, a real fall is lifted and reported.
fn ensure_monotonic(buckets: &mut [Bucket]) -> Option<ForcedMonotonicity> {
    let mut forced: Option<ForcedMonotonicity> = None;
    let mut previous = buckets.first()?.count;
    for bucket in buckets.iter_mut().skip(1) {
        if nearly_equal(previous, bucket.count) {
            bucket.count = previous;
        } else if bucket.count < previous {
            let (bound, diff) = (bucket.upper_bound, previous - bucket.count);
            forced = Some(match forced {
                None => ForcedMonotonicity { min_bound: bound, max_bound: bound, max_diff: diff },
                Some(f) => ForcedMonotonicity { max_bound: bound, max_diff: f.max_diff.max(diff), ..f },
            });
            bucket.count = previous;
        } else {
            previous = bucket.count;
        }
    }
    forced
}

fn nearly_equal(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return (a - b).abs() < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    (a - b).abs() / sum.min(f64::MAX) < SMALL_DELTA
}

#[cfg(test)]
mod tests;
