//! Loaded series in memory, cut into chunks and served by time range.

mod classic;

use crate::script::{Load, Loaded};
use histogram::FloatHistogram;
use model::{HistogramSample, Labels, TimeRange, Timestamp, is_stale};
use promql::notation::{OpenChunk, Value};
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SampleBuffer, SelectRequest, Series, SeriesData, SeriesSet, Warned,
};
use std::{collections::BTreeMap, sync::Arc};
use vectors::Sample;

/// What an engine reads in a test. Where chunks begin depends on the seed; an engine must
/// not notice.
#[derive(Clone, Default)]
pub struct Memory {
    series: BTreeMap<Labels, Stored>,
    seed: u64,
}

#[derive(Clone, Default)]
struct Stored {
    /// In time order.
    entries: Vec<Entry>,
    has_starts: bool,
    open: OpenChunk,
}

#[derive(Clone)]
struct Entry {
    time: Timestamp,
    /// Zero if it is not known.
    start: Timestamp,
    sample: Sample,
}

impl Memory {
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub fn clear(&mut self) {
        self.series.clear();
    }

    pub fn load(&mut self, load: &Load) -> std::result::Result<(), String> {
        // Of several lines for one series only the last one counts.
        let lines: BTreeMap<&Labels, &Loaded> =
            load.series.iter().map(|loaded| (&loaded.description.labels, loaded)).collect();
        for (labels, Loaded { description, starts }) in &lines {
            for (i, value) in description.values.iter().enumerate() {
                let time = i as i64 * load.step;
                let sample = match value {
                    Value::Omitted => continue,
                    Value::Float(value) => Sample::Float(*value),
                    Value::Histogram(native) => Sample::Histogram(Arc::clone(&native.histogram)),
                };
                let start = starts.get(i).copied().flatten().map_or(0, |offset| time + offset);
                self.append(labels, Entry { time, start, sample })?;
            }
        }
        if load.with_native {
            let native = classic::as_native(lines.values().map(|loaded| &loaded.description), load.step)?;
            for (labels, histograms) in native {
                for (time, histogram) in histograms {
                    let sample = Sample::Histogram(Arc::new(histogram));
                    self.append(&labels, Entry { time, start: 0, sample })?;
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, labels: &Labels, entry: Entry) -> std::result::Result<(), String> {
        let time = entry.time;
        let stored = self.series.entry(labels.clone()).or_default();
        stored.append(entry).map_err(|()| format!("{labels} is loaded out of order, at {time} ms"))
    }

    /// The series in chunks of 1 to 120 samples.
    fn chunks(&self, labels: &Labels, stored: &Stored) -> Vec<Chunk> {
        let mut random = self.seed ^ labels.stable_hash();
        let mut rest = stored.entries.as_slice();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (chunk, after) = rest.split_at(rest.len().min(1 + (random >> 33) as usize % 120));
            chunks.push(Chunk { entries: chunk.to_vec() });
            rest = after;
        }
        chunks
    }
}

impl Stored {
    /// Stores a sample as Prometheus does; refuses one that is not later than all before.
    fn append(&mut self, mut entry: Entry) -> std::result::Result<(), ()> {
        let last = self.entries.last();
        if last.is_some_and(|last| last.time >= entry.time) {
            return Err(());
        }
        // A series of histograms ends with a histogram, though scripts have one word for both.
        let after_histogram = last.is_some_and(|last| matches!(last.sample, Sample::Histogram(_)));
        if let Sample::Float(sum) = entry.sample
            && is_stale(sum)
            && after_histogram
        {
            entry.sample = Sample::Histogram(Arc::new(FloatHistogram { sum, ..FloatHistogram::default() }));
        }
        match &mut entry.sample {
            Sample::Histogram(histogram) => {
                let counter_reset_hint = self.open.append(entry.time, histogram);
                if histogram.counter_reset_hint != counter_reset_hint {
                    Arc::make_mut(histogram).counter_reset_hint = counter_reset_hint;
                }
            }
            Sample::Float(_) => self.open = OpenChunk::default(),
        }
        self.has_starts |= entry.start != 0;
        self.entries.push(entry);
        Ok(())
    }
}

#[derive(Clone)]
struct Chunk {
    entries: Vec<Entry>,
}

impl Chunk {
    fn range(&self) -> TimeRange {
        let time = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.time);
        TimeRange::new(time(self.entries.first()), time(self.entries.last()))
    }
}

/// The chunks that a request asked for. Samples outside its range are not given out.
struct Selected {
    range: TimeRange,
    chunks: Vec<Chunk>,
    has_starts: bool,
}

impl SeriesData for Selected {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let chunks = self.chunks.iter().filter(|chunk| chunk.range().overlaps(&range));
        for entry in chunks.flat_map(|chunk| &chunk.entries) {
            if !range.contains(entry.time) || !self.range.contains(entry.time) {
                continue;
            }
            let starts = match &entry.sample {
                Sample::Float(value) => {
                    out.timestamps.push(entry.time);
                    out.values.push(*value);
                    &mut out.starts.floats
                }
                Sample::Histogram(histogram) => {
                    let histogram = (&**histogram).into();
                    out.histograms.push(HistogramSample { timestamp: entry.time, histogram });
                    &mut out.starts.histograms
                }
            };
            if self.has_starts {
                starts.push(entry.start);
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl LabelsReader for Memory {
    async fn series(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        Err(not_asked())
    }

    async fn label_names(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Err(not_asked())
    }

    async fn label_values(&self, _: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Err(not_asked())
    }
}

#[async_trait::async_trait]
impl MetricsReader for Memory {
    async fn select(&self, _: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let mut series = Vec::new();
        for (labels, stored) in &self.series {
            if !request.matchers.iter().all(|m| m.matches_labels(labels)) {
                continue;
            }
            let mut chunks = self.chunks(labels, stored);
            chunks.retain(|c| c.range().overlaps(&request.range));
            if !chunks.is_empty() {
                let data = Selected { range: request.range, chunks, has_starts: stored.has_starts };
                series.push(Series { labels: labels.clone(), data: Arc::new(data) });
            }
        }
        Ok(SeriesSet { series, warnings: Vec::new() })
    }

    async fn exemplars(&self, _: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        Err(not_asked())
    }

    async fn metadata(&self, _: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        Err(not_asked())
    }
}

fn not_asked() -> Error {
    Error::internal("a query engine only selects")
}

#[cfg(test)]
mod tests;
