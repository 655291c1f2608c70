//! Histograms as text, in the form Prometheus shows them.

use crate::FloatHistogram;
use model::go_g;
use std::fmt;

/// Count, sum and every bucket that is not empty, in ascending order:
/// `{count:4, sum:10, [-0.001,0.001]:1, (0.5,1]:3}`.
impl fmt::Display for FloatHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", go_g(self.count, None), go_g(self.sum, None))?;
        // Not `buckets`: here, a bucket that overlaps the zero bucket is shown with its own bounds.
        let negative = self.negative.descending().map(|(index, count)| self.negative_bucket(index, count));
        let zero = (!self.uses_custom_buckets()).then(|| self.zero_bucket());
        let positive = self.positive.ascending().map(|(index, count)| self.positive_bucket(index, count));
        for bucket in negative.chain(zero).chain(positive).filter(|bucket| bucket.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::histogram;

    #[test]
    fn histograms_print_as_in_prometheus() {
        let exponential =
            "schema=1 zero=5.5@0.01 count=3493.3 sum=2349209.324 pos=-2[1]2[3.3,4.2,0] neg=3[3.1,3]3[123400]";
        let expected = "{count:3493.3, sum:2.349209324e+06, [-16,-11.31370849898476):123400, \
            [-4,-2.82842712474619):3, [-2.82842712474619,-2):3.1, [-0.01,0.01]:5.5, \
            (0.35355339059327373,0.5]:1, (1,1.414213562373095]:3.3, (1.414213562373095,2]:4.2}";
        assert_eq!(histogram(exponential).to_string(), expected);
        let custom = "schema=custom count=9 sum=-1 pos=0[1]2[3.3,4] bounds=1,2,5";
        let expected = "{count:9, sum:-1, [-Inf,1]:1, (5,+Inf]:3.3, (+Inf,+Inf]:4}";
        assert_eq!(histogram(custom).to_string(), expected);
        // A zero bucket of no width begins at -0 in Go.
        assert_eq!(histogram("zero=2@0").to_string(), "{count:0, sum:0, [-0,0]:2}");
    }
}
