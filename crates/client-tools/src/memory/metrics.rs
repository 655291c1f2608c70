//! Series in memory: those of the test, and what its rules record.

use super::not_asked;
use async_trait::async_trait;
use histogram::FloatHistogram;
use model::{HistogramSample, Labels, TenantId, TimeRange, Timestamp, is_stale};
use parking_lot::RwLock;
use promql::notation::{Description, OpenChunk, Value};
use rules::{ResultSample, Results};
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, PushOutcome, ReadContext,
    RejectReason, Rejection, Result, SampleBuffer, SelectRequest, Series, SeriesData, SeriesSet, Warned,
};
use std::{collections::BTreeMap, sync::Arc};
use vectors::Sample;

/// Samples of the test come in with [`MemoryMetrics::load_until`], those of rules as they are written.
pub struct MemoryMetrics {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// What the test has in store, with how many values of each have come in.
    inputs: Vec<(Description, usize)>,
    stored: BTreeMap<Labels, Stored>,
}

/// One series.
#[derive(Default)]
struct Stored {
    /// In time order, one for each time.
    entries: Vec<(Timestamp, Sample)>,
    open: OpenChunk,
}

impl MemoryMetrics {
    pub fn new(inputs: Vec<Description>) -> Self {
        let inputs = inputs.into_iter().map(|input| (input, 0)).collect();
        Self { state: RwLock::new(State { inputs, stored: BTreeMap::new() }) }
    }

    /// Lets samples of the test in up to a time; the first value of each series is of `start`, and the others
    /// follow every `step`.
    ///
    /// # Errors
    /// Says of which series there are two samples of one time.
    pub fn load_until(
        &self,
        until: Timestamp,
        start: Timestamp,
        step: i64,
    ) -> std::result::Result<(), String> {
        let State { inputs, stored } = &mut *self.state.write();
        for (input, next) in inputs {
            while let Some(value) = input.values.get(*next) {
                let time = start.saturating_add(step.saturating_mul(*next as i64));
                if time > until {
                    break;
                }
                *next += 1;
                let sample = match value {
                    Value::Omitted => continue,
                    Value::Float(value) => Sample::Float(*value),
                    Value::Histogram(native) => Sample::Histogram(Arc::clone(&native.histogram)),
                };
                if !stored.entry(input.labels.clone()).or_default().insert(time, sample) {
                    let labels = &input.labels;
                    return Err(format!("the series {labels} is there twice, as input or made by a rule"));
                }
            }
        }
        Ok(())
    }
}

impl Stored {
    /// False if there is another sample of that time.
    fn insert(&mut self, time: Timestamp, mut sample: Sample) -> bool {
        let at = self.entries.partition_point(|(earlier, _)| *earlier < time);
        if let Some((same, there)) = self.entries.get(at)
            && *same == time
        {
            return is_same(there, &sample);
        }
        // A series of histograms ends with a histogram, though the notation has one word for both.
        let after_histogram = at.checked_sub(1).is_some_and(|before| {
            self.entries.get(before).is_some_and(|(_, sample)| matches!(sample, Sample::Histogram(_)))
        });
        if let Sample::Float(sum) = sample
            && is_stale(sum)
            && after_histogram
        {
            sample = Sample::Histogram(Arc::new(FloatHistogram { sum, ..FloatHistogram::default() }));
        }
        match &mut sample {
            Sample::Histogram(histogram) => {
                let hint = self.open.append(time, histogram);
                if histogram.counter_reset_hint != hint {
                    Arc::make_mut(histogram).counter_reset_hint = hint;
                }
            }
            Sample::Float(_) => self.open = OpenChunk::default(),
        }
        self.entries.insert(at, (time, sample));
        true
    }

    fn within(&self, range: TimeRange) -> &[(Timestamp, Sample)] {
        within(&self.entries, range)
    }
}

fn within(entries: &[(Timestamp, Sample)], range: TimeRange) -> &[(Timestamp, Sample)] {
    let start = entries.partition_point(|(time, _)| *time < range.start);
    let end = entries.partition_point(|(time, _)| *time <= range.end);
    entries.get(start..end).unwrap_or_default()
}

fn is_same(a: &Sample, b: &Sample) -> bool {
    match (a, b) {
        (Sample::Float(a), Sample::Float(b)) => a.to_bits() == b.to_bits(),
        (Sample::Histogram(a), Sample::Histogram(b)) => a.equals(b),
        _ => false,
    }
}

#[async_trait]
impl Results for MemoryMetrics {
    async fn write(&self, _: &TenantId, samples: Vec<ResultSample>) -> Result<PushOutcome> {
        let mut outcome = PushOutcome::default();
        let stored = &mut self.state.write().stored;
        for ResultSample { labels, timestamp, value } in samples {
            let is_histogram = matches!(value, Sample::Histogram(_));
            if !stored.entry(labels.clone()).or_default().insert(timestamp, value) {
                outcome.reject(1, || Rejection {
                    reason: RejectReason::Duplicate,
                    labels,
                    timestamp: Some(timestamp),
                });
            } else if is_histogram {
                outcome.histograms += 1;
            } else {
                outcome.samples += 1;
            }
        }
        Ok(outcome)
    }
}

#[async_trait]
impl MetricsReader for MemoryMetrics {
    async fn select(&self, _: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let state = self.state.read();
        let mut series = Vec::new();
        for (labels, stored) in &state.stored {
            let entries = stored.within(request.range);
            if !entries.is_empty() && request.matchers.iter().all(|m| m.matches_labels(labels)) {
                let data = Arc::new(Selected(entries.to_vec()));
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

#[async_trait]
impl LabelsReader for MemoryMetrics {
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

/// The samples of a series that were asked for.
struct Selected(Vec<(Timestamp, Sample)>);

impl SeriesData for Selected {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for (time, sample) in within(&self.0, range) {
            match sample {
                Sample::Float(value) => {
                    out.timestamps.push(*time);
                    out.values.push(*value);
                }
                Sample::Histogram(histogram) => {
                    let histogram = (&**histogram).into();
                    out.histograms.push(HistogramSample { timestamp: *time, histogram });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{MatchOp, Matcher};
    use promql::notation::parse;

    async fn times(metrics: &MemoryMetrics, name: &str, range: TimeRange) -> Vec<Timestamp> {
        let matchers = vec![Matcher::new(MatchOp::Equal, "__name__", name).unwrap()];
        let context = ReadContext::new(TenantId::anonymous(), 1 << 20);
        let found = metrics.select(&context, &SelectRequest { matchers, range }).await.unwrap();
        let mut out = SampleBuffer::default();
        for series in found.series {
            series.data.read(TimeRange::ALL, &mut out).unwrap();
        }
        out.timestamps
    }

    #[tokio::test]
    async fn samples_come_in_as_time_goes_on() {
        let metrics = MemoryMetrics::new(vec![parse("a 1 _ 3 4").unwrap()]);
        metrics.load_until(120, 100, 10).unwrap();
        assert_eq!(times(&metrics, "a", TimeRange::ALL).await, [100, 120]);
        metrics.load_until(200, 100, 10).unwrap();
        assert_eq!(times(&metrics, "a", TimeRange::ALL).await, [100, 120, 130]);
        assert_eq!(times(&metrics, "a", TimeRange::new(101, 129)).await, [120]);
        assert!(times(&metrics, "b", TimeRange::ALL).await.is_empty());
    }

    #[tokio::test]
    async fn of_two_samples_of_one_time_the_second_is_refused() {
        let metrics = MemoryMetrics::new(vec![parse("a 1").unwrap(), parse("a 2").unwrap()]);
        assert!(metrics.load_until(0, 0, 10).unwrap_err().contains("twice"));
        let sample = |value| ResultSample {
            labels: Labels::from_pairs([("__name__", "a")]),
            timestamp: 0,
            value: Sample::Float(value),
        };
        let outcome = metrics.write(&TenantId::anonymous(), vec![sample(1.0), sample(3.0)]).await.unwrap();
        assert_eq!((outcome.samples, outcome.rejected), (1, 1));
    }
}
