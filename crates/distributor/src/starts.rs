//! Start timestamps that cannot be: a sample with one is as good as any other, so it is kept without.

use model::Timestamp;
use service_api::WriteBatch;

/// Takes starts that are negative, or later than their own sample, for unknown.
pub fn forget_impossible(batch: &mut WriteBatch) {
    let WriteBatch { samples, histograms, starts, .. } = batch;
    forget(&mut starts.floats, samples.iter().map(|sample| sample.timestamp));
    forget(&mut starts.histograms, histograms.iter().map(|sample| sample.timestamp));
}

fn forget(starts: &mut Vec<Timestamp>, times: impl Iterator<Item = Timestamp>) {
    for (start, time) in starts.iter_mut().zip(times) {
        if *start < 0 || *start > time {
            *start = 0;
        }
    }
    // What nobody knows is not carried along.
    if starts.iter().all(|start| *start == 0) {
        starts.clear();
    }
}
