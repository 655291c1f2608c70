//! What is pushed is what rules made.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use model::{Buckets, stale_nan};
use std::sync::Mutex;

#[derive(Default)]
struct Taken(Mutex<Vec<WriteBatch>>);

#[async_trait]
impl Push for Taken {
    async fn push(&self, _: &TenantId, batch: WriteBatch) -> Result<PushOutcome> {
        let outcome = PushOutcome {
            samples: batch.samples.len() as u64,
            histograms: batch.histograms.len() as u64,
            ..Default::default()
        };
        self.0.lock().unwrap().push(batch);
        Ok(outcome)
    }
}

fn sample(name: &str, value: vectors::Sample) -> ResultSample {
    ResultSample { labels: Labels::from_pairs([("__name__", name), ("a", "b")]), timestamp: 1000, value }
}

fn pairs(batch: &WriteBatch, index: usize) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    batch.labels.pairs(index, &mut |name, value| pairs.push((name.to_owned(), value.to_owned()))).unwrap();
    pairs
}

#[tokio::test]
async fn floats_histograms_and_markers_keep_what_they_are() {
    let histogram = FloatHistogram {
        counter_reset_hint: CounterResetHint::NotReset,
        count: 2.5,
        zero_count: 2.5,
        sum: 7.0,
        ..Default::default()
    };
    let gauge = FloatHistogram { counter_reset_hint: CounterResetHint::Gauge, ..histogram.clone() };
    let made = vec![
        sample("x", vectors::Sample::Float(stale_nan())),
        sample("h", vectors::Sample::Histogram(Arc::new(histogram))),
        sample("y", vectors::Sample::Float(2.0)),
        sample("g", vectors::Sample::Histogram(Arc::new(gauge))),
    ];
    let taken = Arc::new(Taken::default());
    let outcome = Pushed(taken.clone()).write(&TenantId::anonymous(), made).await.unwrap();
    assert_eq!((outcome.samples, outcome.histograms), (2, 2));
    let batches = taken.0.lock().unwrap();
    let batch = &batches[0];
    assert!(model::is_stale(batch.samples[0].value));
    assert_eq!(batch.samples[1], Sample { timestamp: 1000, value: 2.0 });
    assert_eq!((batch.series[2].samples.clone(), batch.series[3].histograms.clone()), (1..2, 1..2));
    let [counter, gauge] = &batch.histograms[..] else { panic!("two histograms were written") };
    assert_eq!(counter.histogram.counter_reset_hint, CounterResetHint::Unknown);
    assert_eq!(gauge.histogram.counter_reset_hint, CounterResetHint::Gauge);
    assert!(matches!(counter.histogram.buckets, Buckets::Float { count: 2.5, .. }));
    assert_eq!(pairs(batch, 3)[0], ("__name__".to_owned(), "g".to_owned()));
}

#[tokio::test]
async fn many_samples_go_in_pieces_and_each_series_has_a_key() {
    let made = (0..4500).map(|i| sample(&format!("s{i}"), vectors::Sample::Float(1.0))).collect();
    let taken = Arc::new(Taken::default());
    let outcome = Pushed(taken.clone()).write(&TenantId::anonymous(), made).await.unwrap();
    assert_eq!(outcome.samples, 4500);
    let batches = taken.0.lock().unwrap();
    let sizes: Vec<_> = batches.iter().map(|batch| batch.series.len()).collect();
    assert_eq!(sizes, [2000, 2000, 500]);
    let keys: std::collections::HashSet<_> = batches.iter().flat_map(|b| &b.series).map(|s| s.key).collect();
    assert_eq!(keys.len(), 4500);
    // Those whose labels are sent packed, or in any form without a seed, have other keys.
    let labels = Labels::from_pairs([("__name__", "s0"), ("a", "b")]);
    assert!(!keys.contains(&SeriesKey(labels.stable_hash_128())));
}
