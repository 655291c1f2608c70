//! Histograms of old: series that count, each with the upper bound `le` of its bucket.

use super::{
    Oracle, native,
    table::{Result, Sample, Value, Vector, with_label},
};
use histogram::FloatHistogram;
use model::Labels;

/// Upper bound and count of everything up to it.
pub type Buckets = [(f64, f64)];

/// Counts that differ less than this, relatively, differ by rounding only.
const TOLERANCE: f64 = 1e-12;

impl Oracle<'_> {
    /// Quantiles of classic and native histograms. With a label, one series for each quantile.
    pub fn quantiles(&self, vector: &Vector, label: Option<&str>, quantiles: &[f64]) -> Result<Vector> {
        let mut result = Vector::new();
        for q in quantiles {
            let of_one = self.of_histograms(
                vector,
                |buckets| quantile(*q, buckets),
                |histogram| native::quantile(*q, histogram),
            )?;
            result.extend(of_one.into_iter().map(|sample| match label {
                Some(label) => Sample { labels: with_label(&sample.labels, label, &written(*q)), ..sample },
                None => sample,
            }));
        }
        Ok(result)
    }

    /// Puts classic histograms together and computes of each, and of each native one. Where there are both
    /// under the same labels, nobody knows which is meant.
    pub fn of_histograms(
        &self,
        vector: &Vector,
        of_classic: impl Fn(&Buckets) -> f64,
        of_native: impl Fn(&FloatHistogram) -> f64,
    ) -> Result<Vector> {
        let mut classic: Vec<(Labels, Vec<(f64, f64)>)> = Vec::new();
        for sample in vector {
            let bound = sample.labels.get("le").and_then(|le| le.parse::<f64>().ok());
            let (Some(count), Some(bound)) = (sample.value.float(), bound) else { continue };
            let labels = sample.labels.without(|name| name == "le");
            match classic.iter_mut().find(|(of, _)| *of == labels) {
                Some((_, buckets)) => buckets.push((bound, count)),
                None => classic.push((labels, vec![(bound, count)])),
            }
        }
        let mut result = Vector::new();
        for sample in vector {
            let Some(histogram) = sample.value.histogram() else { continue };
            let before = classic.len();
            classic.retain(|(labels, _)| *labels != sample.labels);
            if classic.len() == before {
                let value = self.noise.rounded(of_native(histogram));
                result.push(self.nameless(sample, Value::Float(value)));
            }
        }
        for (labels, mut buckets) in classic {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let value = self.noise.rounded(of_classic(&joined(&buckets)));
            result.push(self.nameless(&Sample::float(labels, 0.0), Value::Float(value)));
        }
        Ok(result)
    }
}

/// Sorted buckets, those with the same bound added up.
fn joined(buckets: &Buckets) -> Vec<(f64, f64)> {
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (bound, count) in buckets {
        match joined.last_mut() {
            Some((last, total)) if last == bound => *total += count,
            _ => joined.push((*bound, *count)),
        }
    }
    joined
}

/// Counts that never go down, and only go up by more than rounding would make.
fn rising(buckets: &Buckets) -> Vec<(f64, f64)> {
    let mut highest = buckets[0].1;
    let mut rising = vec![buckets[0]];
    for (bound, count) in &buckets[1..] {
        let stays = *count < highest || nearly_equal(highest, *count);
        highest = if stays { highest } else { *count };
        rising.push((*bound, highest));
    }
    rising
}

fn nearly_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (difference, sum) = ((a - b).abs(), a.abs() + b.abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn quantile(q: f64, buckets: &Buckets) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&q) {
        return if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let last = buckets.len() - 1;
    if buckets[last].0 != f64::INFINITY || last == 0 {
        return f64::NAN;
    }
    let buckets = rising(buckets);
    let observations = buckets[last].1;
    if observations == 0.0 {
        return f64::NAN;
    }
    let rank = q * observations;
    let at = search(&buckets[..last], |count| count >= rank);
    let (bound, count) = buckets[at];
    match at {
        _ if at == last => buckets[last - 1].0,
        0 if bound <= 0.0 => bound,
        0 => bound * (rank / count),
        _ => {
            let (below, counted) = buckets[at - 1];
            below + (bound - below) * ((rank - counted) / (count - counted))
        }
    }
}

/// The first bucket whose count passes, found by halving: which one, if counts are NaN, hangs on that.
fn search(buckets: &Buckets, passes: impl Fn(f64) -> bool) -> usize {
    let (mut low, mut high) = (0, buckets.len());
    while low < high {
        let middle = (low + high) / 2;
        if passes(buckets[middle].1) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

pub fn fraction(low: f64, high: f64, buckets: &Buckets) -> f64 {
    let (bound, total) = buckets[buckets.len() - 1];
    if bound != f64::INFINITY || total == 0.0 || low.is_nan() || high.is_nan() {
        return f64::NAN;
    }
    if low >= high {
        return 0.0;
    }
    // NaN is not above the total: it stays.
    let below = |value: f64| match count_below(value, buckets) {
        Some(count) if count > total => total,
        Some(count) => count,
        None => total,
    };
    (below(high) - below(low)) / total
}

/// How many observations lie below a value, if a bucket says so.
fn count_below(value: f64, buckets: &Buckets) -> Option<f64> {
    let mut lower = if buckets[0].0 <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut counted = 0.0;
    for (upper, count) in buckets {
        if lower >= value {
            return Some(counted);
        }
        if *upper > value {
            let part = || counted + (count - counted) * (value - lower) / (upper - lower);
            return Some(if lower == f64::NEG_INFINITY { *count } else { part() });
        }
        (lower, counted) = (*upper, *count);
    }
    None
}

/// A quantile as a label: always recognizable as a float.
fn written(q: f64) -> String {
    if q.is_infinite() {
        return if q > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = q.to_string();
    if text.contains(['.', 'N']) { text } else { format!("{text}.0") }
}
