//! Takes single entries out of a batch.

use model::{Exemplar, HistogramSample, Sample};
use service_api::{BatchSeries, WriteBatch};
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

/// Keeps the entries that `keep` wants, and moves each series' range to where its own are.
fn entries<T: Clone>(
    series: &mut [BatchSeries],
    entries: &mut Vec<T>,
    range: impl Fn(&mut BatchSeries) -> &mut Range<u32>,
    keep: impl Fn(&T) -> bool,
) {
    let old = std::mem::take(entries);
    for series in series {
        let range = range(series);
        let start = entries.len() as u32;
        let of_series = &old[range.start as usize..range.end as usize];
        entries.extend(of_series.iter().filter(|e| keep(e)).cloned());
        *range = start..entries.len() as u32;
    }
}
