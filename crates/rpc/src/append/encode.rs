//! Writes the wanted part of a batch of metrics, straight into the message's bytes.

use super::{column, pick, put};
use crate::{
    convert,
    proto::{
        ingester::{AppendRequest, HistogramPage, MetadataEntry},
        model,
    },
};
use ::model::{HistogramSample, Timestamp};
use bytes::Bytes;
use chunk::{MAX_HISTOGRAM_ITEMS, encode_histograms, histogram_items};
use prost::Message;
use service_api::{BatchSeries, Error, Result, Wanted, WriteBatch};
use std::ops::Range;

/// Histograms of one page, so that pages stay of a handy size.
const PAGE_HISTOGRAMS: usize = 1024;

/// An `AppendRequest` with what `which` selects.
pub fn encode_append(batch: &WriteBatch, which: &Wanted) -> Result<Bytes> {
    let series = pick(&batch.series, which)?;
    let counts = |range: fn(&BatchSeries) -> &Range<u32>| -> Vec<u32> {
        series.iter().map(|s| range(s).end.saturating_sub(range(s).start)).collect()
    };
    let mut sample_counts = counts(|s| &s.samples);
    let samples: usize = sample_counts.iter().map(|n| *n as usize).sum();
    if sample_counts.iter().all(|n| *n == 1) {
        sample_counts.clear();
    }
    let mut out = Vec::with_capacity(64 + 17 * series.len() + 16 * samples);
    column(1, 16 * series.len(), &mut out);
    put(series.len(), series.iter().map(|s| s.key.0.to_le_bytes()), &mut out);
    let runs = runs_of(&batch.samples, series.iter().map(|s| &s.samples))?;
    column(3, 8 * samples, &mut out);
    runs.iter().for_each(|run| put(run.len(), run.iter().map(|s| s.timestamp.to_le_bytes()), &mut out));
    column(4, 8 * samples, &mut out);
    runs.iter().for_each(|run| put(run.len(), run.iter().map(|s| s.value.to_le_bytes()), &mut out));
    put_starts(12, &batch.starts.floats, series.iter().map(|s| &s.samples), &mut out)?;
    put_starts(13, &batch.starts.histograms, series.iter().map(|s| &s.histograms), &mut out)?;
    let mut rest = AppendRequest { sample_counts, ..AppendRequest::default() };
    if series.iter().any(|s| !s.histograms.is_empty()) {
        rest.histogram_counts = counts(|s| &s.histograms);
        for run in runs_of(&batch.histograms, series.iter().map(|s| &s.histograms))? {
            put_pages(run, &mut rest.histograms);
        }
    }
    if series.iter().any(|s| !s.exemplars.is_empty()) {
        rest.exemplar_counts = counts(|s| &s.exemplars);
        for run in runs_of(&batch.exemplars, series.iter().map(|s| &s.exemplars))? {
            rest.exemplars.extend(run.iter().map(convert::exemplar_out));
        }
    }
    match which {
        Wanted::Named(named) => {
            rest.named = true;
            rest.labels = named.iter().map(|(_, labels)| convert::labels_out(labels)).collect();
        }
        Wanted::All | Wanted::Keys(_) => rest.metadata = batch.metadata.iter().map(metadata).collect(),
    }
    rest.encode(&mut out).map_err(|e| Error::internal(e.to_string()))?;
    Ok(out.into())
}

/// Appends a column of the starts of several series, if any is known.
fn put_starts<'b>(
    tag: u32,
    starts: &[Timestamp],
    ranges: impl Iterator<Item = &'b Range<u32>>,
    out: &mut Vec<u8>,
) -> Result<()> {
    if starts.is_empty() {
        return Ok(());
    }
    let runs = runs_of(starts, ranges)?;
    if runs.iter().any(|run| run.iter().any(|start| *start != 0)) {
        column(tag, 8 * runs.iter().map(|run| run.len()).sum::<usize>(), out);
        runs.iter().for_each(|run| put(run.len(), run.iter().map(|start| start.to_le_bytes()), out));
    }
    Ok(())
}

pub(super) fn slice<'a, T>(all: &'a [T], range: &Range<u32>) -> Result<&'a [T]> {
    all.get(range.start as usize..range.end as usize)
        .ok_or_else(|| Error::internal("entries out of the batch's bounds"))
}

fn metadata(entry: &service_api::MetadataEntry) -> MetadataEntry {
    let metadata: model::Metadata = convert::metadata_out(&entry.metadata);
    MetadataEntry { metric: entry.metric.clone(), metadata: Some(metadata) }
}

/// The entries of several series, those that lie side by side in the batch as one.
fn runs_of<'a, 'b, T>(all: &'a [T], ranges: impl Iterator<Item = &'b Range<u32>>) -> Result<Vec<&'a [T]>> {
    let (mut runs, mut run) = (Vec::new(), 0..0);
    for range in ranges.filter(|range| !range.is_empty()) {
        if range.start != run.end {
            runs.push(slice(all, &run)?);
            run.start = range.start;
        }
        run.end = range.end;
    }
    runs.push(slice(all, &run)?);
    Ok(runs)
}

fn put_pages(mut run: &[HistogramSample], pages: &mut Vec<HistogramPage>) {
    while !run.is_empty() {
        let (mut len, mut items) = (0, 0);
        while len < run.len().min(PAGE_HISTOGRAMS) {
            items += histogram_items(&run[len].histogram);
            if len > 0 && items > MAX_HISTOGRAM_ITEMS / 4 {
                break;
            }
            len += 1;
        }
        let (page, rest) = run.split_at(len);
        let mut data = Vec::new();
        encode_histograms(page, &mut data);
        pages.push(HistogramPage { count: len as u32, data: data.into() });
        run = rest;
    }
}
