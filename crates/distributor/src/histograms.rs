//! Drops native histograms that are not valid.
//!
//! The rules are those of Prometheus: <https://prometheus.io/docs/specs/native_histograms/>

use crate::{entry_rejection, metrics::Metrics, retain};
use model::{Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram};
use service_api::{PushOutcome, RejectReason, WriteBatch};

/// Buckets, spans and custom bounds of one histogram, each at most. Far below what an ingester can take, which
/// would refuse the whole request.
const MAX_ITEMS: usize = 10_000;

/// Refuses histograms that break the rules; a batch without them is only looked at.
pub fn drop_invalid(batch: &mut WriteBatch, metrics: &Metrics, outcome: &mut PushOutcome) {
    if batch.histograms.iter().all(|h| check(&h.histogram).is_none()) {
        return;
    }
    for index in 0..batch.series.len() {
        let series = &batch.series[index];
        for at in series.histograms.start as usize..series.histograms.end as usize {
            let entry = &batch.histograms[at];
            if let Some(why) = check(&entry.histogram) {
                let reason = RejectReason::Histogram(why.to_owned());
                metrics.discard(&reason, 1);
                outcome.reject(1, || entry_rejection(&*batch.labels, index, false, reason, entry.timestamp));
            }
        }
    }
    retain::histograms(batch, |h| check(&h.histogram).is_none());
}

/// What is wrong with a histogram, if anything.
fn check(h: &Histogram) -> Option<&'static str> {
    check_size(h).or_else(|| check_shape(h)).or_else(|| check_counts(h))
}

fn check_size(h: &Histogram) -> Option<&'static str> {
    let buckets = match &h.buckets {
        Buckets::Integer { positive, negative, .. } => positive.len() + negative.len(),
        Buckets::Float { positive, negative, .. } => positive.len() + negative.len(),
    };
    let spans = h.positive_spans.len() + h.negative_spans.len();
    let most = buckets.max(spans).max(h.custom_values.len());
    (most > MAX_ITEMS).then_some("there are more than 10000 buckets, spans or custom bucket bounds")
}

fn check_shape(h: &Histogram) -> Option<&'static str> {
    for spans in [&h.positive_spans, &h.negative_spans] {
        if spans.iter().skip(1).any(|s| s.offset < 0) {
            return Some("a span has a negative offset");
        }
    }
    if h.schema == CUSTOM_BUCKETS_SCHEMA {
        if h.custom_values.windows(2).any(|w| w[0] >= w[1]) {
            return Some("custom bucket bounds are not ascending");
        }
        if h.custom_values.iter().any(|v| v.is_nan() || v.is_infinite()) {
            return Some("a custom bucket bound is not finite");
        }
        if !h.negative_spans.is_empty() || h.zero_threshold != 0.0 {
            return Some("custom buckets go with neither a zero bucket nor negative ones");
        }
        let buckets: i64 = h.positive_spans.iter().map(|s| i64::from(s.offset) + i64::from(s.length)).sum();
        if h.positive_spans.first().is_some_and(|s| s.offset < 0)
            || buckets > h.custom_values.len() as i64 + 1
        {
            return Some("there are more buckets than custom bucket bounds");
        }
        return None;
    }
    if !(-4..=8).contains(&h.schema) {
        return Some("the schema is neither -4 to 8 nor -53");
    }
    (!h.custom_values.is_empty()).then_some("exponential buckets go without custom bounds")
}

fn check_counts(h: &Histogram) -> Option<&'static str> {
    match &h.buckets {
        Buckets::Integer { count, zero_count, positive, negative } => {
            let mut observed = u128::from(*zero_count);
            for deltas in [positive, negative] {
                let mut bucket = 0i64;
                for delta in deltas {
                    bucket = bucket.wrapping_add(*delta);
                    if bucket < 0 {
                        return Some("a bucket count is negative");
                    }
                    observed += bucket as u128;
                }
            }
            // NaN observations are in the count and in no bucket
            let wrong =
                if h.sum.is_nan() { observed > u128::from(*count) } else { observed != u128::from(*count) };
            (wrong && !model::is_stale(h.sum)).then_some("the count does not agree with the buckets")
        }
        Buckets::Float { count, zero_count, positive, negative } => {
            let negative = positive.iter().chain(negative).chain([count, zero_count]).any(|v| *v < 0.0);
            negative.then_some("a bucket count is negative")
        }
    }
}
