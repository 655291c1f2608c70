//! Makes a batch of metrics out of a message, and believes nothing in it unchecked.

use super::NoLabels;
use crate::{
    convert::{self, bad},
    proto::ingester::AppendRequest,
};
use ::model::{HistogramSample, Labels, Sample, Timestamp};
use bytes::Bytes;
use chunk::{MAX_HISTOGRAM_ITEMS, decode_histograms, histogram_items};
use service_api::{BatchSeries, MetadataEntry, Result, SeriesKey, StartTimestamps, Wanted, WriteBatch};
use std::ops::Range;

/// Spans, buckets and bounds of all histograms of a request: what bounds the memory they take.
const MAX_ITEMS: usize = 8 * MAX_HISTOGRAM_ITEMS;

/// The batch that a request has, and what of it to append: all of it, by key or by name.
pub fn decode_append(request: AppendRequest) -> Result<(WriteBatch, Wanted)> {
    let keys = keys(&request.keys)?;
    let samples = samples(&request)?;
    let histograms = histograms(&request)?;
    let starts = StartTimestamps {
        floats: starts(&request.sample_starts, samples.len())?,
        histograms: starts(&request.histogram_starts, histograms.len())?,
    };
    let exemplars = request.exemplars.iter().map(convert::exemplar_in).collect::<Result<Vec<_>>>()?;
    let series = if request.sample_counts.is_empty() {
        Ranges::new(keys.len(), &vec![1; keys.len()], samples.len())
    } else {
        Ranges::new(keys.len(), &request.sample_counts, samples.len())
    }?;
    let of_histograms = Ranges::optional(keys.len(), &request.histogram_counts, histograms.len())?;
    let of_exemplars = Ranges::optional(keys.len(), &request.exemplar_counts, exemplars.len())?;
    let series = keys.iter().enumerate().map(|(at, key)| BatchSeries {
        key: *key,
        samples: series.get(at),
        histograms: of_histograms.get(at),
        exemplars: of_exemplars.get(at),
    });
    let metadata = request.metadata.into_iter().map(|entry| {
        let metadata = convert::metadata_in(entry.metadata.unwrap_or_default());
        MetadataEntry { metric: entry.metric, metadata }
    });
    let which = wanted(request.named, &request.labels, keys.len())?;
    let batch = WriteBatch {
        series: series.collect(),
        samples,
        histograms,
        starts,
        exemplars,
        metadata: metadata.collect(),
        labels: Box::new(NoLabels),
    };
    Ok((batch, which))
}

pub(super) fn keys(column: &[u8]) -> Result<Vec<SeriesKey>> {
    let (keys, rest) = column.as_chunks::<16>();
    if !rest.is_empty() || u32::try_from(keys.len()).is_err() {
        return Err(bad("keys of another length than 16 bytes"));
    }
    Ok(keys.iter().map(|key| SeriesKey(u128::from_le_bytes(*key))).collect())
}

pub(super) fn wanted(named: bool, labels: &[Bytes], len: usize) -> Result<Wanted> {
    if labels.len() != if named { len } else { 0 } {
        return Err(bad("not as many label sets as there are keys"));
    }
    if !named {
        return Ok(Wanted::All);
    }
    let named = |(at, labels): (usize, &Bytes)| Ok((at as u32, convert::labels_in(labels)?));
    let named: Vec<(u32, Labels)> = labels.iter().enumerate().map(named).collect::<Result<_>>()?;
    Ok(Wanted::Named(named))
}

fn samples(request: &AppendRequest) -> Result<Vec<Sample>> {
    let (timestamps, odd) = request.timestamps.as_chunks::<8>();
    let (values, odd_values) = request.values.as_chunks::<8>();
    if !odd.is_empty() || !odd_values.is_empty() || timestamps.len() != values.len() {
        return Err(bad("columns of samples of different lengths"));
    }
    let sample = |(timestamp, value): (&[u8; 8], &[u8; 8])| Sample {
        timestamp: i64::from_le_bytes(*timestamp),
        value: f64::from_le_bytes(*value),
    };
    Ok(timestamps.iter().zip(values).map(sample).collect())
}

/// The starts of `count` entries, or none.
fn starts(column: &[u8], count: usize) -> Result<Vec<Timestamp>> {
    let (starts, odd) = column.as_chunks::<8>();
    if !odd.is_empty() || !(starts.is_empty() || starts.len() == count) {
        return Err(bad("not as many start timestamps as entries"));
    }
    Ok(starts.iter().map(|start| i64::from_le_bytes(*start)).collect())
}

fn histograms(request: &AppendRequest) -> Result<Vec<HistogramSample>> {
    let (mut all, mut items) = (Vec::new(), 0);
    for page in &request.histograms {
        let start = all.len();
        decode_histograms(&page.data, page.count as usize, &mut all).map_err(|e| bad(e.to_string()))?;
        items += all[start..].iter().map(|s| histogram_items(&s.histogram)).sum::<usize>();
        if items > MAX_ITEMS {
            return Err(bad("histograms too large"));
        }
    }
    Ok(all)
}

/// Where the entries of each series lie in their column.
pub(super) struct Ranges(Vec<u32>);

impl Ranges {
    /// `counts` are those of `len` series, which have `total` entries together.
    pub(super) fn new(len: usize, counts: &[u32], total: usize) -> Result<Self> {
        let mut end = 0u32;
        let ends: Option<Vec<u32>> = counts
            .iter()
            .map(|count| {
                end = end.checked_add(*count)?;
                Some(end)
            })
            .collect();
        match ends {
            Some(ends) if ends.len() == len && end as usize == total => Ok(Self(ends)),
            _ => Err(bad("counts that do not match what is counted")),
        }
    }

    /// As `new`, but no counts at all stand for no entries.
    pub(super) fn optional(len: usize, counts: &[u32], total: usize) -> Result<Self> {
        if counts.is_empty() && total == 0 { Ok(Self(Vec::new())) } else { Self::new(len, counts, total) }
    }

    pub(super) fn get(&self, at: usize) -> Range<u32> {
        let start = if at == 0 { 0 } else { self.0.get(at - 1).copied().unwrap_or(0) };
        start..self.0.get(at).copied().unwrap_or(0)
    }
}
