//! Rebuilding the heads from the log.

use crate::{
    append::Traces,
    flush::Marks,
    head::{Head, Run, Series, Slot, Stream},
    heads::Heads,
    record::{self, Payload, ReadLines, Samples},
    wal::Position,
};
use chunk::Corrupt;
use hashbrown::{HashMap, hash_map::EntryRef};
use model::{Labels, NANOS_A_MILLI, Signal, TenantId, TimeRange, Timestamp};
use std::{collections::BTreeSet, sync::Arc};

/// Takes records in log order. What the marks say is in blocks is left out.
pub struct Replay<'a> {
    heads: &'a Heads<Series>,
    log_heads: &'a Heads<Stream>,
    marks: &'a Marks,
    traces: &'a Traces,
    segment: u64,
    /// What the segment has declared, by tenant.
    series: HashMap<String, Tenant<Series>>,
    streams: HashMap<String, Tenant<Stream>>,
    samples: Samples,
    lines: ReadLines,
    pub found: Found,
    /// The first record that another version of the program must have written.
    pub unknown: Option<Unknown>,
    /// Segments with records that cannot be read: they are not to be removed.
    pub keep: BTreeSet<u64>,
}

/// A record of a version that this program does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    pub position: Position,
    pub version: u8,
}

/// What a replay has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub samples: u64,
    pub lines: u64,
    /// Samples and lines that are in blocks.
    pub in_blocks: u64,
    /// Samples and lines whose series' or stream's declaration has been lost with a damaged record.
    pub orphans: u64,
    /// Records whose checksum was right but not their content.
    pub unreadable: u64,
}

struct Tenant<S: Slot> {
    head: Arc<Head<S>>,
    /// By the segment's number of a series or stream.
    declared: HashMap<u32, Declared>,
}

#[derive(Clone, Copy)]
struct Declared {
    reference: u32,
    base: u64,
}

impl<'a> Replay<'a> {
    pub fn new(
        heads: &'a Heads<Series>,
        log_heads: &'a Heads<Stream>,
        marks: &'a Marks,
        traces: &'a Traces,
    ) -> Self {
        Self {
            heads,
            log_heads,
            marks,
            traces,
            segment: u64::MAX,
            series: HashMap::new(),
            streams: HashMap::new(),
            samples: Samples::default(),
            lines: ReadLines::default(),
            found: Found::default(),
            unknown: None,
            keep: BTreeSet::new(),
        }
    }

    pub fn record(&mut self, position: Position, payload: &[u8]) {
        if position.segment != self.segment {
            self.segment = position.segment;
            self.series.clear();
            self.streams.clear();
        }
        if let Some(&version) = payload.first()
            && !(1..=record::VERSION).contains(&version)
        {
            self.unknown.get_or_insert(Unknown { position, version });
            return;
        }
        if let Err(error) = self.try_record(position, payload) {
            self.found.unreadable += 1;
            self.keep.insert(position.segment);
            tracing::error!(
                segment = position.segment, %position, %error,
                "a record of the write-ahead log cannot be read and is left out; its segment is kept to be looked into"
            );
        }
    }

    fn try_record(&mut self, position: Position, payload: &[u8]) -> Result<(), Corrupt> {
        let payload = Payload::read(payload)?;
        match payload.signal {
            Signal::Metrics => self.samples(position, payload),
            Signal::Logs => self.lines(position, payload),
        }
    }

    fn samples(&mut self, position: Position, mut payload: Payload<'_>) -> Result<(), Corrupt> {
        let Tenant { head, declared: series } = declare(&mut self.series, self.heads, &payload)?;
        let samples = &mut self.samples;
        payload.samples(|s| series.get(&s).map(|s| s.base), samples)?;
        let histograms = payload.histograms()?;
        let exemplars = payload.exemplars()?;
        let metadata = payload.metadata()?;
        let starts = payload.starts(samples.series.len(), histograms.len())?;

        let done = Done(self.marks.windows(&head.tenant, Signal::Metrics, position));
        let found = &mut self.found;
        let mut log = head.log.lock();
        let mut counts = head.apply(|applier| {
            let samples = samples.series.iter().zip(&samples.timestamps).zip(&samples.values);
            for (at, ((named, &t), &value)) in samples.enumerate() {
                let Some(series) = series.get(named) else {
                    found.orphans += 1;
                    continue;
                };
                log.replayed(series.reference, t);
                found.samples += 1;
                match done.has(t) {
                    true => found.in_blocks += 1,
                    false => {
                        let start = starts.floats.get(at).copied().unwrap_or(0);
                        applier.sample(series.reference, t, f64::from_bits(value), start);
                    }
                }
            }
            for (at, (named, sample)) in histograms.iter().enumerate() {
                let Some(series) = series.get(named) else {
                    found.orphans += 1;
                    continue;
                };
                log.replayed(series.reference, sample.timestamp);
                found.samples += 1;
                match done.has(sample.timestamp) {
                    true => found.in_blocks += 1,
                    false => {
                        let start = starts.histograms.get(at).copied().unwrap_or(0);
                        applier.histogram(series.reference, sample, start);
                    }
                }
            }
        });
        drop(log);
        let exemplars = exemplars.iter().filter_map(|(named, e)| Some((series.get(named)?.reference, e)));
        head.keep_exemplars(exemplars, &mut counts);
        metadata.iter().for_each(|entry| head.beside.metadata.write().keep(entry));
        let now = self.traces.clock.monotonic();
        self.traces.ledger.note(position, &head.tenant, Signal::Metrics, &counts.windows, now);
        Ok(())
    }

    fn lines(&mut self, position: Position, mut payload: Payload<'_>) -> Result<(), Corrupt> {
        let Tenant { head, declared: streams } = declare(&mut self.streams, self.log_heads, &payload)?;
        payload.lines(&mut self.lines)?;
        let ReadLines { streams: named, lines, .. } = &self.lines;
        let done = Done(self.marks.windows(&head.tenant, Signal::Logs, position));
        let found = &mut self.found;
        let mut runs: Vec<Run> = Vec::new();
        let mut log = head.log.lock();
        for (at, (named, &t)) in (0u32..).zip(named.iter().zip(&lines.timestamps)) {
            let Some(stream) = streams.get(named).map(|declared| declared.reference) else {
                found.orphans += 1;
                continue;
            };
            log.replayed(stream, t);
            found.lines += 1;
            if done.has(t.div_euclid(NANOS_A_MILLI)) {
                found.in_blocks += 1;
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.stream == stream && run.lines.end == at => run.lines.end += 1,
                _ => runs.push(Run { stream, lines: at..at + 1 }),
            }
        }
        drop(log);
        let line = |at: u32| {
            let at = at as usize;
            (lines.timestamps[at], lines.line(at), lines.metadata(at))
        };
        let now = self.traces.clock.monotonic();
        let counts = head.apply_lines(&runs, now, line);
        self.traces.ledger.note(position, &head.tenant, Signal::Logs, &counts.windows, now);
        Ok(())
    }
}

/// The tenant of a record, with what its segment has declared up to it.
fn declare<'t, S: Slot>(
    tenants: &'t mut HashMap<String, Tenant<S>>,
    heads: &Heads<S>,
    payload: &Payload<'_>,
) -> Result<&'t mut Tenant<S>, Corrupt> {
    let tenant = match tenants.entry_ref(payload.tenant) {
        EntryRef::Occupied(entry) => entry.into_mut(),
        EntryRef::Vacant(entry) => {
            let id = TenantId::new(payload.tenant).map_err(|_| Corrupt("a tenant's name"))?;
            entry.insert(Tenant { head: heads.get_or_create(&id), declared: HashMap::new() })
        }
    };
    for declaration in &payload.declarations {
        let labels = Labels::from_sorted(declaration.labels.iter().copied());
        let reference = tenant.head.replay_series(&labels).ok_or(Corrupt("too many series"))?;
        tenant.declared.insert(declaration.series, Declared { reference, base: declaration.base });
    }
    Ok(tenant)
}

/// Windows that are in blocks as far as one record is concerned.
struct Done(Vec<TimeRange>);

impl Done {
    fn has(&self, timestamp: Timestamp) -> bool {
        self.0.iter().any(|window| window.contains(timestamp))
    }
}

#[cfg(test)]
mod tests;
