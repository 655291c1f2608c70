//! A place for samples in memory, which rules are evaluated on and write to.

use crate::{Around, Engines, ResultSample, Results};
use async_trait::async_trait;
use model::{Histogram, HistogramSample, Labels, TenantId, TimeRange, Timestamp};
use promql::ParseOptions;
use runtime::{Clock, ManualClock};
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, Limits, LogsReader, MetricMetadata, MetricsReader,
    PushOutcome, ReadContext, RejectReason, Rejection, Result, SampleBuffer, SelectRequest, Series,
    SeriesData, SeriesSet, StreamSet, StreamsRequest, Warned,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use vectors::Sample;

/// Where the time of scripts begins.
pub const BASE: Timestamp = 1_700_000_000_000;

pub struct World(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    series: BTreeMap<Labels, BTreeMap<Timestamp, Sample>>,
    /// What rules wrote, refused samples too.
    written: Vec<ResultSample>,
    is_unreadable: bool,
    is_full: bool,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// What runs need, with the engines that real ones have.
    pub fn around(self: &Arc<Self>, external_labels: Labels) -> Arc<Around> {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(BASE));
        let engines = Engines {
            promql: Arc::default(),
            logql: Arc::default(),
            metrics: Arc::clone(self) as Arc<dyn MetricsReader>,
            logs: Arc::clone(self) as Arc<dyn LogsReader>,
            limits: Arc::new(Arc::new(Limits::default())),
            clock: Arc::clone(&clock),
        };
        Arc::new(Around {
            queries: Arc::new(engines),
            results: Arc::clone(self) as Arc<dyn Results>,
            clock,
            external_labels,
            external_url: "http://yagura.example".to_owned(),
            promql: ParseOptions::default(),
        })
    }

    pub fn put(&self, labels: &Labels, at: Timestamp, value: Sample) {
        self.0.lock().unwrap().series.entry(labels.clone()).or_default().insert(at, value);
    }

    pub fn take_written(&self) -> Vec<ResultSample> {
        std::mem::take(&mut self.0.lock().unwrap().written)
    }

    pub fn set_unreadable(&self, is: bool) {
        self.0.lock().unwrap().is_unreadable = is;
    }

    pub fn set_full(&self, is: bool) {
        self.0.lock().unwrap().is_full = is;
    }
}

/// Whether two samples are the same to the bit, as a store compares them.
pub fn is_same(a: &Sample, b: &Sample) -> bool {
    match (a, b) {
        (Sample::Float(a), Sample::Float(b)) => a.to_bits() == b.to_bits(),
        (Sample::Histogram(a), Sample::Histogram(b)) => {
            a.sum.to_bits() == b.sum.to_bits() && a.count == b.count
        }
        _ => false,
    }
}

#[async_trait]
impl Results for World {
    async fn write(&self, _: &TenantId, samples: Vec<ResultSample>) -> Result<PushOutcome> {
        let mut inside = self.0.lock().unwrap();
        if inside.is_full {
            return Err(Error::unavailable("the disk is full"));
        }
        let mut outcome = PushOutcome::default();
        for sample in samples {
            let ResultSample { labels, timestamp, value } = sample.clone();
            let times = inside.series.entry(labels.clone()).or_default();
            match times.get(&timestamp) {
                Some(there) if !is_same(there, &value) => {
                    let (reason, timestamp) = (RejectReason::Duplicate, Some(timestamp));
                    outcome.reject(1, || Rejection { reason, labels, timestamp });
                }
                _ => {
                    times.insert(timestamp, value);
                    outcome.samples += 1;
                }
            }
            inside.written.push(sample);
        }
        Ok(outcome)
    }
}

struct Stored(Vec<(Timestamp, Sample)>);

impl SeriesData for Stored {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for (timestamp, value) in self.0.iter().filter(|(t, _)| range.contains(*t)) {
            let timestamp = *timestamp;
            match value {
                Sample::Float(value) => {
                    out.timestamps.push(timestamp);
                    out.values.push(*value);
                }
                Sample::Histogram(histogram) => {
                    let histogram = Histogram::from(&**histogram);
                    out.histograms.push(HistogramSample { timestamp, histogram });
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl MetricsReader for World {
    async fn select(&self, _: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let inside = self.0.lock().unwrap();
        if inside.is_unreadable {
            return Err(Error::unavailable("the store is away"));
        }
        let wanted =
            inside.series.iter().filter(|(l, _)| request.matchers.iter().all(|m| m.matches_labels(l)));
        let series = wanted.map(|(labels, samples)| {
            let samples = samples.iter().map(|(t, value)| (*t, value.clone())).collect();
            Series { labels: labels.clone(), data: Arc::new(Stored(samples)) }
        });
        Ok(SeriesSet { series: series.collect(), warnings: Vec::new() })
    }

    async fn exemplars(&self, _: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        unreachable!("rules have no use for exemplars")
    }

    async fn metadata(&self, _: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        unreachable!("rules have no use for metadata")
    }
}

#[async_trait]
impl LabelsReader for World {
    async fn series(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        unreachable!("rules have no use for label sets alone")
    }

    async fn label_names(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        unreachable!("rules have no use for label names alone")
    }

    async fn label_values(&self, _: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        unreachable!("rules have no use for label values alone")
    }
}

#[async_trait]
impl LogsReader for World {
    async fn select(&self, _: &ReadContext, _: &StreamsRequest) -> Result<StreamSet> {
        Ok(StreamSet::default())
    }
}
