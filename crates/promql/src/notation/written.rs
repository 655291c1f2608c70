//! Native histograms as they are written.

use super::buckets;
use histogram::{Buckets, CounterResetHint, FloatHistogram};

/// A histogram as a test describes it; the order of fields is Prometheus's.
pub fn written(histogram: &FloatHistogram) -> String {
    let mut fields = Vec::new();
    if histogram.schema != 0 {
        fields.push(format!("schema:{}", histogram.schema));
    }
    for (key, value) in [
        ("count", histogram.count),
        ("sum", histogram.sum),
        ("z_bucket", histogram.zero_count),
        ("z_bucket_w", histogram.zero_threshold),
    ] {
        if value != 0.0 {
            fields.push(format!("{key}:{value}"));
        }
    }
    if !histogram.custom_values.is_empty() {
        fields.push(format!("custom_values:[{}]", joined(histogram.custom_values.iter())));
    }
    match histogram.counter_reset_hint {
        CounterResetHint::Unknown => {}
        CounterResetHint::Reset => fields.push("counter_reset_hint:reset".to_owned()),
        CounterResetHint::NotReset => fields.push("counter_reset_hint:not_reset".to_owned()),
        CounterResetHint::Gauge => fields.push("counter_reset_hint:gauge".to_owned()),
    }
    side("", &histogram.positive, &mut fields);
    side("n_", &histogram.negative, &mut fields);
    format!("{{{{{}}}}}", fields.join(" "))
}

fn side(prefix: &str, side: &Buckets, fields: &mut Vec<String>) {
    let mut counts = buckets::by_number(side);
    counts.retain(|_, count| *count != 0.0);
    let (Some((first, _)), Some((last, _))) = (counts.first_key_value(), counts.last_key_value()) else {
        return;
    };
    let (first, last) = (*first, *last);
    if first != 0 {
        fields.push(format!("{prefix}offset:{first}"));
    }
    let all: Vec<f64> = (first..=last).map(|number| counts.get(&number).copied().unwrap_or(0.0)).collect();
    fields.push(format!("{prefix}buckets:[{}]", joined(all.iter())));
}

fn joined<'a>(values: impl Iterator<Item = &'a f64>) -> String {
    values.map(f64::to_string).collect::<Vec<_>>().join(" ")
}
