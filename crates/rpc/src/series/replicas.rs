//! Replicas of series as one: what several ingesters have alike is kept and decoded once.

use super::decode::Decoder;
use crate::series::remote::corrupt;
use model::TimeRange;
use service_api::{EncodedChunk, MergedData, Result, SampleBuffer, Series, SeriesData, SeriesSet};
use std::{collections::HashSet, sync::Arc};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128_with_seed};

/// One sorted set of the answers of several ingesters, which are mostly the same. As
/// `service_api::merge_series_sets`, but equal chunks count once. Pure CPU work.
pub fn merge_replicas(sets: Vec<SeriesSet>) -> SeriesSet {
    let mut merged = SeriesSet::default();
    let mut series = Vec::with_capacity(sets.iter().map(|set| set.series.len()).sum());
    for set in sets {
        series.extend(set.series);
        for warning in set.warnings {
            if !merged.warnings.contains(&warning) {
                merged.warnings.push(warning);
            }
        }
    }
    // A stable sort that finds the sorted runs that the sets are, and merges those.
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut rest = series.into_iter().peekable();
    let mut seen = HashSet::new();
    while let Some(Series { labels, data }) = rest.next() {
        let mut replicas = vec![data];
        while let Some(more) = rest.next_if(|next| next.labels == labels) {
            replicas.push(more.data);
        }
        merged.series.push(Series { labels, data: merge(replicas, &mut seen) });
    }
    merged
}

/// What tells a chunk from others of its series.
type Fingerprint = (TimeRange, u32, u128);

fn fingerprint(chunk: EncodedChunk<'_>) -> Fingerprint {
    // Chunks that differ in nothing but their starts are two.
    let seed = |starts: &[u8]| if starts.is_empty() { 0 } else { xxh3_64(starts) };
    match chunk {
        EncodedChunk::Floats { range, count, timestamps, values, starts } => {
            (range, count, xxh3_128_with_seed(values, xxh3_64_with_seed(timestamps, seed(starts))))
        }
        EncodedChunk::Histograms { range, count, data, starts } => {
            (range, count, xxh3_128_with_seed(data, seed(starts)))
        }
    }
}

fn merge(mut replicas: Vec<Arc<dyn SeriesData>>, seen: &mut HashSet<Fingerprint>) -> Arc<dyn SeriesData> {
    if replicas.len() == 1
        && let Some(only) = replicas.pop()
    {
        return only;
    }
    seen.clear();
    let mut sources: Vec<Replica> = Vec::with_capacity(replicas.len());
    for data in &replicas {
        let mut new = Vec::new();
        match data.encoded(TimeRange::ALL, &mut |chunk| new.push(seen.insert(fingerprint(chunk)))) {
            Ok(true) if new.contains(&true) => sources.push(Replica { data: Arc::clone(data), new }),
            Ok(true) => {}
            // One that is not encoded, or broken, which whoever reads it will be told.
            Ok(false) | Err(_) => return Arc::new(MergedData::new(replicas)),
        }
    }
    match (sources.pop(), sources.is_empty()) {
        (Some(Replica { data, new }), true) if !new.contains(&false) => data,
        (Some(last), _) => {
            sources.push(last);
            Arc::new(ReplicatedSeries(sources))
        }
        (None, _) => Arc::new(ReplicatedSeries(sources)),
    }
}

struct ReplicatedSeries(Vec<Replica>);

struct Replica {
    data: Arc<dyn SeriesData>,
    /// Of each chunk whether no replica before has it.
    new: Vec<bool>,
}

impl ReplicatedSeries {
    fn each(&self, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<()> {
        for replica in &self.0 {
            let mut new = replica.new.iter();
            replica.data.encoded(TimeRange::ALL, &mut |chunk| {
                if new.next().is_none_or(|new| *new) {
                    each(chunk);
                }
            })?;
        }
        Ok(())
    }
}

impl SeriesData for ReplicatedSeries {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let mut decoder = Decoder::new(range, out);
        let mut result = Ok(());
        self.each(&mut |chunk| {
            if result.is_ok() {
                result = decoder.add(chunk);
            }
        })?;
        decoder.finish();
        result.map_err(corrupt)
    }

    fn encoded(&self, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        self.each(&mut |chunk| {
            if chunk.range().overlaps(&range) {
                each(chunk);
            }
        })?;
        Ok(true)
    }
}
