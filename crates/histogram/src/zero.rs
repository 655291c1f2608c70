//! Zero buckets of different widths brought to one.

use crate::compensated::{Compensation, add_compensated, split, with_lost};
use crate::{Buckets, FloatHistogram};

/// A zero bucket: its threshold, its count, and what a compensated sum has lost of the count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZeroBucket {
    pub(crate) threshold: f64,
    pub(crate) count: f64,
    pub(crate) lost: f64,
}

impl FloatHistogram {
    /// Widens this histogram's zero bucket to the smallest one that includes both and does not end within
    /// a populated bucket of either. `lost` goes with this histogram. Gives the zero bucket that `other`
    /// would have then.
    pub(crate) fn reconcile_zero_buckets(&mut self, other: &Self, lost: &mut Compensation) -> ZeroBucket {
        let mut theirs = ZeroBucket { threshold: other.zero_threshold, count: other.zero_count, lost: 0.0 };
        loop {
            if self.zero_threshold > theirs.threshold {
                theirs = other.widened_zero_bucket(self.zero_threshold, &Compensation::default());
            } else if self.zero_threshold < theirs.threshold {
                let mine = self.widened_zero_bucket(theirs.threshold, lost);
                (self.zero_threshold, self.zero_count) = (mine.threshold, mine.count);
                lost.zero_count = mine.lost;
                self.drop_swallowed(lost);
            } else {
                return theirs;
            }
        }
    }

    /// The zero bucket if its threshold were raised to `threshold`, or farther to the end of a populated
    /// bucket that lies across it.
    pub(crate) fn widened_zero_bucket(&self, threshold: f64, lost: &Compensation) -> ZeroBucket {
        let mut zero = ZeroBucket { threshold, count: self.zero_count, lost: lost.zero_count };
        if threshold == self.zero_threshold {
            return zero;
        }
        loop {
            // Only the count starts anew when all is done again with a higher threshold. That the losses
            // are then added up twice looks like an oversight, but the result is to be Prometheus's.
            zero.count = self.zero_count;
            if let Some(end) = self.swallow(&self.positive, &lost.positive, &mut zero) {
                zero.threshold = end;
            }
            match self.swallow(&self.negative, &lost.negative, &mut zero) {
                Some(end) => zero.threshold = end,
                None => return zero,
            }
        }
    }

    /// Adds to `zero` the buckets that begin below its threshold. Gives the end of the last of them if it
    /// is populated and reaches beyond.
    fn swallow(&self, side: &Buckets, lost: &[f64], zero: &mut ZeroBucket) -> Option<f64> {
        for (index, (count, lost)) in with_lost(side, lost) {
            if self.bound(index.wrapping_sub(1)) >= zero.threshold {
                return None;
            }
            add_compensated(&mut zero.count, &mut zero.lost, count);
            add_compensated(&mut zero.count, &mut zero.lost, lost);
            let end = self.bound(index);
            if end > zero.threshold {
                return (count != 0.0).then_some(end);
            }
        }
        None
    }

    /// Removes buckets that begin within the zero bucket, and empty ones with them.
    fn drop_swallowed(&mut self, lost: &mut Compensation) {
        let kept = |side: &Buckets, lost: &[f64]| {
            let outside = |index: i32| self.bound(index.wrapping_sub(1)) >= self.zero_threshold;
            let populated = |(count, lost): (f64, f64)| count != 0.0 || lost != 0.0;
            let kept = with_lost(side, lost).filter(|(index, value)| outside(*index) && populated(*value));
            split(kept)
        };
        let (positive, negative) =
            (kept(&self.positive, &lost.positive), kept(&self.negative, &lost.negative));
        (self.positive, lost.positive) = positive;
        (self.negative, lost.negative) = negative;
    }
}

#[cfg(test)]
mod tests {
    use crate::compensated::Compensation;
    use crate::testing::histogram;

    #[test]
    fn a_threshold_grows_to_the_end_of_a_populated_bucket() {
        let h = histogram("zero=1@0.001 pos=-3[2,0,4,8] neg=-2[16]2[32]");
        // asked for, threshold, count
        let cases = [
            (0.001, 0.001, 1.0),
            (0.0625, 0.0625, 1.0),
            (0.1, 0.125, 3.0),
            (0.125, 0.125, 3.0),
            // Across an empty positive bucket, but a populated negative one.
            (0.2, 0.25, 19.0),
            (0.3, 0.5, 23.0),
            (1.5, 2.0, 63.0),
            (5.0, 5.0, 63.0),
            (f64::INFINITY, f64::INFINITY, 63.0),
        ];
        for (asked, threshold, count) in cases {
            let zero = h.widened_zero_bucket(asked, &Compensation::default());
            assert_eq!((zero.threshold, zero.count), (threshold, count), "{asked}");
        }
    }

    #[test]
    fn two_zero_buckets_grow_until_they_agree() {
        let mut a = histogram("zero=1@0.3 pos=-1[2] neg=1[8]");
        let b = histogram("schema=-1 zero=1@0.4 neg=0[4,16]");
        let zero = a.reconcile_zero_buckets(&b, &mut Compensation::default());
        assert_eq!((a.zero_threshold, a.zero_count, zero.count), (1.0, 3.0, 5.0));
        assert_eq!((&a.positive.counts[..], &a.negative.counts[..]), (&[][..], &[8.0][..]));
    }
}
