//! Floats out of native histograms: moments, quantiles and fractions.

use crate::reference::oracle::exact;
use histogram::{Bucket, FloatHistogram};

/// The functions that make a float of a histogram.
pub fn number(name: &str, histogram: &FloatHistogram) -> f64 {
    match name {
        "histogram_count" => histogram.count,
        "histogram_sum" => histogram.sum,
        "histogram_avg" => histogram.sum / histogram.count,
        "histogram_stdvar" => variance(histogram),
        _ => variance(histogram).sqrt(),
    }
}

fn variance(histogram: &FloatHistogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let distance = |bucket: Bucket| {
        let middle = if histogram.uses_custom_buckets() {
            (bucket.lower + bucket.upper) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.lower * bucket.upper).sqrt().copysign(bucket.upper)
        };
        bucket.count * (middle - mean) * (middle - mean)
    };
    let filled = histogram.buckets().filter(|bucket| bucket.count != 0.0);
    exact::sum(&filled.map(distance).collect::<Vec<_>>()) / histogram.count
}

/// The bucket around zero reaches to the side only on which there are others.
fn one_sided(histogram: &FloatHistogram, mut bucket: Bucket) -> Bucket {
    match (histogram.negative.counts.is_empty(), histogram.positive.counts.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
    bucket
}

pub fn quantile(q: f64, histogram: &FloatHistogram) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&q) {
        return if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    if histogram.count == 0.0 {
        return f64::NAN;
    }
    // From the nearer end, unless observations that are NaN hide at the upper one.
    let from_below = histogram.sum.is_nan() || q < 0.5;
    let rank = if from_below { q } else { 1.0 - q } * histogram.count;
    let buckets: Vec<_> =
        if from_below { histogram.buckets().collect() } else { histogram.buckets_descending().collect() };
    let mut counted = 0.0;
    let mut found = Bucket::default();
    for bucket in buckets {
        found = bucket;
        counted += bucket.count;
        if bucket.count != 0.0 && counted >= rank {
            break;
        }
    }
    let bucket = found;
    let in_bucket = bucket.count;
    let mut bucket = bucket;
    if histogram.uses_custom_buckets() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return bucket.upper;
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return bucket.lower;
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        bucket = one_sided(histogram, bucket);
    }
    let counted = counted.min(histogram.count);
    if counted < rank {
        return if histogram.sum.is_nan() { f64::NAN } else { bucket.upper };
    }
    let rank = if from_below { rank - (counted - in_bucket) } else { counted - rank };
    inside(&bucket, rank / in_bucket, histogram.uses_custom_buckets())
}

/// The value that splits the observations of a bucket at a fraction.
fn inside(bucket: &Bucket, fraction: f64, custom: bool) -> f64 {
    let (lower, upper) = (bucket.lower, bucket.upper);
    if custom || lower <= 0.0 && upper >= 0.0 {
        return lower + (upper - lower) * fraction;
    }
    let (low, high) = (lower.abs().log2(), upper.abs().log2());
    match lower > 0.0 {
        true => (low + (high - low) * fraction).exp2(),
        false => -(high + (low - high) * (1.0 - fraction)).exp2(),
    }
}

pub fn fraction(low: f64, high: f64, histogram: &FloatHistogram) -> f64 {
    if histogram.count == 0.0 || low.is_nan() || high.is_nan() {
        return f64::NAN;
    }
    if low >= high {
        return 0.0;
    }
    // Observations that are NaN are in no bucket.
    let in_buckets = || histogram.buckets().map(|bucket| bucket.count).sum();
    let total: f64 = if histogram.sum.is_nan() { in_buckets() } else { histogram.count };
    let below = |value: f64| match count_below(value, histogram) {
        Some(count) if count > total => total,
        Some(count) => count,
        None => total,
    };
    (below(high) - below(low)) / histogram.count
}

fn count_below(value: f64, histogram: &FloatHistogram) -> Option<f64> {
    let mut counted = 0.0;
    for mut bucket in histogram.buckets() {
        let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if is_zero {
            bucket = one_sided(histogram, bucket);
        }
        if bucket.lower >= value {
            return Some(counted);
        }
        if bucket.upper > value {
            if histogram.uses_custom_buckets() || is_zero {
                if bucket.lower == f64::NEG_INFINITY {
                    return Some(bucket.count);
                }
                let part = (value - bucket.lower) / (bucket.upper - bucket.lower);
                return Some(counted + bucket.count * part);
            }
            let [low, high, at] = [bucket.lower, bucket.upper, value].map(|v| v.abs().log2());
            let part = (at - low) / (high - low);
            return Some(counted + bucket.count * part);
        }
        counted += bucket.count;
    }
    None
}
