//! Applying the log's records of samples to the head, in log order.

use super::{
    Head, MetricHead, Minutes, Slot,
    series::{Applied, Series},
    slab::Walk,
};
use model::{HistogramSample, Sample, TimeRange, Timestamp};
use service_api::{PushOutcome, RejectReason, Rejection};
use smallvec::SmallVec;

/// One refused entry, before anybody looked its labels up.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub series: u32,
    pub timestamp: Timestamp,
    pub reason: RejectReason,
}

/// What became of the entries of one record.
#[derive(Debug, Default)]
pub struct Counts {
    pub samples: u64,
    pub histograms: u64,
    pub exemplars: u64,
    pub conflicts: u64,
    /// Of each conflict the series; one that came back meanwhile under a new reference is not found by it.
    pub conflicting: Vec<u32>,
    pub late_exemplars: u64,
    /// The first few of the refused.
    pub refusals: Vec<Refusal>,
    /// Starts of the windows that got data.
    pub windows: SmallVec<[Timestamp; 4]>,
}

impl Counts {
    pub fn keep(&mut self, series: u32, timestamp: Timestamp, reason: RejectReason) {
        if self.refusals.len() < PushOutcome::KEPT_REJECTIONS {
            self.refusals.push(Refusal { series, timestamp, reason });
        }
    }
}

/// With its start.
enum Entry {
    Float(Sample, Timestamp),
    Histogram(Box<HistogramSample>, Timestamp),
}

/// Writes entries while it holds the pages. There is one at a time for a head.
pub struct Applier<'a> {
    head: &'a MetricHead,
    slots: Walk<'a, Series>,
    window: TimeRange,
    /// The part of the window that is in one minute: while times stay in it there is nothing to note.
    near: TimeRange,
    range: TimeRange,
    minutes: Minutes,
    counts: Counts,
    /// Entries of series that must come back first.
    put_off: Vec<(u32, Entry)>,
}

impl MetricHead {
    /// Runs `entries`, which writes one record's entries. Refusals it counts itself. When it returns,
    /// the entries can be read and the head says that it has changed, in this order: who asks for the
    /// version and reads then, must not find less than the version stands for.
    pub fn apply(&self, entries: impl FnOnce(&mut Applier<'_>)) -> Counts {
        let (range, minutes, mut counts, put_off) = {
            let pages = self.slab.pages.read();
            let mut applier = Applier {
                head: self,
                slots: Walk::new(&pages),
                window: TimeRange::new(Timestamp::MAX, Timestamp::MIN),
                near: TimeRange::new(Timestamp::MAX, Timestamp::MIN),
                range: TimeRange::new(Timestamp::MAX, Timestamp::MIN),
                minutes: Minutes::default(),
                counts: Counts::default(),
                put_off: Vec::new(),
            };
            entries(&mut applier);
            (applier.range, applier.minutes, applier.counts, applier.put_off)
        };
        counts.windows.sort_unstable();
        counts.windows.dedup();
        self.widen(&range);
        self.apply_put_off(put_off, &mut counts);
        self.changes.note(&minutes);
        counts
    }

    /// Entries for series that had just been condemned: they are made findable again, or
    /// their successors get the entries.
    fn apply_put_off(&self, entries: Vec<(u32, Entry)>, counts: &mut Counts) {
        for (series, entry) in entries {
            let series = self.resurrect(series);
            let timestamp = match &entry {
                Entry::Float(sample, _) => sample.timestamp,
                Entry::Histogram(sample, _) => sample.timestamp,
            };
            let window = self.window(timestamp);
            let applied = self.slab.with(series, |slot| match &entry {
                Entry::Float(sample, start) => slot.append(sample.timestamp, sample.value, *start, &window),
                Entry::Histogram(sample, start) => slot.append_histogram(sample, *start, self.block_ms),
            });
            let histogram = matches!(entry, Entry::Histogram(..));
            counts.count(series, timestamp, applied.unwrap_or(Applied::Condemned), histogram);
        }
    }

    /// Adds what became of a record to its answer, with the labels of what was refused.
    pub fn report(&self, counts: Counts, pushed: &mut PushOutcome) {
        pushed.samples += counts.samples;
        pushed.histograms += counts.histograms;
        pushed.exemplars += counts.exemplars;
        pushed.rejected += counts.conflicts;
        self.explain(counts.refusals, pushed);
    }
}

impl<S: Slot> Head<S> {
    /// Keeps the first refusals word for word; they are counted already.
    pub fn explain(&self, refusals: Vec<Refusal>, pushed: &mut PushOutcome) {
        for Refusal { series, timestamp, reason } in refusals {
            let labels = || self.index.read().labels(series).unwrap_or_default();
            pushed.reject(0, || Rejection { reason, labels: labels(), timestamp: Some(timestamp) });
        }
    }
}

impl<'a> Applier<'a> {
    /// `start` is 0 where it is not known.
    #[inline]
    pub fn sample(&mut self, series: u32, timestamp: Timestamp, value: f64, start: Timestamp) {
        self.enter_window(timestamp);
        let window = self.window;
        let Some(slot) = self.slots.slot(series) else { return };
        match slot.append(timestamp, value, start, &window) {
            Applied::Stored => self.counts.samples += 1,
            Applied::Condemned => {
                self.put_off.push((series, Entry::Float(Sample { timestamp, value }, start)));
            }
            applied => self.counts.count(series, timestamp, applied, false),
        }
    }

    pub fn histogram(&mut self, series: u32, sample: &HistogramSample, start: Timestamp) {
        self.enter_window(sample.timestamp);
        let block_ms = self.head.block_ms;
        let Some(slot) = self.slots.slot(series) else { return };
        match slot.append_histogram(sample, start, block_ms) {
            Applied::Condemned => {
                self.put_off.push((series, Entry::Histogram(Box::new(sample.clone()), start)));
            }
            applied => self.counts.count(series, sample.timestamp, applied, true),
        }
    }

    #[inline]
    fn enter_window(&mut self, timestamp: Timestamp) {
        if !self.near.contains(timestamp) {
            self.enter(timestamp);
        }
        self.range.start = self.range.start.min(timestamp);
        self.range.end = self.range.end.max(timestamp);
    }

    fn enter(&mut self, timestamp: Timestamp) {
        if !self.window.contains(timestamp) {
            self.window = self.head.window(timestamp);
            // Few are looked through, as a sender may name a window with each sample; the rest is for the end.
            if !self.counts.windows.iter().take(8).any(|start| *start == self.window.start) {
                self.counts.windows.push(self.window.start);
            }
        }
        let minute = self.minutes.touch(timestamp);
        self.near = TimeRange::new(minute.start.max(self.window.start), minute.end.min(self.window.end));
    }
}

impl Counts {
    fn count(&mut self, series: u32, timestamp: Timestamp, applied: Applied, histogram: bool) {
        match applied {
            Applied::Stored | Applied::Present if histogram => self.histograms += 1,
            Applied::Stored | Applied::Present => self.samples += 1,
            Applied::Conflict | Applied::Condemned => {
                self.conflicts += 1;
                self.conflicting.push(series);
                self.keep(series, timestamp, RejectReason::Duplicate);
            }
        }
    }
}
