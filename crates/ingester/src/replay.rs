//! Rebuilding the heads from the log.

use crate::{
    append::Traces,
    flush::Marks,
    head::Head,
    record::{self, Payload, Samples},
    wal::Position,
};
use chunk::Corrupt;
use hashbrown::HashMap;
use model::{Labels, TenantId, TimeRange, Timestamp};
use std::{collections::BTreeSet, sync::Arc};

/// Takes records in log order. What the marks say is in blocks is left out.
pub struct Replay<'a> {
    heads: &'a dyn Fn(&TenantId) -> Arc<Head>,
    marks: &'a Marks,
    traces: &'a Traces,
    segment: u64,
    /// What the segment has declared, by tenant and by the segment's number of a series.
    declared: HashMap<String, Tenant>,
    samples: Samples,
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
    /// Samples that are in blocks.
    pub in_blocks: u64,
    /// Samples whose series' declaration has been lost with a damaged record.
    pub orphans: u64,
    /// Records whose checksum was right but not their content.
    pub unreadable: u64,
}

struct Tenant {
    head: Arc<Head>,
    series: HashMap<u32, Series>,
}

#[derive(Clone, Copy)]
struct Series {
    reference: u32,
    base: u64,
}

impl<'a> Replay<'a> {
    pub fn new(heads: &'a dyn Fn(&TenantId) -> Arc<Head>, marks: &'a Marks, traces: &'a Traces) -> Self {
        Self {
            heads,
            marks,
            traces,
            segment: u64::MAX,
            declared: HashMap::new(),
            samples: Samples::default(),
            found: Found::default(),
            unknown: None,
            keep: BTreeSet::new(),
        }
    }

    pub fn record(&mut self, position: Position, payload: &[u8]) {
        if position.segment != self.segment {
            self.segment = position.segment;
            self.declared.clear();
        }
        if let Some(&version) = payload.first()
            && version != record::VERSION
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
        let mut payload = Payload::read(payload)?;
        let tenant = match self.declared.get_mut(payload.tenant) {
            Some(tenant) => tenant,
            None => {
                let id = TenantId::new(payload.tenant).map_err(|_| Corrupt("a tenant's name"))?;
                let tenant = Tenant { head: (self.heads)(&id), series: HashMap::new() };
                self.declared.entry(payload.tenant.to_owned()).or_insert(tenant)
            }
        };
        for declaration in &payload.declarations {
            let labels = Labels::from_sorted(declaration.labels.iter().copied());
            let reference = tenant.head.replay_series(&labels).ok_or(Corrupt("too many series"))?;
            tenant.series.insert(declaration.series, Series { reference, base: declaration.base });
        }
        let Tenant { head, series } = tenant;
        let samples = &mut self.samples;
        payload.samples(|s| series.get(&s).map(|s| s.base), samples)?;
        let histograms = payload.histograms()?;
        let exemplars = payload.exemplars()?;
        let metadata = payload.metadata()?;

        let done = Done(self.marks.windows(&head.tenant, position));
        let found = &mut self.found;
        let mut log = head.log.lock();
        let mut counts = head.apply(|applier| {
            for ((named, &t), &value) in samples.series.iter().zip(&samples.timestamps).zip(&samples.values) {
                let Some(series) = series.get(named) else {
                    found.orphans += 1;
                    continue;
                };
                log.replayed(series.reference, t);
                found.samples += 1;
                match done.has(t) {
                    true => found.in_blocks += 1,
                    false => applier.sample(series.reference, t, f64::from_bits(value)),
                }
            }
            for (named, sample) in &histograms {
                let Some(series) = series.get(named) else {
                    found.orphans += 1;
                    continue;
                };
                log.replayed(series.reference, sample.timestamp);
                found.samples += 1;
                match done.has(sample.timestamp) {
                    true => found.in_blocks += 1,
                    false => applier.histogram(series.reference, sample),
                }
            }
        });
        drop(log);
        let exemplars = exemplars.iter().filter_map(|(named, e)| Some((series.get(named)?.reference, e)));
        head.keep_exemplars(exemplars, &mut counts);
        metadata.iter().for_each(|entry| head.metadata.write().keep(entry));
        self.traces.ledger.note(position, &head.tenant, &counts.windows, self.traces.clock.monotonic());
        Ok(())
    }
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
