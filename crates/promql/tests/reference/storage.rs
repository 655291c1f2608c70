//! The random series as the engine reads them: by matchers and time, in a buffer with columns.

use super::{data::Data, oracle::table::Value};
use model::{Histogram, HistogramSample, Labels, TimeRange, Timestamp};
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SampleBuffer, SelectRequest, Series, SeriesData, SeriesSet, Warned,
};
use std::sync::Arc;

/// Ready to be read.
pub struct Storage {
    series: Vec<(Labels, Arc<Columns>)>,
}

struct Columns {
    samples: Vec<(Timestamp, f64)>,
    histograms: Vec<HistogramSample>,
}

impl Storage {
    pub fn new(data: &Data) -> Self {
        let series = data.series.iter().map(|stored| {
            let mut columns = Columns { samples: Vec::new(), histograms: Vec::new() };
            for (timestamp, value) in &stored.samples {
                match value {
                    Value::Float(value) => columns.samples.push((*timestamp, *value)),
                    Value::Histogram(histogram) => columns.histograms.push(HistogramSample {
                        timestamp: *timestamp,
                        histogram: Histogram::from(&**histogram),
                    }),
                }
            }
            (stored.labels.clone(), Arc::new(columns))
        });
        Self { series: series.collect() }
    }
}

/// Gives out nothing from beyond what was asked for first.
struct Selected {
    range: TimeRange,
    columns: Arc<Columns>,
}

impl SeriesData for Selected {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let wanted = |time: Timestamp| range.contains(time) && self.range.contains(time);
        for (time, value) in self.columns.samples.iter().filter(|(time, _)| wanted(*time)) {
            out.timestamps.push(*time);
            out.values.push(*value);
        }
        out.histograms.extend(self.columns.histograms.iter().filter(|h| wanted(h.timestamp)).cloned());
        Ok(())
    }
}

#[async_trait::async_trait]
impl LabelsReader for Storage {
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
impl MetricsReader for Storage {
    async fn select(&self, _: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let matching = self
            .series
            .iter()
            .filter(|(labels, _)| request.matchers.iter().all(|m| m.matches_labels(labels)));
        let series = matching.map(|(labels, columns)| Series {
            labels: labels.clone(),
            data: Arc::new(Selected { range: request.range, columns: Arc::clone(columns) }),
        });
        Ok(SeriesSet { series: series.collect(), warnings: Vec::new() })
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
