//! A histogram of only those observations that are below, or above, a value.

use crate::{Bucket, FloatHistogram};

impl FloatHistogram {
    /// Keeps the observations up to `bound`, PromQL's `</`. Of the bucket around `bound`, it keeps the part
    /// below, taking observations as spread as for a quantile. The count and the sum are estimated anew
    /// from the middles of buckets if anything was removed, and the histogram is compacted.
    ///
    /// A bucket without an end on one side is not divided: what lies across `bound` in one up to +Inf is
    /// removed, in one from -Inf kept if it ends at zero or below; one that ends above zero is taken to
    /// begin at zero.
    pub fn trim_upper(&mut self, bound: f64) {
        self.trim(Kept::Below, bound);
    }

    /// Keeps the observations from `bound` on, PromQL's `>/`; like `trim_upper` otherwise. A bucket up to
    /// +Inf is kept whole; of one from -Inf, only what lies above a `bound` of zero or more can be kept.
    pub fn trim_lower(&mut self, bound: f64) {
        self.trim(Kept::Above, bound);
    }

    fn trim(&mut self, kept: Kept, at: f64) {
        let mut trim =
            Trim { kept, at, linear: self.uses_custom_buckets(), count: 0.0, sum: 0.0, changed: false };
        let positive =
            trim.side(self.positive.ascending().map(|(i, count)| self.positive_bucket(i, count)), 1.0);
        let negative =
            trim.side(self.negative.ascending().map(|(i, count)| self.negative_bucket(i, count)), -1.0);
        if !self.uses_custom_buckets() && self.zero_count > 0.0 {
            let populated = |counts: &[f64]| counts.iter().any(|count| *count != 0.0);
            let sides = (populated(&self.negative.counts), populated(&self.positive.counts));
            self.zero_count = trim.zero_bucket(self.zero_bucket(), sides);
        }
        if trim.changed {
            (self.positive.counts, self.negative.counts) = (positive, negative);
            (self.count, self.sum) = (trim.count, trim.sum);
            self.compact();
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Below,
    Above,
}

/// What is kept so far, and how the rest is to be treated.
struct Trim {
    kept: Kept,
    at: f64,
    linear: bool,
    count: f64,
    sum: f64,
    changed: bool,
}

impl Trim {
    /// The counts that are kept of the buckets on one side of zero; `sign` says on which.
    fn side(&mut self, buckets: impl Iterator<Item = Bucket>, sign: f64) -> Vec<f64> {
        buckets.map(|bucket| if bucket.count == 0.0 { 0.0 } else { self.bucket(&bucket, sign) }).collect()
    }

    fn bucket(&mut self, bucket: &Bucket, sign: f64) -> f64 {
        let (inside, across) = match self.kept {
            Kept::Below => (bucket.upper <= self.at, bucket.lower < self.at),
            Kept::Above => (bucket.lower >= self.at, bucket.upper > self.at),
        };
        if inside {
            let middle = middle(bucket.lower, bucket.upper, self.linear, sign);
            return self.keep(bucket.count, middle);
        }
        let (count, middle) = if across { self.part_of(bucket, sign) } else { (0.0, 0.0) };
        self.changed |= count != bucket.count;
        self.keep(count, middle)
    }

    fn keep(&mut self, count: f64, middle: f64) -> f64 {
        self.count += count;
        self.sum += middle * count;
        count
    }

    /// How much of a bucket around the value is kept, and its middle.
    fn part_of(&self, bucket: &Bucket, sign: f64) -> (f64, f64) {
        let (at, Bucket { lower, upper, count, .. }) = (self.at, *bucket);
        let whole_line = lower == f64::NEG_INFINITY && upper == f64::INFINITY;
        match self.kept {
            _ if whole_line => (0.0, 0.0),
            Kept::Below if lower == f64::NEG_INFINITY && upper <= 0.0 => (count, at),
            Kept::Below if lower == f64::NEG_INFINITY && at > 0.0 => (count * at / upper, at / 2.0),
            Kept::Above if lower == f64::NEG_INFINITY && at >= 0.0 => {
                (count * (1.0 - at / upper), (at + upper) / 2.0)
            }
            _ if lower == f64::NEG_INFINITY => (0.0, 0.0),
            Kept::Below if upper == f64::INFINITY => (0.0, 0.0),
            Kept::Above if upper == f64::INFINITY => (count, at),
            Kept::Below => (self.count_below(bucket), middle(lower, at, self.linear, sign)),
            Kept::Above => (count - self.count_below(bucket), middle(at, upper, self.linear, sign)),
        }
    }

    fn count_below(&self, bucket: &Bucket) -> f64 {
        bucket.count * bucket.fraction_below(self.at, self.linear)
    }

    /// The count that is kept of the zero bucket, which reaches only to the side of zero on which there
    /// are populated buckets, if there are on one.
    fn zero_bucket(&mut self, bucket: Bucket, (has_negative, has_positive): (bool, bool)) -> f64 {
        let lower = if has_positive && !has_negative { 0.0 } else { bucket.lower };
        let upper = if has_negative && !has_positive { 0.0 } else { bucket.upper };
        let at = self.at;
        let all = (bucket.count, (lower + upper) / 2.0);
        let (count, middle) = match self.kept {
            Kept::Below if at <= lower => (0.0, 0.0),
            Kept::Below if at >= upper => all,
            Kept::Below => (bucket.count * ((at - lower) / (upper - lower)), (lower + at) / 2.0),
            Kept::Above if at <= lower => all,
            Kept::Above if at >= upper => (0.0, 0.0),
            Kept::Above => (bucket.count * ((upper - at) / (upper - lower)), (at + upper) / 2.0),
        };
        self.changed |= count != bucket.count;
        self.keep(count, middle)
    }
}

/// The value that stands for the observations between two bounds: their mean, if `linear`, or their
/// geometric mean. Without an end on one side it is the other end, or half of that if it is above zero and
/// the missing one is below.
fn middle(lower: f64, upper: f64, linear: bool, sign: f64) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if linear => (lower + upper) / 2.0,
        (false, false) => sign * (lower * upper).abs().sqrt(),
    }
}

#[cfg(test)]
mod tests;
