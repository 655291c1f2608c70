//! Samples in memory with rollups of some days, which are computed from the samples as the definitions say.

use async_trait::async_trait;
use model::{Histogram, HistogramSample, Labels, TimeRange, Timestamp, is_stale};
use parking_lot::Mutex;
use service_api::{
    Aggregate, Error, ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, ReadContext,
    Result, RollupRequest, SampleBuffer, SelectRequest, Series, SeriesData, SeriesSet, Warned,
};
use std::{collections::BTreeSet, sync::Arc};

pub const DAY: i64 = 86_400_000;

/// A series: its samples in time order, stale markers among them.
pub struct Stored {
    pub labels: Labels,
    pub samples: Vec<(Timestamp, f64)>,
    /// Times of native histograms.
    pub histograms: Vec<Timestamp>,
}

#[derive(Default)]
pub struct Reader {
    /// Sorted by labels.
    pub series: Vec<Stored>,
    /// Days since the epoch of which there are rollups.
    pub rolled_up: BTreeSet<i64>,
    pub asked: Mutex<Vec<(RollupRequest, bool)>>,
    pub selected: Mutex<Vec<TimeRange>>,
}

struct Selected {
    range: TimeRange,
    samples: Vec<(Timestamp, f64)>,
    histograms: Vec<Timestamp>,
}

impl SeriesData for Selected {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let wanted = |time: Timestamp| range.contains(time) && self.range.contains(time);
        for (time, value) in self.samples.iter().filter(|(time, _)| wanted(*time)) {
            out.timestamps.push(*time);
            out.values.push(*value);
        }
        let histogram = |time: &Timestamp| HistogramSample {
            timestamp: *time,
            histogram: Histogram::from(&histogram::FloatHistogram::default()),
        };
        out.histograms.extend(self.histograms.iter().filter(|time| wanted(**time)).map(histogram));
        Ok(())
    }
}

impl Reader {
    fn matching(&self, matchers: &[model::Matcher]) -> impl Iterator<Item = &Stored> {
        self.series.iter().filter(move |one| matchers.iter().all(|m| m.matches_labels(&one.labels)))
    }
}

/// The figure of the bucket that ends at `end`, if it has one.
fn figure(aggregate: Aggregate, samples: &[(Timestamp, f64)], end: Timestamp, length: i64) -> Option<f64> {
    let from = samples.partition_point(|(time, _)| *time <= end - length);
    let to = samples.partition_point(|(time, _)| *time <= end);
    if aggregate == Aggregate::Latest {
        return samples[from..to].last().map(|(_, value)| *value);
    }
    let floats: Vec<_> = samples[from..to].iter().filter(|(_, value)| !is_stale(*value)).copied().collect();
    let values: Vec<f64> = floats.iter().map(|(_, value)| *value).collect();
    let (first, last) = (floats.first()?, floats.last()?);
    let drops = values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]);
    Some(match aggregate {
        Aggregate::Count => values.len() as f64,
        Aggregate::Sum => promql::functions::kahan::KahanSum::of(&values),
        Aggregate::Min => values.iter().fold(values[0], |m, v| if *v < m || m.is_nan() { *v } else { m }),
        Aggregate::Max => values.iter().fold(values[0], |m, v| if *v > m || m.is_nan() { *v } else { m }),
        Aggregate::First => first.1,
        Aggregate::Last => last.1,
        Aggregate::FirstTime => first.0 as f64,
        Aggregate::LastTime => last.0 as f64,
        Aggregate::Resets => drops.count() as f64,
        Aggregate::Dropped => drops.fold(0.0, |sum, value| sum + value),
        Aggregate::Latest => return None,
    })
}

#[async_trait]
impl MetricsReader for Reader {
    async fn select(&self, _: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        self.selected.lock().push(request.range);
        let series = self.matching(&request.matchers).map(|one| Series {
            labels: one.labels.clone(),
            data: Arc::new(Selected {
                range: request.range,
                samples: one.samples.clone(),
                histograms: one.histograms.clone(),
            }),
        });
        Ok(SeriesSet { series: series.collect(), warnings: Vec::new() })
    }

    async fn rollups(&self, _: &ReadContext, request: &RollupRequest) -> Result<Option<Vec<SeriesSet>>> {
        let RollupRequest { matchers, ends, resolution, aggregates } = request;
        assert!(ends.start <= ends.end && ends.start % resolution == 0 && ends.end % resolution == 0);
        let every = || (ends.start..=ends.end).step_by(*resolution as usize);
        // What is at midnight is in the last bucket of the day before.
        let is_there = every().all(|end| self.rolled_up.contains(&(end - 1).div_euclid(DAY)));
        self.asked.lock().push((request.clone(), is_there));
        if !is_there {
            return Ok(None);
        }
        let set = |aggregate: &Aggregate| {
            let series = self.matching(matchers).filter_map(|one| {
                let samples: Vec<_> = every()
                    .filter_map(|end| Some((end, figure(*aggregate, &one.samples, end, *resolution)?)))
                    .collect();
                let range = TimeRange::ALL;
                (!samples.is_empty()).then(|| Series {
                    labels: one.labels.clone(),
                    data: Arc::new(Selected { range, samples, histograms: Vec::new() }),
                })
            });
            SeriesSet { series: series.collect(), warnings: Vec::new() }
        };
        Ok(Some(aggregates.iter().map(set).collect()))
    }

    async fn exemplars(&self, _: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        Err(not_asked())
    }

    async fn metadata(&self, _: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        Err(not_asked())
    }
}

#[async_trait]
impl LabelsReader for Reader {
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

fn not_asked() -> Error {
    Error::internal("a query engine only selects")
}
