//! Aggregations. Rows are folded into their group as they come, and never held.

mod accumulator;
mod histograms;
mod limit;
mod top;

pub use accumulator::Kind;
pub use histograms::HistogramNotes;
pub use limit::{Limit, Limited};
pub use top::Top;

use crate::{
    labels::LabelChoice,
    row::{Row, RowRef, Rows},
};
use accumulator::Accumulator;
use histograms::HistogramGroup;
use model::Labels;
use service_api::{Reservation, Result};
use std::collections::{HashMap, hash_map::Entry};

/// Groups of rows, of all or of a share of them, each with what its aggregation gathers.
pub struct Groups<'a> {
    choice: LabelChoice<'a>,
    kind: Kind,
    steps: usize,
    index: HashMap<Labels, usize>,
    /// In order of first appearance.
    groups: Vec<Group>,
    notes: HistogramNotes,
    held: Reservation,
}

struct Group {
    labels: Labels,
    /// A row of the group has dropped its name.
    name_dropped: bool,
    accumulator: Accumulator,
    /// Of native histograms, once there was one.
    histograms: Option<HistogramGroup>,
}

impl<'a> Groups<'a> {
    /// `held` grows with the groups.
    pub fn new(choice: LabelChoice<'a>, kind: Kind, steps: usize, held: Reservation) -> Self {
        Self {
            choice,
            kind,
            steps,
            index: HashMap::new(),
            groups: Vec::new(),
            notes: HistogramNotes::default(),
            held,
        }
    }

    pub fn add(&mut self, row: RowRef<'_>) -> Result<()> {
        if !row.has_values() {
            return Ok(());
        }
        let labels = self.choice.of(row.labels, row.name_dropped);
        let at = match self.index.entry(labels) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                self.held.grow(entry.key().heap_bytes() * 2 + self.steps * self.kind.bytes_per_step())?;
                let accumulator = Accumulator::new(self.kind, self.steps);
                self.groups.push(Group {
                    labels: entry.key().clone(),
                    name_dropped: false,
                    accumulator,
                    histograms: None,
                });
                *entry.insert(self.groups.len() - 1)
            }
        };
        if self.kind == Kind::Quantile {
            self.held.grow(size_of_val(row.values))?;
        }
        let group = &mut self.groups[at];
        group.name_dropped |= row.name_dropped;
        group.accumulator.add(row.values);
        if row.histograms.is_empty() { Ok(()) } else { self.add_histograms(at, row) }
    }

    fn add_histograms(&mut self, at: usize, row: RowRef<'_>) -> Result<()> {
        let group = &mut self.groups[at];
        if matches!(self.kind, Kind::Count | Kind::Group) {
            row.histograms.iter().for_each(|(step, _)| group.accumulator.count(step));
            return Ok(());
        }
        if group.histograms.is_none() {
            group.histograms = HistogramGroup::new(self.kind, self.steps);
            self.held.grow(self.steps * HistogramGroup::STEP_BYTES)?;
        }
        match &mut group.histograms {
            Some(histograms) => {
                let grown = histograms.add(row.labels, row.histograms, &mut self.notes);
                self.held.grow(grown)?;
            }
            None => self.notes.ignored = true,
        }
        Ok(())
    }

    /// Takes in what another share of the rows gave.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        self.notes.merge(other.notes);
        for group in other.groups {
            match self.index.entry(group.labels.clone()) {
                Entry::Occupied(entry) => self.groups[*entry.get()].merge(group, &mut self.notes),
                Entry::Vacant(entry) => {
                    self.held.grow(entry.key().heap_bytes() * 2 + self.steps * self.kind.bytes_per_step())?;
                    entry.insert(self.groups.len());
                    self.groups.push(group);
                }
            }
        }
        Ok(())
    }

    /// A row for each group. `phi` is the φ of `Kind::Quantile` at a step.
    pub fn finish(self, phi: Option<&dyn Fn(usize) -> f64>) -> (Rows, HistogramNotes) {
        let (mut notes, delayed) = (self.notes, self.choice.delayed);
        let row = |group: Group| {
            let mut values = group.accumulator.finish(phi);
            let histograms = group.histograms.map(|h| h.finish(&mut values, &mut notes)).unwrap_or_default();
            let name_dropped = delayed && group.name_dropped;
            Row { labels: group.labels, name_dropped, values, histograms }
        };
        let rows = self.groups.into_iter().map(row).filter(Row::has_values).collect();
        (Rows { rows, held: vec![self.held] }, notes)
    }
}

impl Group {
    fn merge(&mut self, other: Self, notes: &mut HistogramNotes) {
        self.name_dropped |= other.name_dropped;
        self.accumulator.merge(other.accumulator);
        match (&mut self.histograms, other.histograms) {
            (None, histograms) => self.histograms = histograms,
            (Some(all), Some(more)) => all.merge(more, &self.labels, notes),
            (Some(_), None) => {}
        }
    }
}
