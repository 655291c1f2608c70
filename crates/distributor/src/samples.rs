//! Drops samples whose time is out of bounds.

use crate::{bounds::Bounds, entry_rejection, metrics::Metrics, retain};
use service_api::{PushOutcome, WriteBatch};

/// Refuses samples and histograms that lie too far in the future or in the past. A batch
/// without such entries, the usual one, is only looked at.
pub fn drop_out_of_bounds(
    batch: &mut WriteBatch,
    bounds: Bounds,
    metrics: &Metrics,
    outcome: &mut PushOutcome,
) {
    let good = batch.samples.iter().all(|s| bounds.check(s.timestamp).is_none())
        && batch.histograms.iter().all(|h| bounds.check(h.timestamp).is_none());
    if good {
        return;
    }
    for index in 0..batch.series.len() {
        let range = |r: &std::ops::Range<u32>| r.start as usize..r.end as usize;
        let series = &batch.series[index];
        let samples = batch.samples[range(&series.samples)].iter().map(|s| s.timestamp);
        let histograms = batch.histograms[range(&series.histograms)].iter().map(|h| h.timestamp);
        for timestamp in samples.chain(histograms) {
            if let Some(reason) = bounds.check(timestamp) {
                metrics.discard(&reason, 1);
                outcome.reject(1, || entry_rejection(&*batch.labels, index, false, reason, timestamp));
            }
        }
    }
    retain::samples(batch, |s| bounds.check(s.timestamp).is_none());
    retain::histograms(batch, |h| bounds.check(h.timestamp).is_none());
}
