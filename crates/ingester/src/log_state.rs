//! What the log knows of a head's series or streams: what the segment has declared, and how
//! new their newest entry is.

mod lines;

use crate::{
    head::{Head, MetricHead, Refusal, Resolved, Slot},
    record::{self, Declared, Samples},
};
use model::Timestamp;
use service_api::{BatchSeries, PushOutcome, Refused, RejectReason, StartTimestamps, WriteBatch};
use std::ops::Range;

const NO_SEGMENT: u64 = u64::MAX;

/// Entries that are too old are refused here, before they are logged, so that a replay need
/// not know the limits of that time.
#[derive(Default)]
pub struct LogState {
    series: Vec<LogSeries>,
    // Kept from record to record, for their memory.
    samples: Samples,
    declared: Vec<(u32, u64)>,
}

#[derive(Clone)]
struct LogSeries {
    /// The segment that has its declaration.
    segment: u64,
    /// The greatest timestamp that has been logged; of lines, that is on its way into the log.
    newest: Timestamp,
    /// Bits of the value that the segment's values are relative to.
    base: u64,
}

const UNKNOWN: LogSeries = LogSeries { segment: NO_SEGMENT, newest: Timestamp::MIN, base: 0 };

/// What an append has made of a series' newest timestamp, before it is in the log.
#[derive(Clone, Copy, Debug)]
pub struct Raised {
    series: u32,
    before: Timestamp,
}

/// Entries that are not logged, by their indexes in the batch, ascending.
#[derive(Debug, Default)]
pub struct TooOld {
    pub samples: Vec<u32>,
    pub histograms: Vec<u32>,
    /// The first few of them.
    pub refusals: Vec<Refusal>,
    pub refused: Vec<Refused>,
}

impl TooOld {
    fn keep(&mut self, series: u32, timestamp: Timestamp) {
        if self.refusals.len() < PushOutcome::KEPT_REJECTIONS {
            self.refusals.push(Refusal { series, timestamp, reason: RejectReason::TooOld });
        }
    }
}

/// What an append logs.
pub struct Input<'a> {
    pub batch: &'a WriteBatch,
    pub resolved: &'a Resolved,
    /// Indexes into the batch's metadata.
    pub metadata: &'a [u32],
    pub out_of_order_ms: i64,
}

impl LogState {
    /// Writes the payload of an append; returns what is too old to be taken, and what is to be taken back if
    /// the log refuses the payload.
    pub fn encode(
        &mut self,
        head: &MetricHead,
        segment: u64,
        input: &Input<'_>,
        out: &mut Vec<u8>,
    ) -> (TooOld, Vec<Raised>) {
        let (mut too_old, mut raised) = (TooOld::default(), Vec::with_capacity(input.resolved.series.len()));
        let Input { batch, resolved, metadata, out_of_order_ms } = *input;
        self.samples.clear();
        self.declared.clear();
        let (mut histograms, mut exemplars) = (Vec::new(), Vec::new());
        for &(index, series) in &resolved.series {
            let Some(entry) = batch.series.get(index as usize) else { continue };
            let state = slot(&mut self.series, series);
            let is_late = |newest: Timestamp, t: Timestamp| t < newest.saturating_sub(out_of_order_ms);
            let (from, before) = (self.samples.series.len(), state.newest);
            let counted = too_old.samples.len() + too_old.histograms.len();
            for at in entry.samples.clone() {
                let Some(sample) = batch.samples.get(at as usize) else { break };
                if is_late(state.newest, sample.timestamp) {
                    too_old.samples.push(at);
                    too_old.keep(series, sample.timestamp);
                    continue;
                }
                state.newest = state.newest.max(sample.timestamp);
                self.samples.series.push(series);
                self.samples.timestamps.push(sample.timestamp);
                self.samples.values.push(sample.value.to_bits());
            }
            let mut used = self.samples.series.len() > from || !entry.exemplars.is_empty();
            for at in entry.histograms.clone() {
                let Some(sample) = batch.histograms.get(at as usize) else { break };
                if is_late(state.newest, sample.timestamp) {
                    too_old.histograms.push(at);
                    too_old.keep(series, sample.timestamp);
                    continue;
                }
                state.newest = state.newest.max(sample.timestamp);
                histograms.push((series, sample));
                used = true;
            }
            let refused = too_old.samples.len() + too_old.histograms.len() - counted;
            if refused > 0 {
                too_old.refused.push(Refused { index, entries: refused as u32 });
            }
            if state.newest > before {
                raised.push(Raised { series, before });
            }
            let of_series = entry.exemplars.start as usize..entry.exemplars.end as usize;
            exemplars.extend(batch.exemplars.get(of_series).unwrap_or(&[]).iter().map(|e| (series, e)));
            if used && state.segment != segment {
                state.segment = segment;
                state.base = self.samples.values.get(from).copied().unwrap_or(0);
                self.declared.push((series, state.base));
            }
            self.samples.bases.resize(self.samples.series.len(), state.base);
        }
        self.put_head(head, out);
        record::put_samples(out, &self.samples);
        record::put_histograms(out, &histograms);
        record::put_exemplars(out, &exemplars);
        let entries: Vec<_> = metadata.iter().filter_map(|&at| batch.metadata.get(at as usize)).collect();
        record::put_metadata(out, entries.into_iter());
        too_old.samples.sort_unstable();
        too_old.histograms.sort_unstable();
        record::put_starts(out, &starts_of(batch, resolved, &too_old));
        (too_old, raised)
    }

    fn put_head<S: Slot>(&self, head: &Head<S>, out: &mut Vec<u8>) {
        if self.declared.is_empty() {
            return record::put_head(out, S::SIGNAL, head.tenant.as_str(), &[], |_| ("", ""));
        }
        let index = head.index.read();
        let declared = self.declared.iter().map(|&(series, base)| Declared {
            series,
            // The append holds its epoch, so the labels are there.
            pairs: index.pairs_of(series).unwrap_or(&[]),
            base,
        });
        record::put_head(out, S::SIGNAL, head.tenant.as_str(), &declared.collect::<Vec<_>>(), |pair| {
            index.pair_text(pair)
        });
    }

    /// Learns from a replay what is in the log.
    pub fn replayed(&mut self, series: u32, entry: Timestamp) {
        let state = slot(&mut self.series, series);
        state.newest = state.newest.max(entry);
    }

    /// Forgets what a refused append has raised. Of several that are refused together the first had found the
    /// lowest; one that is already encoded behind them and is taken loses its mark, which only lets late
    /// samples in until the next append.
    pub fn take_back(&mut self, raised: &[Raised]) {
        for &Raised { series, before } in raised {
            if let Some(state) = self.series.get_mut(series as usize) {
                state.newest = state.newest.min(before);
            }
        }
    }

    /// The references will mean other series.
    pub fn forget(&mut self, series: &[u32]) {
        for &series in series {
            if let Some(state) = self.series.get_mut(series as usize) {
                *state = UNKNOWN;
            }
        }
    }
}

/// The starts of what is logged of a batch, in the order of its record. Most batches have none.
fn starts_of(batch: &WriteBatch, resolved: &Resolved, too_old: &TooOld) -> StartTimestamps {
    let column = |starts: &[Timestamp], range: fn(&BatchSeries) -> &Range<u32>, too_old: &[u32]| {
        if starts.is_empty() {
            return Vec::new();
        }
        let series = resolved.series.iter().filter_map(|(index, _)| batch.series.get(*index as usize));
        series.flat_map(|entry| taken(starts, range(entry), too_old)).copied().collect()
    };
    StartTimestamps {
        floats: column(&batch.starts.floats, |entry| &entry.samples, &too_old.samples),
        histograms: column(&batch.starts.histograms, |entry| &entry.histograms, &too_old.histograms),
    }
}

fn slot(all: &mut Vec<LogSeries>, series: u32) -> &mut LogSeries {
    let at = series as usize;
    if all.len() <= at {
        all.resize(at + 1, UNKNOWN);
    }
    &mut all[at]
}

/// The entries of one series in a batch that are not too old.
pub fn taken<'a, T>(
    all: &'a [T],
    range: &Range<u32>,
    too_old: &'a [u32],
) -> impl Iterator<Item = &'a T> + use<'a, T> {
    let range = range.clone();
    let of_series = all.get(range.start as usize..range.end as usize).unwrap_or(&[]);
    let entries = of_series.iter().zip(range);
    entries
        .filter(move |(_, at)| too_old.is_empty() || too_old.binary_search(at).is_err())
        .map(|(entry, _)| entry)
}
