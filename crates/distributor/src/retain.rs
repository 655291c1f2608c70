//! Takes single entries out of a batch.

use model::{Exemplar, HistogramSample, Sample, Timestamp};
use service_api::{BatchSeries, LogBatch, LogEntry, WriteBatch};
use std::ops::Range;

pub fn samples(batch: &mut WriteBatch, keep: impl Fn(&Sample) -> bool) {
    starts(&batch.series, |s| &s.samples, &mut batch.starts.floats, |at| keep(&batch.samples[at]));
    entries(&mut batch.series, &mut batch.samples, |s| &mut s.samples, keep);
}

pub fn histograms(batch: &mut WriteBatch, keep: impl Fn(&HistogramSample) -> bool) {
    starts(&batch.series, |s| &s.histograms, &mut batch.starts.histograms, |at| keep(&batch.histograms[at]));
    entries(&mut batch.series, &mut batch.histograms, |s| &mut s.histograms, keep);
}

pub fn exemplars(batch: &mut WriteBatch, keep: impl Fn(&Exemplar) -> bool) {
    entries(&mut batch.series, &mut batch.exemplars, |s| &mut s.exemplars, keep);
}

pub fn lines(batch: &mut LogBatch, keep: impl FnMut(&LogEntry) -> bool) {
    entries(&mut batch.streams, &mut batch.entries, |s| &mut s.entries, keep);
}

/// Keeps of a column of starts, if there is one, those of the entries that `entries` is to keep.
fn starts(
    series: &[BatchSeries],
    range: impl Fn(&BatchSeries) -> &Range<u32>,
    starts: &mut Vec<Timestamp>,
    keep: impl Fn(usize) -> bool,
) {
    if starts.is_empty() {
        return;
    }
    let old = std::mem::take(starts);
    let all = series.iter().flat_map(|s| range(s).start as usize..range(s).end as usize);
    starts.extend(all.filter(|at| keep(*at)).map(|at| old[at]));
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
