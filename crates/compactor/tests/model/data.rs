//! What there should be to read: entries with where they came from, and what was deleted.

use crate::{Delete, Flush};
use block_store::{Deletion, Ulid};
use model::{Labels, Signal};
use std::collections::{BTreeMap, BTreeSet};

pub const HOUR: i64 = 3_600_000;

/// A series or stream, a time in milliseconds, and the bits of a value or a line.
pub type Entry = (String, i64, Vec<u8>);

/// Of one signal.
#[derive(Default)]
pub struct Data {
    /// Of each entry, of each time that it came, the deletions that hide it.
    written: BTreeMap<Entry, (u8, Vec<BTreeSet<Ulid>>)>,
    /// With what asked for it.
    deletions: Vec<(Deletion, Delete)>,
}

pub fn labels(signal: Signal, series: u8) -> Labels {
    let name = if signal == Signal::Metrics { "__name__" } else { "app" };
    Labels::from_pairs([(name, format!("s{}", series % 3)), ("n", series.to_string())])
}

/// What lies at a time: the same whoever has it.
pub fn content(signal: Signal, series: u8, time: i64) -> Vec<u8> {
    match signal {
        Signal::Metrics => ((time / 1000) as f64 + f64::from(series) / 8.0).to_bits().to_le_bytes().to_vec(),
        Signal::Logs => format!("line of {series} at {time}, {}", parity(time)).into_bytes(),
    }
}

fn parity(time: i64) -> &'static str {
    if time.div_euclid(60_000) % 2 == 0 { "even" } else { "odd" }
}

pub fn query(delete: &Delete) -> String {
    let name = if delete.signal == Signal::Metrics { "__name__" } else { "app" };
    let selector = match delete.by_name {
        true => format!("{{{name}=\"s{}\"}}", delete.series % 3),
        false => format!("{{n=\"{}\"}}", delete.series),
    };
    match delete.signal {
        Signal::Logs if delete.odd => format!("{selector} |= \", odd\""),
        _ => selector,
    }
}

fn names(deletion: &Deletion, delete: &Delete, series: u8, time: i64) -> bool {
    let of_series = if delete.by_name { delete.series % 3 == series % 3 } else { delete.series == series };
    let all = delete.signal == Signal::Metrics || !delete.odd;
    of_series && deletion.range().contains(time) && (all || parity(time) == "odd")
}

impl Data {
    /// Notes that entries came, from heads unless they were imported.
    pub fn write(&mut self, flush: &Flush, entries: impl Iterator<Item = (u8, i64)>, now: i64) {
        for (series, time) in entries {
            let hides = |(deletion, delete): &&(Deletion, Delete)| {
                !flush.imported && deletion.concerns_heads(now) && names(deletion, delete, series, time)
            };
            let hidden = self.deletions.iter().filter(hides).map(|(deletion, _)| deletion.id).collect();
            let labels = labels(flush.signal, series).to_string();
            let entry = (labels, time, content(flush.signal, series, time));
            self.written.entry(entry).or_insert((series, Vec::new())).1.push(hidden);
        }
    }

    pub fn delete(&mut self, deletion: Deletion, delete: Delete) {
        for ((_, time, _), (series, times)) in &mut self.written {
            if names(&deletion, &delete, *series, *time) {
                times.iter_mut().for_each(|hidden| {
                    hidden.insert(deletion.id);
                });
            }
        }
        self.deletions.push((deletion, delete));
    }

    /// The last of the deletions that are not due, of which nothing is left.
    pub fn cancel(&mut self, now: i64) -> Option<Ulid> {
        let at = self.deletions.iter().rposition(|(deletion, _)| !deletion.is_due(now))?;
        let (deletion, _) = self.deletions.remove(at);
        let times = self.written.values_mut().flat_map(|(_, times)| times);
        times.for_each(|hidden| {
            hidden.remove(&deletion.id);
        });
        Some(deletion.id)
    }

    /// What is to be found, with the number of its series.
    pub fn visible(&self) -> BTreeMap<&Entry, u8> {
        let visible = self.written.iter().filter(|(_, (_, times))| times.iter().any(BTreeSet::is_empty));
        visible.map(|(entry, (series, _))| (entry, *series)).collect()
    }
}
