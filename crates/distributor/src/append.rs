//! The two steps of an append, which both signals take: by key, and by labels what was not known by its key.

use crate::{labels, metrics::Metrics};
use model::{Labels, LabelsBuilder, Signal};
use service_api::{AppendOutcome, LabelSource, Limits, LogBatch, PushOutcome, Result, Wanted, WriteBatch};
use std::sync::Arc;

/// What a batch of either signal says of its series or streams.
pub trait Batch {
    const SIGNAL: Signal;

    fn labels(&self) -> &dyn LabelSource;

    /// How many entries series or stream `index` has.
    fn entries_of(&self, index: usize) -> usize;
}

impl Batch for WriteBatch {
    const SIGNAL: Signal = Signal::Metrics;

    fn labels(&self) -> &dyn LabelSource {
        &*self.labels
    }

    fn entries_of(&self, index: usize) -> usize {
        let series = &self.series[index];
        series.samples.len() + series.histograms.len() + series.exemplars.len()
    }
}

impl Batch for LogBatch {
    const SIGNAL: Signal = Signal::Logs;

    fn labels(&self) -> &dyn LabelSource {
        &*self.labels
    }

    fn entries_of(&self, index: usize) -> usize {
        self.streams[index].entries.len()
    }
}

/// Hands a batch on through `append` and adds to `outcome` what became of it.
pub async fn append<B: Batch, F: Future<Output = Result<AppendOutcome>>>(
    batch: B,
    limits: &Limits,
    metrics: &Metrics,
    outcome: &mut PushOutcome,
    append: impl Fn(Arc<B>, Wanted) -> F,
) -> Result<()> {
    let batch = Arc::new(batch);
    let appended = append(Arc::clone(&batch), Wanted::All).await?;
    outcome.merge(appended.pushed);
    let named = name(&*batch, &appended.unknown, limits, metrics, outcome)?;
    if !named.is_empty() {
        outcome.merge(append(batch, Wanted::Named(named)).await?.pushed);
    }
    Ok(())
}

/// The checked labels of the series or streams that the ingester did not know. Those with bad labels are
/// refused here, with all their entries.
fn name<B: Batch>(
    batch: &B,
    unknown: &[u32],
    limits: &Limits,
    metrics: &Metrics,
    outcome: &mut PushOutcome,
) -> Result<Vec<(u32, Labels)>> {
    let mut builder = LabelsBuilder::new();
    let mut named = Vec::with_capacity(unknown.len());
    for &index in unknown {
        let entries = batch.entries_of(index as usize);
        if entries == 0 && B::SIGNAL == Signal::Logs {
            continue; // as in Loki, a stream comes into being with its first line
        }
        match labels::read(batch.labels(), index as usize, B::SIGNAL, limits, &mut builder)? {
            Ok(labels) => named.push((index, labels)),
            Err(rejection) => {
                let entries = (entries as u64).max(1);
                metrics.discard(&rejection.reason, entries);
                outcome.reject(entries, || rejection);
            }
        }
    }
    Ok(named)
}
