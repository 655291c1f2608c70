//! Aggregations. Rows are folded into their group as they come, and never held.

mod accumulator;
mod top;

pub use accumulator::Kind;
pub use top::Top;

use crate::{
    labels::LabelChoice,
    row::{Row, RowRef, Rows, has_values},
};
use accumulator::Accumulator;
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
    held: Reservation,
}

struct Group {
    labels: Labels,
    accumulator: Accumulator,
}

impl<'a> Groups<'a> {
    /// `held` grows with the groups.
    pub fn new(choice: LabelChoice<'a>, kind: Kind, steps: usize, held: Reservation) -> Self {
        Self { choice, kind, steps, index: HashMap::new(), groups: Vec::new(), held }
    }

    pub fn add(&mut self, row: RowRef<'_>) -> Result<()> {
        if !has_values(row.values) {
            return Ok(());
        }
        let labels = self.choice.of(row.labels, row.name_dropped);
        let at = match self.index.entry(labels) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                self.held.grow(entry.key().heap_bytes() * 2 + self.steps * self.kind.bytes_per_step())?;
                let accumulator = Accumulator::new(self.kind, self.steps);
                self.groups.push(Group { labels: entry.key().clone(), accumulator });
                *entry.insert(self.groups.len() - 1)
            }
        };
        if self.kind == Kind::Quantile {
            self.held.grow(size_of_val(row.values))?;
        }
        self.groups[at].accumulator.add(row.values);
        Ok(())
    }

    /// Takes in what another share of the rows gave.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        for group in other.groups {
            match self.index.entry(group.labels.clone()) {
                Entry::Occupied(entry) => self.groups[*entry.get()].accumulator.merge(group.accumulator),
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
    pub fn finish(self, phi: Option<&dyn Fn(usize) -> f64>) -> Rows {
        let rows =
            self.groups.into_iter().map(|g| Row { labels: g.labels, values: g.accumulator.finish(phi) });
        Rows { rows: rows.filter(Row::has_values).collect(), held: vec![self.held] }
    }
}
