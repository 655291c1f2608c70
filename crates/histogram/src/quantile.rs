//! Quantiles, shares and the variance of what a histogram observed.

use crate::compensated::add_compensated;
use crate::{Bucket, FloatHistogram};

/// What observations of NaN did to a result. They are in the count and make the sum NaN, but are in no
/// bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NanNote {
    /// The quantile lies among them: it is NaN.
    NanResult,
    /// They shift the result: a quantile is too high, as they count as higher than all numbers; a share
    /// leaves them out of the observations between the bounds, but not out of all.
    NanSkew,
}

impl FloatHistogram {
    /// The φ-quantile: -Inf below 0, +Inf above 1, NaN for NaN or without observations.
    ///
    /// Within a bucket, observations are taken as spread evenly, on a logarithmic scale if it is
    /// exponential; the zero bucket reaches only to the side of zero on which there are buckets, if there
    /// are on one. A first custom bucket begins at 0 or, if it ends there or below, is its upper bound; the
    /// last is its lower bound.
    pub fn quantile(&self, phi: f64) -> (f64, Option<NanNote>) {
        if !(0.0..=1.0).contains(&phi) && !phi.is_nan() {
            return (f64::INFINITY.copysign(phi), None);
        }
        if self.count == 0.0 || phi.is_nan() {
            return (f64::NAN, None);
        }
        // From the nearer end, where less rounding adds up. NaN have the upper ranks, but no buckets, so
        // with them, ranks can only be counted from below.
        if self.sum.is_nan() || phi < 0.5 {
            self.value_at_rank(self.buckets(), phi * self.count, true)
        } else {
            self.value_at_rank(self.buckets_descending(), (1.0 - phi) * self.count, false)
        }
    }

    fn value_at_rank(
        &self,
        mut buckets: impl Iterator<Item = Bucket>,
        rank: f64,
        from_below: bool,
    ) -> (f64, Option<NanNote>) {
        let (mut bucket, mut seen) = (Bucket::default(), 0.0);
        for next in buckets.by_ref() {
            bucket = next;
            seen += next.count;
            if next.count != 0.0 && seen >= rank {
                break;
            }
        }
        if self.uses_custom_buckets() {
            match (bucket.lower, bucket.upper) {
                (f64::NEG_INFINITY, ..=0.0) => return (bucket.upper, None),
                (f64::NEG_INFINITY, _) => bucket.lower = 0.0,
                (lower, f64::INFINITY) => return (lower, None),
                _ => {}
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            bucket = self.on_side_with_buckets(bucket);
        }
        // By rounding, buckets may hold more than the count.
        seen = if seen > self.count { self.count } else { seen };
        if seen < rank {
            let nan = self.sum.is_nan();
            return if nan { (f64::NAN, Some(NanNote::NanResult)) } else { (bucket.upper, None) };
        }
        let within = if from_below { rank - (seen - bucket.count) } else { seen - rank };
        let mut note = None;
        if self.sum.is_nan() {
            // The sum is NaN for +Inf and -Inf, too; then all are in buckets. That the value is looked for
            // in the last bucket from here on looks like an oversight, but is what Prometheus does.
            for next in buckets {
                bucket = next;
                seen += next.count;
            }
            note = (seen < self.count).then_some(NanNote::NanSkew);
        }
        (self.value_in(&bucket, within / bucket.count), note)
    }

    fn value_in(&self, bucket: &Bucket, fraction: f64) -> f64 {
        if self.uses_custom_buckets() || bucket.contains_zero() {
            return bucket.lower + (bucket.upper - bucket.lower) * fraction;
        }
        let [lower, upper] = [bucket.lower, bucket.upper].map(|bound| bound.abs().log2());
        if bucket.lower > 0.0 {
            (lower + (upper - lower) * fraction).exp2()
        } else {
            -(upper + (lower - upper) * (1.0 - fraction)).exp2()
        }
    }

    /// A bucket around zero, cut at zero if all other buckets are on one side.
    fn on_side_with_buckets(&self, mut bucket: Bucket) -> Bucket {
        match (self.negative.counts.is_empty(), self.positive.counts.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
        bucket
    }

    /// The share of observations between two values, 0 to 1; NaN if either is NaN or without observations.
    /// Observations are taken as spread in buckets as for a quantile.
    pub fn fraction(&self, lower: f64, upper: f64) -> (f64, Option<NanNote>) {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return (f64::NAN, None);
        }
        if lower >= upper {
            return (0.0, None);
        }
        let (mut rank, mut seen) = (0.0, 0.0);
        let mut ranks = [None, None];
        let mut buckets = self.buckets();
        for bucket in buckets.by_ref() {
            seen += bucket.count;
            for (value, found) in [lower, upper].into_iter().zip(&mut ranks) {
                *found = found.or_else(|| self.rank_from(&bucket, value, rank));
            }
            if ranks.iter().all(Option::is_some) {
                break;
            }
            rank += bucket.count;
        }
        let mut note = None;
        if self.sum.is_nan() {
            seen = buckets.fold(seen, |seen, bucket| seen + bucket.count);
            note = (seen < self.count).then_some(NanNote::NanSkew);
        } else {
            seen = self.count;
        }
        // Not `min`, which would hide ranks that are NaN.
        let [lower, upper] = ranks.map(|rank| match rank {
            Some(rank) if rank > seen => seen,
            Some(rank) => rank,
            None => seen,
        });
        ((upper - lower) / self.count, note)
    }

    /// How many observations lie below `value` if `before` do before `bucket`; none if it is beyond it.
    fn rank_from(&self, bucket: &Bucket, value: f64, before: f64) -> Option<f64> {
        let around_zero = bucket.contains_zero();
        let bucket = if around_zero { self.on_side_with_buckets(*bucket) } else { *bucket };
        if bucket.lower >= value {
            return Some(before);
        }
        if bucket.upper <= value {
            return None;
        }
        let linear = self.uses_custom_buckets() || around_zero;
        if linear && bucket.lower == f64::NEG_INFINITY {
            return Some(bucket.count);
        }
        Some(before + bucket.count * bucket.fraction_below(value, linear))
    }

    /// The variance of the observations, with all of a bucket in its middle: at its geometric mean, or its
    /// arithmetic mean if it is a custom one, or at zero in the zero bucket. In squares of their unit.
    pub fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let (mut sum, mut lost) = (0.0, 0.0);
        for bucket in self.buckets().filter(|bucket| bucket.count != 0.0) {
            let middle = if self.uses_custom_buckets() {
                (bucket.upper + bucket.lower) / 2.0
            } else if bucket.contains_zero() {
                0.0
            } else {
                (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
            };
            let delta = middle - mean;
            add_compensated(&mut sum, &mut lost, bucket.count * delta * delta);
        }
        (sum + lost) / self.count
    }
}

#[cfg(test)]
mod tests;
