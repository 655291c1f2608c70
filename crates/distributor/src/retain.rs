//! Takes single entries out of a batch.

use model::{Exemplar, HistogramSample, Sample};
use service_api::{LogBatch, LogEntry, WriteBatch};
use std::ops::Range;

pub fn samples(batch: &mut WriteBatch, keep: impl Fn(&Sample) -> bool) {
    entries(&mut batch.series, &mut batch.samples, |s| &mut s.samples, keep);
}

pub fn histograms(batch: &mut WriteBatch, keep: impl Fn(&HistogramSample) -> bool) {
    entries(&mut batch.series, &mut batch.histograms, |s| &mut s.histograms, keep);
}

pub fn exemplars(batch: &mut WriteBatch, keep: impl Fn(&Exemplar) -> bool) {
    entries(&mut batch.series, &mut batch.exemplars, |s| &mut s.exemplars, keep);
}

pub fn lines(batch: &mut LogBatch, keep: impl FnMut(&LogEntry) -> bool) {
    entries(&mut batch.streams, &mut batch.entries, |s| &mut s.entries, keep);
}

/// Keeps the entries that `keep` wants, and moves the range of each series or stream to where its
/// own are.
fn entries<S, T: Clone>(
    owners: &mut [S],
    entries: &mut Vec<T>,
    range: impl Fn(&mut S) -> &mut Range<u32>,
    mut keep: impl FnMut(&T) -> bool,
) {
    let old = std::mem::take(entries);
    for owner in owners {
        let range = range(owner);
        let start = entries.len() as u32;
        let own = &old[range.start as usize..range.end as usize];
        entries.extend(own.iter().filter(|e| keep(e)).cloned());
        *range = start..entries.len() as u32;
    }
}
