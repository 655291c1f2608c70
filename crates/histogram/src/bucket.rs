//! Single buckets with their bounds, in either direction.

use crate::FloatHistogram;
use model::go_g;
use std::fmt;

/// A bucket and how many observations it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bucket {
    pub lower: f64,
    pub upper: f64,
    pub lower_inclusive: bool,
    pub upper_inclusive: bool,
    pub count: f64,
    /// Its number on its side of zero, in the histogram's schema; 0 for the zero bucket.
    pub index: i32,
}

impl Bucket {
    /// Which part of the bucket's width lies below `value`, which is inside it; 0 to 1. Both bounds must
    /// be finite. Exponential buckets are measured on a logarithmic scale, if not `linear`.
    pub(crate) fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, at] = [self.lower, self.upper, value].map(|v| v.abs().log2());
        if value > 0.0 { (at - lower) / (upper - lower) } else { 1.0 - (at - upper) / (lower - upper) }
    }

    pub(crate) fn contains_zero(&self) -> bool {
        self.lower <= 0.0 && self.upper >= 0.0
    }
}

/// Bounds and count in mathematical notation, as Prometheus shows them: `(0.5,1]:3`.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(|v| go_g(v, None));
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}

impl FloatHistogram {
    /// All buckets from the most negative over zero to the most positive, empty ones included; the zero
    /// bucket only if it holds something. A bucket that overlaps the zero bucket begins at its threshold.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let negative = self.negative.descending().map(|(index, count)| self.negative_bucket(index, count));
        let positive = self.positive.ascending().map(|(index, count)| self.positive_bucket(index, count));
        negative.chain(self.populated_zero_bucket()).chain(positive).map(|bucket| self.beyond_zero(bucket))
    }

    /// As `buckets`, from the most positive to the most negative.
    pub fn buckets_descending(&self) -> impl Iterator<Item = Bucket> + '_ {
        let positive = self.positive.descending().map(|(index, count)| self.positive_bucket(index, count));
        let negative = self.negative.ascending().map(|(index, count)| self.negative_bucket(index, count));
        positive.chain(self.populated_zero_bucket()).chain(negative).map(|bucket| self.beyond_zero(bucket))
    }

    pub(crate) fn positive_bucket(&self, index: i32, count: f64) -> Bucket {
        let bounds = (self.bound(index.wrapping_sub(1)), self.bound(index));
        self.bucket_between(bounds, index, count)
    }

    pub(crate) fn negative_bucket(&self, index: i32, count: f64) -> Bucket {
        let bounds = (-self.bound(index), -self.bound(index.wrapping_sub(1)));
        self.bucket_between(bounds, index, count)
    }

    fn bucket_between(&self, (lower, upper): (f64, f64), index: i32, count: f64) -> Bucket {
        let (lower_inclusive, upper_inclusive) =
            if self.uses_custom_buckets() { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count, index }
    }

    pub(crate) fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
            index: 0,
        }
    }

    fn populated_zero_bucket(&self) -> Option<Bucket> {
        (!self.uses_custom_buckets() && self.zero_count > 0.0).then(|| self.zero_bucket())
    }

    fn beyond_zero(&self, mut bucket: Bucket) -> Bucket {
        let threshold = self.zero_threshold;
        if bucket.upper < 0.0 && bucket.upper > -threshold {
            bucket.upper = -threshold;
        } else if bucket.lower > 0.0 && bucket.lower < threshold {
            bucket.lower = threshold;
        }
        bucket
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::histogram;

    fn text(buckets: impl Iterator<Item = super::Bucket>) -> String {
        buckets.map(|bucket| bucket.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn all_buckets_come_in_order() {
        let h = histogram("zero=5@0.3 pos=-2[1,2]1[3,0] neg=-1[4,6]");
        let ascending = "[-1,-0.5):6 [-0.5,-0.3):4 [-0.3,0.3]:5 (0.3,0.25]:1 (0.3,0.5]:2 (1,2]:3 (2,4]:0";
        assert_eq!(text(h.buckets()), ascending);
        let descending: Vec<_> = ascending.rsplit(' ').collect();
        assert_eq!(text(h.buckets_descending()), descending.join(" "));
        assert_eq!(text(histogram("pos=0[1]").buckets()), "(0.5,1]:1");
    }

    #[test]
    fn custom_buckets_include_their_upper_bounds() {
        let h = histogram("schema=custom pos=0[1,2]1[3] bounds=-1,0,2");
        assert_eq!(text(h.buckets()), "[-Inf,-1]:1 (-1,0]:2 (2,+Inf]:3");
        assert_eq!(h.buckets().map(|bucket| bucket.index).collect::<Vec<_>>(), [0, 1, 3]);
    }
}
