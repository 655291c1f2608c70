//! What writing a batch needs to know of it, whichever signal it is of.

use model::{Signal, TenantId};
use service_api::{
    AppendOutcome, IngestAll, LabelSource, LogBatch, PushOutcome, Result, SeriesKey, Wanted, WriteBatch,
};
use std::{ops::Range, pin::Pin, sync::Arc};

/// An append that is under way.
pub type Appending<'a> = Pin<Box<dyn Future<Output = Result<AppendOutcome>> + Send + 'a>>;

/// What a batch of either signal says of its series or streams.
pub trait Batch: Send + Sync + 'static {
    const SIGNAL: Signal;
    /// What it has: series or streams.
    const NOUN: &'static str;

    fn labels(&self) -> &dyn LabelSource;

    /// How many series or streams there are.
    fn len(&self) -> usize;

    fn key(&self, index: usize) -> SeriesKey;

    /// How many entries series or stream `index` has.
    fn entries_of(&self, index: usize) -> usize;

    /// Whether there is anything beside the series.
    fn has_metadata(&self) -> bool;

    /// About what it holds in memory.
    fn bytes(&self) -> usize;

    /// All of it as if it was written.
    fn counts(&self) -> PushOutcome;

    /// Counts `entries` of series or stream `index` as not written.
    fn take_back(&self, index: usize, entries: u64, outcome: &mut PushOutcome);

    fn append<'a>(
        self: Arc<Self>,
        ingester: &'a dyn IngestAll,
        tenant: &'a TenantId,
        which: Wanted,
    ) -> Appending<'a>;
}

impl Batch for WriteBatch {
    const SIGNAL: Signal = Signal::Metrics;
    const NOUN: &'static str = "series";

    fn labels(&self) -> &dyn LabelSource {
        &*self.labels
    }

    fn len(&self) -> usize {
        self.series.len()
    }

    fn key(&self, index: usize) -> SeriesKey {
        self.series[index].key
    }

    fn entries_of(&self, index: usize) -> usize {
        let series = &self.series[index];
        series.samples.len() + series.histograms.len() + series.exemplars.len()
    }

    fn has_metadata(&self) -> bool {
        !self.metadata.is_empty()
    }

    fn bytes(&self) -> usize {
        // Histograms and exemplars have more behind them, of a size that is usual here.
        self.labels.bytes()
            + size_of_val(&*self.series)
            + size_of_val(&*self.samples)
            + size_of_val(&*self.starts.floats)
            + size_of_val(&*self.starts.histograms)
            + 1024 * self.histograms.len()
            + 256 * (self.exemplars.len() + self.metadata.len())
    }

    fn counts(&self) -> PushOutcome {
        PushOutcome {
            samples: self.samples.len() as u64,
            histograms: self.histograms.len() as u64,
            exemplars: self.exemplars.len() as u64,
            ..PushOutcome::default()
        }
    }

    /// Which kind of entry was refused is not told; what a series has of only one kind is the usual case.
    fn take_back(&self, index: usize, entries: u64, outcome: &mut PushOutcome) {
        let series = &self.series[index];
        let mut left = entries;
        let mut take = |of: &Range<u32>, from: &mut u64| {
            let taken = left.min(of.len() as u64);
            *from = from.saturating_sub(taken);
            left -= taken;
        };
        take(&series.samples, &mut outcome.samples);
        take(&series.histograms, &mut outcome.histograms);
        take(&series.exemplars, &mut outcome.exemplars);
    }

    fn append<'a>(
        self: Arc<Self>,
        ingester: &'a dyn IngestAll,
        tenant: &'a TenantId,
        which: Wanted,
    ) -> Appending<'a> {
        ingester.append(tenant, self, which)
    }
}

impl Batch for LogBatch {
    const SIGNAL: Signal = Signal::Logs;
    const NOUN: &'static str = "streams";

    fn labels(&self) -> &dyn LabelSource {
        &*self.labels
    }

    fn len(&self) -> usize {
        self.streams.len()
    }

    fn key(&self, index: usize) -> SeriesKey {
        self.streams[index].key
    }

    fn entries_of(&self, index: usize) -> usize {
        self.streams[index].entries.len()
    }

    fn has_metadata(&self) -> bool {
        false
    }

    fn bytes(&self) -> usize {
        self.labels.bytes()
            + self.text.len()
            + size_of_val(&*self.streams)
            + size_of_val(&*self.entries)
            + size_of_val(&*self.metadata)
    }

    fn counts(&self) -> PushOutcome {
        PushOutcome { lines: self.entries.len() as u64, ..PushOutcome::default() }
    }

    fn take_back(&self, _: usize, entries: u64, outcome: &mut PushOutcome) {
        outcome.lines = outcome.lines.saturating_sub(entries);
    }

    fn append<'a>(
        self: Arc<Self>,
        ingester: &'a dyn IngestAll,
        tenant: &'a TenantId,
        which: Wanted,
    ) -> Appending<'a> {
        ingester.append_logs(tenant, self, which)
    }
}
