//! One append on its way through the log into the head: samples here, lines in `append/lines.rs`.

mod lines;

use crate::{
    flush::Ledger,
    head::{Counts, LogMemory, MetricHead, Resolved},
    log_state::{Input, Raised, TooOld, taken},
    metrics::IngesterMetrics,
    wal::{Position, Record, WalError},
};
use model::Signal;
use runtime::Clock;
use service_api::{AppendOutcome, Code, Error, Refused, Result, WriteBatch};
use std::sync::Arc;
use tokio::sync::oneshot;

pub use lines::{AppendLines, bytes_to_pack};

/// What appends and replays leave traces in.
pub struct Traces {
    pub ledger: Ledger,
    pub metrics: IngesterMetrics,
    pub clock: Arc<dyn Clock>,
    pub memory: Arc<LogMemory>,
}

/// An append that has looked its series up.
pub struct Append {
    pub head: Arc<MetricHead>,
    pub traces: Arc<Traces>,
    pub batch: Arc<WriteBatch>,
    pub resolved: Resolved,
    /// Indexes of the batch's metadata that the head does not have.
    pub metadata: Vec<u32>,
    pub out_of_order_ms: i64,
    pub outcome: AppendOutcome,
    pub too_old: TooOld,
    pub raised: Vec<Raised>,
    pub answer: oneshot::Sender<Result<AppendOutcome>>,
}

impl Append {
    /// About what it holds in memory and takes in the log.
    pub fn bytes(&self) -> usize {
        let batch = &self.batch;
        256 + 8 * self.resolved.series.len()
            + 16 * batch.samples.len()
            + 8 * (batch.starts.floats.len() + batch.starts.histograms.len())
            + 512 * batch.histograms.len()
            + 128 * (batch.exemplars.len() + self.metadata.len())
    }

    fn apply(&mut self, position: Position) -> AppendOutcome {
        let Self { head, batch, resolved, too_old, .. } = self;
        let mut counts = head.apply(|applier| {
            for &(index, series) in &resolved.series {
                let Some(entry) = batch.series.get(index as usize) else { continue };
                let samples = taken(&batch.samples, &entry.samples, &too_old.samples);
                if batch.starts.floats.is_empty() {
                    samples.for_each(|s| applier.sample(series, s.timestamp, s.value, 0));
                } else {
                    let starts = taken(&batch.starts.floats, &entry.samples, &too_old.samples);
                    for (sample, start) in samples.zip(starts) {
                        applier.sample(series, sample.timestamp, sample.value, *start);
                    }
                }
                let mut starts = taken(&batch.starts.histograms, &entry.histograms, &too_old.histograms);
                for sample in taken(&batch.histograms, &entry.histograms, &too_old.histograms) {
                    applier.histogram(series, sample, starts.next().copied().unwrap_or(0));
                }
            }
        });
        let exemplars = resolved.series.iter().flat_map(|&(index, series)| {
            let range = batch.series.get(index as usize).map_or(0..0, |entry| entry.exemplars.clone());
            taken(&batch.exemplars, &range, &[]).map(move |exemplar| (series, exemplar))
        });
        head.keep_exemplars(exemplars, &mut counts);
        if !self.metadata.is_empty() {
            let mut kept = head.beside.metadata.write();
            let entries = self.metadata.iter().filter_map(|&at| batch.metadata.get(at as usize));
            entries.for_each(|entry| kept.keep(entry));
        }
        self.report(counts, position)
    }

    fn report(&mut self, counts: Counts, position: Position) -> AppendOutcome {
        let Self { head, traces, resolved, too_old, .. } = self;
        let now = traces.clock.monotonic();
        traces.ledger.note(position, &head.tenant, Signal::Metrics, &counts.windows, now);
        let too_old_entries = (too_old.samples.len() + too_old.histograms.len()) as u64;
        traces.metrics.applied(&counts, too_old_entries);
        let mut outcome = std::mem::take(&mut self.outcome);
        outcome.pushed.rejected += too_old_entries;
        outcome.refused.append(&mut too_old.refused);
        outcome.refused.extend(counts.conflicting.iter().filter_map(|reference| {
            let named = resolved.series.iter().find(|(_, series)| series == reference)?;
            Some(Refused { index: named.0, entries: 1 })
        }));
        head.explain(std::mem::take(&mut too_old.refusals), &mut outcome.pushed);
        head.report(counts, &mut outcome.pushed);
        outcome
    }
}

impl Record for Append {
    fn encode(&mut self, segment: u64, out: &mut Vec<u8>) {
        let input = Input {
            batch: &self.batch,
            resolved: &self.resolved,
            metadata: &self.metadata,
            out_of_order_ms: self.out_of_order_ms,
        };
        (self.too_old, self.raised) = self.head.log.lock().encode(&self.head, segment, &input, out);
    }

    fn committed(mut self: Box<Self>, result: std::result::Result<Position, WalError>) {
        let answer = match result {
            Ok(position) => Ok(self.apply(position)),
            Err(error) => {
                self.head.log.lock().take_back(&self.raised);
                Err(log_error(&error))
            }
        };
        // Whoever asked may have gone away; what is stored stays stored.
        let _ = self.answer.send(answer);
    }
}

/// What a sender is told when the log takes nothing.
pub fn log_error(error: &WalError) -> Error {
    let code = match error {
        WalError::NoSpace | WalError::Closed | WalError::Failed(_) => Code::Unavailable,
        WalError::TooLarge { .. } => Code::TooLarge,
        _ => Code::Internal,
    };
    Error::new(code, error.to_string())
}
