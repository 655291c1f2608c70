//! Results of rules, written as any other samples are.

use crate::{ResultSample, Results};
use async_trait::async_trait;
use histogram::FloatHistogram;
use model::{CounterResetHint, Histogram, HistogramSample, Labels, Sample, TenantId};
use service_api::{
    BatchSeries, LabelSource, Push, PushOutcome, Result, SeriesKey, StartTimestamps, WriteBatch,
};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Samples in one batch.
const PIECE: usize = 2_000;

/// Keeps the keys of packed label sets apart from those of the forms in which others send labels.
const KEY_SEED: u64 = 0x7275_6c65_7300_0001;

/// Writes to a `Push`.
pub struct Pushed(pub Arc<dyn Push>);

#[async_trait]
impl Results for Pushed {
    async fn write(&self, tenant: &TenantId, samples: Vec<ResultSample>) -> Result<PushOutcome> {
        let mut outcome = PushOutcome::default();
        for piece in samples.chunks(PIECE) {
            outcome.merge(self.0.push(tenant, batch(piece)).await?);
        }
        Ok(outcome)
    }
}

fn batch(samples: &[ResultSample]) -> WriteBatch {
    let mut batch = WriteBatch {
        series: Vec::with_capacity(samples.len()),
        samples: Vec::new(),
        histograms: Vec::new(),
        starts: StartTimestamps::default(),
        exemplars: Vec::new(),
        metadata: Vec::new(),
        labels: Box::new(Sets(samples.iter().map(|sample| sample.labels.clone()).collect())),
    };
    for ResultSample { labels, timestamp, value } in samples {
        let timestamp = *timestamp;
        let before = (batch.samples.len() as u32, batch.histograms.len() as u32);
        match value {
            vectors::Sample::Float(value) => batch.samples.push(Sample { timestamp, value: *value }),
            vectors::Sample::Histogram(histogram) => {
                batch.histograms.push(HistogramSample { timestamp, histogram: recorded(histogram) });
            }
        }
        batch.series.push(BatchSeries {
            key: SeriesKey(xxh3_128_with_seed(labels.as_packed().as_bytes(), KEY_SEED)),
            samples: before.0..batch.samples.len() as u32,
            histograms: before.1..batch.histograms.len() as u32,
            exemplars: 0..0,
        });
    }
    batch
}

/// A gauge, or a counter of which it is not known whether it was reset: what an operand knew of that holds for the
/// operand.
fn recorded(histogram: &FloatHistogram) -> Histogram {
    let counter_reset_hint = match histogram.counter_reset_hint {
        CounterResetHint::Gauge => CounterResetHint::Gauge,
        _ => CounterResetHint::Unknown,
    };
    Histogram { counter_reset_hint, ..Histogram::from(histogram) }
}

/// Label sets that are whole already.
struct Sets(Vec<Labels>);

impl LabelSource for Sets {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        for (name, value) in self.0.get(index).into_iter().flat_map(Labels::iter) {
            each(name, value);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|labels| size_of::<Labels>() + labels.heap_bytes()).sum()
    }
}

#[cfg(test)]
mod tests;
