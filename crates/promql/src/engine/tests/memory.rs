//! Series in memory, for tests and benches.

use async_trait::async_trait;
use model::{Labels, TimeRange, Timestamp};
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SampleBuffer, SelectRequest, Series, SeriesData, SeriesSet, Warned,
};
use std::sync::Arc;

/// Answers selects only.
#[derive(Default)]
pub struct Memory {
    pub series: Vec<Series>,
}

struct Samples {
    times: Arc<Vec<Timestamp>>,
    values: Vec<f64>,
}

impl Memory {
    /// Series are to be added in the order of their labels.
    pub fn add(&mut self, labels: Labels, times: Arc<Vec<Timestamp>>, values: Vec<f64>) {
        self.series.push(Series { labels, data: Arc::new(Samples { times, values }) });
    }
}

impl SeriesData for Samples {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let from = self.times.partition_point(|t| *t < range.start);
        let to = self.times.partition_point(|t| *t <= range.end).max(from);
        out.timestamps.extend_from_slice(&self.times[from..to]);
        out.values.extend_from_slice(&self.values[from..to]);
        Ok(())
    }
}

fn not_here() -> Error {
    Error::internal("only selects are answered")
}

#[async_trait]
impl LabelsReader for Memory {
    async fn series(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        Err(not_here())
    }

    async fn label_names(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Err(not_here())
    }

    async fn label_values(&self, _: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Err(not_here())
    }
}

#[async_trait]
impl MetricsReader for Memory {
    async fn select(&self, _: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let wanted = |s: &&Series| request.matchers.iter().all(|m| m.matches_labels(&s.labels));
        Ok(SeriesSet { series: self.series.iter().filter(wanted).cloned().collect(), warnings: Vec::new() })
    }

    async fn exemplars(&self, _: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        Err(not_here())
    }

    async fn metadata(&self, _: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        Err(not_here())
    }
}
