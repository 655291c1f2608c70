//! Loaded series in memory, cut into chunks and served by time range.

use crate::{
    script::{Load, native_base},
    series::Value,
};
use model::{Labels, Matcher, TimeRange, Timestamp};
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SampleBuffer, SelectRequest, Series, SeriesData, SeriesSet, Warned,
};
use std::{collections::BTreeMap, sync::Arc};

/// What an engine reads in a test. Where chunks begin depends on the seed; an engine must
/// not notice.
#[derive(Clone, Default)]
pub struct Memory {
    series: BTreeMap<Labels, Stored>,
    seed: u64,
}

#[derive(Clone, Default)]
struct Stored {
    samples: BTreeMap<Timestamp, f64>,
    has_histograms: bool,
    has_start_timestamps: bool,
}

/// Why a loaded series cannot be judged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    NativeHistogram,
    StartTimestamps,
}

impl Memory {
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub fn clear(&mut self) {
        self.series.clear();
    }

    pub fn load(&mut self, load: &Load) {
        for loaded in &load.series {
            let labels = &loaded.description.labels;
            let stored = self.series.entry(labels.clone()).or_default();
            stored.has_start_timestamps |= loaded.has_start_timestamps;
            for (i, value) in loaded.description.values.iter().enumerate() {
                match value {
                    Value::Float(v) => {
                        stored.samples.insert(i as i64 * load.step, *v);
                    }
                    Value::Histogram => stored.has_histograms = true,
                    Value::Omitted => {}
                }
            }
            if let Some(base) = native_base(labels).filter(|_| load.with_native) {
                self.series.entry(base).or_default().has_histograms = true;
            }
        }
    }

    /// Whether a selector would meet a series that is more than floats over time.
    pub fn special(&self, matchers: &[Matcher]) -> Option<Special> {
        let matching =
            self.series.iter().filter(|(labels, _)| matchers.iter().all(|m| m.matches_labels(labels)));
        matching.fold(None, |found, (_, stored)| {
            if stored.has_histograms {
                Some(Special::NativeHistogram)
            } else if stored.has_start_timestamps {
                found.or(Some(Special::StartTimestamps))
            } else {
                found
            }
        })
    }

    /// The series in chunks of 1 to 120 samples.
    fn chunks(&self, labels: &Labels, stored: &Stored) -> Vec<Chunk> {
        let mut random = self.seed ^ labels.stable_hash();
        let samples: Vec<_> = stored.samples.iter().map(|(t, v)| (*t, *v)).collect();
        let mut rest = samples.as_slice();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (chunk, after) = rest.split_at(rest.len().min(1 + (random >> 33) as usize % 120));
            chunks.push(Chunk { samples: chunk.to_vec() });
            rest = after;
        }
        chunks
    }
}

#[derive(Clone)]
struct Chunk {
    samples: Vec<(Timestamp, f64)>,
}

impl Chunk {
    fn range(&self) -> TimeRange {
        let time = |sample: Option<&(Timestamp, f64)>| sample.map_or(0, |s| s.0);
        TimeRange::new(time(self.samples.first()), time(self.samples.last()))
    }
}

/// The chunks that a request asked for. Samples outside its range are not given out.
struct Selected {
    range: TimeRange,
    chunks: Vec<Chunk>,
}

impl SeriesData for Selected {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for chunk in self.chunks.iter().filter(|c| c.range().overlaps(&range)) {
            for (time, value) in &chunk.samples {
                if range.contains(*time) && self.range.contains(*time) {
                    out.timestamps.push(*time);
                    out.values.push(*value);
                }
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
                let data = Arc::new(Selected { range: request.range, chunks });
                series.push(Series { labels: labels.clone(), data });
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
