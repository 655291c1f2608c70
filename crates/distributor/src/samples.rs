//! Drops entries whose time is out of bounds.

use crate::{entry_rejection, retain};
use service_api::{Limits, PushOutcome, RejectReason, WriteBatch};

/// Refuses samples and histograms that lie too far in the future or in the past. A batch
/// without such entries, the usual one, is only looked at.
pub fn drop_out_of_bounds(batch: &mut WriteBatch, limits: &Limits, now_ms: i64, outcome: &mut PushOutcome) {
    let newest = now_ms.saturating_add(limits.max_sample_future as i64 * 1000);
    let oldest = match limits.max_sample_age {
        0 => i64::MIN,
        age => now_ms.saturating_sub(age as i64 * 1000),
    };
    let check = |t: i64| {
        if t > newest {
            Some(RejectReason::TooFarInFuture)
        } else if t < oldest {
            Some(RejectReason::TooFarInPast)
        } else {
            None
        }
    };
    let good = batch.samples.iter().all(|s| check(s.timestamp).is_none())
        && batch.histograms.iter().all(|h| check(h.timestamp).is_none());
    if good {
        return;
    }
    for index in 0..batch.series.len() {
        let range = |r: &std::ops::Range<u32>| r.start as usize..r.end as usize;
        let series = &batch.series[index];
        let samples = batch.samples[range(&series.samples)].iter().map(|s| s.timestamp);
        let histograms = batch.histograms[range(&series.histograms)].iter().map(|h| h.timestamp);
        for timestamp in samples.chain(histograms) {
            if let Some(reason) = check(timestamp) {
                outcome.reject(1, || entry_rejection(batch, index, reason, timestamp));
            }
        }
    }
    retain::samples(batch, |s| check(s.timestamp).is_none());
    retain::histograms(batch, |h| check(h.timestamp).is_none());
}
