//! Puts together what several sources know of the same series.

use crate::{Result, SampleBuffer, Series, SeriesData, SeriesSet};
use model::{TimeRange, split_starts};
use std::{cmp::Ordering, sync::Arc};

/// One sorted set of several. Series that more than one set has are merged: their entries
/// come in time order, and of entries with one timestamp the one of the earlier set stays.
pub fn merge_series_sets(sets: Vec<SeriesSet>) -> SeriesSet {
    let mut merged = SeriesSet::default();
    let mut filled = 0;
    for set in sets {
        filled += usize::from(!set.series.is_empty());
        merged.series.extend(set.series);
        for warning in set.warnings {
            if !merged.warnings.contains(&warning) {
                merged.warnings.push(warning);
            }
        }
    }
    if filled > 1 {
        // A stable sort that finds the sorted runs that the sets are, and merges those.
        merged.series.sort_by(|a, b| a.labels.cmp(&b.labels));
        merged.series = merge_equal(merged.series);
    }
    merged
}

fn merge_equal(sorted: Vec<Series>) -> Vec<Series> {
    let mut out: Vec<Series> = Vec::with_capacity(sorted.len());
    let mut sources: Vec<Arc<dyn SeriesData>> = Vec::new();
    let mut rest = sorted.into_iter().peekable();
    while let Some(Series { labels, data }) = rest.next() {
        let Some(second) = rest.next_if(|next| next.labels == labels) else {
            out.push(Series { labels, data });
            continue;
        };
        sources.extend([data, second.data]);
        while let Some(more) = rest.next_if(|next| next.labels == labels) {
            sources.push(more.data);
        }
        out.push(Series { labels, data: Arc::new(MergedData::new(std::mem::take(&mut sources))) });
    }
    out
}

/// The entries of several sources in time order. Of entries with one timestamp the one of
/// the earlier source stays.
pub struct MergedData {
    sources: Vec<Arc<dyn SeriesData>>,
}

impl MergedData {
    pub fn new(sources: Vec<Arc<dyn SeriesData>>) -> Self {
        Self { sources }
    }
}

impl SeriesData for MergedData {
    /// Sources that follow each other in time are only decoded, one behind the other.
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let (start, histogram_start) = (out.timestamps.len(), out.histograms.len());
        for source in &self.sources {
            read_merged(out, (start, histogram_start), |out| source.read(range, out))?;
        }
        Ok(())
    }
}

/// Merges what `read` appends with the floats and histograms that the buffer has from `start` on, in time
/// order each. Of entries with one timestamp the one that was there before stays.
pub fn read_merged<E>(
    out: &mut SampleBuffer,
    start: (usize, usize),
    read: impl FnOnce(&mut SampleBuffer) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let (middle, histogram_middle) = (out.timestamps.len(), out.histograms.len());
    read(out)?;
    out.pad_starts();
    merge_samples(out, start.0, middle);
    merge_histograms(out, start.1, histogram_middle);
    Ok(())
}

/// Of what lies between `start` and `middle`, in time order, the index of the first entry
/// that must be merged with what lies behind `middle`; `None` if all are older than that.
fn overlap<T>(entries: &[T], start: usize, middle: usize, time: impl Fn(&T) -> i64) -> Option<usize> {
    let first = time(entries.get(middle)?);
    let before = &entries[start..middle];
    (time(before.last()?) >= first).then(|| start + before.partition_point(|entry| time(entry) < first))
}

fn merge_samples(out: &mut SampleBuffer, start: usize, middle: usize) {
    let Some(from) = overlap(&out.timestamps, start, middle, |t| *t) else { return };
    if out.timestamps[from..middle] == out.timestamps[middle..] {
        // A replica: nothing of it stays.
        out.timestamps.truncate(middle);
        out.values.truncate(middle);
        return out.starts.floats.truncate(middle);
    }
    let (times, values) = (out.timestamps.split_off(from), out.values.split_off(from));
    let starts = split_starts(&mut out.starts.floats, from);
    let (left, right) = times.split_at(middle - from);
    let mut take = |from: usize, to: usize| {
        out.timestamps.extend_from_slice(&times[from..to]);
        out.values.extend_from_slice(&values[from..to]);
        out.starts.floats.extend_from_slice(starts.get(from..to).unwrap_or_default());
    };
    // Sources have most in common, or nothing, for a while: run after run.
    let (mut l, mut r) = (0, 0);
    while let (Some(first), Some(other)) = (left.get(l), right.get(r)) {
        let run = match first.cmp(other) {
            Ordering::Less => left[l..].iter().take_while(|time| *time < other).count(),
            Ordering::Equal => left[l..].iter().zip(&right[r..]).take_while(|(a, b)| a == b).count(),
            Ordering::Greater => right[r..].iter().take_while(|time| *time < first).count(),
        };
        match first.cmp(other) {
            Ordering::Greater => take(left.len() + r, left.len() + r + run),
            _ => take(l, l + run),
        }
        l += if first <= other { run } else { 0 };
        r += if first >= other { run } else { 0 };
    }
    take(l, left.len());
    take(left.len() + r, times.len());
}

fn merge_histograms(out: &mut SampleBuffer, start: usize, middle: usize) {
    let Some(from) = overlap(&out.histograms, start, middle, |h| h.timestamp) else { return };
    let starts = split_starts(&mut out.starts.histograms, from);
    let tail = out.histograms.split_off(from).into_iter().enumerate();
    let mut tail: Vec<_> = tail.map(|(at, histogram)| (histogram, starts.get(at))).collect();
    // Stable, so that of two with one timestamp the earlier source's comes first.
    tail.sort_by_key(|(histogram, _)| histogram.timestamp);
    let known = from > start;
    let mut last = known.then(|| out.histograms[from - 1].timestamp);
    for (histogram, start) in tail {
        if last != Some(histogram.timestamp) {
            last = Some(histogram.timestamp);
            out.histograms.push(histogram);
            out.starts.histograms.extend(start);
        }
    }
}

#[cfg(test)]
mod tests;
