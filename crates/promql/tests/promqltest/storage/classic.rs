//! `load_with_nhcb`: native histograms with custom buckets, made of classic ones.

use histogram::{FloatHistogram, from_classic};
use model::{Labels, LabelsBuilder, METRIC_NAME, Timestamp};
use promql::notation::{Description, Value};
use std::collections::BTreeMap;

/// What a classic histogram's series say at one time.
#[derive(Default)]
struct Classic {
    /// Upper bounds and cumulative counts.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

type Native = BTreeMap<Labels, BTreeMap<Timestamp, FloatHistogram>>;

/// The native series that classic ones add up to; the labels are those of `_bucket`, `_count` and `_sum`
/// without suffix and `le`.
pub fn as_native<'a>(loaded: impl Iterator<Item = &'a Description>, step: i64) -> Result<Native, String> {
    let mut classic: BTreeMap<Labels, BTreeMap<Timestamp, Classic>> = BTreeMap::new();
    for Description { labels, values } in loaded {
        let Some((base, part)) = part(labels) else { continue };
        let times = classic.entry(base).or_default();
        for (i, value) in values.iter().enumerate() {
            let Value::Float(value) = value else { continue };
            let at = times.entry(i as i64 * step).or_default();
            match part {
                Part::Bucket(bound) => at.buckets.push((bound, *value)),
                Part::Count => at.count = Some(*value),
                Part::Sum => at.sum = *value,
            }
        }
    }
    let mut native = Native::new();
    for (labels, times) in classic {
        for (time, mut at) in times {
            let histogram = from_classic(&mut at.buckets, at.sum, at.count)
                .map_err(|e| format!("{labels} at {time} ms: {e}"))?;
            native.entry(labels.clone()).or_default().insert(time, histogram);
        }
    }
    Ok(native)
}

#[derive(Clone, Copy)]
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

/// Which series of which histogram these labels name. A bucket whose bound is no number is none.
fn part(labels: &Labels) -> Option<(Labels, Part)> {
    let name = labels.metric_name()?;
    let (base, part) = if let Some(base) = name.strip_suffix("_bucket") {
        let bound = labels.get("le")?.parse().ok().filter(|bound: &f64| !bound.is_nan())?;
        (base, Part::Bucket(bound))
    } else if let Some(base) = name.strip_suffix("_count") {
        (base, Part::Count)
    } else {
        (name.strip_suffix("_sum")?, Part::Sum)
    };
    let mut builder = LabelsBuilder::from_labels(labels);
    Some((builder.set(METRIC_NAME, base).remove("le").build(), part))
}

#[cfg(test)]
mod tests;
